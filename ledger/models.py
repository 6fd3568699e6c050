"""Tables of the ledger. Facts are only added, and go only when the block that named them leaves the chain.

Every fact table begins with ``block_number, log_index``: the place of the event that stated the fact, or that
named the file which holds it. Rolling back is therefore one rule: delete what stands above the common ancestor.
Current states (a bill's, a supplier's wallet) are read from the facts, never kept beside them.
Amounts are kopecks, times seconds UTC, bills are (run, bill_index).
"""

from __future__ import annotations

from enum import IntEnum

from sqlalchemy import BigInteger, Column, Index, Table

from ledger.schema import byte_string, declared, fact, integer, metadata, text


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
    """Its key was destroyed under an act, and an operator signed that: neither tampered nor verified."""
    LOCKED = 2
    """Sealed under a key that the key ring does not hold."""
    MISSING = 3
    """Neither sealed nor erased by an operator's signature: an alarm."""
    ALTERED = 4
    """It does not open under its key, or opens to other bytes than its leaf's: an alarm."""
    MALFORMED = 5
    """The source signed bytes that are no reading."""


event_blocks = Table(
    "event_blocks",
    metadata,
    Column("block_number", BigInteger, primary_key=True, autoincrement=False),
    byte_string("hash"),
    integer("timestamp"),
)
"""Blocks that hold an event of ours."""

acts = fact("acts", byte_string("tx_hash"), text("contract"), text("name"), text("arguments"))
"""Events that nothing else here has a table for; arguments are canonical JSON."""

# Registry
suppliers = fact("suppliers", integer("supplier"), byte_string("key"), byte_string("details"))
payouts = fact("payouts", integer("supplier"), byte_string("wallet"))
supplier_statuses = fact("supplier_statuses", integer("supplier"), integer("active"))
sources = fact("sources", integer("source"), byte_string("key"), integer("source_class"), integer("valid_from"))

# ReadingAnchor
batches = fact(
    "batches",
    integer("source"),
    integer("epoch"),
    integer("sequence"),
    byte_string("head"),
    byte_string("root"),
    integer("leaves"),
    integer("period_start"),
    integer("period_end"),
    byte_string("document"),
    byte_string("tx_hash"),
    Index("ix_batches_root", "root"),
    Index("ix_batches_source", "source", "epoch", "sequence"),
)
head_jumps = fact(
    "head_jumps", integer("source"), integer("epoch"), integer("sequence"), byte_string("head"), byte_string("reason")
)
"""Where a source's chain went on without a batch: an epoch reset, or a head carried over (reason 0)."""
acknowledgements = fact(
    "acknowledgements", byte_string("root"), byte_string("holder"), Index("ix_acknowledgements_root", "root")
)

tariffs = fact(
    "tariffs",
    integer("version"),
    byte_string("document"),
    byte_string("act"),
    integer("effective_from"),
    integer("effective_to"),
    byte_string("publisher"),
)

# ChargeBook
runs = fact(
    "runs",
    integer("run"),
    byte_string("biller"),
    integer("activatable_at"),
    integer("period"),
    integer("leaves"),
    byte_string("root"),
    integer("tariff_version"),
    byte_string("engine"),
    byte_string("superseded"),
    byte_string("tx_hash"),
    Index("ix_runs_run", "run"),
)
run_suppliers = fact(
    "run_suppliers",
    integer("run"),
    integer("supplier"),
    integer("lines"),
    integer("total_kopecks"),
    byte_string("root"),
    position="position",
)
run_heads = fact(
    "run_heads",
    integer("run"),
    integer("source"),
    integer("epoch"),
    integer("sequence"),
    byte_string("hash"),
    position="position",
)
run_outcomes = fact("run_outcomes", integer("run"), integer("outcome"), byte_string("reason"))
bill_states = fact(
    "bill_states",
    integer("run"),
    integer("bill_index"),
    integer("state"),
    integer("by_run", nullable=True),
    Index("ix_bill_states_bill", "run", "bill_index"),
)
"""Each change of a bill's state. States only grow, so the greatest is the present one."""

