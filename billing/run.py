"""A billing run in our own books: drafts put in their order, with the tree, the proposal and the usage behind it.

Everything that a run needs to be posted, and posted again after a crash, is stored in one transaction before any of
it leaves the house.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, tuple_, update

from billing.carry import CarryOver
from billing.documents import ENGINE_HASH, Draft
from billing.houses import HouseUses, store_uses
from billing.leaves import Claimed, Claims, Leaf, claimed, insert_leaves, ordered
from billing.schema import bills, credits, house_months, runs, usage
from billing.store import dump, load
from contracts.client.keyring import KeyRing
from contracts.wire.ids import NO_HASH, BillKey, Hash, KeyId, Period, RunId, SourceId, SupplierId
from contracts.wire.leaf import BillKind, SupplierLine
from contracts.wire.merkle import Tree, leaf_hash
from contracts.wire.sealed import unseal
from contracts.wire.structs import Proposal, SupplierTotal, UsedHead, supersession_hash

LEAVES_AT_ONCE = 5_000
"""Leaves that go into the books in one transaction."""


class RunStage(StrEnum):
    """Where a run stands in our own books. One is WRITING while its leaves go in, many transactions for many; left so
    by a crash it is dropped. A WAITING run is not posted until another hand approves it."""

    WRITING = "writing"
    WAITING = "waiting"
    PREPARED = "prepared"
    PROPOSED = "proposed"
    ACTIVE = "active"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Run:
    """A stored run. ``chain_run`` is its number on the chain once it was proposed."""

    id: int
    item: int | None
    period: Period
    kind: str
    stage: RunStage
    proposal: Proposal
    superseded: tuple[BillKey, ...]
    problems: Mapping[str, str]
    chain_run: RunId | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class StoredBill:
    """A leaf of a stored run; ``document`` is empty once the account's key was destroyed."""

    run: int
    index: int
    account: str
    period: Period
    revision: int
    kind: BillKind
    blob: bytes
    key_id: KeyId
    sealed: bytes
    document: bytes
    original: BillKey | None

    @property
    def services(self) -> dict[str, int]:
        """The line on the chain of each service that the document names."""
        rows = json.loads(self.document)["lines"] if self.document else []
        return {row["service"]: row["line"] for row in rows if row.get("service") and row["line"] is not None}

    @property
    def purpose(self) -> str | None:
        """What a note is for where it is no correction: a dispute, or penalties."""
        return json.loads(self.document).get("purpose") if self.document else None


