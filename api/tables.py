"""Tables of the people store, the only ones this package owns: who may log in, and what each may see."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

from contracts.client.schema import Schema

metadata = MetaData()
SCHEMA = Schema("api", metadata, Path(__file__).parent / "migrations")

persons = Table(
    "api_persons",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("login", String(64), nullable=False, unique=True),
    Column("password_hash", String(255), nullable=False),
    Column("role", String(16), nullable=False),
    Column("name", String(160), nullable=False),
    Column("language", String(2), nullable=False),
    Column("supplier", Integer),
)

# Which accounts (billing's names for them) a person may see and pay.
person_accounts = Table(
    "api_person_accounts",
    metadata,
    Column("person", ForeignKey("api_persons.id"), primary_key=True),
    Column("account", String(64), primary_key=True),
)

# Personal data of an account. Nothing outside this table knows an address.
contacts = Table(
    "api_contacts",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("holder", String(160), nullable=False),
    Column("address", String(300), nullable=False),
    Column("phone", String(32)),
)

# Public names of organisations: what a page says instead of a number or a wallet.
supplier_names = Table(
    "api_supplier_names",
    metadata,
    Column("supplier", Integer, primary_key=True, autoincrement=False),
    Column("name", String(160), nullable=False),
)
wallets = Table(
    "api_wallets",
    metadata,
    Column("address", String(42), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("name", String(160)),
)

# Where money for a payee goes, and how ГИС ЖКХ knows it: ``agent`` takes what residents pay by a document's QR code.
payees = Table(
    "api_payees",
    metadata,
    Column("party", String(32), primary_key=True),
    Column("name", String(160), nullable=False),
    Column("inn", String(12), nullable=False),
    Column("kpp", String(9), nullable=False),
    Column("account", String(20), nullable=False),
    Column("bank", String(160), nullable=False),
    Column("bic", String(9), nullable=False),
    Column("correspondent", String(20), nullable=False),
    Column("contacts", String(300), nullable=False),
)

# How ГИС ЖКХ knows an account: as good as a name, so it is forgotten with the account.
gis_accounts = Table(
    "api_gis_accounts",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("guid", String(36), nullable=False),
    Column("unified_account", String(10), nullable=False),
    Column("service_id", String(13), nullable=False),
)

# An organisation's token is kept as its SHA-256: whoever reads this table can't use it.
tokens = Table(
    "api_tokens",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("name", String(160), nullable=False),
    Column("supplier", Integer),
    Column("revoked", Integer, nullable=False),
)

sessions = Table(
    "api_sessions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("person", ForeignKey("api_persons.id"), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

# Where a supplier wants to be told of its receipts. The secret signs, so it is kept as it is: who may read this file
# could write to the supplier in our name, and to nobody else. Up to ``told_to`` every final block is in the queue.
webhooks = Table(
    "api_webhooks",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("supplier", Integer, nullable=False),
    Column("url", String(500), nullable=False),
    Column("secret", String(80), nullable=False),
    Column("told_to", BigInteger, nullable=False),
    Column("ended", String(200)),
    Index("api_webhooks_supplier", "supplier"),
)

# What is to be told and what became of it: one row a transaction and webhook.
webhook_messages = Table(
    "api_webhook_messages",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("webhook", ForeignKey("api_webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("body", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", BigInteger),
    Column("delivered_at", BigInteger),
    Column("answer", String(200), nullable=False),
    Index("api_webhook_messages_due", "due_at"),
    Index("api_webhook_messages_webhook", "webhook"),
)

login_attempts = Table(
    "api_login_attempts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("subject", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("api_login_attempts_subject", "subject", "at"),
)
