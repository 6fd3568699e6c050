"""The directory of payees, and how ГИС ЖКХ knows an account."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_gis_accounts",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("guid", sa.String(length=36), nullable=False),
        sa.Column("unified_account", sa.String(length=10), nullable=False),
        sa.Column("service_id", sa.String(length=13), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "api_payees",
        sa.Column("party", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=160), nullable=False),
        sa.Column("inn", sa.String(length=12), nullable=False),
        sa.Column("kpp", sa.String(length=9), nullable=False),
        sa.Column("account", sa.String(length=20), nullable=False),
        sa.Column("bank", sa.String(length=160), nullable=False),
        sa.Column("bic", sa.String(length=9), nullable=False),
        sa.Column("correspondent", sa.String(length=20), nullable=False),
        sa.Column("contacts", sa.String(length=300), nullable=False),
        sa.PrimaryKeyConstraint("party"),
    )
