"""Tables of the ledger. Facts are only added, and go only when the block that named them leaves the chain.

Every fact table begins with ``block_number, log_index``: the place of the event that stated the fact, or that
named the file which holds it. Rolling back is therefore one rule: delete what stands above the common ancestor.
Current states (a bill's, a supplier's wallet) are read from the facts, never kept beside them.
Amounts are kopecks, times seconds UTC, bills are (run, bill_index).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.schema import SchemaItem

metadata = MetaData()

FACTS: list[Table] = []
"""Every fact table, in the order in which a digest reads them."""


class MovementKind(IntEnum):
    """What happened on a line of a bill."""

    PAID = 1
    GRANTED = 2
    NETTED = 3
    WRITTEN_OFF = 4
    REFUNDED = 5


class EntryKind(IntEnum):
    """Why money moved between two wallets."""

    MINT = 1
    REDEMPTION = 2
    SEIZURE = 3
    PAYMENT = 4
    GRANT = 5
    PREPAYMENT = 6
    REFUND = 7
    TRANSFER = 8


class RunOutcome(IntEnum):
    """What became of a proposed run; the numbers are the contract's."""

    ACTIVE = 2
    VETOED = 3


class ClosedState(IntEnum):
    """Why a leaf of a file could not be read."""

    ERASED = 1
    """Its key was destroyed under an act, and the file says so: neither tampered nor verified."""
    LOCKED = 2
    """Sealed under a key that the key ring does not hold."""
    MISSING = 3
    """Neither sealed nor erased: an alarm."""
    ALTERED = 4
    """It does not open under its key, or opens to other bytes than its leaf's: an alarm."""
    MALFORMED = 5
    """The source signed bytes that are no reading."""


def _int(name: str, nullable: bool = False) -> Column[Any]:
    return Column(name, BigInteger, nullable=nullable)


def _bytes(name: str, nullable: bool = False) -> Column[Any]:
    return Column(name, LargeBinary, nullable=nullable)


def _text(name: str) -> Column[Any]:
    return Column(name, Text, nullable=False)


def _fact(name: str, *items: SchemaItem, position: str | None = None, key: tuple[str, ...] = ()) -> Table:
    """A fact table. Its key is the event's place, with ``position`` where one event states several facts of a
    kind; or ``key``, where the fact has a better one of its own."""
    place = ["block_number", "log_index", *([position] if position else [])]
    columns: list[SchemaItem] = [
        Column(c, BigInteger, primary_key=not key, autoincrement=False, nullable=False) for c in place
    ]
    for item in items:
        if isinstance(item, Column) and item.name in key:
            item.primary_key = True
        columns.append(item)
    if key:
        columns.append(Index(f"ix_{name}_block", "block_number"))
    table = Table(name, metadata, *columns, sqlite_with_rowid=False)
    FACTS.append(table)
    return table


event_blocks = Table(
    "event_blocks",
    metadata,
    Column("block_number", BigInteger, primary_key=True, autoincrement=False),
    _bytes("hash"),
    _int("timestamp"),
)
"""Blocks that hold an event of ours."""
FACTS.append(event_blocks)

acts = _fact("acts", _bytes("tx_hash"), _text("contract"), _text("name"), _text("arguments"))
"""Events that nothing else here has a table for; arguments are canonical JSON."""

# Registry
suppliers = _fact("suppliers", _int("supplier"), _bytes("key"), _bytes("details"))
payouts = _fact("payouts", _int("supplier"), _bytes("wallet"))
supplier_statuses = _fact("supplier_statuses", _int("supplier"), _int("active"))
sources = _fact("sources", _int("source"), _bytes("key"), _int("source_class"), _int("valid_from"))

# ReadingAnchor
batches = _fact(
    "batches",
    _int("source"),
    _int("epoch"),
    _int("sequence"),
    _bytes("head"),
    _bytes("root"),
    _int("leaves"),
    _int("period_start"),
    _int("period_end"),
    _bytes("document"),
    _bytes("tx_hash"),
    Index("ix_batches_root", "root"),
    Index("ix_batches_source", "source", "epoch", "sequence"),
)
head_jumps = _fact("head_jumps", _int("source"), _int("epoch"), _int("sequence"), _bytes("head"), _bytes("reason"))
"""Where a source's chain went on without a batch: an epoch reset, or a head carried over (reason 0)."""
acknowledgements = _fact(
    "acknowledgements", _bytes("root"), _bytes("holder"), Index("ix_acknowledgements_root", "root")
)

tariffs = _fact(
    "tariffs",
    _int("version"),
    _bytes("document"),
    _bytes("act"),
    _int("effective_from"),
    _int("effective_to"),
    _bytes("publisher"),
)

