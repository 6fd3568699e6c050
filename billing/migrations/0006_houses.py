"""What is kept of whole houses: entries of their books, and the use that runs charged by."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "house_entries",
        sa.Column("house", sa.String(length=64), nullable=False),
        sa.Column("service", sa.Integer(), nullable=False),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("volume", sa.BigInteger(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["house"],
            ["houses.house"],
        ),
        sa.PrimaryKeyConstraint("house", "service", "period", "kind", "name"),
    )
    op.create_table(
        "house_months",
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("house", sa.String(length=64), nullable=False),
        sa.Column("service", sa.Integer(), nullable=False),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["house"],
            ["houses.house"],
        ),
        sa.ForeignKeyConstraint(
            ["run"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("run", "house", "service"),
    )
    with op.batch_alter_table("house_months", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_house_months_period"), ["period"], unique=False)