@dataclass(frozen=True, slots=True)
class Basis:
    """What a run stands on besides its drafts."""

    period: Period
    kind: str
    item: int | None
    tariff_version: int
    heads: tuple[UsedHead, ...]
    superseded: tuple[BillKey, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
    houses: HouseUses = field(default_factory=dict)


class Runs:
    """Runs and their leaves, sealed under the keys of ``keyring``."""

    def __init__(self, engine: Engine, keyring: KeyRing) -> None:
        self._engine = engine
        self._keyring = keyring
        self._writes = engine.execution_options(writes=True)

    def add(self, basis: Basis, drafts: Sequence[Draft], stage: RunStage = RunStage.PREPARED) -> int:
        """Stores a run with all its leaves; its number in our own books."""
        return self.write(basis, ordered(drafts), stage)

    def write(
        self,
        basis: Basis,
        leaves: Iterable[Leaf],
        stage: RunStage = RunStage.PREPARED,
        counters: Executor | None = None,
    ) -> int:
        """The same for leaves that come in the order of their commitments, as many as may be: they go in by slices,
        so that nobody else who writes waits for long. Raises ProofError where there is none.

        The next slice is read, and what is in is counted, while the database takes one in; ``counters`` does the
        counting, a thread where there is none.
        """
        slices, counted, first, run = _slices(leaves), [], 0, 0
        try:
            with ThreadPoolExecutor(1) as beside, CarryOver(self._engine) as books:
                here = next(slices, [])
                while here or not run:
                    following: Future[list[Leaf]] = beside.submit(next, slices, [])
                    counted.append((counters or beside).submit(claimed, first, [leaf.blob for leaf in here]))
                    with books.transaction() as connection:
                        run = run or _insert_run(connection, basis)
                        insert_leaves(connection, run, basis.period, first, here)
                        first += len(here)
                        here = following.result()
                        if not here:
                            proposal = _proposal_of(basis, _sum_of(counted))
                            _claim(connection, run, proposal, stage)
                            store_uses(connection, self._keyring, run, basis.period, basis.houses)
        except BaseException:
            self.drop_unfinished()
            raise
        return run

    def drop_unfinished(self) -> None:
        """Drops what a crash left of a run whose leaves were still going in: nothing of it was ever sent."""
        with self._writes.begin() as connection:
            unfinished = connection.execute(select(runs.c.id).where(runs.c.state == RunStage.WRITING.value)).scalars()
            for run in unfinished.all():
                for table in (house_months, credits, usage, bills):
                    connection.execute(delete(table).where(table.c.run == run))
                connection.execute(delete(runs).where(runs.c.id == run))

    def set_stage(self, run: int, stage: RunStage, chain_run: RunId | None = None, reason: str | None = None) -> None:
        """Moves a run on."""
        values: dict[str, object] = {"state": stage.value, "reason": reason}
        if chain_run is not None:
            values["chain_run"] = int(chain_run)
        with self._writes.begin() as connection:
            connection.execute(update(runs).where(runs.c.id == run).values(**values))

    # --- reading ---

    def get(self, run: int) -> Run:
        """One run by our own number. Raises LookupError."""
        found = self._select(runs.c.id == run)
        if not found:
            raise LookupError(f"no run {run} in billing's books")
        return found[0]

    def of_chain(self, chain_run: RunId) -> Run | None:
        """A run by its number on the chain."""
        found = self._select(runs.c.chain_run == int(chain_run), runs.c.state != RunStage.FAILED.value)
        return found[0] if found else None

    def of_item(self, item: int) -> list[Run]:
        """The runs that a request led to, the last one last."""
        return self._select(runs.c.item == item)

    def at(self, *stages: RunStage) -> list[Run]:
        """Runs at some stage, in order."""
        return self._select(runs.c.state.in_([stage.value for stage in stages]))

    def _select(self, *where: object) -> list[Run]:
        with self._engine.connect() as connection:
            query = select(runs).where(*where).order_by(runs.c.id)  # type: ignore[arg-type]
            return [_run(row) for row in connection.execute(query)]

    def bills(self, run: int) -> list[StoredBill]:
        """All leaves of a run, in order."""
        with self._engine.connect() as connection:
            query = select(bills).where(bills.c.run == run).order_by(bills.c.bill_index)
            return self._opened(connection.execute(query).all())

    def bill(self, key: BillKey) -> StoredBill | None:
        """One leaf by its place on the chain."""
        return self.bills_at([key]).get(key)

    def bills_at(self, keys: Sequence[BillKey]) -> dict[BillKey, StoredBill]:
        """Leaves by their places on the chain; those that no run of ours has are left out."""
        found: dict[BillKey, StoredBill] = {}
        with self._engine.connect() as connection:
            for start in range(0, len(keys), 400):
                places = [(int(key.run), key.index) for key in keys[start : start + 400]]
                query = (
                    select(bills, runs.c.chain_run)
                    .join(runs, runs.c.id == bills.c.run)
                    .where(runs.c.state != RunStage.FAILED.value)
                    .where(tuple_(runs.c.chain_run, bills.c.bill_index).in_(places))
                )
                rows = connection.execute(query).all()
                for row, stored in zip(rows, self._opened(rows), strict=True):
                    found[BillKey(RunId(row.chain_run), row.bill_index)] = stored
        return found

    def _opened(self, rows: Sequence[Row[tuple[object, ...]]]) -> list[StoredBill]:
        keys = self._keyring.secrets(KeyId(bytes(row.key_id)) for row in rows)
        return [_bill(row, keys.get(KeyId(bytes(row.key_id)))) for row in rows]

    def tree(self, run: int) -> Tree:
        """The tree over a run's leaves."""
        with self._engine.connect() as connection:
            query = select(bills.c.blob).where(bills.c.run == run).order_by(bills.c.bill_index)
            return Tree.of([leaf_hash(bytes(blob)) for blob in connection.execute(query).scalars()])

    def of_account(self, account: str, period: Period | None = None) -> list[tuple[BillKey | None, StoredBill, Run]]:
        """Leaves of an account (of one period) in runs that did not fail, the first first; no key before proposal."""
        return self.of_accounts([account], period).get(account, [])

    def of_accounts(
        self, accounts: Sequence[str], period: Period | None = None
    ) -> dict[str, list[tuple[BillKey | None, StoredBill, Run]]]:
        """The same for many accounts."""
        query = (
            select(bills)
            .join(runs, runs.c.id == bills.c.run)
            .where(runs.c.state != RunStage.FAILED.value)
            .order_by(bills.c.run, bills.c.bill_index)
        )
        if period is not None:
            query = query.where(bills.c.period == period.number)
        if len(accounts) <= 500:
            query = query.where(bills.c.account.in_(accounts))
        wanted, known = set(accounts), {run.id: run for run in self._select()}
        out: defaultdict[str, list[tuple[BillKey | None, StoredBill, Run]]] = defaultdict(list)
        with self._engine.connect() as connection:
            rows = [row for row in connection.execute(query) if row.account in wanted]
        for stored in self._opened(rows):
            run = known[stored.run]
            key = None if run.chain_run is None else BillKey(run.chain_run, stored.index)
            out[stored.account].append((key, stored, run))
        return out

    def billed(self, period: Period) -> set[str]:
        """Accounts that have a bill for a period in a run that did not fail."""
        query = (
            select(bills.c.account)
            .join(runs, runs.c.id == bills.c.run)
            .where(runs.c.state != RunStage.FAILED.value)
            .where(bills.c.period == period.number, bills.c.kind == int(BillKind.BILL))
        )
        with self._engine.connect() as connection:
            return set(connection.execute(query).scalars())

    def next_revisions(self, accounts: Iterable[str], period: Period) -> dict[str, int]:
        """The next revision of each account: every leaf counts, failed runs' too, so an id is never used twice."""
        known = self.revisions_after(period)
        return {account: known.get(account, 0) for account in accounts}

    def revisions_after(self, period: Period) -> dict[str, int]:
        """The next revision of each account that has a leaf for a period; of any other it is 0."""
        with self._engine.connect() as connection:
            query = (
                select(bills.c.account, func.max(bills.c.revision).label("last"))
                .where(bills.c.period == period.number)
                .group_by(bills.c.account)
            )
            return {row.account: int(row.last) + 1 for row in connection.execute(query)}


def _sum_of(counted: Iterable[Future[Claimed]]) -> Claims:
    claims = Claims()
    for more in counted:
        claims.add(more.result())
    return claims


def _slices(leaves: Iterable[Leaf]) -> Iterator[list[Leaf]]:
    rest = iter(leaves)
    while here := list(islice(rest, LEAVES_AT_ONCE)):
        yield here


def supplier_lines(leaves: Iterable[tuple[int, BillKind, Sequence[tuple[int, int]]]]) -> dict[int, list[SupplierLine]]:
    """Each supplier's own lines by index and line, out of (index, kind, (supplier, amount)…)."""
    out: defaultdict[int, list[SupplierLine]] = defaultdict(list)
    for index, kind, lines in leaves:
        for line, (supplier, amount) in enumerate(lines):
            out[supplier].append(SupplierLine(index, line, kind, amount))
    return dict(out)


def _insert_run(connection: Connection, basis: Basis) -> int:
    empty = _proposal_of(basis, None)
    values = {
        "item": basis.item,
        "period": basis.period.number,
        "kind": basis.kind,
        "state": RunStage.WRITING.value,
        "root": empty.root,
        "proposal": dump(_proposal_json(empty)),
        "superseded": dump([bill.number for bill in sorted(basis.superseded)]),
        "problems": dump(dict(basis.problems)),
    }
    return int(connection.execute(insert(runs).values(**values).returning(runs.c.id)).scalar_one())


def _claim(connection: Connection, run: int, proposal: Proposal, stage: RunStage) -> None:
    values = {"root": proposal.root, "proposal": dump(_proposal_json(proposal)), "state": stage.value}
    connection.execute(update(runs).where(runs.c.id == run).values(**values))


def _proposal_of(basis: Basis, claims: Claims | None) -> Proposal:
    """What a run proposes; of nothing as yet without ``claims``."""
    return Proposal(
        basis.period,
        0 if claims is None else claims.count,
        NO_HASH if claims is None else claims.root,
        basis.tariff_version,
        ENGINE_HASH,
        supersession_hash(basis.superseded),
        () if claims is None else claims.suppliers(),
        basis.heads,
    )


def _run(row: Row[tuple[object, ...]]) -> Run:
    return Run(
        row.id,
        row.item,
        Period.from_number(row.period),
        row.kind,
        RunStage(row.state),
        _proposal(load(row.proposal)),
        tuple(BillKey.from_number(number) for number in load(row.superseded)),
        load(row.problems),
        None if row.chain_run is None else RunId(row.chain_run),
        row.reason,
    )


def _bill(row: Row[tuple[object, ...]], secret: bytes | None) -> StoredBill:
    blob = bytes(row.blob)
    opened = b"" if secret is None else unseal(secret, leaf_hash(blob), bytes(row.sealed))
    return StoredBill(
        row.run,
        row.bill_index,
        row.account,
        Period.from_number(row.period),
        row.revision,
        BillKind(row.kind),
        blob,
        KeyId(bytes(row.key_id)),
        bytes(row.sealed),
        opened[64:],
        None if row.original is None else BillKey.from_number(row.original),
    )


def _proposal_json(p: Proposal) -> dict[str, object]:
    return {
        "period": p.period.number,
        "count": p.count,
        "root": p.root.hex(),
        "tariff_version": p.tariff_version,
        "engine": p.engine.hex(),
        "superseded": p.superseded.hex(),
        "suppliers": [[int(s.supplier), s.lines, s.total_kopecks, s.root.hex()] for s in p.suppliers],
        "heads": [[int(h.source), h.epoch, h.sequence, h.hash.hex()] for h in p.heads],
    }


def _proposal(value: Mapping[str, object]) -> Proposal:
    v: dict[str, object] = dict(value)
    return Proposal(
        Period.from_number(int(str(v["period"]))),
        int(str(v["count"])),
        _hash(v["root"]),
        int(str(v["tariff_version"])),
        _hash(v["engine"]),
        _hash(v["superseded"]),
        tuple(
            SupplierTotal(SupplierId(supplier), lines, total, _hash(root))
            for supplier, lines, total, root in v["suppliers"]  # type: ignore[attr-defined]
        ),
        tuple(
            UsedHead(SourceId(source), epoch, sequence, bytes.fromhex(head))
            for source, epoch, sequence, head in v["heads"]  # type: ignore[attr-defined]
        ),
    )


def _hash(text: object) -> Hash:
    return Hash(bytes.fromhex(str(text)))
