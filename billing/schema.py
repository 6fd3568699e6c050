"""Tables of billing. Nobody else reads them; amounts are kopecks, quantities base units, times seconds UTC.

What tells of an account's life (documents, ids and salts of bills, usage, decisions of grants, counters of meters) is
sealed under the account's key, ``key_id``, in ``sealed``, ``initial`` and ``final``: without the key it is noise.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from contracts.client.schema import Schema

metadata = MetaData()
SCHEMA = Schema("billing", metadata, Path(__file__).parent / "migrations")

houses = Table(
    "houses",
    metadata,
    Column("house", String(64), primary_key=True),
    Column("zone", String(64), nullable=False),
    Column("areas", Text, nullable=False),
    Column("area_dm2", Integer, nullable=False),
    Column("features", Text, nullable=False),
    Column("key_id", LargeBinary(16), nullable=False),
)

house_terms = Table(
    "house_terms",
    metadata,
    Column("house", ForeignKey("houses.house"), primary_key=True),
    Column("since", String(10), primary_key=True),
    Column("management", String(16), nullable=False),
    Column("common_area_dm2", Integer, nullable=False),
    Column("uniform_heating", Boolean, nullable=False),
    Column("over_cap_to_owners", Boolean, nullable=False),
    Column("act", Text, nullable=False),
)

house_entries = Table(
    "house_entries",
    metadata,
    Column("house", ForeignKey("houses.house"), primary_key=True),
    Column("service", Integer, primary_key=True),
    Column("period", Integer, primary_key=True),
    Column("kind", String(24), primary_key=True),
    Column("name", String(80), primary_key=True),
    Column("volume", BigInteger, nullable=False),
    Column("act", Text, nullable=False),
)

contracts = Table(
    "supply_contracts",
    metadata,
    Column("house", ForeignKey("houses.house"), primary_key=True),
    Column("service", Integer, primary_key=True),
    Column("since", String(10), primary_key=True),
    Column("supplier", Integer, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("account", String(30), primary_key=True),
    Column("house", ForeignKey("houses.house"), nullable=False, index=True),
    Column("key_id", LargeBinary(16), nullable=False),
    Column("area_dm2", Integer, nullable=False),
    Column("rooms", Integer, nullable=False),
    Column("owners", Integer, nullable=False),
    Column("no_meter_possible", Text, nullable=False),
    Column("plan", String(16), nullable=False),
    Column("opened", String(10), nullable=False),
    Column("closed", String(10)),
)

residents = Table(
    "residents",
    metadata,
    Column("account", ForeignKey("accounts.account"), primary_key=True),
    Column("since", String(10), primary_key=True),
    Column("number", Integer, nullable=False),
)

meters = Table(
    "meters",
    metadata,
    Column("meter", LargeBinary(16), primary_key=True),
    Column("since", BigInteger, primary_key=True),
    Column("account", ForeignKey("accounts.account"), index=True),
    Column("house", ForeignKey("houses.house"), index=True),
    Column("service", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("until", BigInteger),
    Column("zones", Text, nullable=False),
    Column("key_id", LargeBinary(16), nullable=False),
    Column("initial", LargeBinary, nullable=False),
    Column("final", LargeBinary, nullable=False),
    Column("capacity", BigInteger),
    Column("passport", LargeBinary(32)),
)

events = Table(
    "account_events",
    metadata,
    Column("account", ForeignKey("accounts.account"), primary_key=True),
    Column("event", LargeBinary(32), primary_key=True),
    Column("key_id", LargeBinary(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

tariffs = Table(
    "tariffs",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("item", ForeignKey("inbox.id"), index=True),
    Column("period", Integer, nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("root", LargeBinary(32), nullable=False, index=True),
    Column("proposal", Text, nullable=False),
    Column("superseded", Text, nullable=False),
    Column("problems", Text, nullable=False),
    Column("chain_run", Integer, index=True),
    Column("reason", Text),
)

approvals = Table(
    "approvals",
    metadata,
    Column("run", ForeignKey("runs.id"), primary_key=True),
    Column("item", ForeignKey("inbox.id"), nullable=False, unique=True),
    Column("asked_by", String(64), nullable=False),
    Column("approved_by", String(64), nullable=False),
    Column("left_out", Integer, nullable=False),
)

tariff_words = Table(
    "tariff_words",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("document", ForeignKey("tariffs.hash", ondelete="CASCADE"), nullable=False),
    Column("hand", String(64), nullable=False),
    Column("signature", LargeBinary, nullable=False),
    UniqueConstraint("document", "hand"),
)

policies = Table(
    "policies",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)

bills = Table(
    "bills",
    metadata,
    Column("run", ForeignKey("runs.id"), primary_key=True),
    Column("bill_index", Integer, primary_key=True),
    Column("account", ForeignKey("accounts.account"), nullable=False),
    Column("period", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("kind", Integer, nullable=False),
    Column("blob", LargeBinary, nullable=False),
    Column("key_id", LargeBinary(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("original", BigInteger),
    Index("bills_of_account", "account", "period"),
)

usage = Table(
    "usage",
    metadata,
    Column("run", ForeignKey("runs.id"), primary_key=True),
    Column("account", ForeignKey("accounts.account"), primary_key=True),
    Column("period", Integer, nullable=False),
    Column("key_id", LargeBinary(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("usage_of_period", "period", "run"),
)

house_months = Table(
    "house_months",
    metadata,
    Column("run", ForeignKey("runs.id"), primary_key=True),
    Column("house", ForeignKey("houses.house"), primary_key=True),
    Column("service", Integer, primary_key=True),
    Column("period", Integer, nullable=False, index=True),
    Column("key_id", LargeBinary(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

credits = Table(
    "bill_credits",
    metadata,
    Column("run", ForeignKey("runs.id"), primary_key=True),
    Column("bill_index", Integer, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("prepayment", LargeBinary(32), nullable=False, index=True),
    Column("amount", BigInteger, nullable=False),
)

prepayments = Table(
    "prepayments",
    metadata,
    Column("prepayment", LargeBinary(32), primary_key=True),
    Column("tag", LargeBinary(32), nullable=False),
    Column("item", ForeignKey("inbox.id"), nullable=False, unique=True),
    Column("account", ForeignKey("accounts.account"), nullable=False, index=True),
    Column("supplier", Integer, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("counter", Integer, nullable=False),
    UniqueConstraint("account", "counter"),
)

grant_batches = Table(
    "grant_batches",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("item", ForeignKey("inbox.id"), nullable=False, unique=True),
    Column("root", LargeBinary(32), nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("act", Text, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("allowance", BigInteger),
    Column("chain_batch", Integer),
    Column("reason", Text),
)

grants = Table(
    "grants",
    metadata,
    Column("batch", ForeignKey("grant_batches.id"), primary_key=True),
    Column("grant_index", Integer, primary_key=True),
    Column("account", ForeignKey("accounts.account"), nullable=False),
    Column("bill", BigInteger, nullable=False),
    Column("line", Integer, nullable=False),
    Column("maximum", BigInteger, nullable=False),
    Column("blob", LargeBinary, nullable=False),
    Column("key_id", LargeBinary(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("claim", String(64)),
    Column("reason", Text),
)

welfare_documents = Table(
    "welfare_documents",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

welfare_records = Table(
    "welfare_records",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("account", ForeignKey("accounts.account"), nullable=False),
    Column("label", LargeBinary(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("period", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("batch", String(80), nullable=False, index=True),
    Column("key_id", LargeBinary(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    UniqueConstraint("account", "label", "kind", "period", "number"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("client_key", String(200), nullable=False),
    Column("content", LargeBinary(32), nullable=False),
    Column("digest", LargeBinary(32), unique=True),
    Column("payload", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("is_settled", Boolean, nullable=False),
    Column("slug", String(80)),
    Column("reason", Text),
    Column("result", Text),
    UniqueConstraint("kind", "client_key"),
    Index("inbox_unsettled", "is_settled", "kind", "state", "id"),
)

agent_batches = Table(
    "agent_batches",
    metadata,
    Column("reference", LargeBinary(32), primary_key=True),
    Column("run", Integer, nullable=False),
    Column("state", String(16), nullable=False, index=True),
)

agent_payments = Table(
    "agent_payments",
    metadata,
    Column("item", ForeignKey("inbox.id"), primary_key=True),
    Column("reference", ForeignKey("agent_batches.reference"), nullable=False, index=True),
    Column("bill_index", Integer, nullable=False),
    Column("maximum", BigInteger, nullable=False),
)

debt_cases = Table(
    "debt_cases",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("item", ForeignKey("inbox.id"), nullable=False, unique=True),
    Column("account", ForeignKey("accounts.account"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("key_id", LargeBinary(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

fund_entries = Table(
    "fund_entries",
    metadata,
    Column("house", ForeignKey("houses.house"), primary_key=True),
    Column("document", String(200), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("day", String(10), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("what", Text, nullable=False),
    Column("contractor", Text, nullable=False),
)

debt_journal = Table(
    "debt_journal",
    metadata,
    Column("account", ForeignKey("accounts.account"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key_id", LargeBinary(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

account_payments = Table(
    "account_payments",
    metadata,
    Column("item", ForeignKey("inbox.id"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("bill", BigInteger, nullable=False),
    Column("maximum", BigInteger, nullable=False),
)
