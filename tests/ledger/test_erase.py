"""Erasing a person: the key is destroyed, the records go, and every proof and sum stays."""

from __future__ import annotations

from pathlib import Path

from contracts.client.files import FileStore
from contracts.wire.files import Erasure, LeafLine, encode_file, parse_file
from contracts.wire.ids import Hash, KeyId, MeterId
from contracts.wire.leaf import RegisterReading
from contracts.wire.merkle import leaf_hash, root_of
from contracts.wire.units import Unit
from ledger.erase import erase
from ledger.models import ClosedState
from tests.ledger.indexed import Indexed
from tests.ledger.town import Draft, Town, bytes_of

GONE, STAYS = (KeyId(bytes_of(name, 16)) for name in ("leaves", "stays"))


def serve_erased(town: Town, kind: str, root: Hash) -> None:
    """What the file's owner does once the key is destroyed."""
    data = town.files.get(kind, root)
    assert data is not None
    head, lines = parse_file(data)
    erasure = Erasure(GONE, 5, "act 7", bytes(65))
    lines = [LeafLine(x.leaf, x.blob, erased=erasure) if x.key == GONE else x for x in lines]
    town.files.put(kind, root, encode_file(head, lines))


def reading(name: str, value: int) -> RegisterReading:
    return RegisterReading(MeterId(bytes_of(name, 16)), 0, 100, value, Unit.LITRE)


def test_an_erased_account_leaves_its_sums_and_proofs_and_nothing_else(indexed: Indexed, tmp_path: Path) -> None:
    town = indexed.town
    town.add_supplier("water")
    town.mint("agent", 100_000, "d1")
    source = town.add_source("c1")
    roots = [
        town.anchor("c1", source, [reading("a", 7_777_777)], GONE),
        town.anchor("c1", source, [reading("b", 5)], STAYS),
    ]
    town.acknowledge(*roots)
    run = town.post_run([Draft("secret document", ((1, 900),))], GONE)
    town.pay("agent", run, 0)
    town.finalise()
    ledger = indexed.sync()
    bill = ledger.bill(run.key(0))
    assert bill is not None
    assert bill.document is not None
    totals = ledger.totals()
    files = FileStore(tmp_path / "copies")

    town.keys.destroy(GONE, 5, "act 7")
    waiting = erase(indexed.engine, files, town.files, town.keys)
    assert (len(waiting.done), len(waiting.waiting)) == (0, 2)
    serve_erased(town, "readings", roots[0])
    serve_erased(town, "bills", run.tree.root)
    assert len(erase(indexed.engine, files, town.files, town.keys).done) == 2
    assert erase(indexed.engine, files, town.files, town.keys).done == ()

    bill = ledger.bill(run.key(0))
    assert bill is not None
    assert (bill.document, bill.bill_id, bill.salt, bill.closed) == (None, None, None, ClosedState.ERASED)
    assert root_of(leaf_hash(bill.blob), 0, ledger.proof(run.key(0)), 1) == run.tree.root
    assert ledger.totals() == totals
    assert ledger.registers([MeterId(bytes_of("a", 16))], 0, 1_000) == []
    assert [r.value for r in ledger.registers([MeterId(bytes_of("b", 16))], 0, 1_000)] == [5]
    assert ledger.closed_leaves() == {("readings", ClosedState.ERASED): 1, ("bills", ClosedState.ERASED): 1}
    indexed.assert_right()
    for path in (tmp_path / "ledger.db", tmp_path / "ledger.db-wal"):
        assert bytes_of("a", 16) not in path.read_bytes()
