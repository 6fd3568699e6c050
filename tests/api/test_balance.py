"""An account's balance over HTTP."""

from __future__ import annotations

from fractions import Fraction
from math import floor

from fastapi.testclient import TestClient

from api.balance import totals
from billing.read import Move, Turnover
from contracts.wire.ids import Period, Service, SupplierId
from tests.api.conftest import LogIn
from tests.api.town_register import GROUND


def test_a_balance_tells_months_ages_and_each_penalty_so_that_it_can_be_worked_out_again(resident: TestClient) -> None:
    found = resident.get("/v1/accounts/10000012/balance").json()
    assert (found["open_kopecks"], found["at"]) == (50_432, "2026-07-20")
    newest, first = found["months"]
    assert first["closing_kopecks"] == first["charged_kopecks"] == newest["opening_kopecks"] == 60_432
    assert newest["closing_kopecks"] == newest["opening_kopecks"] - newest["paid_kopecks"]
    assert {aged["age"]: aged["open_kopecks"] for aged in found["ages"] if aged["open_kopecks"]} == {"91-180": 50_432}
    (penalty,) = found["penalties"]
    assert penalty["supplier_name"] == "Водоканал"
    for row in penalty["rows"]:
        exact = row["balance_kopecks"] * row["days"] * Fraction(row["rate"]) * Fraction(row["fraction"])
        assert row["amount_kopecks"] == floor(exact + Fraction(1, 2))
    assert sum(row["amount_kopecks"] for row in penalty["rows"]) == penalty["penalty_kopecks"]
    # 8 days of 604.32 and 52 of 504.32 at 1/300, then 70 of 504.32 at 1/130, of 9.5 % a year
    assert [row["amount_kopecks"] for row in penalty["rows"]] == [0, 153, 830, 2580]
    assert found["penalties_kopecks"] == penalty["penalty_kopecks"]
    assert [(ahead["supplier"], ahead["left_kopecks"]) for ahead in found["advance"]] == [(5, 7_000)]


def test_a_balance_tells_whole_months_with_the_bills_of_each_and_when_they_are_due(resident: TestClient) -> None:
    found = resident.get("/v1/accounts/10000012/balance").json()
    march, january = found["totals"]
    assert (january["opening_kopecks"], january["charged_kopecks"], january["closing_kopecks"]) == (0, 60_432, 60_432)
    assert (march["opening_kopecks"], march["paid_kopecks"], march["closing_kopecks"]) == (60_432, 10_000, 50_432)
    assert march["penalties_kopecks"] == 155
    (bill,) = found["bills"]
    assert (bill["bill"], bill["period"], bill["due"], bill["open_kopecks"]) == (
        "1-0", "2026-01", "2026-02-10", 50_432,
    )  # fmt: skip


def test_a_service_that_rests_for_a_month_stays_in_the_account_s_sums() -> None:
    """Its rows leave the month out; by hand: 300 and 200 charged, then 50 paid on the first alone."""
    water, waste = (Service.COLD_WATER, SupplierId(2)), (Service.SOLID_WASTE, SupplierId(5))
    months = [
        Turnover(Period(2026, 1), *water, 0, {Move.CHARGED: 30_000}),
        Turnover(Period(2026, 1), *waste, 0, {Move.CHARGED: 20_000}),
        Turnover(Period(2026, 2), *water, 30_000, {Move.PAID: 5_000}),
    ]
    assert [(row.opening_kopecks, row.closing_kopecks) for row in totals(months)] == [(50_000, 45_000), (0, 50_000)]


def test_disputes_and_instalments_are_told_to_those_who_live_there(resident: TestClient, log_in: LogIn) -> None:
    found = resident.get("/v1/accounts/10000012/balance").json()
    (dispute,) = found["disputes"]
    assert found["disputed_kopecks"] == found["open_kopecks"] == found["bills"][0]["disputed_kopecks"] == 50_432
    assert (dispute["service"], dispute["outcome"], dispute["ground"]) == ("cold_water", "open", GROUND)
    (agreement,) = found["instalments"]
    assert (agreement["standing"], agreement["schedule"]) == ("kept", [{"by": "2026-08-01", "amount_kopecks": 20_000}])
    standing = resident.get("/v1/bills/1-0/standing").json()
    assert (standing["due"], standing["disputes"]) == ("2026-02-10", [dispute])
    assert resident.get("/v1/bills/1-1/standing").json() == {"due": None, "disputes": [], "disputable": []}
    for stranger in (log_in("resident13"), log_in("supplier1")):
        assert stranger.get("/v1/bills/1-0/standing").status_code == 404


def test_another_s_balance_does_not_exist_and_the_regulator_sees_every_one(resident: TestClient, log_in: LogIn) -> None:
    assert resident.get("/v1/accounts/10000013/balance").status_code == 404
    assert log_in("regulator").get("/v1/accounts/10000013/balance").status_code == 200
    assert log_in("supplier1").get("/v1/accounts/10000012/balance").status_code == 404