# Settlement
payments = fact(
    "payments",
    integer("run"),
    integer("bill_index"),
    byte_string("payer"),
    byte_string("reference"),
    integer("amount_kopecks"),
    integer("state"),
    byte_string("tx_hash"),
    Index("ix_payments_bill", "run", "bill_index"),
    Index("ix_payments_reference", "reference"),
)
movements = fact(
    "movements",
    integer("run"),
    integer("bill_index"),
    integer("line"),
    integer("supplier"),
    integer("kind"),
    integer("amount_kopecks"),
    position="position",
)
Index("ix_movements_bill", movements.c.run, movements.c.bill_index)
"""What moved on each line of a bill, by kind."""
skips = fact(
    "skips",
    integer("run"),
    integer("bill_index"),
    byte_string("reference", nullable=True),
    integer("state", nullable=True),
    integer("line", nullable=True),
    integer("supplier", nullable=True),
    integer("amount_kopecks", nullable=True),
    byte_string("tx_hash"),
)
"""Bills and legs that a payment passed over."""
agent_batches = fact(
    "agent_batches",
    byte_string("agent"),
    byte_string("reference"),
    byte_string("content", nullable=True),
    integer("total_kopecks", nullable=True),
    byte_string("tx_hash"),
    Index("ix_agent_batches_reference", "reference"),
)
"""Agents' batches; content and total are null where a repeat changed nothing."""
grant_uses = fact(
    "grant_uses",
    integer("batch"),
    integer("grant_index"),
    integer("run"),
    integer("bill_index"),
    integer("line"),
    integer("supplier"),
    integer("amount_kopecks"),
    byte_string("wallet"),
    byte_string("tx_hash"),
    Index("ix_grant_uses_bill", "run", "bill_index"),
)
prepayments = fact(
    "prepayments",
    byte_string("prepayment"),
    byte_string("tag"),
    byte_string("payer"),
    integer("supplier"),
    integer("amount_kopecks"),
    byte_string("tx_hash"),
    Index("ix_prepayments_prepayment", "prepayment"),
    Index("ix_prepayments_tag", "tag"),
)
nettings = fact(
    "nettings",
    byte_string("prepayment"),
    integer("run"),
    integer("bill_index"),
    integer("line"),
    integer("supplier"),
    integer("amount_kopecks"),
    byte_string("tx_hash"),
    Index("ix_nettings_prepayment", "prepayment"),
    Index("ix_nettings_bill", "run", "bill_index"),
)
credits = fact(
    "credits",
    integer("note_run"),
    integer("note_index"),
    integer("run"),
    integer("bill_index"),
    integer("line"),
    integer("written_off_kopecks"),
    byte_string("tx_hash"),
    Index("ix_credits_bill", "run", "bill_index"),
)
refunds = fact(
    "refunds",
    integer("note_run"),
    integer("note_index"),
    integer("run"),
    integer("bill_index"),
    integer("line"),
    integer("supplier"),
    byte_string("recipient"),
    integer("to_payer_kopecks"),
    byte_string("wallet"),
    integer("to_welfare_kopecks"),
    byte_string("tx_hash"),
    Index("ix_refunds_bill", "run", "bill_index"),
)

# SubsidyBook
grant_batches = fact(
    "grant_batches",
    integer("batch"),
    byte_string("wallet"),
    byte_string("root"),
    integer("leaves"),
    integer("total_kopecks"),
    byte_string("act"),
    byte_string("tx_hash"),
)
grant_reversals = fact("grant_reversals", integer("batch"), integer("grant_index", nullable=True), byte_string("act"))
"""Grants ended by their wallet; no index means the whole batch."""

