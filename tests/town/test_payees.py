"""The demo's requisites: formally valid, and nobody's."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from api.papers import AGENT, Payees
from api.store import open_database
from billing.paper.desk import DIRECTORY
from billing.paper.gis.directory import read_directory
from billing.paper.gis.message import GUID
from contracts.wire.ids import Period, Service
from scripts.cli.bill import group
from scripts.cli.bill_print import UnknownForm
from scripts.home import Home
from scripts.town.payees import PAYEE, enrol_payees
from scripts.town.plan import plan_town


def test_the_demo_has_one_payee_and_a_number_for_every_flat(tmp_path: Path) -> None:
    town, engine = plan_town(12, Period(2026, 1), 1, 7), open_database(f"sqlite:///{tmp_path / 'api.db'}")
    for _ in range(2):
        enrol_payees(town, Home(tmp_path), engine)
    payees = Payees(engine)
    assert payees.payee(AGENT) == PAYEE
    suppliers = [payees.payee(str(supplier.number)) for supplier in town.suppliers]
    assert [s.name for s in suppliers if s] == [supplier.name for supplier in town.suppliers]
    assert len({s.account for s in suppliers if s} | {PAYEE.account}) == len(suppliers) + 1
    assert len({s.inn for s in suppliers if s} | {PAYEE.inn}) == len(suppliers) + 1
    numbers = [payees.gis_numbers(flat.account) for flat in town.flats]
    assert len({n.unified_account for n in numbers if n}) == len(town.flats)
    assert all(n and GUID.fullmatch(n.account_guid) and len(n.unified_account) == 10 for n in numbers)
    directory = read_directory(tmp_path / "billing" / DIRECTORY)
    assert set(directory.services) == {service.name.lower() for service in Service}
    assert set(directory.suppliers) == {int(supplier.number) for supplier in town.suppliers}


def test_the_demo_s_requisites_are_nobody_s() -> None:
    """No tax office has the code 0000, no bank a BIC of region 99."""
    assert (PAYEE.inn[:4], PAYEE.bic[2:4]) == ("0000", "99")


def test_a_form_that_nobody_prints_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    done = CliRunner().invoke(group, ["print", "1-0", "--out", str(tmp_path / "bill.doc"), "--home", str(tmp_path)])
    assert isinstance(done.exception, UnknownForm)
    assert ".pdf" in str(done.exception)
