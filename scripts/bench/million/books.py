"""The town's books: houses of a hundred metered flats, their counters month by month, and the bills of each month.

Readings go into real batches, signed and chained by each house's concentrator; billing reads the rows that the ledger
would have made of them, and prepares its runs as ever.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import insert, select, update

from billing.domain.calendar import month_span
from billing.domain.household import House
from billing.prepare import Preparer
from billing.requests import RunRequest
from billing.run import Run, Runs, RunStage
from billing.schema import bills, inbox
from billing.tariffs import demo_documents
from contracts.client.deployments import Deployment
from contracts.client.files import FileStore
from contracts.wire.files import LeafLine, encode_file
from contracts.wire.ids import NO_HASH, KeyId, Period, RunId, Service, SourceId, SupplierId
from contracts.wire.leaf import RegisterReading, SupplierLine, decode_bill, encode_supplier_line, reading_blob
from contracts.wire.merkle import leaf_hash, root_of_leaves
from contracts.wire.sealed import seal
from contracts.wire.typed_data import BatchHeader, anchor_domain, sign_digest
from ledger import models
from ledger.leaves import add_record
from ledger.store import FactRows, insert_rows
from oracle.batch_files import put_batch
from scripts.bench.city import (
    AREAS,
    AT_ONCE,
    FEATURES,
    FLATS,
    MOST,
    SINCE,
    UNITS,
    ZONE,
    CityBooks,
    FlatEntry,
    code,
    draw_flat,
)
from scripts.bench.million.chain import key_of

SERVICES = (Service.COLD_WATER, Service.HOT_WATER, Service.SEWAGE, Service.ELECTRICITY, Service.HEATING)
"""Five lines a bill; each service's supplier has its place here, from 1, for its number."""


@dataclass(frozen=True, slots=True)
class SignedBatch:
    """A batch that waits to be anchored."""

    header: BatchHeader
    signature: bytes


@dataclass(frozen=True, slots=True)
class PreparedBill:
    """A leaf of a run that was prepared: what a payment of it needs."""

    index: int
    blob: bytes
    flat: int


@dataclass(slots=True)
class _Counter:
    """A register of a flat's meter, and what it shows."""

    flat: FlatEntry
    reading: RegisterReading


