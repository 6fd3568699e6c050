"""The lawful order of steps: days by the act, what bars them, and the court's fee at its published points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.debt.balance import LineDebt
from billing.debt.penalty import Paid, Pause, PauseKind
from billing.debt.penalty_rules import Missing, RulesError, shipped_rules
from billing.debt.restriction import NotLawful, check_lawful, delivered, norm_charges
from billing.debt.work import Circumstances, Done, ServiceDebt, Step, claimable, plan, service_debts
from billing.debt.work_rules import shipped_work_documents, shipped_work_rules, work_rules_of
from contracts.wire.ids import BillKey, Period, RunId, Service, SupplierId
from tests.billing.builders import month_of

RULES = shipped_work_rules()
ENERGY = SupplierId(3)
DAY = date(2026, 6, 1)
AROUND = Circumstances(lambda _: True, restrictable=frozenset({Service.ELECTRICITY, Service.COLD_WATER}))
DEBT = ServiceDebt(Service.ELECTRICITY, ENERGY, 100_001, date(2026, 3, 16), norm_kopecks=50_000)


def entry(number: int, step: Step, day: date, about: int | None = None) -> Done:
    return Done(number, step, day, Service.ELECTRICITY, ENERGY, 100_001, "почта", "РПО 1", "", about)


NOTICED = (entry(1, Step.NOTICE, date(2026, 5, 4)), entry(2, Step.DELIVERED, date(2026, 5, 6), about=1))


def next_step(
    debt: ServiceDebt = DEBT, journal: Sequence[Done] = (), at: date = DAY, around: Circumstances = AROUND
) -> tuple[Step, date | None]:
    planned = plan(debt, RULES, journal, at, around)
    return planned.step, planned.on


def test_notice_twenty_days_restriction_ten_days_suspension() -> None:
    """ПП 354, п. 119: 20 days from the day of delivery, then restriction, after 10 days of it suspension."""
    assert next_step() == (Step.NOTICE, DAY)
    assert next_step(journal=NOTICED[:1]) == (Step.DELIVERED, None)
    assert next_step(journal=NOTICED) == (Step.RESTRICTION, date(2026, 5, 27))
    cut = (*NOTICED, entry(3, Step.RESTRICTION, date(2026, 5, 27)))
    assert next_step(journal=cut) == (Step.SUSPENSION, date(2026, 6, 7))
    off = (*cut, entry(4, Step.SUSPENSION, date(2026, 6, 8)))
    assert next_step(journal=off) == (Step.SUSPENSION, None)
    assert next_step(replace(DEBT, overdue_kopecks=0), off) == (Step.RESUMPTION, DAY)
    back = (*off, entry(5, Step.RESUMPTION, date(2026, 6, 20)))
    assert next_step(journal=back, at=date(2026, 6, 21)) == (Step.NOTICE, date(2026, 6, 21))


def test_the_order_before_2017_was_thirty_days_and_thirty() -> None:
    old = replace(DEBT, oldest_due=date(2015, 12, 10))
    sent = (entry(1, Step.NOTICE, date(2016, 3, 1)), entry(2, Step.DELIVERED, date(2016, 3, 2), about=1))
    assert next_step(old, sent, date(2016, 5, 1)) == (Step.RESTRICTION, date(2016, 4, 2))
    cut = (*sent, entry(3, Step.RESTRICTION, date(2016, 4, 2)))
    assert next_step(old, cut, date(2016, 5, 1)) == (Step.SUSPENSION, date(2016, 5, 3))
    with pytest.raises(Missing, match="order of work on debts"):
        plan(old, RULES, (), date(2012, 8, 31), AROUND)


def test_a_day_off_puts_a_restriction_off_to_the_next_working_day() -> None:
    """Delivered on 10 April 2026: the first lawful day would be 1 May, a holiday before a weekend."""
    around = Circumstances(shipped_rules().is_working, restrictable=AROUND.restrictable)
    sent = (entry(1, Step.NOTICE, date(2026, 4, 9)), entry(2, Step.DELIVERED, date(2026, 4, 10), about=1))
    assert next_step(journal=sent, around=around) == (Step.RESTRICTION, date(2026, 5, 4))


def test_without_means_to_restrict_supply_is_suspended_after_the_notice_alone() -> None:
    unable = replace(AROUND, restrictable=frozenset())
    assert next_step(journal=NOTICED, around=unable) == (Step.SUSPENSION, date(2026, 5, 27))


@pytest.mark.parametrize(
    ("debt", "why"),
    [
        (replace(DEBT, overdue_kopecks=100_000), "двух месячных"),
        (replace(DEBT, norm_kopecks=None), "двух месячных"),
        (replace(DEBT, agreed_kopecks=1), "соглашение"),
        (replace(DEBT, service=Service.HEATING), "нельзя ограничить"),
        (replace(DEBT, service=Service.SOLID_WASTE), "нельзя ограничить"),
        (replace(DEBT, service=Service.CAPITAL_REPAIR), "нельзя ограничить"),
    ],
)
def test_what_bars_a_notice(debt: ServiceDebt, why: str) -> None:
    reminded = (replace(entry(1, Step.REMINDER, date(2026, 4, 1)), service=debt.service),)
    planned = plan(debt, RULES, reminded, DAY, AROUND)
    assert planned.on is None
    assert why in planned.why
    with pytest.raises(NotLawful, match=r"notice is not lawful on 2026-06-01.*nothing may be done now"):
        check_lawful("17", Step.NOTICE, planned, DAY)


def test_cold_water_of_a_flat_may_be_restricted_and_never_cut_off() -> None:
    water = replace(DEBT, service=Service.COLD_WATER)
    sent = tuple(replace(done, service=Service.COLD_WATER) for done in NOTICED)
    assert next_step(water, sent)[0] is Step.RESTRICTION
    cut = (*sent, replace(entry(3, Step.RESTRICTION, date(2026, 5, 27)), service=Service.COLD_WATER))
    assert next_step(water, cut, date(2027, 1, 1)) == (Step.SUSPENSION, None)
    unable = replace(AROUND, restrictable=frozenset())
    assert plan(water, RULES, sent, DAY, unable).on is None
    house = replace(unable, in_flat=False)
    assert next_step(water, sent, around=house)[0] is Step.SUSPENSION


def test_a_moratorium_bars_and_brings_supply_back() -> None:
    spring = replace(DEBT, oldest_due=date(2019, 12, 10))
    sent = (entry(1, Step.NOTICE, date(2020, 3, 2)), entry(2, Step.DELIVERED, date(2020, 3, 3), about=1))
    assert plan(spring, RULES, sent, date(2020, 6, 1), AROUND).on is None
    cut = (*sent, entry(3, Step.RESTRICTION, date(2020, 3, 25)))
    assert next_step(spring, cut, date(2020, 4, 6)) == (Step.RESUMPTION, date(2020, 4, 6))
    assert next_step(spring, cut, date(2021, 1, 1))[0] is Step.SUSPENSION


def test_a_notice_does_not_outlive_what_it_spoke_of() -> None:
    """A debt that arose after the notice, or an agreement since, asks for a new notice."""
    assert next_step(replace(DEBT, oldest_due=date(2026, 5, 15)), NOTICED)[0] is Step.NOTICE
    assert next_step(replace(DEBT, waited_until=date(2026, 5, 20)), NOTICED)[0] is Step.NOTICE
    assert next_step(replace(DEBT, waited_until=date(2026, 5, 1)), NOTICED)[0] is Step.RESTRICTION
    with pytest.raises(ValueError, match="notice 1 was sent on 2026-05-04"):
        delivered(NOTICED[0], date(2026, 5, 3), "РПО")


def test_a_reminder_comes_first_and_once() -> None:
    small = replace(DEBT, overdue_kopecks=5_000)
    assert next_step(small) == (Step.REMINDER, date(2026, 3, 21))
    assert next_step(small, (entry(1, Step.REMINDER, date(2026, 3, 21)),)) == (Step.NOTICE, None)


@given(
    st.tuples(st.integers(0, 300_000), st.integers(1, 100_000)),
    st.tuples(st.integers(0, 60), st.integers(0, 60)),
    st.booleans(),
    st.sampled_from(sorted(Service)),
)
@settings(max_examples=200, deadline=None)
def test_nothing_is_ever_cut_off_sooner_than_the_act_allows(
    sums: tuple[int, int], days: tuple[int, int], able: bool, service: Service
) -> None:
    owed, norm = sums
    sent = DAY - timedelta(days=days[0])
    came = sent + timedelta(days=days[1])
    debt = replace(DEBT, service=service, overdue_kopecks=owed, norm_kopecks=norm, oldest_due=date(2026, 1, 15))
    journal = [replace(entry(1, Step.NOTICE, sent), service=service)]
    if came <= DAY:
        journal.append(replace(entry(2, Step.DELIVERED, came, about=1), service=service))
    around = replace(AROUND, restrictable=frozenset({service}) if able else frozenset())
    planned = plan(debt, RULES, journal, DAY, around)
    if planned.step in (Step.RESTRICTION, Step.SUSPENSION) and planned.on is not None:
        assert owed > 2 * norm
        assert came <= DAY
        assert planned.on > came + timedelta(days=20)
        assert service not in (Service.HEATING, Service.SOLID_WASTE, Service.CAPITAL_REPAIR, Service.HOUSING)
        assert planned.step is Step.RESTRICTION or service is not Service.COLD_WATER


# --- what counts as debt ---


def line(period: Period, due: date, open_: int, **changes: object) -> LineDebt:
    debt = LineDebt(BillKey(RunId(period.month), 0), 0, Service.ELECTRICITY, ENERGY, period, due, open_ + 1_000,
                    (Paid(due, 1_000),))  # fmt: skip
    return replace(debt, **changes)  # type: ignore[arg-type]


MARCH, APRIL, MAY = Period(2026, 3), Period(2026, 4), Period(2026, 5)
LINES = [
    line(MARCH, date(2026, 4, 15), 10_000),
    line(APRIL, date(2026, 5, 15), 20_000),
    line(MAY, date(2026, 6, 15), 40_000),
    line(APRIL, date(2026, 5, 15), 80_000, is_penalty=True),
    line(APRIL, date(2026, 5, 15), 160_000, service=None),
]


def test_only_what_is_late_counts_and_what_waits_stands_apart() -> None:
    wait = Pause(PauseKind.DISPUTE, date(2026, 5, 20), None, "заявление 1", days_count=False)
    (free,) = service_debts(LINES, {}, {Service.ELECTRICITY: 7}, DAY)
    assert (free.overdue_kopecks, free.oldest_due, free.norm_kopecks) == (30_000, date(2026, 4, 15), 7)
    (found,) = service_debts(LINES, {(MARCH, Service.ELECTRICITY, ENERGY): [wait]}, {}, DAY)
    assert (found.overdue_kopecks, found.disputed_kopecks, found.agreed_kopecks) == (20_000, 10_000, 0)
    assert found.oldest_due == date(2026, 5, 15)
    over = replace(wait, kind=PauseKind.INSTALMENT, last=date(2026, 5, 25))
    (found,) = service_debts(LINES, {(MARCH, Service.ELECTRICITY, ENERGY): [over]}, {}, DAY)
    assert (found.overdue_kopecks, found.waited_until) == (30_000, date(2026, 5, 25))


def test_a_claim_waits_for_its_days_of_delay() -> None:
    rule = RULES.rule_on(DAY)
    assert claimable(LINES, {}, rule, date(2026, 7, 14)) == []
    assert claimable(LINES, {}, rule, date(2026, 7, 15)) == LINES[:1]
    assert rule.claim_after_days == 90


def test_a_month_at_norm_is_the_published_sum() -> None:
    """Two persons, 6.935 m³, 43.57 roubles: 604.32, with no multiplier though no meter stands there (domain, F4)."""
    found = norm_charges(month_of())
    assert found[Service.COLD_WATER] == 60_432
    assert found[Service.CAPITAL_REPAIR] > 0


# --- court fees ---


@pytest.mark.parametrize(
    ("day", "claimed", "fee"),
    [
        # ст. 333.19 НК РФ: the base of each bracket is the fee at its lower end.
        (date(2026, 1, 1), 1, 4_000),
        (date(2026, 1, 1), 100_000, 4_000),
        (date(2026, 1, 1), 300_000, 10_000),
        (date(2026, 1, 1), 500_000, 15_000),
        (date(2026, 1, 1), 1_000_000, 25_000),
        (date(2024, 9, 8), 5_000, 400),
        (date(2024, 9, 8), 20_000, 800),
        (date(2024, 9, 8), 100_000, 3_200),
        (date(2024, 9, 8), 200_000, 5_200),
        (date(2024, 9, 8), 1_000_000, 13_200),
        (date(2024, 9, 8), 100_000_000, 60_000),
    ],
)
def test_fees_are_the_act_s_own_points(day: date, claimed: int, fee: int) -> None:
    rule = RULES.fees_on(day)
    assert rule.fee_kopecks(claimed * 100) == fee * 100
    assert rule.order_fee_kopecks(claimed * 100) == fee * 50


@given(st.integers(1, 10**10), st.integers(0, 10**9))
def test_a_larger_claim_never_costs_less(claimed: int, more: int) -> None:
    for rule in RULES.fees:
        assert rule.fee_kopecks(claimed) <= rule.fee_kopecks(claimed + more)
        assert rule.fee_kopecks(claimed) % 100 == 0


def test_a_bad_document_is_refused_by_name() -> None:
    fees, work = sorted(shipped_work_documents(), key=lambda document: str(document["kind"]))
    broken = {**work, "rules": [{k: v for k, v in work["rules"][0].items() if k != "notice_days"}]}
    with pytest.raises(RulesError, match="russia-debt-work: the field 'notice_days'"):
        work_rules_of([broken, fees])
    with pytest.raises(RulesError, match="neither debt_work nor court_fees"):
        work_rules_of([{**fees, "kind": "fees"}])
    with pytest.raises(RulesError, match="format 2"):
        work_rules_of([{**fees, "format": 2}])
    assert all(document["from_memory"] for document in (fees, work))
