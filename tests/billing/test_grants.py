"""Grants on a real chain: from the welfare wallet straight to the supplier."""

from __future__ import annotations

from billing.inbox import State
from billing.requests import (
    GrantItem,
    GrantsRequest,
)
from contracts.wire.ids import BillState, Service
from tests.billing.scenes import (
    JANUARY,
    billed,
    check_books,
    pay_all,
    received,
)
from tests.billing.stage import Stage


def grant(account: str, most: int, service: Service = Service.CAPITAL_REPAIR) -> GrantItem:
    return GrantItem(account, JANUARY, service, most, 1 << 39, f"decision on {account}")


def test_grants_move_from_welfare_straight_to_the_supplier(stage: Stage) -> None:
    billed(stage, 3)
    before = stage.balance("welfare")
    request = GrantsRequest("act 7", (grant("1", 10_000), grant("2", 20_000)))
    (item,) = stage.work(stage.ask("grants", request))
    assert item.state is State.DONE, item.reason
    assert stage.balance("fund") == 30_000
    assert stage.balance("welfare") == before - 30_000
    view = stage.bill("1", JANUARY)
    assert view.state is BillState.PARTIAL
    assert sum(line.granted_kopecks for line in view.lines) == 10_000
    pay_all(stage, 1)
    assert received(stage) == 30_000 + view.charged_kopecks - 10_000
    check_books(stage)


def test_a_grant_above_the_line_takes_the_line_alone_and_allowances_stay_exact(stage: Stage) -> None:
    billed(stage, 2)
    first = stage.ask("a", GrantsRequest("act 1", (grant("1", 10**7),)))
    second = stage.ask("b", GrantsRequest("act 2", (grant("2", 5_000),)))
    stage.work(first, second)
    line = next(x for x in stage.bill("1", JANUARY).lines if x.supplier == stage.suppliers["fund"])
    assert (line.granted_kopecks, line.open_kopecks) == (line.charged_kopecks, 0)
    reader, wallet = stage.town.reader, stage.town.account("welfare")
    settlement = reader.deployment.addresses["Settlement"]
    left = reader.view("Rouble", "allowance", wallet, settlement)
    assert left == reader.view("SubsidyBook", "committedBy", wallet)


def test_a_grant_on_a_paid_bill_is_refused_with_the_bill_s_name(stage: Stage) -> None:
    billed(stage, 2)
    pay_all(stage, 1)
    before = stage.balance("welfare")
    (item,) = stage.work(stage.ask("late", GrantsRequest("act", (grant("1", 10_000), grant("2", 100)))))
    assert item.state is State.DONE
    assert list((item.result or {})["refused"]) == [str(stage.bill("1", JANUARY).key)]  # type: ignore[call-overload]
    assert stage.balance("welfare") == before - 100


def test_a_grant_for_a_line_that_is_not_there_names_account_and_service(stage: Stage) -> None:
    billed(stage, 1)
    (item,) = stage.work(stage.ask("none", GrantsRequest("act", (grant("1", 100, Service.GAS),))))
    assert item.state is State.FAILED
    assert "account 1" in (item.reason or "")
    assert "gas" in (item.reason or "")