# ChargeBook
runs = _fact(
    "runs",
    _int("run"),
    _bytes("biller"),
    _int("activatable_at"),
    _int("period"),
    _int("leaves"),
    _bytes("root"),
    _int("tariff_version"),
    _bytes("engine"),
    _bytes("superseded"),
    _bytes("tx_hash"),
    Index("ix_runs_run", "run"),
)
run_suppliers = _fact(
    "run_suppliers",
    _int("run"),
    _int("supplier"),
    _int("lines"),
    _int("total_kopecks"),
    _bytes("root"),
    position="position",
)
run_heads = _fact(
    "run_heads", _int("run"), _int("source"), _int("epoch"), _int("sequence"), _bytes("hash"), position="position"
)
run_outcomes = _fact("run_outcomes", _int("run"), _int("outcome"), _bytes("reason"))
bill_states = _fact(
    "bill_states",
    _int("run"),
    _int("bill_index"),
    _int("state"),
    _int("by_run", nullable=True),
    Index("ix_bill_states_bill", "run", "bill_index"),
)
"""Each change of a bill's state. States only grow, so the greatest is the present one."""

# Settlement
payments = _fact(
    "payments",
    _int("run"),
    _int("bill_index"),
    _bytes("payer"),
    _bytes("reference"),
    _int("amount_kopecks"),
    _int("state"),
    _bytes("tx_hash"),
    Index("ix_payments_bill", "run", "bill_index"),
    Index("ix_payments_reference", "reference"),
)
movements = _fact(
    "movements",
    _int("run"),
    _int("bill_index"),
    _int("line"),
    _int("supplier"),
    _int("kind"),
    _int("amount_kopecks"),
    position="position",
)
Index("ix_movements_bill", movements.c.run, movements.c.bill_index)
"""What moved on each line of a bill, by kind."""
skips = _fact(
    "skips",
    _int("run"),
    _int("bill_index"),
    _bytes("reference", nullable=True),
    _int("state", nullable=True),
    _int("line", nullable=True),
    _int("supplier", nullable=True),
    _int("amount_kopecks", nullable=True),
    _bytes("tx_hash"),
)
"""Bills and legs that a payment passed over."""
agent_batches = _fact(
    "agent_batches",
    _bytes("agent"),
    _bytes("reference"),
    _bytes("content", nullable=True),
    _int("total_kopecks", nullable=True),
    _bytes("tx_hash"),
    Index("ix_agent_batches_reference", "reference"),
)
"""Agents' batches; content and total are null where a repeat changed nothing."""
grant_uses = _fact(
    "grant_uses",
    _int("batch"),
    _int("grant_index"),
    _int("run"),
    _int("bill_index"),
    _int("line"),
    _int("supplier"),
    _int("amount_kopecks"),
    _bytes("wallet"),
    _bytes("tx_hash"),
    Index("ix_grant_uses_bill", "run", "bill_index"),
)
prepayments = _fact(
    "prepayments",
    _bytes("prepayment"),
    _bytes("tag"),
    _bytes("payer"),
    _int("supplier"),
    _int("amount_kopecks"),
    _bytes("tx_hash"),
    Index("ix_prepayments_prepayment", "prepayment"),
    Index("ix_prepayments_tag", "tag"),
)
nettings = _fact(
    "nettings",
    _bytes("prepayment"),
    _int("run"),
    _int("bill_index"),
    _int("line"),
    _int("supplier"),
    _int("amount_kopecks"),
    _bytes("tx_hash"),
    Index("ix_nettings_prepayment", "prepayment"),
    Index("ix_nettings_bill", "run", "bill_index"),
)
credits = _fact(
    "credits",
    _int("note_run"),
    _int("note_index"),
    _int("run"),
    _int("bill_index"),
    _int("line"),
    _int("written_off_kopecks"),
    _bytes("tx_hash"),
    Index("ix_credits_bill", "run", "bill_index"),
)
refunds = _fact(
    "refunds",
    _int("note_run"),
    _int("note_index"),
    _int("run"),
    _int("bill_index"),
    _int("line"),
    _int("supplier"),
    _bytes("recipient"),
    _int("to_payer_kopecks"),
    _bytes("wallet"),
    _int("to_welfare_kopecks"),
    _bytes("tx_hash"),
    Index("ix_refunds_bill", "run", "bill_index"),
)

# SubsidyBook
grant_batches = _fact(
    "grant_batches",
    _int("batch"),
    _bytes("wallet"),
    _bytes("root"),
    _int("leaves"),
    _int("total_kopecks"),
    _bytes("act"),
    _bytes("tx_hash"),
)
grant_reversals = _fact("grant_reversals", _int("batch"), _int("grant_index", nullable=True), _bytes("act"))
"""Grants ended by their wallet; no index means the whole batch."""

