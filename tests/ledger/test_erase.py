"""Erasing a person: the key is destroyed, the records go, and every proof and sum stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.client.files import FileStore
from contracts.wire.erasure import sign_erasure
from contracts.wire.files import Erasure, LeafLine, encode_file, parse_file
from contracts.wire.ids import Hash, KeyId, MeterId
from contracts.wire.keccak import keccak
from contracts.wire.leaf import RegisterReading
from contracts.wire.merkle import leaf_hash, root_of
from contracts.wire.units import Unit
from ledger.erase import erase
from ledger.ingest import held
from ledger.leaves import Powers, grant_facts
from ledger.models import ClosedState, closed_leaves
from ledger.operators import operators
from ledger.store import FactRows
from tests.ledger.indexed import Indexed
from tests.ledger.town import Draft, Town, bytes_of, key_of

GONE, STAYS = (KeyId(bytes_of(name, 16)) for name in ("leaves", "stays"))


def serve_erased(town: Town, kind: str, root: Hash, signer: str = "operator") -> None:
    """What the file's owner does once the key is destroyed."""
    data = town.files.get(kind, root)
    assert data is not None
    head, lines = parse_file(data)
    lines = [
        LeafLine(x.leaf, x.blob, erased=sign_erasure(key_of(signer), x.leaf, GONE, 5, "act 7")) if x.key == GONE else x
        for x in lines
    ]
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


@pytest.mark.parametrize("forged", ["a stranger's signature", "another leaf's record", "no signature"])
def test_an_erasure_no_operator_signed_is_an_alarm(indexed: Indexed, forged: str) -> None:
    town = indexed.town
    source = town.add_source("c1")
    root = town.anchor("c1", source, [reading("a", 5), reading("b", 6)], GONE)
    data = town.files.get("readings", root)
    assert data is not None
    head, (first, second) = parse_file(data)
    records = {
        "a stranger's signature": sign_erasure(key_of("biller"), first.leaf, GONE, 5, "act 7"),
        "another leaf's record": sign_erasure(key_of("operator"), second.leaf, GONE, 5, "act 7"),
        "no signature": Erasure(GONE, 5, "act 7", bytes(65)),
    }
    whole = sign_erasure(key_of("operator"), second.leaf, GONE, 5, "act 7")
    lines = [LeafLine(first.leaf, erased=records[forged]), LeafLine(second.leaf, erased=whole)]
    town.files.put("readings", root, encode_file(head, lines))
    closed = indexed.sync().closed_leaves()
    assert closed == {("readings", ClosedState.MISSING): 1, ("readings", ClosedState.ERASED): 1}


def test_a_grant_is_erased_by_an_operator_s_signature_only(indexed: Indexed) -> None:
    town = indexed.town
    town.add_supplier("water")
    town.mint("welfare", 1_000, "d1")
    run = town.post_run([Draft("a", ((1, 900),))], STAYS)
    batch, blobs = town.post_grants([(run.key(0), 0, 100)], "act")
    indexed.sync()
    with indexed.engine.connect() as connection:
        (named,) = (named.place for named in held(connection) if named.kind == "grants")
        powers = Powers(town.keys, operators(connection))
    leaf = leaf_hash(blobs[0])
    for signer, state in (("biller", ClosedState.MISSING), ("operator", ClosedState.ERASED)):
        line = LeafLine(leaf, blobs[0], erased=sign_erasure(key_of(signer), leaf, GONE, 5, "act 7"))
        rows = FactRows()
        tally = grant_facts(named, batch, [line], powers, rows)
        assert [row[4] for row in rows.of(closed_leaves)] == [int(state)]
        assert (tally.erased, tally.closed) == ((1, 0) if state is ClosedState.ERASED else (0, 1))


def test_what_an_operator_erased_stays_erased_when_the_role_is_taken(indexed: Indexed) -> None:
    town = indexed.town
    source = town.add_source("c1")
    root = town.anchor("c1", source, [reading("a", 5)], GONE)
    serve_erased(town, "readings", root)
    assert indexed.sync().closed_leaves() == {("readings", ClosedState.ERASED): 1}
    revoke = keccak(b"revokeRole(uint64,address)")[:4] + (1).to_bytes(32, "big")
    revoke += town.account("operator").rjust(32, b"\x00")
    town.send_from(town.reader.deployment.addresses["Timelock"], "AccessManager", revoke)
    assert town.reader.view("AccessManager", "hasRole", 1, town.account("operator"))[0] is False
    indexed.sync()
    indexed.assert_right()


def test_a_forged_erasure_does_not_take_the_place_of_what_the_ledger_holds(indexed: Indexed, tmp_path: Path) -> None:
    town = indexed.town
    source = town.add_source("c1")
    root = town.anchor("c1", source, [reading("a", 5)], GONE)
    ledger = indexed.sync()
    town.keys.destroy(GONE, 5, "act 7")
    serve_erased(town, "readings", root, signer="biller")
    found = erase(indexed.engine, FileStore(tmp_path / "copies"), town.files, town.keys)
    assert (found.done, len(found.waiting)) == ((), 1)
    assert ledger.totals().readings == 1
    serve_erased_again(town, root)
    assert len(erase(indexed.engine, FileStore(tmp_path / "copies"), town.files, town.keys).done) == 1


def serve_erased_again(town: Town, root: Hash) -> None:
    """The owner puts the operator's own signature where the forged one stood."""
    data = town.files.get("readings", root)
    assert data is not None
    head, lines = parse_file(data)
    lines = [LeafLine(x.leaf, erased=sign_erasure(key_of("operator"), x.leaf, GONE, 6, "act 8")) for x in lines]
    town.files.put("readings", root, encode_file(head, lines))
