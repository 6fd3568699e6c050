"""A publisher whose files and roots all agree, and who charges wrongly; and towns that do nothing wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from billing.domain.tariff import TariffSet
from billing.months import Months
from billing.tariffs import Tariffs
from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from contracts.wire.ids import KeyId
from contracts.wire.leaf import BillKind
from scripts.audit.audit import Result
from tests.audit.conftest import lay_out
from tests.audit.town import PublishedTown
from tests.billing.scenes import billed
from tests.billing.stage import Stage
from tests.client.chain import anvil
from tests.ledger.indexed import Indexed
from tests.ledger.random_town import RandomTown
from tests.ledger.town import Draft, bytes_of


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublishedTown]:
    with anvil(block_time_s=0.1) as node:
        made = PublishedTown.build(node.rpc, tmp_path_factory.mktemp("built"))
        yield PublishedTown(made.rpc, made.reader, made.files, made.keys)


@pytest.fixture
def town(built: PublishedTown, tmp_path: Path) -> Iterator[PublishedTown]:
    snapshot = built.rpc.call("evm_snapshot")
    yield PublishedTown(built.rpc, built.reader, FileStore(tmp_path / "served"), KeyRing(tmp_path / "keyring.db"))
    built.rpc.call("evm_revert", snapshot)


def audited(town: PublishedTown, folder: Path, with_keys: bool = True) -> Result:
    town.finalise()
    return lay_out(town, folder / "bundle", with_keys).audit()


def slugs(found: Result) -> set[str]:
    return {finding.slug for finding in found.findings}


@pytest.mark.parametrize("seed", [0, 1])
def test_towns_that_do_random_things_give_no_alarm(town: PublishedTown, tmp_path: Path, seed: int) -> None:
    world = RandomTown(town, seed)
    for _ in range(60):
        world.act()
    found = audited(town, tmp_path, with_keys=False)
    assert [str(finding) for finding in found.findings] == []
    assert found.findings.checked["receipts"] >= 5


def test_rates_that_no_published_document_holds(
    town: PublishedTown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = Tariffs.published

    def dearer(self: Tariffs, *args: Any) -> TariffSet:
        versions = published(self, *args).versions
        return TariffSet(
            replace(v, document=replace(v.document, rates={k: rate + 1 for k, rate in v.document.rates.items()}))
            for v in versions
        )

    monkeypatch.setattr(Tariffs, "published", dearer)
    billed(Stage(town, Indexed(town, tmp_path), tmp_path), 2)
    found = audited(town, tmp_path)
    assert slugs(found) == {"rate-differs"}
    water = next(f for f in found.findings if f.record == "bill 1-0: cold_water: part 0, T")
    assert (water.found, water.invariant) == ("44.57", 5)


def test_counters_that_no_batch_holds(town: PublishedTown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Months._register_rows

    def higher(self: Months, *args: Any) -> Any:
        rows = read(self, *args)
        return {meter: [*told[:-1], replace(told[-1], value=told[-1].value + 1000)] for meter, told in rows.items()}

    monkeypatch.setattr(Months, "_register_rows", higher)
    billed(Stage(town, Indexed(town, tmp_path), tmp_path), 2)
    found = audited(town, tmp_path)
    assert "reading-differs" in slugs(found)
    assert all("value" in finding.record for finding in found.findings)


def plain(names: Sequence[str]) -> list[Draft]:
    return [Draft(name, ((1, 900), (2, 100))) for name in names]


def test_a_run_that_claims_a_kopeck_too_much(town: PublishedTown, tmp_path: Path) -> None:
    for name in ("water", "heat"):
        town.add_supplier(name)
    town.post_run(plain("ab"), KeyId(bytes_of("k", 16)), claimed_too_much_kopecks=1)
    found = audited(town, tmp_path, with_keys=False)
    (finding,) = found.findings
    assert (finding.slug, finding.record) == ("total-differs", "supplier 1 in run 1")
    assert finding.expected == "2 lines of 1800 kopecks, as its bills hold"
    assert finding.found == "2 lines of 1801 kopecks claimed"


def test_a_document_that_explains_nothing(town: PublishedTown, tmp_path: Path) -> None:
    town.add_supplier("water")
    town.post_run([Draft("a", ((1, 900),), BillKind.BILL)], KeyId(bytes_of("k", 16)))
    found = audited(town, tmp_path)
    assert slugs(found) == {"document-malformed"}
    assert next(iter(found.findings)).record == "bill 1-0: its document"
