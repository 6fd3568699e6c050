"""Fetches the files that the chain names, recomputes their roots and adds their leaves as facts.

A file counts only under the root that stands on the chain; one that can't be had or leads elsewhere is asked for
again and meanwhile reported. Its facts carry the place of the event that named it, so they roll back with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, Engine, delete, insert, select

from contracts.client.files import AccessDenied, FileSource, FileStore, SourceUnreachable
from contracts.client.keyring import UnknownKey
from contracts.wire.files import FileError, LeafLine, parse_file
from contracts.wire.ids import Hash, KeyId
from ledger import models
from ledger.leaves import (
    FILE_FAULTS,
    ClaimedLines,
    Keys,
    Powers,
    ProposedRun,
    Tally,
    bill_facts,
    grant_facts,
    reading_facts,
)
from ledger.operators import operators
from ledger.progress import missing_files
from ledger.store import FactRows, insert_rows

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Named:
    """A file that an event named; ``owner`` is the run or the grant batch, 0 for readings."""

    kind: str
    root: Hash
    place: tuple[int, int]
    owner: int
    count: int


@dataclass
class _Retry:
    due: float
    wait_s: float
    attempts: int = 1


class Secrets:
    """Secrets looked up once for the files of one pass; no longer, so that a destroyed key is soon forgotten."""

    def __init__(self, keys: Keys) -> None:
        """Asks ``keys`` once for each."""
        self._keys = keys
        self._known: dict[KeyId, bytes | None] = {}

    def secret(self, key_id: KeyId) -> bytes | None:
        """The secret; None for a key that was destroyed, or that this ring never had."""
        if key_id not in self._known:
            try:
                self._known[key_id] = self._keys.secret(key_id)
            except UnknownKey:
                self._known[key_id] = None
        return self._known[key_id]


class Ingestor:
    """Keeps the files of one ledger complete."""

    def __init__(
        self,
        engine: Engine,
        local: FileStore,
        source: FileSource,
        keys: Keys,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._local = local
        self._source = source
        self._keys = keys
        self._clock = clock
        self._retries: dict[tuple[str, Hash], _Retry] = {}
        self.is_complete = False
        """Whether the last pass left nothing that the chain names."""

    def pending(self) -> list[Named]:
        """Files that the chain names and the ledger does not hold yet, in the order they were named."""
        with self._engine.begin() as connection:
            return sorted(_readings(connection) + _bills(connection) + _grants(connection), key=lambda n: n.place)

    def run(self, is_patient: bool = True) -> int:
        """Adds what can be had now; gives the number of files added. Not ``is_patient``: asks for all again."""
        added = 0
        secrets = Secrets(self._keys)
        pending = self.pending()
        self._forget_unnamed(pending)
        for named in pending:
            retry = self._retries.get((named.kind, named.root))
            if is_patient and retry is not None and retry.due > self._clock():
                continue
            added += self._try(named, secrets)
        self.is_complete = added == len(pending)
        return added

    def _try(self, named: Named, secrets: Keys) -> bool:
        try:
            lines = self._fetch(named)
        except (FileError, SourceUnreachable, AccessDenied) as error:
            self._report(named, str(error))
            return False
        self._retries.pop((named.kind, named.root), None)
        with self._engine.begin() as connection:
            add_file(connection, named, lines, secrets)
            _forget(connection, named)
        return True

    def _fetch(self, named: Named) -> list[LeafLine]:
        """The file's leaves, from the ledger's own copy or from the source, which then becomes its own copy.

        Raises FileError, SourceUnreachable, AccessDenied.
        """
        own = self._local.get(named.kind, named.root)
        if own is not None:
            try:
                return checked_lines(own, named)
            except FileError as error:
                log.warning("own copy is damaged", kind=named.kind, root="0x" + named.root.hex(), reason=str(error))
        data = self._source.get(named.kind, named.root)
        if data is None:
            raise FileError(f"nobody serves {named.kind}/0x{named.root.hex()} yet")
        lines = checked_lines(data, named)
        self._local.put(named.kind, named.root, data)
        return lines

    def _forget_unnamed(self, pending: Sequence[Named]) -> None:
        """Drops reports of files that the chain names no more: their block was taken back."""
        names = {(named.kind, named.root) for named in pending}
        for kind, root in self._retries.keys() - names:
            del self._retries[kind, root]
        m = missing_files
        with self._engine.begin() as connection:
            for row in connection.execute(select(m.c.kind, m.c.root)).all():
                if (row.kind, row.root) not in names:
                    connection.execute(delete(m).where(m.c.kind == row.kind, m.c.root == row.root))

    def _report(self, named: Named, reason: str) -> None:
        name = named.kind, named.root
        retry = self._retries.get(name)
        if retry is None:
            retry = self._retries[name] = _Retry(0, FIRST_RETRY_S)
        else:
            retry.wait_s, retry.attempts = min(2 * retry.wait_s, LONGEST_RETRY_S), retry.attempts + 1
        retry.due = self._clock() + retry.wait_s
        with self._engine.begin() as connection:
            _forget(connection, named)
            values = {"kind": named.kind, "root": named.root, "attempts": retry.attempts, "reason": reason}
            connection.execute(insert(missing_files).values(values))
        log.warning("file not to be had", kind=named.kind, root="0x" + named.root.hex(), reason=reason)


def add_file(connection: Connection, named: Named, lines: list[LeafLine], keys: Keys) -> None:
    """Adds the facts of one file, in the caller's transaction."""
    rows = FactRows()
    tally = _facts(connection, named, lines, keys, rows)
    counts = tally.leaves, tally.opened, tally.erased, tally.closed
    rows.add(models.ingested, *named.place, named.kind, named.root, *counts)
    insert_rows(connection, rows)
    if tally.closed:
        log.warning("leaves stay closed", kind=named.kind, root="0x" + named.root.hex(), closed=tally.closed)


