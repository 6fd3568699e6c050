"""Rebuilds the ledger from the chain and the files it names, and holds it against the ledger as it stands.

Design invariant 6: the two are equal, byte for byte. What is not equal is named: the table and the first row.
Two ledgers may be equal and both lack a record; so what the rebuild could not have or trust is named beside it.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, select

from contracts.client.files import FileSource, FileStore
from contracts.client.reader import Reader
from contracts.wire.ids import Hash, address_text
from ledger.digest import digest, rows_in_order, table_digests
from ledger.errors import ChainMoved
from ledger.follow import Follower
from ledger.history import Chain
from ledger.ingest import Ingestor
from ledger.leaves import Keys
from ledger.models import FACTS, ClosedState, batches, closed_leaves, head_jumps, ingested
from ledger.queries import Ledger
from ledger.store import open_database, read_links, read_position

__all__ = ["Report", "alarms", "check_against_chain", "compare", "rebuild"]
_LEAF_ALARMS = {
    ClosedState.MISSING: (
        "is missing: neither sealed, nor erased under an operator's signature. Restore the file from another holder's "
        "copy; if the record was erased under an act, have an operator sign the erasure"
    ),
    ClosedState.ALTERED: (
        "is altered: it does not open under its key to the bytes of its leaf. Restore the file from another holder's "
        "copy, and find out who changed this one"
    ),
}
_REMEDIES = {
    "equivocation": "Revoke the source's key and have its readings of that time checked on the spot",
    "run": "Veto the run, or if it is active correct it by a run that supersedes its bills",
    "grant": "Have the welfare body end the batch and post a right one",
}
_ASK = "Have the record's owner explain it"
_ZERO_CUSTODY = ("Settlement", "ChargeBook", "SubsidyBook")


@dataclass(frozen=True)
class Difference:
    """A table that differs, with its first differing row on either side (None where one has no more rows)."""

    table: str
    stands: tuple[object, ...] | None
    rebuilt: tuple[object, ...] | None

    def __str__(self) -> str:
        return f"{self.table}: the ledger has {self.stands!r}, the rebuilt one {self.rebuilt!r}"


@dataclass(frozen=True)
class Report:
    """What a rebuild found. Erased leaves are neither tampered nor verified, and are only counted."""

    height: int
    digest: Hash
    rebuilt_digest: Hash
    differences: tuple[Difference, ...]
    alarms: tuple[str, ...]
    """Files that nobody serves, leaves missing or altered, and faults: each with its record and the remedy."""
    leaves_erased: int
    leaves_closed: int

    @property
    def is_equal(self) -> bool:
        """The rebuilt ledger equals the one that stands."""
        return self.digest == self.rebuilt_digest and not self.differences

    @property
    def is_sound(self) -> bool:
        """Equal, and nothing is missing, altered or at odds."""
        return self.is_equal and not self.alarms


def rebuild(engine: Engine, chain: Chain, first_block: int, files: FileSource, keys: Keys) -> Report:
    """Builds a fresh ledger in a temporary folder from ``chain`` and ``files``, and compares it.

    ``files`` should not be the ledger's own copies alone, where it is the service that is in doubt.
    """
    with tempfile.TemporaryDirectory(prefix="kopeck-fsck-") as folder:
        fresh = open_database(f"sqlite:///{Path(folder) / 'ledger.db'}")
        follower = Follower(fresh, chain, first_block, reads_ahead=True)
        try:
            _catch_up(follower)
            Ingestor(fresh, FileStore(Path(folder) / "files"), files, keys).run()
            return compare(engine, fresh)
        finally:
            follower.close()
            fresh.dispose()


def _catch_up(follower: Follower) -> None:
    while True:
        try:
            follower.catch_up()
        except ChainMoved:
            continue
        return


def compare(stands: Engine, rebuilt: Engine) -> Report:
    """Holds two ledgers of one chain against each other, up to the highest block that both have."""
    with stands.connect() as own, rebuilt.connect() as fresh:
        height = _common_height(own, fresh)
        own_tables, fresh_tables = table_digests(own, height), table_digests(fresh, height)
        differences = tuple(
            _first_difference(own, fresh, table, height)
            for table in FACTS
            if own_tables[table.name] != fresh_tables[table.name]
        )
        digests = digest(own, height), digest(fresh, height)
    closed = Ledger(rebuilt).closed_leaves()
    erased = sum(count for (_, state), count in closed.items() if state == ClosedState.ERASED)
    return Report(height, *digests, differences, alarms(rebuilt), erased, sum(closed.values()) - erased)


def alarms(engine: Engine) -> tuple[str, ...]:
    """What a ledger could not have, could not trust, or found at odds: the record, and what to do about it."""
    ledger = Ledger(engine)
    found = [
        f"{file.kind}/0x{file.root.hex()} is missing: {file.reason}. Restore the file from another holder's copy; "
        f"any that leads to this root is the right one"
        for file in ledger.missing_files()
    ]
    found += _leaf_alarms(engine)
    for fault in ledger.faults():
        where = f"block {fault.block_number}, log {fault.log_index}"
        found.append(f"{fault.kind}, {where}: {fault.detail}. {_REMEDIES.get(fault.kind, _ASK)}")
    return tuple(found)


def _leaf_alarms(engine: Engine) -> list[str]:
    c, i = closed_leaves.c, ingested.c
    query = (
        select(c.kind, c.leaf_index, c.state, i.root)
        .join(ingested, (i.block_number == c.block_number) & (i.log_index == c.log_index))
        .where(c.state.in_([int(state) for state in _LEAF_ALARMS]))
        .order_by(c.block_number, c.log_index, c.leaf_index)
    )
    with engine.connect() as connection:
        return [
            f"leaf {row.leaf_index} of {row.kind}/0x{row.root.hex()} {_LEAF_ALARMS[ClosedState(row.state)]}"
            for row in connection.execute(query)
        ]


def _common_height(own: Connection, fresh: Connection) -> int:
    """The highest block that both hold, by hash; the chain may have moved on, or moved aside, between the two."""
    ours = {link.number: link.hash for link in read_links(own)}
    theirs = {link.number: link.hash for link in read_links(fresh)}
    shared = [number for number, name in ours.items() if theirs.get(number) == name]
    if shared:
        return max(shared)
    positions = read_position(own), read_position(fresh)
    return min(p.finalized_number for p in positions if p is not None)


def _first_difference(own: Connection, fresh: Connection, table: Table, height: int) -> Difference:
    pairs = itertools.zip_longest(rows_in_order(own, table, height), rows_in_order(fresh, table, height))
    stands, rebuilt = next((a, b) for a, b in pairs if a != b)
    return Difference(table.name, stands, rebuilt)


def check_against_chain(engine: Engine, reader: Reader) -> list[str]:
    """Holds the ledger's sums against the contracts' own state; gives what differs, best on a quiet chain.

    Every wallet's balance, the supply, each source's head; Settlement, ChargeBook and SubsidyBook hold nothing.
    """
    ledger = Ledger(engine)
    wrong: list[str] = []
    balances = ledger.balances()
    found = reader.views([("Rouble", "balanceOf", [wallet]) for wallet in balances])
    for (wallet, ours), theirs in zip(balances.items(), found, strict=True):
        if ours != theirs:
            wrong.append(f"{address_text(wallet)} holds {theirs} kopecks, the postings say {ours}")
    supply = reader.view("Rouble", "totalSupply")
    if supply != sum(balances.values()):
        wrong.append(f"the supply is {supply} kopecks, the balances sum to {sum(balances.values())}")
    for contract in _ZERO_CUSTODY:
        held = reader.view("Rouble", "balanceOf", reader.deployment.addresses[contract])
        if held:
            wrong.append(f"{contract} holds {held} kopecks; it must hold none after any transaction")
    return wrong + _wrong_heads(engine, reader)


def _wrong_heads(engine: Engine, reader: Reader) -> list[str]:
    latest: dict[int, tuple[int, int, bytes]] = {}
    with engine.connect() as connection:
        for table in (batches, head_jumps):
            t = table.c
            for row in connection.execute(select(t.source, t.epoch, t.sequence, t.head)):
                here = row.epoch, row.sequence, row.head
                latest[row.source] = max(here, latest.get(row.source, here))
    wrong: list[str] = []
    for source, (epoch, sequence, head) in sorted(latest.items()):
        theirs = reader.view("ReadingAnchor", "headOf", source)
        wrong += _differing_head(source, (sequence, epoch, head), theirs)
    return wrong


def _differing_head(source: int, ours: tuple[int, int, bytes], theirs: Sequence[object]) -> list[str]:
    if tuple(theirs) == ours:
        return []
    return [f"source {source}: the chain's head (sequence, epoch, hash) is {theirs!r}, the ledger's {ours!r}"]