class TownBooks:
    """Books of ``flats`` flats under ``folder``; what is to be published goes into ``files``."""

    def __init__(self, folder: Path, files: FileStore, deployment: Deployment, flats: int, seed: int) -> None:
        self._books = CityBooks(folder)
        self._files = files
        self._deployment = deployment
        self._drawn = random.Random(seed)
        self._flats = flats
        self.houses = -(-flats // FLATS)
        self._counters: defaultdict[str, list[_Counter]] = defaultdict(list)
        self._heads = [bytes(24)] * self.houses
        self._sequence = 0
        self._runs = Runs(self._books.engine, self._books.keyring)
        self.secrets: dict[KeyId, bytes] = {}

    # --- before the first month ---

    def open(self, first: Period) -> list[bytes]:
        """Houses, flats, tariffs; gives the calls that publish the tariffs, in order."""
        documents = list(demo_documents())
        self._books.publish(documents)
        names = [self._books.tariffs.add(document) for document in documents]
        store = FileStore(self._books.folder / "files")
        for name in names:
            self._files.put("tariffs", name, store.get("tariffs", name) or b"")
        for number in range(self.houses):
            self._books.register.add_house(House(code(number), ZONE, AREAS, 560_000, FEATURES))
            for place, service in enumerate(SERVICES, start=1):
                self._books.register.set_supplier(code(number), service, SupplierId(place), SINCE)
            self._books.source(number + 1)
        with self._books.engine.begin() as connection:
            row = {"kind": "run", "client_key": "bench", "content": bytes(32), "payload": "{}", "state": "working"}
            connection.execute(insert(inbox).values(id=1, is_settled=False, **row))
        self._open_flats(month_span(first, ZONE).start_ts)
        return [self._books.tariffs.publish_call(name) for name in names]

    def _open_flats(self, start: int) -> None:
        for first in range(0, self._flats, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, self._flats))
            flats = [draw_flat(self._drawn, number) for number in numbers]
            self._books.open_flats(flats)
            secrets = self._books.keyring.secrets([flat.key_id for flat in flats])
            self.secrets |= {key: secret for key, secret in secrets.items() if secret is not None}
            for flat in flats:
                for meter in flat.meters:
                    for register in meter.zones:
                        value, unit = self._drawn.randrange(10_000, 30_000_000), UNITS[meter.service]
                        reading = RegisterReading(meter.meter, register, start, value, unit)
                        self._counters[flat.house].append(_Counter(flat, reading))

    # --- readings ---

    def read_counters(self, taken_at: int, *, is_first: bool = False) -> list[SignedBatch]:
        """Each house's concentrator sends what its counters show: signed, numbered, chained, in a file."""
        self._sequence += 1
        rows, out = FactRows(), []
        for number in range(self.houses):
            counters = self._counters[code(number)]
            if not is_first:
                self._move(counters, taken_at)
            blobs = [reading_blob(self._drawn.randbytes(32), counter.reading) for counter in counters]
            out.append(self._batch(number, counters, blobs))
            self._add_rows(rows, number, out[-1].header, counters, blobs)
            if len(out) % 100 == 0 or len(out) == self.houses:
                with self._books.ledger_engine.begin() as connection:
                    insert_rows(connection, rows)
                rows = FactRows()
        return out

    def _move(self, counters: Sequence[_Counter], taken_at: int) -> None:
        services = {unit: service for service, unit in UNITS.items()}
        for counter in counters:
            r = counter.reading
            most = MOST[services[r.unit]]
            used = self._drawn.randrange(0, most) if self._drawn.random() > 0.03 else 0
            counter.reading = RegisterReading(r.meter, r.register, taken_at, r.value + used, r.unit)

    def _batch(self, number: int, counters: Sequence[_Counter], blobs: Sequence[bytes]) -> SignedBatch:
        leaves = [leaf_hash(blob) for blob in blobs]
        lines = []
        for counter, leaf, blob in zip(counters, leaves, blobs, strict=True):
            key = counter.flat.key_id
            lines.append(LeafLine(leaf, None, key, seal(self.secrets[key], leaf, blob)))
        root = root_of_leaves(b"".join(leaves))
        taken_at = counters[0].reading.taken_at
        header = BatchHeader(
            SourceId(number + 1), 0, self._sequence, self._heads[number], root, len(blobs), taken_at, taken_at, NO_HASH
        )
        anchor = self._deployment.addresses["ReadingAnchor"]
        domain = anchor_domain(self._deployment.chain_id, anchor)
        signature = sign_digest(key_of(code(number)), domain.digest(header.struct_hash()))
        told = {"chain_id": self._deployment.chain_id, "contract": "0x" + anchor.hex()}
        put_batch(self._files, header, signature, told, lines)
        self._heads[number] = header.head()
        return SignedBatch(header, signature)

    def _add_rows(
        self, rows: FactRows, number: int, header: BatchHeader, counters: Sequence[_Counter], blobs: Sequence[bytes]
    ) -> None:
        """The batch as the ledger has it once it is final and kept by two holders."""
        place = (self._sequence - 1) * self.houses + number + 1
        at = (3, place)
        rows.add(
            models.batches, *at, header.source, header.epoch, header.sequence, header.head(), header.root,
            header.count, header.period_start, header.period_end, header.document, bytes(32),
        )  # fmt: skip
        rows.add(models.ingested, *at, "readings", header.root, header.count, header.count, 0, 0)
        for holder in (1, 2):
            rows.add(models.acknowledgements, 4, 2 * place + holder, header.root, bytes((holder,)) * 20)
        for leaf, (counter, blob) in enumerate(zip(counters, blobs, strict=True)):
            add_record((*at, leaf), counter.reading, blob, rows)

    # --- bills ---

    def bill(self, period: Period, number: int) -> tuple[Run, list[PreparedBill]]:
        """Prepares a month's run, writes its files, and lets go of the records: the file has them."""
        books = self._books
        preparer = Preparer(books.engine, books.register, books.keyring, books.tariffs, books.ledger)
        run = self._runs.get(preparer.bill_period(RunRequest(period), 1))
        if run.problems:
            raise AssertionError(f"not billed: {next(iter(run.problems.items()))}")
        prepared = self._write_bills(run)
        self._write_lines(run, prepared)
        self._runs.set_stage(run.id, RunStage.ACTIVE, RunId(number))
        with books.engine.begin() as connection:
            connection.execute(update(bills).where(bills.c.run == run.id).values(sealed=b""))
        return run, prepared

    def _write_bills(self, run: Run) -> list[PreparedBill]:
        head = {"kind": "bills", "period": run.period.number, "count": run.proposal.count}
        prepared: list[PreparedBill] = []

        def lines() -> Iterator[LeafLine]:
            query = select(bills).where(bills.c.run == run.id).order_by(bills.c.bill_index)
            with self._books.engine.connect() as connection:
                for row in connection.execute(query).yield_per(1000):
                    blob = bytes(row.blob)
                    prepared.append(PreparedBill(row.bill_index, blob, int(row.account[1:])))
                    yield LeafLine(leaf_hash(blob), blob, KeyId(bytes(row.key_id)), bytes(row.sealed))

        self._files.put("bills", run.proposal.root, encode_file(head, lines()))
        return prepared

    def _write_lines(self, run: Run, prepared: Sequence[PreparedBill]) -> None:
        own: defaultdict[int, list[bytes]] = defaultdict(list)
        for leaf in prepared:
            bill = decode_bill(leaf.blob)
            for place, line in enumerate(bill.lines):
                blob = encode_supplier_line(SupplierLine(leaf.index, place, bill.kind, line.amount_kopecks))
                own[line.supplier].append(blob)
        for total in run.proposal.suppliers:
            head: Mapping[str, object] = {
                "kind": "lines", "run": "0x" + run.proposal.root.hex(), "supplier": int(total.supplier),
                "total_kopecks": total.total_kopecks,
            }  # fmt: skip
            lines = (LeafLine(leaf_hash(blob), blob) for blob in own[total.supplier])
            self._files.put("lines", total.root, encode_file(dict(head), lines))


def leaf_hashes_of(data: bytes) -> bytes:
    """The leaf hashes of a file that was just written, as they stand in the clear."""
    mark = b'"leaf":"0x'
    out = bytearray()
    at = data.find(b"\n")
    while (at := data.find(mark, at)) >= 0:
        out += bytes.fromhex(data[at + len(mark) : at + len(mark) + 64].decode())
        at += 64
    return bytes(out)