def remove_file(connection: Connection, named: Named) -> None:
    """Takes the facts of one file back, in the caller's transaction."""
    for table in models.OF_FILES:
        here = (table.c.block_number == named.place[0]) & (table.c.log_index == named.place[1])
        connection.execute(delete(table).where(here))
    f = models.faults.c
    here = (f.block_number == named.place[0]) & (f.log_index == named.place[1])
    connection.execute(delete(models.faults).where(here, f.position >= FILE_FAULTS))


def held(connection: Connection) -> list[Named]:
    """Files whose facts the ledger holds, in the order they were named."""
    i, r, g = models.ingested.c, models.runs.c, models.grant_batches.c
    owners = {
        (x.block_number, x.log_index): x.run for x in connection.execute(select(r.block_number, r.log_index, r.run))
    }
    posted = connection.execute(select(g.block_number, g.log_index, g.batch))
    owners |= {(x.block_number, x.log_index): x.batch for x in posted}
    rows = connection.execute(select(models.ingested).order_by(i.block_number, i.log_index))
    places = [(row, (row.block_number, row.log_index)) for row in rows]
    return [Named(row.kind, Hash(row.root), place, owners.get(place, 0), row.leaves) for row, place in places]


def _facts(connection: Connection, named: Named, lines: list[LeafLine], keys: Keys, rows: FactRows) -> Tally:
    is_any_erased = any(line.erased is not None for line in lines)
    powers = Powers(keys, operators(connection) if is_any_erased else frozenset())
    if named.kind == "readings":
        return reading_facts(named.place, lines, powers, rows)
    if named.kind == "grants":
        return grant_facts(named.place, named.owner, lines, powers, rows)
    s = models.run_suppliers.c
    query = select(models.run_suppliers).where(s.run == named.owner).order_by(s.position)
    claimed = [ClaimedLines(r.supplier, r.lines, r.total_kopecks, r.root) for r in connection.execute(query)]
    return bill_facts(ProposedRun(named.place, named.owner, claimed), lines, powers, rows)


def checked_lines(data: bytes, named: Named) -> list[LeafLine]:
    """The leaves of a file that is what the chain names. Raises FileError."""
    _, lines = parse_file(data, named.root)
    if len(lines) != named.count:
        raise FileError(f"the chain says {named.count} leaves, the file has {len(lines)}")
    return lines


def _forget(connection: Connection, named: Named) -> None:
    m = missing_files
    connection.execute(delete(m).where(m.c.kind == named.kind, m.c.root == named.root))


def _readings(connection: Connection) -> list[Named]:
    """A root that was anchored twice is one file, and its leaves are the first batch's that counts them right: a
    source that anchors another's root with a false count keeps nothing from being read."""
    b, i = models.batches.c, models.ingested.c
    known = select(1).where(i.root == b.root, i.kind == "readings", i.leaves == b.leaves).exists()
    found: dict[tuple[Hash, int], Named] = {}
    for row in connection.execute(
        select(b.block_number, b.log_index, b.root, b.leaves).where(~known).order_by(b.block_number, b.log_index)
    ):
        root = Hash(row.root)
        named = Named("readings", root, (row.block_number, row.log_index), 0, row.leaves)
        found.setdefault((root, row.leaves), named)
    return list(found.values())


def _bills(connection: Connection) -> list[Named]:
    r, i = models.runs.c, models.ingested.c
    known = select(1).where(i.block_number == r.block_number, i.log_index == r.log_index).exists()
    rows = connection.execute(select(r.block_number, r.log_index, r.root, r.run, r.leaves).where(~known))
    return [Named("bills", Hash(x.root), (x.block_number, x.log_index), x.run, x.leaves) for x in rows]


def _grants(connection: Connection) -> list[Named]:
    g, i = models.grant_batches.c, models.ingested.c
    known = select(1).where(i.block_number == g.block_number, i.log_index == g.log_index).exists()
    rows = connection.execute(select(g.block_number, g.log_index, g.root, g.batch, g.leaves).where(~known))
    return [Named("grants", Hash(x.root), (x.block_number, x.log_index), x.batch, x.leaves) for x in rows]
