"""Calendars and rates as data: due dates, working days, rates by their day, and documents that are wrong."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.debt.penalty import Debt, Paid, Scale, penalty_table
from billing.debt.penalty_rules import rules_of, shipped_documents, shipped_rules, town_rules
from billing.debt.rules import Missing, Rules, RulesError, scale_of
from contracts.wire.ids import Period, Service

RULES = shipped_rules()


def with_change(name: str, **fields: object) -> Rules:
    """The shipped rules with some fields of one document changed."""
    documents = [deepcopy(d) for d in shipped_documents()]
    (changed,) = [d for d in documents if d["name"] == name]
    changed.update(fields)
    return rules_of(documents)


@pytest.mark.parametrize(
    ("period", "due"),
    [
        (Period(2019, 5), date(2019, 6, 10)),  # the published table's day 1 is 11.06.2019
        (Period(2024, 4), date(2024, 5, 13)),  # 10 May 2024 was a day off by transfer, 11 and 12 a weekend
        (Period(2023, 5), date(2023, 6, 13)),  # 10 and 11 a weekend, 12 June a holiday
        (Period(2026, 1), date(2026, 2, 10)),
        (Period(2026, 2), date(2026, 3, 16)),  # the 15th is a Sunday
        (Period(2026, 3), date(2026, 4, 15)),
        (Period(2026, 12), date(2027, 1, 15)),
    ],
)
def test_a_period_falls_due_on_the_lawful_day_or_the_next_working_one(period: Period, due: date) -> None:
    assert RULES.due_date(period) == due


def test_february_2026_can_be_read_the_other_way_by_changing_data() -> None:
    override = [{"period": "2026-02", "day": 10, "act": "the former wording"}]
    assert with_change("russia-due-days", overrides=override).due_date(Period(2026, 2)) == date(2026, 3, 10)
    assert with_change("russia-due-days", shift="none").due_date(Period(2026, 2)) == date(2026, 3, 15)


def test_a_bill_presented_late_falls_due_a_month_later() -> None:
    assert RULES.due_date(Period(2026, 3), date(2026, 4, 5)) == date(2026, 4, 15)
    assert RULES.due_date(Period(2026, 3), date(2026, 4, 6)) == date(2026, 5, 15)
    assert RULES.due_date(Period(2026, 3), date(2026, 11, 22)) == date(2026, 12, 15)


@given(st.dates(date(2020, 1, 1), date(2026, 12, 31)))
def test_no_due_date_is_before_its_document_or_on_a_day_off(presented: date) -> None:
    period = Period(presented.year, presented.month).previous()
    due = RULES.due_date(period, presented)
    assert due >= presented
    assert RULES.is_working(due)
    assert due - presented < timedelta(days=62)


def test_moved_weekends_are_worked_and_moved_holidays_are_not() -> None:
    assert RULES.is_working(date(2024, 11, 2))  # a Saturday
    assert not RULES.is_working(date(2025, 6, 13))
    assert not RULES.is_working(date(2026, 1, 9))
    assert not RULES.is_working(date(2030, 6, 12))  # no calendar of that year is needed for what every year has


@pytest.mark.parametrize(
    ("day", "percent"),
    [
        ("2019-06-11", "7.75"),
        ("2022-03-01", "9.5"),  # the key rate was 20
        ("2022-08-01", "8"),  # the key rate was below 9.5
        ("2024-04-18", "9.5"),
        ("2026-12-31", "9.5"),
        ("2027-01-01", "16"),  # the last key rate that is known here
    ],
)
def test_the_rate_of_a_day(day: str, percent: str) -> None:
    assert RULES.rate_on(date.fromisoformat(day)).rate == Fraction(percent) / 100


def test_the_fixed_rate_and_each_day_s_own_are_a_switch() -> None:
    (rate,) = [deepcopy(d) for d in shipped_documents() if d["name"] == "russia-penalty-rate"]
    for rule in rate["rules"]:
        rule["method"] = "fixed" if rule["percent"] else rule["method"]
    fixed = with_change("russia-penalty-rate", rules=rate["rules"])
    assert fixed.rate_on(date(2022, 8, 1)).rate == Fraction("0.095")
    each_day = with_change("russia-penalty-rate", basis="each_day")
    terms = each_day.terms(Scale.UTILITIES, date(2019, 6, 10), date(2024, 4, 18))
    assert terms.rate_on(date(2019, 6, 11)).rate == Fraction("0.0775")
    assert terms.rate_on(date(2023, 12, 31)).rate == Fraction("0.095")


def test_a_debt_bears_the_rate_of_the_day_on_which_it_is_settled() -> None:
    debt = Debt(Period(2021, 10), 100_000, date(2021, 11, 10), (Paid(date(2022, 8, 1), 100_000),))
    terms = RULES.terms(Scale.UTILITIES, debt.due, date(2022, 8, 1))
    assert {row.rate for row in penalty_table(debt, terms, date(2024, 1, 1)).rows} == {Fraction("0.08")}


def test_the_last_day_of_a_moratorium_is_a_switch_of_the_data() -> None:
    (shipped,) = [deepcopy(d) for d in shipped_documents() if d["name"] == "russia-moratoria"]
    for moratorium in shipped["moratoria"]:
        moratorium["to_included"] = True
    ends = [pause.last for pause in with_change("russia-moratoria", moratoria=shipped["moratoria"]).moratoria]
    assert ends == [date(2021, 1, 1), date(2022, 10, 1)]
    assert [pause.last for pause in RULES.moratoria] == [date(2020, 12, 31), date(2022, 9, 30)]


def test_capital_repair_has_a_scale_of_its_own() -> None:
    assert scale_of(Service.CAPITAL_REPAIR) is Scale.CAPITAL_REPAIR
    assert {scale_of(s) for s in Service if s is not Service.CAPITAL_REPAIR} == {Scale.UTILITIES}


def test_a_town_s_document_takes_the_place_of_the_shipped_one_of_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "billing" / "calendar"
    folder.mkdir(parents=True)
    rates = {"format": 1, "kind": "key_rates", "name": "russia-key-rates", "act": "import",
             "rates": [{"since": "2027-01-01", "percent": "7.5"}]}  # fmt: skip
    (folder / "rates.json").write_text(json.dumps(rates), encoding="utf-8")
    assert town_rules(tmp_path).rate_on(date(2027, 2, 1)).rate == Fraction("0.075")
    with pytest.raises(Missing, match="no key rate is known for 2019-06-11; import a document"):
        town_rules(tmp_path).rate_on(date(2019, 6, 11))


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        ("russia-key-rates", {"rates": [{"since": "2027-01-01", "percent": 7.5}]}, "write it like"),
        ("russia-key-rates", {"rates": [{"since": "2027-01-01"}]}, "'percent' is missing"),
        ("russia-key-rates", {"kind": "rates"}, "the kind 'rates' is none of"),
        ("russia-key-rates", {"format": 2}, "the format 2 is not 1"),
        ("russia-penalty-rate", {"basis": "some day"}, "some day"),
        ("russia-due-days", {"shift": "back"}, "neither next_working_day nor none"),
        ("russia-limitation", {"rules": [{"effective_from": "2020-01-01", "years": 3, "act": ""}]}, "act is missing"),
        (
            "russia-limitation",
            {"rules": [{"effective_from": "2020-01-01", "effective_to": "2020-01-01", "years": 3, "act": "a"}]},
            "before it begins",
        ),
    ],
)
def test_a_wrong_document_is_named_with_its_field(name: str, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(RulesError, match=f"(?s){name}.*{said}"):
        with_change(name, **fields)
