"""Movements of houses' capital-repair funds."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fund_entries",
        sa.Column("house", sa.String(length=64), nullable=False),
        sa.Column("document", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("contractor", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["house"], ["houses.house"]),
        sa.PrimaryKeyConstraint("house", "document"),
    )
