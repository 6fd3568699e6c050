"""Writes the next migration of an owner's tables: what they are now, less what its steps so far make.

python -m scripts.migrate billing "keep what was sent to whom"
"""

from __future__ import annotations

import sys

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from api.tables import SCHEMA as API
from billing.schema import SCHEMA as BILLING
from contracts.client.keyring import SCHEMA as KEYRING
from contracts.client.schema import Schema, migration_config
from contracts.client.sender_store import SCHEMA as SENDER
from ledger.acknowledge import SCHEMA as ACKNOWLEDGE
from ledger.holder import SCHEMA as HOLDER
from ledger.schema import SCHEMA as LEDGER
from oracle.outbox import SCHEMA as OUTBOX
from oracle.schema import SCHEMA as ORACLE

SCHEMAS: dict[str, Schema] = {
    schema.owner: schema for schema in (API, BILLING, KEYRING, SENDER, LEDGER, ACKNOWLEDGE, HOLDER, OUTBOX, ORACLE)
}


def write_step(schema: Schema, message: str) -> None:
    """Writes ``NNNN_message.py`` into the owner's folder."""
    schema.steps.mkdir(parents=True, exist_ok=True)
    number = f"{int(schema.head or '0') + 1:04}"
    with create_engine("sqlite://").begin() as connection:
        if schema.head:
            schema.upgrade(connection)
        config: Config = migration_config(schema, connection)
        config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
        command.revision(config, message, autogenerate=True, rev_id=number)


if __name__ == "__main__":
    write_step(SCHEMAS[sys.argv[1]], sys.argv[2])
