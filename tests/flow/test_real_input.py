"""Files of real metering systems, from `kopeck oracle import` to the kopecks of a bill, against sums by other code.

Anvil, oracle, ledger, holder and billing are processes of their own; the command line is one too. What is expected
comes out of the same files by ElementTree and pandas, and out of the tariff by decimal.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd  # type: ignore[import-untyped]
import pytest

from billing.accounts import Accounts, NewAccount
from billing.domain.household import House, Household
from billing.inbox import Inbox, State
from billing.requests import RunRequest
from billing.store import database_url, open_database
from billing.tariffs import Tariffs
from contracts.client.files import FileStore
from contracts.client.keyring import KeyRing
from contracts.client.rpc import Rpc
from contracts.wire.calls import encode_register_source, encode_register_supplier
from contracts.wire.ids import Hash, Period, Service, SourceClass, SupplierId
from contracts.wire.typed_data import rouble_domain
from ledger.queries import Ledger
from scripts.home import Home
from scripts.town.parties import Parties
from scripts.town.running import FILLING_BLOCK_S, Running, choose_ports

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
MAKETS = DATA / "maket80020"
MARCH = MAKETS / "80020_7704181109_20130310_6811_1300001300.xml"
APRIL = MAKETS / "80020_5257072937_20130414_4218_1300000300.xml"
DISPATCHER = (MAKETS / "80020_600004_20080227_810.xml", MAKETS / "80020_600004_20080228_811.xml")
SGSC = DATA / "electricity_sgsc10" / "sgsc_6households_halfhourly.csv.gz"
HOUSEHOLDS = ("10006414", "10006486")
"""Of the six of the trial, two whose half-hours of April 2013 are all there."""

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no {DATA}: the real files are not on this machine")

STARTS_AT = 1_396_000_000
"""28 March 2014: after the last half-hour of the files."""
MOSCOW, SYDNEY = "Europe/Moscow", "Australia/Sydney"
RATES = {"day": Decimal("3.76"), "night": Decimal("1.95")}
DAY_HOURS = range(7, 23)
TARIFF = {
    "format": 1,
    "kind": "tariff",
    "name": "two-zones-of-the-test",
    "area": "test",
    "service": "electricity",
    "act": "a tariff of this test",
    "effective_from": "2013-01-01",
    "effective_to": None,
    "unit": "kWh",
    "plans": {"two": {"day": [[7, 23]], "night": [[23, 7]]}},
    "rates": {zone: str(rate) for zone, rate in RATES.items()},
}
WAIT_S = 120.0
Wh = dict[str, dict[str, int]]
"""Watt-hours by account and zone of the day."""


@dataclass(frozen=True)
class Town:
    """A running town without a meter, and its command line."""

    home: Home
    running: Running
    accounts: Accounts
    inbox: Inbox
    ledger: Ledger

    def kopeck(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command as a user runs it."""
        program = "from scripts.cli.main import app; raise SystemExit(app())"
        argv = [sys.executable, "-c", program, *arguments, "--home", str(self.home.root)]
        return subprocess.run(argv, capture_output=True, text=True, timeout=WAIT_S, check=False)

    def load(self, path: Path) -> dict[str, Any]:
        """`kopeck oracle import`: anchored, indexed and acknowledged twice when it returns."""
        urls = ("--rpc", self.running.ports.rpc_url, "--oracle", self.running.ports.oracle_url)
        done = self.kopeck("oracle", "import", str(path), *urls, "--wait", str(WAIT_S), "--json")
        assert done.returncode == 0, done.stderr
        value: dict[str, Any] = json.loads(done.stdout)
        return value

    def bind(self, path: Path, accounts: Mapping[str, str], since: str, until: str) -> None:
        """`kopeck oracle bind`: points of a file on accounts."""
        pairs = [f"{point}={account}" for point, account in accounts.items()]
        done = self.kopeck("oracle", "bind", str(path), *pairs, "--since", since, "--until", until)
        assert done.returncode == 0, done.stderr

    def bill(self, period: Period, accounts: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        """The documents of a month's bills, by account."""
        item = self.inbox.put(f"run {period} {accounts[0]}", RunRequest(period, accounts))

        def over() -> bool:
            found = self.inbox.get(item.id)
            assert found is not None
            assert found.state is not State.FAILED, found.reason
            return found.is_settled

        self.running.supervisor.until(over, f"the run of {period}", WAIT_S)
        views = [v for run in self.ledger.runs(period) for v in self.ledger.bills_of_run(run.run)]
        documents = [json.loads(view.document or b"") for view in views]
        charged = {d["account"]: view.charged_kopecks for d, view in zip(documents, views, strict=True)}
        assert {d["account"]: sum(line["amount_kopecks"] for line in d["lines"]) for d in documents} == charged
        return {d["account"]: d for d in documents if d["account"] in accounts}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    home = Home(tmp_path_factory.mktemp("town"))
    with Running(home, choose_ports(None), keep_state=False) as running:
        running.start_chain(STARTS_AT, FILLING_BLOCK_S)
        deployment = running.ensure_deployed()
        for name in ("relay", "importer", "validation", "self-report", "operator-salt"):
            home.key(name)
        home.token("files")
        engine = open_database(database_url(home.root))
        keyring = KeyRing(home.root / "keyring.db")
        accounts = Accounts(engine, keyring)
        tariffs = Tariffs(engine, FileStore(home.folder("billing") / "files"))
        parties = Parties(home, Rpc(running.ports.rpc_url), deployment)
        payee = home.address("supplier-1")
        parties.act("operator", "supplier", "Registry", encode_register_supplier(payee, payee, Hash(b"\x01" * 32)))
        for name, kind in (("importer", SourceClass.IMPORTER), ("validation", SourceClass.VALIDATION)):
            parties.act("operator", name, "Registry", encode_register_source(home.address(name), kind, 0))
        parties.act("operator", "tariff", "TariffBook", tariffs.publish_call(tariffs.add(TARIFF)))
        parties.settle()
        running.start_services(("oracle", "ledger", "holder", "billing"))
        domain = rouble_domain(deployment.chain_id, deployment.addresses["Rouble"])
        inbox = Inbox(engine, domain, deployment.addresses["Settlement"])
        yield Town(home, running, accounts, inbox, Ledger.open(home.root))


def open_house(town: Town, zone: str, accounts: tuple[str, ...], opened: date = date(2013, 1, 1)) -> None:
    """A house of a zone whose accounts are billed for electricity by two zones, and for nothing else."""
    town.accounts.add_house(House(zone, zone, ("test",), 100_000))
    town.accounts.set_supplier(zone, Service.ELECTRICITY, SupplierId(1), date(2013, 1, 1))
    flat = Household(area_dm2=5_000, rooms=2, owners=1, residents=((date(2013, 1, 1), 1),), plan="two")
    town.accounts.open_accounts([NewAccount(account, zone, flat, opened) for account in accounts])


def maket_by_zone(path: Path) -> Wh:
    """A+ of each point that took any, by the standard library's parser; a half-hour's zone is that of its start."""
    sums: Wh = {}
    for point in ElementTree.parse(path).getroot().iter("measuringpoint"):
        zones = {"day": 0, "night": 0}
        for period in point.iterfind("measuringchannel[@code='01']/period"):
            hour = int(str(period.get("start"))[:2])
            zones["day" if hour in DAY_HOURS else "night"] += 1000 * int(period.findtext("value") or 0)
        sums[str(point.get("code"))] = zones
    return {point: zones for point, zones in sums.items() if sum(zones.values())}


def sgsc_by_zone(month: str) -> Wh:
    """The households' local month by pandas."""
    frame = pd.read_csv(SGSC, dtype={"customer_id": str}, parse_dates=["reading_datetime"])
    local = frame["reading_datetime"].dt.tz_localize("UTC").dt.tz_convert(SYDNEY)
    frame["zone"] = local.dt.hour.map(lambda hour: "day" if hour in DAY_HOURS else "night")
    frame["wh"] = (frame["general_supply_kwh"] * 1000).round().astype(int)
    here = frame[(local.dt.strftime("%Y-%m") == month) & frame["customer_id"].isin(HOUSEHOLDS)]
    sums = here.groupby(["customer_id", "zone"])["wh"].sum()
    return {h: {zone: int(sums[h, zone]) for zone in RATES} for h in HOUSEHOLDS}


def kopecks(zones: Mapping[str, int]) -> dict[str, int]:
    """Each zone rounded once, half up."""
    return {
        zone: int((Decimal(wh) / 1000 * RATES[zone] * 100).quantize(Decimal(1), ROUND_HALF_UP))
        for zone, wh in zones.items()
        if wh
    }


def assert_charged(documents: Mapping[str, dict[str, Any]], expected: Wh) -> None:
    """Every account is charged the watt-hours and the kopecks of each zone, on an importer's readings alone."""
    assert documents.keys() == expected.keys()
    for account, zones in expected.items():
        (line,) = documents[account]["lines"]
        assert (line["service"], line["method"]) == ("electricity", "profile")
        assert line["quantity"] == sum(zones.values())
        assert "estimated_intervals" not in line
        assert {part["zone"]: part["amount_kopecks"] for part in line["parts"]} == kopecks(zones)
        volumes = {p["zone"]: Decimal(p["inputs"][0]["value"]) * 1000 for p in line["parts"]}
        assert volumes == {zone: wh for zone, wh in zones.items() if wh}
        assert {reading["source"] for reading in line["readings"]} == {"importer"}


@pytest.mark.parametrize("path", DISPATCHER, ids=lambda path: path.name)
def test_the_dispatchers_files_are_refused_by_name(town: Town, path: Path) -> None:
    done = town.kopeck("oracle", "import", str(path), "--rpc", town.running.ports.rpc_url)
    assert done.returncode == 1
    assert f"{path.name}: it holds no metering points (measuringpoint)" in done.stderr
    assert "not the dispatcher's" in done.stderr


def test_another_chain_is_refused_before_anything_is_signed(town: Town, tmp_path: Path) -> None:
    value = json.loads(town.home.deployment.read_text())
    value["chain_id"] += 1
    (tmp_path / "deployment.json").write_text(json.dumps(value))
    urls = ("--rpc", town.running.ports.rpc_url, "--oracle", town.running.ports.oracle_url)
    argv = [sys.executable, "-c", "from scripts.cli.main import app; raise SystemExit(app())"]
    argv += ["oracle", "import", str(MARCH), *urls, "--home", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 1
    assert "WrongChain" in done.stderr
    assert not (tmp_path / "importer").exists()


def test_a_file_that_ends_after_the_chains_time_is_refused_and_blocks_nothing(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "tomorrow.csv"
    path.write_text("customer_id,reading_datetime,general_supply_kwh\n7,2020-02-10T08:00:00,0.1\n")
    urls = ("--rpc", town.running.ports.rpc_url, "--oracle", town.running.ports.oracle_url)
    done = town.kopeck("oracle", "import", str(path), *urls)
    assert done.returncode == 1
    assert "FileFromFuture: tomorrow.csv: point 7" in done.stderr
    assert "import it again" in done.stderr


@pytest.mark.parametrize(
    ("path", "period", "since", "until"),
    [(MARCH, Period(2013, 3), "2013-03-10", "2013-03-11"), (APRIL, Period(2013, 4), "2013-04-14", "2013-04-15")],
    ids=["march", "april"],
)
def test_a_day_of_a_real_80020_file_is_charged_by_zone(
    town: Town, path: Path, period: Period, since: str, until: str
) -> None:
    expected = maket_by_zone(path)
    points = tuple(expected)
    # The rest of the month has no meter and would be charged by a norm: an account of a day has none.
    open_house(town, MOSCOW, points, date.fromisoformat(since))
    for point in points:
        town.accounts.close_account(point, date.fromisoformat(until))
    town.bind(path, {point: point for point in points}, since, until)
    found = town.load(path)
    bound = {row["point"]: row["total"] for row in found["channels"] if row["register"] == 0 and row["total"]}
    assert bound == {point: sum(zones.values()) for point, zones in expected.items()}
    assert not {f["meter"] for f in found["findings"]} & {
        row["meter"] for row in found["channels"] if row["point"] in expected
    }
    assert_charged(town.bill(period, points), expected)


@pytest.mark.slow
def test_a_month_of_real_half_hours_is_charged_by_zone_across_the_switch_of_clocks(town: Town) -> None:
    expected = sgsc_by_zone("2013-04")
    open_house(town, SYDNEY, HOUSEHOLDS)
    town.bind(SGSC, {household: household for household in HOUSEHOLDS}, "2012-01-01", "2015-01-01")
    found = town.load(SGSC)
    frame = pd.read_csv(SGSC).groupby("customer_id")["general_supply_kwh"].sum()
    totals = {row["point"]: row["total"] for row in found["channels"]}
    assert totals == {str(household): round(kwh * 1000) for household, kwh in frame.items()}
    strangers = {row["meter"] for row in found["channels"] if row["point"] not in HOUSEHOLDS}
    assert {(f["meter"], f["reason"]) for f in found["findings"]} == {(m, "unknown meter") for m in strangers}
    assert_charged(town.bill(Period(2013, 4), HOUSEHOLDS), expected)
