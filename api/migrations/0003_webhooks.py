"""Where suppliers are told of their receipts, and the queue of what they are to be told."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_webhooks",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("supplier", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("secret", sa.String(length=80), nullable=False),
        sa.Column("told_to", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("api_webhooks", schema=None) as batch_op:
        batch_op.create_index("api_webhooks_supplier", ["supplier"], unique=False)
    op.create_table(
        "api_webhook_messages",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("webhook", sa.String(length=32), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.Column("answer", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["webhook"], ["api_webhooks.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("api_webhook_messages", schema=None) as batch_op:
        batch_op.create_index("api_webhook_messages_due", ["due_at"], unique=False)
        batch_op.create_index("api_webhook_messages_webhook", ["webhook"], unique=False)
