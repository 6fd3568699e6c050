"""Work on a debt of a billed town: the lawful way from the first notice to the claim, sealed in the journal."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pytest
from sqlalchemy import select

from billing.debt.books import DebtBooks
from billing.debt.cases import Cases
from billing.debt.claim import NothingToClaim
from billing.debt.disputes import Dispute
from billing.debt.instalments import Agreement, Instalment
from billing.debt.journal import Journal
from billing.debt.penalty_rules import shipped_rules
from billing.debt.restriction import NotLawful
from billing.debt.work import Done, Step
from billing.debt.work_desk import CAN_RESTRICT, NoSuchDebt, NoSuchNotice, WorkDesk
from billing.debt.work_rules import shipped_work_rules
from billing.domain.tariff import Kind
from billing.months import Months
from billing.requests import RunRequest
from billing.schema import debt_journal
from contracts.client.keyring import KeyDestroyed
from contracts.wire.ids import Service, SupplierId
from tests.billing.scenes import FEBRUARY, JANUARY, billed, billed_again, pay_all
from tests.billing.stage import HOUSE, Stage

WATER, POWER = Service.COLD_WATER, Service.ELECTRICITY


def desk_of(stage: Stage) -> WorkDesk:
    office = stage.office
    books = DebtBooks(office.engine, office.register, office.runs, office.ledger, shipped_rules())
    months = Months(office.engine, office.register, office.keyring, office.ledger)
    cases, journal = Cases(office.engine, office.keyring), Journal(office.engine, office.keyring)
    return WorkDesk(office.register, books, cases, journal, months, office.tariffs, office.ledger, shipped_work_rules())


def entry(day: date, proof: str = "РПО 66004213000042") -> Done:
    return Done(0, Step.REMINDER, day, None, SupplierId(0), 0, "почта", proof)


@pytest.fixture
def desk(stage: Stage) -> WorkDesk:
    """Three accounts billed for two months; the second has paid. Electricity can be restricted in their house."""
    billed(stage, 3)
    billed_again(stage, 3)
    pay_all(stage, 2)
    pay_all(stage, 2, period=FEBRUARY)
    stage.settle()
    stage.office.register.add_house(replace(HOUSE, features=HOUSE.features | {CAN_RESTRICT + "electricity"}))
    return desk_of(stage)


def overdue_on(desk: WorkDesk) -> date:
    """The first day on which both months are late."""
    return desk.books.rules.due_date(FEBRUARY, desk.books.of_account("1").leaves[-1].presented) + timedelta(days=1)


def restricted(desk: WorkDesk) -> date:
    """Account 1 by the lawful way up to the restriction of electricity; the day of it."""
    late = overdue_on(desk)
    notice = desk.take("1", POWER, Step.NOTICE, entry(late))
    desk.deliver("1", notice.number, late + timedelta(days=3), "роспись")
    on = desk.standing("1", POWER, late + timedelta(days=40)).planned.on
    assert on is not None
    desk.take("1", POWER, Step.RESTRICTION, entry(on, "акт 5"))
    return on


def test_what_is_late_is_what_the_ledger_has_open_and_the_norm_is_its_product(stage: Stage, desk: WorkDesk) -> None:
    late = overdue_on(desk)
    mine = {s.debt.service: s for s in desk.standings(late) if s.account == "1"}
    assert {s.account for s in desk.standings(late)} == {"1", "3"}
    views = [stage.bill("1", JANUARY), stage.bill("1", FEBRUARY)]
    assert sum(s.debt.overdue_kopecks for s in mine.values()) == sum(view.open_kopecks for view in views)
    norm = desk.tariffs.published(desk.ledger).require(Kind.NORM, WATER, HOUSE.areas, late).document.rates["single"]
    persons = desk.register.account("1").household.persons_on(late)
    assert mine[WATER].debt.norm_kopecks == int(persons * norm * 4357 + Fraction(1, 2))
    with pytest.raises(NoSuchDebt, match="account 2 is not late with cold_water"):
        desk.standing("2", WATER, late)


def test_nothing_is_written_that_is_not_lawful_on_its_day(desk: WorkDesk) -> None:
    """Two months of water by the meter are less than two at norm; two of electricity by a raised norm are more."""
    late = overdue_on(desk)
    assert desk.standing("1", WATER, late).planned.step is Step.REMINDER
    with pytest.raises(NotLawful, match="restriction is not lawful"):
        desk.take("1", WATER, Step.RESTRICTION, entry(late))
    desk.take("1", WATER, Step.REMINDER, entry(late))
    assert desk.standing("1", WATER, late).planned.on is None

    notice = desk.take("1", POWER, Step.NOTICE, entry(late))
    debt = desk.standing("1", POWER, late).debt
    assert notice.amount_kopecks == debt.overdue_kopecks
    assert debt.norm_kopecks is not None
    assert debt.overdue_kopecks > 2 * debt.norm_kopecks
    with pytest.raises(NoSuchNotice, match="no notice 7"):
        desk.deliver("1", 7, late, "роспись")
    came = late + timedelta(days=3)
    desk.deliver("1", notice.number, came, "роспись")
    on = desk.standing("1", POWER, came).planned.on
    assert on is not None
    assert came + timedelta(days=21) <= on <= came + timedelta(days=31)
    with pytest.raises(NotLawful, match=f"restriction may be done from {on}"):
        desk.take("1", POWER, Step.RESTRICTION, entry(on - timedelta(days=1)))
    desk.take("1", POWER, Step.RESTRICTION, entry(on, "акт 5"))
    assert [done.step for done in desk.journal.of("1")] == [
        Step.REMINDER, Step.NOTICE, Step.DELIVERED, Step.RESTRICTION,
    ]  # fmt: skip


def test_a_claim_holds_every_late_line_of_its_supplier_and_what_was_sent(stage: Stage, desk: WorkDesk) -> None:
    on = restricted(desk)
    court = on + timedelta(days=100)
    supplier = desk.standing("1", POWER, court).debt.supplier
    claim = desk.claim("1", supplier, court)
    views = [stage.bill("1", JANUARY), stage.bill("1", FEBRUARY)]
    assert claim.principal_kopecks == sum(
        line.open_kopecks for view in views for line in view.lines if line.supplier == supplier
    )
    assert claim.penalty_kopecks == sum(late.table.amount_kopecks for late in claim.overdue) > 0
    assert [done.step for done in claim.notices] == [done.step for done in desk.journal.of("1")]
    assert claim.extract[-1].closing == claim.principal_kopecks
    assert {one.account for one in desk.claims(court)} == {"1", "3"}
    filed = desk.file(claim, "судебный участок 1, 2-77/2026")
    assert desk.journal.of("1")[-1] == filed
    assert (filed.step, filed.amount_kopecks) == (Step.CLAIM, claim.claimed_kopecks)
    assert desk.claim("1", supplier, court).notices == claim.notices
    with pytest.raises(NothingToClaim, match="account 2 owes supplier"):
        desk.claim("2", supplier, court)


def test_an_agreement_and_a_payment_bring_supply_back(stage: Stage, desk: WorkDesk) -> None:
    on = restricted(desk)
    day = on + timedelta(days=100)
    item = stage.ask("request", RunRequest(JANUARY, ("1",)))
    schedule = (Instalment(day + timedelta(days=300), 100),)
    agreement = Agreement(day, (JANUARY, FEBRUARY), schedule, "соглашение 1")
    case = desk.cases.add(item.id, "1", desk.register.account("1").key_id, agreement)
    standing = desk.standing("1", POWER, day + timedelta(days=1))
    assert (standing.debt.overdue_kopecks, standing.planned.step) == (0, Step.RESUMPTION)
    assert {one.account for one in desk.claims(day + timedelta(days=1))} == {"3"}
    desk.cases.put(replace(desk.cases.get(case), matter=agreement.end(day + timedelta(days=2), "отказ 1")))
    assert desk.standing("1", POWER, day + timedelta(days=3)).debt.overdue_kopecks > 0
    pay_all(stage, 1)
    pay_all(stage, 1, period=FEBRUARY)
    stage.settle()
    assert desk.standing("1", POWER, day + timedelta(days=5)).planned.step is Step.RESUMPTION
    desk.take("1", POWER, Step.RESUMPTION, entry(day + timedelta(days=5), "акт 6"))
    assert [s for s in desk.standings(day + timedelta(days=6)) if s.account == "1"] == []


def test_the_journal_is_noise_without_the_account_s_key(stage: Stage, desk: WorkDesk) -> None:
    restricted(desk)
    with stage.office.engine.connect() as connection:
        rows = connection.execute(select(debt_journal)).all()
    assert [row.number for row in rows] == [1, 2, 3]
    assert not any("РПО".encode() in bytes(row.sealed) for row in rows)
    stage.office.keyring.destroy(desk.register.account("1").key_id, 1, "act")
    assert desk.journal.of("1") == ()
    with pytest.raises(KeyDestroyed):
        desk.journal.add("1", entry(date(2026, 9, 1)))


def test_a_dispute_takes_its_line_out_of_the_debt(stage: Stage) -> None:
    billed(stage, 1)
    desk = desk_of(stage)
    late = desk.books.rules.due_date(JANUARY, desk.books.of_account("1").leaves[-1].presented) + timedelta(days=40)
    before = desk.standing("1", Service.HEATING, late).debt
    item = stage.ask("request", RunRequest(JANUARY, ("1",)))
    dispute = Dispute(JANUARY, Service.HEATING, before.supplier, late, "холодно", "заявление 1")
    desk.cases.add(item.id, "1", desk.register.account("1").key_id, dispute)
    after = desk.standing("1", Service.HEATING, late + timedelta(days=1)).debt
    assert (after.overdue_kopecks, after.disputed_kopecks) == (0, before.overdue_kopecks)
