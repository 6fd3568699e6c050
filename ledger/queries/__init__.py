"""The only read door of the ledger. Other packages ask here and read no table."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, func, select

from contracts.client.deployments import Deployment
from contracts.client.keyring import KeyRing
from contracts.client.private import shared_url
from contracts.wire.checkpoint import Checkpoint
from contracts.wire.ids import (
    Address,
    BillId,
    BillKey,
    GrantBatchId,
    Hash,
    MeterId,
    Period,
    Reference,
    RunId,
    SupplierId,
    Tag,
)
from contracts.wire.merkle import Tree
from contracts.wire.structs import UsedHead
from ledger.checkpoints import EventBlocks, NothingFinal, final_checkpoint
from ledger.digest import digest
from ledger.leaves import Keys
from ledger.models import (
    acknowledgements,
    closed_leaves,
    decisions,
    faults,
    grants,
    ingested,
    prepayments,
    runs,
    tariffs,
)
from ledger.progress import missing_files
from ledger.queries import bills as _bills
from ledger.queries import money as _money
from ledger.queries import registry as _registry
from ledger.queries.bulk import BulkReadings
from ledger.queries.lines import LineOf, MovedOn, read_lines, read_moved
from ledger.queries.readings import Billable, chain_heads, check_decided
from ledger.queries.supplier_books import read_receipts_between, read_supplier_lines, read_supplier_statement
from ledger.queries.supplier_views import SupplierReceipt, SupplierStatement
from ledger.queries.views import (
    BatchOutcome,
    BillView,
    Fault,
    GrantBatchView,
    GrantView,
    Head,
    MissingFile,
    OrderOutcome,
    PrepaymentView,
    ProfileRow,
    ReceiptView,
    RegisterRow,
    RunView,
    StatementRow,
    SupplierView,
    TariffView,
    Totals,
)
from ledger.store import database_url, open_database, read_links, read_position

_TREES_KEPT = 4


class NotIndexed(LookupError):
    """What was asked for stands in a run or batch whose file the ledger does not hold (yet)."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not indexed: wait for the ledger, or see its missing files")