# Rouble
entries = fact(
    "entries",
    integer("kind"),
    byte_string("reference", nullable=True),
    byte_string("other_wallet"),
    integer("amount_kopecks"),
    byte_string("tx_hash"),
)
"""One for each event that moved token money. ``other_wallet`` is whom the supplier (or the bank) dealt with: the
payer, a refund's recipient. The reference is a deposit's, a redemption's, an act's, an order's or a batch's."""
postings = fact(
    "postings",
    byte_string("wallet"),
    integer("supplier", nullable=True),
    integer("run", nullable=True),
    integer("bill_index", nullable=True),
    integer("line", nullable=True),
    integer("amount_kopecks"),
    position="position",
)
Index("ix_postings_wallet", postings.c.wallet)
Index("ix_postings_supplier", postings.c.supplier)
"""Legs of the entries, summing to zero in each. Wallet 0 is the bank's issue; a receipt of a supplier (or a refund
by it) names the supplier, and the bill and line where there are any."""

# Files
ingested = fact(
    "ingested",
    text("kind"),
    byte_string("root"),
    integer("leaves"),
    integer("opened"),
    integer("erased"),
    integer("closed"),
    Index("ix_ingested_root", "root"),
)
"""Files that were fetched, whose root was recomputed, and whose leaves are in the tables below."""
closed_leaves = fact(
    "closed_leaves",
    text("kind"),
    integer("state"),
    byte_string("leaf"),
    byte_string("key", nullable=True),
    integer("erased_at", nullable=True),
    byte_string("act", nullable=True),
    byte_string("signature", nullable=True),
    position="leaf_index",
)
registers = fact(
    "registers",
    byte_string("meter"),
    integer("register"),
    integer("taken_at"),
    integer("value"),
    integer("unit"),
    integer("quality"),
    integer("flags"),
    integer("is_instead"),
    position="leaf_index",
)
Index("ix_registers_meter", registers.c.meter, registers.c.taken_at)
profiles = fact(
    "profiles",
    byte_string("meter"),
    integer("register"),
    integer("start"),
    integer("end"),
    integer("step_s"),
    integer("unit"),
    integer("flags"),
    byte_string("intervals"),
    integer("is_instead"),
    position="leaf_index",
)
Index("ix_profiles_meter", profiles.c.meter, profiles.c.start)
"""Profiles, with their intervals as the leaf has them: value (4) ‖ quality (1) each."""
decisions = fact(
    "decisions",
    byte_string("overlaid_root"),
    integer("overlaid_index"),
    integer("quality"),
    integer("reason"),
    position="leaf_index",
)
Index("ix_decisions_overlaid", decisions.c.overlaid_root, decisions.c.overlaid_index)
"""Validation's word on another leaf; the reading that stands instead is in registers or profiles, ``is_instead``."""
bills = fact(
    "bills",
    integer("run"),
    integer("bill_index"),
    byte_string("leaf"),
    byte_string("blob"),
    integer("kind"),
    integer("original", nullable=True),
    byte_string("bill_id", nullable=True),
    byte_string("key", nullable=True),
    byte_string("sealed", nullable=True),
    Index("ix_bills_bill_id", "bill_id"),
    Index("ix_bills_original", "original"),
    key=("run", "bill_index"),
)
bill_lines = fact(
    "bill_lines",
    integer("run"),
    integer("bill_index"),
    integer("line"),
    integer("supplier"),
    integer("amount_kopecks"),
    key=("run", "bill_index", "line"),
)
grants = fact(
    "grants",
    integer("batch"),
    integer("grant_index"),
    byte_string("leaf"),
    byte_string("blob"),
    integer("run"),
    integer("bill_index"),
    integer("line"),
    integer("maximum_kopecks"),
    integer("expires_at"),
    byte_string("key", nullable=True),
    byte_string("sealed", nullable=True),
    Index("ix_grants_bill", "run", "bill_index"),
    key=("batch", "grant_index"),
)
OF_FILES = (ingested, closed_leaves, registers, profiles, decisions, bills, bill_lines, grants)
"""Tables whose facts stand in files; they carry the place of the event that named the file."""

faults = fact("faults", text("kind"), text("detail"), position="position")
"""What the chain or a file says that can't be right, found while it was read: for the regulator's alarm."""

FACTS = (event_blocks, *declared)
"""Every fact table, in the order in which a digest reads them."""
