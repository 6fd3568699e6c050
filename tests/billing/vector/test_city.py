"""A plain city: nothing of it is left to the rules, by one process or by several; and what a run keeps of it."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from billing.leaves import insert_leaves
from billing.run import Basis, Runs, RunStage, supplier_lines
from billing.schema import bills, runs, usage
from billing.vector import city as cities
from billing.vector import plain
from billing.vector.city import Books, bill_city
from billing.vector.stretch import City
from contracts.wire.ids import Period
from contracts.wire.leaf import decode_bill, encode_supplier_line
from contracts.wire.merkle import Tree, leaf_hash
from scripts.bench.city import CityBooks, fill

JANUARY = Period(2026, 1)


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> CityBooks:
    found = CityBooks(tmp_path_factory.mktemp("city"))
    fill(found, JANUARY, 300, 1)
    return found


def city_of(books: CityBooks) -> City:
    return City(JANUARY, tuple(books.ledger.heads_to_bill()), books.tariffs.published(books.ledger))


def of(books: CityBooks) -> Books:
    return Books(books.engine, books.keyring, books.ledger)


def test_a_plain_city_goes_by_columns_altogether(books: CityBooks) -> None:
    with bill_city(of(books), city_of(books), workers=1) as found:
        assert (found.count, found.problems, dict(found.by_rules)) == (300, {}, {})


def test_several_processes_bill_as_one_does(books: CityBooks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cities, "ALONE", 0)
    monkeypatch.setattr(cities, "AT_ONCE", 100)
    told = []
    for workers in (1, 2):
        with bill_city(of(books), city_of(books), workers=workers) as found:
            assert 1 <= len({part.file for part in found.spool.parts}) <= workers  # one may be faster than the other
            told.append({leaf.account: (leaf.blob[32:], leaf.usage) for leaf in found.leaves()})
    assert told[0] == told[1]


def test_what_a_month_holds_beyond_what_is_known_here_is_left_to_the_rules(
    books: CityBooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain, "MONTH_FIELDS", plain.MONTH_FIELDS - {"events"})
    with bill_city(of(books), city_of(books), workers=1) as found:
        assert found.count == sum(found.by_rules.values()) == 300


def test_the_spool_is_gone_afterwards(books: CityBooks) -> None:
    with bill_city(of(books), city_of(books), workers=1) as found:
        folder = found.spool.folder
        assert all((path.stat().st_mode & 0o077) == 0 for path in folder.iterdir())
        assert b"Asia/Krasnoyarsk" not in b"".join(path.read_bytes() for path in folder.iterdir())
    assert not folder.exists()


def test_a_run_of_many_slices_claims_what_its_leaves_hold(books: CityBooks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.run.LEAVES_AT_ONCE", 37)
    city, kept = city_of(books), Runs(books.engine, books.keyring)
    with bill_city(of(books), city, workers=1) as found:
        run = kept.get(kept.write(Basis(JANUARY, "regular", None, 1, city.heads), found.leaves()))
    leaves = kept.bills(run.id)
    blobs = [leaf.blob for leaf in leaves]
    assert run.stage is RunStage.PREPARED
    assert [leaf.index for leaf in leaves] == list(range(300))
    assert blobs == sorted(blobs)
    assert run.proposal.root == Tree.of([leaf_hash(blob) for blob in blobs]).root
    own = supplier_lines(
        (leaf.index, leaf.kind, [(int(x.supplier), x.amount_kopecks) for x in decode_bill(leaf.blob).lines])
        for leaf in leaves
    )
    for total in run.proposal.suppliers:
        lines = own.pop(int(total.supplier))
        assert (total.lines, total.total_kopecks) == (len(lines), sum(line.amount_kopecks for line in lines))
        assert total.root == Tree.of([leaf_hash(encode_supplier_line(line)) for line in lines]).root
    assert own == {}


def test_a_run_cut_short_while_its_leaves_went_in_leaves_nothing(
    books: CityBooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.run.LEAVES_AT_ONCE", 37)
    city, kept = city_of(books), Runs(books.engine, books.keyring)

    def rows() -> list[int]:
        with books.engine.connect() as connection:
            return [connection.execute(select(func.count()).select_from(t)).scalar_one() for t in (runs, bills, usage)]

    before = rows()

    def dies(*arguments: object) -> None:
        insert_leaves(*arguments)  # type: ignore[arg-type]
        if arguments[3]:
            raise KeyboardInterrupt

    monkeypatch.setattr("billing.run.insert_leaves", dies)
    with bill_city(of(books), city, workers=1) as found, pytest.raises(KeyboardInterrupt):
        kept.write(Basis(JANUARY, "regular", None, 1, city.heads), found.leaves())
    assert rows() == before


def test_what_a_killed_collector_left_half_written_is_dropped(books: CityBooks) -> None:
    city, kept = city_of(books), Runs(books.engine, books.keyring)
    with bill_city(of(books), city, workers=1) as found:
        run = kept.write(Basis(JANUARY, "regular", None, 1, city.heads), found.leaves())
    kept.set_stage(run, RunStage.WRITING)
    kept.drop_unfinished()
    with pytest.raises(LookupError):
        kept.get(run)
    assert all(stored.run != run for _, stored, _ in kept.of_account("7000000000", JANUARY))