class Ledger:
    """The ledger as it stands in its database. With a key ring it opens sealed records; without, it tells none."""

    def __init__(self, engine: Engine, keys: Keys | None = None) -> None:
        self._engine = engine
        self._keys = keys
        self._trees: dict[tuple[RunId, Hash], Tree] = {}
        self._last_billable: tuple[tuple[object, ...], Billable] | None = None

    @classmethod
    def open(cls, home: Path) -> Ledger:
        """The ledger and the key ring of a running town."""
        return cls(open_database(database_url(home)), KeyRing(home / "keyring.db"))

    @classmethod
    def at(cls, url: str, keys: Keys | None = None) -> Ledger:
        """The ledger in a database that is there."""
        return cls(open_database(url), keys)

    # --- where it stands ---

    def head(self) -> Head | None:
        """The block that the ledger stands at; None before its first."""
        with self._read() as (connection, _):
            links = read_links(connection)
        return Head(links[-1].number, links[-1].hash, links[-1].timestamp) if links else None

    def finalized_height(self) -> int:
        """Height up to which nothing is taken back any more; -1 before the first block."""
        with self._read() as (_, height):
            return height

    @contextmanager
    def _read(self) -> Iterator[tuple[Connection, int]]:
        """One transaction, so that an answer is of one moment; with the height that is final at it."""
        with self._engine.connect() as connection:
            position = read_position(connection)
            yield connection, position.finalized_number if position else -1

    def missing_files(self) -> list[MissingFile]:
        """Files that the chain names and the ledger could not have yet."""
        with self._read() as (connection, _):
            rows = connection.execute(select(missing_files).order_by(missing_files.c.kind, missing_files.c.root))
            return [MissingFile(row.kind, Hash(row.root), row.attempts, row.reason) for row in rows]

    def faults(self) -> list[Fault]:
        """What the chain or the files say that can't be right."""
        f = faults.c
        with self._read() as (connection, _):
            rows = connection.execute(select(faults).order_by(f.block_number, f.log_index, f.position))
            return [Fault(row.kind, row.detail, row.block_number, row.log_index) for row in rows]

    def closed_leaves(self) -> dict[tuple[str, int], int]:
        """How many leaves could not be read, by kind of file and ClosedState."""
        c = closed_leaves.c
        with self._read() as (connection, _):
            query = select(c.kind, c.state, func.count().label("leaves")).group_by(c.kind, c.state)
            return {(row.kind, row.state): row.leaves for row in connection.execute(query)}

    def digest(self) -> Hash:
        """One hash over every fact: two ledgers of one chain and the same files have the same."""
        with self._read() as (connection, _):
            return digest(connection)

    def checkpoint(self, deployment: Deployment) -> Checkpoint:
        """What stands at the last final block, for observers to sign. Raises NothingFinal."""
        with self._read() as (connection, _):
            return final_checkpoint(connection, deployment)

    def event_blocks(self, height: int) -> EventBlocks:
        """The blocks up to ``height`` that hold an event of ours. Raises NothingFinal."""
        with self._read() as (connection, _):
            return EventBlocks.read(connection, height)

    def blocks_of_bill(self, key: BillKey, height: int) -> list[int]:
        """Blocks up to ``height`` in which something happened to a bill, its run's beginning included; ascending."""
        with self._read() as (connection, _):
            return _bills.blocks_of_bill(connection, key, height)

    # --- readings ---

    def registers(
        self, meters: Sequence[MeterId], start: int, end: int, upto: Sequence[UsedHead] | None = None
    ) -> list[RegisterRow]:
        """Registers that may be billed, taken from ``start`` until before ``end``, by meter, register and time.

        Nothing behind ``upto`` counts: the heads that a run claims (``heads_to_bill``), or else those of this moment.
        """
        with self._read() as (connection, height):
            return self._billable(connection, height, upto).registers(meters, start, end)

    def profiles(
        self, meters: Sequence[MeterId], start: int, end: int, upto: Sequence[UsedHead] | None = None
    ) -> list[ProfileRow]:
        """Profiles that may be billed and overlap the time from ``start`` until before ``end``, in the same order and
        bounded in the same way."""
        with self._read() as (connection, height):
            return self._billable(connection, height, upto).profiles(meters, start, end)

    def _billable(self, connection: Connection, height: int, upto: Sequence[UsedHead] | None) -> Billable:
        """What may be billed. All batches of a city stand behind it, so the last answer is kept while it holds: it
        follows from the height, the heads, the files that are there and the decisions that can be read."""
        if upto is None:
            return Billable(connection, height)
        there = [
            connection.execute(select(func.count()).select_from(table)).scalar() for table in (ingested, decisions)
        ]
        name = height, tuple(upto), tuple(there)
        known = self._last_billable
        if known is None or known[0] != name:
            known = self._last_billable = name, Billable(connection, height, upto)
        return known[1].on(connection)

    @contextmanager
    def bulk(self, upto: Sequence[UsedHead]) -> Iterator[BulkReadings]:
        """Many meters' rows behind the heads that a run claims, as of one moment."""
        with self._read() as (connection, height):
            yield BulkReadings(connection, height, upto)

    @property
    def url(self) -> str | None:
        """Where another process finds the same ledger; None for one that lives in this process alone."""
        return shared_url(self._engine)

    def heads_to_bill(self) -> list[UsedHead]:
        """The heads of this moment, to be claimed by a run that then reads no further. Raises DecisionsOutstanding."""
        with self._read() as (connection, height):
            check_decided(connection, height)
            return chain_heads(connection, height)

    def chain_heads(self) -> list[UsedHead]:
        """The latest head of each source up to which its whole chain may be billed."""
        with self._read() as (connection, height):
            return chain_heads(connection, height)

    def holders_of(self, root: Hash) -> list[Address]:
        """Who said that they keep the file of a root."""
        a = acknowledgements.c
        with self._read() as (connection, _):
            query = select(a.holder).where(a.root == root).distinct().order_by(a.holder)
            return [Address(row.holder) for row in connection.execute(query)]

    # --- registry, tariffs ---

    def suppliers(self) -> list[SupplierView]:
        """Suppliers as they are now, by number."""
        with self._read() as (connection, _):
            return _registry.read_suppliers(connection)

    def meter_passports(self) -> frozenset[Hash]:
        """Commitments of meters' passports that are final in the Registry and not retired."""
        with self._read() as (connection, height):
            return _registry.read_passports(connection, height)

    def tariff_version(self) -> int:
        """Version of the tariff book: how many versions are final."""
        with self._read() as (connection, height):
            query = select(func.max(tariffs.c.version)).where(tariffs.c.block_number <= height)
            return connection.execute(query).scalar() or 0

    def tariffs(self) -> list[TariffView]:
        """All published versions."""
        with self._read() as (connection, _):
            return _registry.read_tariffs(connection)

    # --- runs and bills ---

    def run(self, run: RunId) -> RunView | None:
        """One run."""
        with self._read() as (connection, height):
            found = _bills.read_runs(connection, height, runs.c.run == int(run))
        return found[0] if found else None

    def runs(self, period: Period | None = None) -> list[RunView]:
        """Runs of a period, or all, in the order they were proposed."""
        where = [] if period is None else [runs.c.period == period.number]
        with self._read() as (connection, height):
            return _bills.read_runs(connection, height, *where)

    def bill(self, key: BillKey) -> BillView | None:
        """One bill."""
        found = self.bills([key])
        return found[0] if found else None

    def bills(self, keys: Sequence[BillKey]) -> list[BillView]:
        """Bills in the order of ``keys``; those that no indexed run holds are left out."""
        with self._read() as (connection, height):
            return _bills.read_bills(connection, height, keys, self._keys)

    def lines_of(
        self, keys: Sequence[BillKey], without: Collection[SupplierId] = ()
    ) -> tuple[list[LineOf], list[MovedOn]]:
        """Lines of bills that nothing replaced, and what moved on lines; those of some suppliers are left out."""
        with self._read() as (connection, _):
            return read_lines(connection, keys, without), read_moved(connection, keys, without)

    def bills_at(self, keys: Sequence[BillKey], moment: int) -> list[BillView]:
        """Bills as they were known at a moment, seconds UTC: what had moved by then, and which notes there were. Bills
        posted later are left out."""
        with self._read() as (connection, height):
            upto = _bills.block_at(connection, moment)
            return _bills.read_bills(connection, height, keys, self._keys, upto)

    def bills_of_run(self, run: RunId) -> list[BillView]:
        """All bills of a run, by index."""
        with self._read() as (connection, height):
            return _bills.read_bills(connection, height, _bills.keys_of_run(connection, run), self._keys)

    def bills_by_id(self, bill_id: BillId) -> list[BillView]:
        """Bills that stand under a bill id: more than one where a vetoed run was proposed again."""
        with self._read() as (connection, height):
            keys = _bills.keys_of_bill_id(connection, bill_id)
            return _bills.read_bills(connection, height, keys, self._keys)

    def proof(self, key: BillKey) -> list[Hash]:
        """Siblings of a bill from the leaf up. Raises NotIndexed."""
        return self._tree(key.run).proof(key.index)

    def multiproof(self, run: RunId, indices: Sequence[int]) -> list[Hash]:
        """What proves bills of one run together; indices grow strictly. Raises NotIndexed, ProofError."""
        return self._tree(run).multiproof(indices)

    def _tree(self, run: RunId) -> Tree:
        # Kept by root as well: after a reorg the same number can be another run.
        view = self.run(run)
        if view is None:
            raise NotIndexed(f"run {run}")
        name = run, view.root
        if name not in self._trees:
            with self._read() as (connection, _):
                tree = _bills.bill_tree(connection, run)
            if tree is None:
                raise NotIndexed(f"run {run}")
            if len(self._trees) >= _TREES_KEPT:
                self._trees.pop(next(iter(self._trees)))
            self._trees[name] = tree
        return self._trees[name]

    # --- money ---

    def receipts(self, key: BillKey) -> list[ReceiptView]:
        """All that moved on a bill, in chain order."""
        with self._read() as (connection, height):
            return _money.Receipts(connection, height).of_bill(key)

    def order(self, digest: Reference) -> OrderOutcome | None:
        """What became of a resident's order; None while it has not been carried out."""
        with self._read() as (connection, height):
            return _money.order_outcome(connection, height, digest)

    def batch(self, agent: Address, reference: Reference) -> BatchOutcome | None:
        """What became of an agent's batch; None while it has not been carried out."""
        with self._read() as (connection, height):
            return _money.batch_outcome(connection, height, agent, reference)

    def grants(self, bill: BillKey) -> list[GrantView]:
        """Grants for a bill."""
        g = grants.c
        with self._read() as (connection, _):
            return _money.read_grants(connection, g.run == int(bill.run), g.bill_index == bill.index)

    def grants_of_batch(self, batch: GrantBatchId) -> list[GrantView]:
        """Grants of a batch, by index."""
        with self._read() as (connection, _):
            return _money.read_grants(connection, grants.c.batch == int(batch))

    def grant_batches(self) -> list[GrantBatchView]:
        """Batches of grants in the order they were posted."""
        with self._read() as (connection, height):
            return _money.read_grant_batches(connection, height)

    def grant_proof(self, batch: GrantBatchId, index: int) -> list[Hash]:
        """Siblings of a grant from the leaf up. Raises NotIndexed."""
        g = grants.c
        with self._read() as (connection, _):
            query = select(g.leaf).where(g.batch == int(batch)).order_by(g.grant_index)
            leaves = [Hash(row.leaf) for row in connection.execute(query)]
        if not leaves:
            raise NotIndexed(f"grant batch {batch}")
        return Tree.of(leaves).proof(index)

    def prepayment(self, name: Hash | Tag) -> PrepaymentView | None:
        """A prepayment by its id (H(payer ‖ tag), what a bill names) or by its tag."""
        p = prepayments.c
        with self._read() as (connection, height):
            found = _money.read_prepayments(connection, height, (p.prepayment == bytes(name)) | (p.tag == bytes(name)))
        return found[0] if found else None

    def prepayments(self) -> list[PrepaymentView]:
        """All prepayments in the order they were made."""
        with self._read() as (connection, height):
            return _money.read_prepayments(connection, height)

    def statement(self, supplier: SupplierId, first_ts: int, last_ts: int) -> list[StatementRow]:
        """A supplier's receipts (refunds negative) from ``first_ts`` through ``last_ts``, in chain order."""
        with self._read() as (connection, height):
            return _money.read_statement(connection, height, supplier, first_ts, last_ts)

    def supplier_statement(self, supplier: SupplierId, first_ts: int, last_ts: int) -> SupplierStatement:
        """A supplier's final books from ``first_ts`` through ``last_ts``. Raises NothingFinal, RunFileMissing."""
        with self._engine.connect() as connection:
            position = read_position(connection)
            if position is None or position.finalized_number < 0:
                raise NothingFinal
            final = position.finalized_number, position.finalized_hash
            return read_supplier_statement(connection, final, supplier, first_ts, last_ts)

    def receipts_between(self, supplier: SupplierId, after: int, height: int) -> list[SupplierReceipt]:
        """A supplier's receipts in the blocks above ``after`` up to ``height``, none above what is final."""
        with self._read() as (connection, final):
            return read_receipts_between(connection, supplier, after, min(height, final))

    def supplier_lines(self, run: RunId, supplier: SupplierId) -> list[bytes]:
        """Blobs of a supplier's own lines of a run, as its tree holds them."""
        with self._read() as (connection, _):
            return read_supplier_lines(connection, run, supplier)

    def balance(self, wallet: Address) -> int:
        """Kopecks of a wallet, by the postings."""
        with self._read() as (connection, _):
            return _money.balance(connection, wallet)

    def balances(self) -> dict[Address, int]:
        """Kopecks of every wallet that ever held any."""
        with self._read() as (connection, _):
            return _money.balances(connection)

    def totals(self) -> Totals:
        """The town in kopecks."""
        with self._read() as (connection, _):
            return _money.read_totals(connection)