# Rouble
entries = _fact(
    "entries",
    _int("kind"),
    _bytes("reference", nullable=True),
    _bytes("other_wallet"),
    _int("amount_kopecks"),
    _bytes("tx_hash"),
)
"""One for each event that moved token money. ``other_wallet`` is whom the supplier (or the bank) dealt with: the
payer, a refund's recipient. The reference is a deposit's, a redemption's, an act's, an order's or a batch's."""
postings = _fact(
    "postings",
    _bytes("wallet"),
    _int("supplier", nullable=True),
    _int("run", nullable=True),
    _int("bill_index", nullable=True),
    _int("line", nullable=True),
    _int("amount_kopecks"),
    position="position",
)
Index("ix_postings_wallet", postings.c.wallet)
Index("ix_postings_supplier", postings.c.supplier)
"""Legs of the entries, summing to zero in each. Wallet 0 is the bank's issue; a receipt of a supplier (or a refund
by it) names the supplier, and the bill and line where there are any."""

# Files
ingested = _fact(
    "ingested",
    _text("kind"),
    _bytes("root"),
    _int("leaves"),
    _int("opened"),
    _int("erased"),
    _int("closed"),
    Index("ix_ingested_root", "root"),
)
"""Files that were fetched, whose root was recomputed, and whose leaves are in the tables below."""
closed_leaves = _fact(
    "closed_leaves",
    _text("kind"),
    _int("state"),
    _bytes("leaf"),
    _bytes("key", nullable=True),
    _int("erased_at", nullable=True),
    _bytes("act", nullable=True),
    _bytes("signature", nullable=True),
    position="leaf_index",
)
registers = _fact(
    "registers",
    _bytes("meter"),
    _int("register"),
    _int("taken_at"),
    _int("value"),
    _int("unit"),
    _int("quality"),
    _int("flags"),
    _int("is_instead"),
    position="leaf_index",
)
Index("ix_registers_meter", registers.c.meter, registers.c.taken_at)
profiles = _fact(
    "profiles",
    _bytes("meter"),
    _int("register"),
    _int("start"),
    _int("end"),
    _int("step_s"),
    _int("unit"),
    _int("flags"),
    _bytes("intervals"),
    _int("is_instead"),
    position="leaf_index",
)
Index("ix_profiles_meter", profiles.c.meter, profiles.c.start)
"""Profiles, with their intervals as the leaf has them: value (4) ‖ quality (1) each."""
decisions = _fact(
    "decisions",
    _bytes("overlaid_root"),
    _int("overlaid_index"),
    _int("quality"),
    _int("reason"),
    position="leaf_index",
)
Index("ix_decisions_overlaid", decisions.c.overlaid_root, decisions.c.overlaid_index)
"""Validation's word on another leaf; the reading that stands instead is in registers or profiles, ``is_instead``."""
bills = _fact(
    "bills",
    _int("run"),
    _int("bill_index"),
    _bytes("leaf"),
    _bytes("blob"),
    _int("kind"),
    _int("original", nullable=True),
    _bytes("bill_id", nullable=True),
    _bytes("key", nullable=True),
    _bytes("sealed", nullable=True),
    Index("ix_bills_bill_id", "bill_id"),
    Index("ix_bills_original", "original"),
    key=("run", "bill_index"),
)
bill_lines = _fact(
    "bill_lines",
    _int("run"),
    _int("bill_index"),
    _int("line"),
    _int("supplier"),
    _int("amount_kopecks"),
    key=("run", "bill_index", "line"),
)
grants = _fact(
    "grants",
    _int("batch"),
    _int("grant_index"),
    _bytes("leaf"),
    _bytes("blob"),
    _int("run"),
    _int("bill_index"),
    _int("line"),
    _int("maximum_kopecks"),
    _int("expires_at"),
    _bytes("key", nullable=True),
    _bytes("sealed", nullable=True),
    Index("ix_grants_bill", "run", "bill_index"),
    key=("batch", "grant_index"),
)
OF_FILES = (ingested, closed_leaves, registers, profiles, decisions, bills, bill_lines, grants)
"""Tables whose facts stand in files; they carry the place of the event that named the file."""

faults = _fact("faults", _text("kind"), _text("detail"), position="position")
"""What the chain or a file says that can't be right, found while it was read: for the regulator's alarm."""

# Progress: no facts, no part of a digest.
cursor = Table(
    "cursor",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _int("block_number"),
    _bytes("block_hash"),
    _int("finalized_number"),
    _bytes("finalized_hash"),
)
"""One row: how far the ledger has read, and how far that is final. Written in the transaction of its rows."""
unfinalised = Table(
    "unfinalised",
    metadata,
    Column("block_number", BigInteger, primary_key=True, autoincrement=False),
    _bytes("hash"),
    _bytes("parent"),
    _int("timestamp"),
)
"""The parent-linked list of blocks that may still leave the chain, with the last finalised one at its foot."""
missing_files = Table(
    "missing_files",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("root", LargeBinary, primary_key=True),
    _int("attempts"),
    _text("reason"),
)
"""Files that are named on chain and could not be had yet, with why."""
