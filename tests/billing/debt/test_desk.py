"""Work on a debt of a billed town: the lawful way from the first notice to the claim, sealed in the journal."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from billing.debt.books import DebtBooks
from billing.debt.cases import Cases
from billing.debt.claim import NothingToClaim, claim_json
from billing.debt.desk import CAN_RESTRICT, DebtDesk, NoSuchDebt, NoSuchNotice
from billing.debt.disputes import Dispute
from billing.debt.instalments import Agreement, Instalment
from billing.debt.journal import Journal
from billing.debt.penalty_rules import shipped_rules
from billing.debt.restriction import NotLawful
from billing.debt.work import Done, Step
from billing.debt.work_rules import shipped_work_rules
from billing.domain.tariff import Kind
from billing.months import Months
from billing.schema import debt_journal
from contracts.client.keyring import KeyDestroyed
from contracts.wire.ids import Service, SupplierId
from tests.billing.scenes import FEBRUARY, JANUARY, billed, billed_again, pay_all
from tests.billing.stage import HOUSE, Stage

WATER = Service.COLD_WATER


def desk_of(stage: Stage) -> DebtDesk:
    office = stage.office
    books = DebtBooks(office.engine, office.register, office.runs, office.ledger, shipped_rules())
    months = Months(office.engine, office.register, office.keyring, office.ledger)
    cases, journal = Cases(office.engine, office.keyring), Journal(office.engine, office.keyring)
    return DebtDesk(office.register, books, cases, journal, months, office.tariffs, office.ledger, shipped_work_rules())


def entry(day: date, proof: str = "РПО 66004213000042") -> Done:
    return Done(0, Step.REMINDER, day, None, SupplierId(0), 0, "почта", proof)


def test_the_way_from_the_notice_to_the_claim(stage: Stage) -> None:
    billed(stage, 3)
    billed_again(stage, 3)
    pay_all(stage, 2)
    pay_all(stage, 2, period=FEBRUARY)
    stage.settle()
    stage.office.register.add_house(replace(HOUSE, features=HOUSE.features | {CAN_RESTRICT + "cold_water"}))
    desk = desk_of(stage)
    late = desk.books.rules.due_date(FEBRUARY, desk.books.of_account("1").leaves[-1].presented) + timedelta(days=1)

    # What is owed is what the ledger has open, and the norm is the norm's own product.
    mine = {s.debt.service: s for s in desk.standings(late) if s.account == "1"}
    assert {s.account for s in desk.standings(late)} == {"1", "3"}
    views = [stage.bill("1", JANUARY), stage.bill("1", FEBRUARY)]
    assert sum(s.debt.overdue_kopecks for s in mine.values()) == sum(view.open_kopecks for view in views)
    norm = desk.tariffs.published(desk.ledger).require(Kind.NORM, WATER, HOUSE.areas, late).document.rates["single"]
    persons = desk.register.account("1").household.persons_on(late)
    assert mine[WATER].debt.norm_kopecks == round(persons * norm * 4357)
    with pytest.raises(NoSuchDebt, match="account 2 is not late with cold_water"):
        desk.standing("2", WATER, late)

    # Two months by the meter are less than two months at norm: only a reminder may go out.
    assert mine[WATER].planned.step is Step.REMINDER
    with pytest.raises(NotLawful, match="restriction is not lawful"):
        desk.take("1", WATER, Step.RESTRICTION, entry(late))
    desk.take("1", WATER, Step.REMINDER, entry(late))
    assert desk.standing("1", WATER, late).planned.on is None

    # One person less, and the debt is above two months at norm.
    desk.register.set_residents("1", date(2026, 1, 1), 1)
    assert desk.standing("1", WATER, late).planned.step is Step.NOTICE
    notice = desk.take("1", WATER, Step.NOTICE, entry(late))
    assert notice.amount_kopecks == mine[WATER].debt.overdue_kopecks
    with pytest.raises(NoSuchNotice, match="no notice 7"):
        desk.deliver("1", 7, late, "роспись")
    came = late + timedelta(days=3)
    desk.deliver("1", notice.number, came, "роспись")
    with pytest.raises(NotLawful, match=f"restriction may be done from {came + timedelta(days=21)}"[:30]):
        desk.take("1", WATER, Step.RESTRICTION, entry(came + timedelta(days=20)))
    on = desk.standing("1", WATER, came + timedelta(days=21)).planned.on
    assert on is not None
    desk.take("1", WATER, Step.RESTRICTION, entry(on, "акт 5"))
    assert [done.step for done in desk.journal.of("1")] == [
        Step.REMINDER, Step.NOTICE, Step.DELIVERED, Step.RESTRICTION,
    ]  # fmt: skip

    # The claim: every late line of the supplier, its penalty, and what was sent.
    court = late + timedelta(days=120)
    supplier = mine[WATER].debt.supplier
    claim = desk.claim("1", supplier, court)
    assert claim.principal_kopecks == sum(
        line.open_kopecks for view in views for line in view.lines if line.supplier == supplier
    )
    assert claim.penalty_kopecks > 0
    assert [done.step for done in claim.notices] == [done.step for done in desk.journal.of("1")]
    value = claim_json(claim)
    assert value["claimed_kopecks"] == claim.principal_kopecks + claim.penalty_kopecks
    assert {one.account for one in desk.claims(court)} == {"1", "3"}
    with pytest.raises(NothingToClaim, match="account 2 owes supplier"):
        desk.claim("2", supplier, court)

    # An agreement on both months bars all of it, and supply comes back; so does a payment.
    schedule = (Instalment(court + timedelta(days=300), 100),)
    item = stage.ask("agreement stands in for a request", _any_request())
    key = desk.register.account("1").key_id
    case = desk.cases.add(item.id, "1", key, Agreement(court, (JANUARY, FEBRUARY), schedule, "соглашение 1"))
    standing = desk.standing("1", WATER, court + timedelta(days=1))
    assert (standing.debt.overdue_kopecks, standing.planned.step) == (0, Step.RESUMPTION)
    assert [one.account for one in desk.claims(court + timedelta(days=1))] == ["3"]
    ended = desk.cases.get(case)
    assert isinstance(ended.matter, Agreement)
    desk.cases.put(replace(ended, matter=ended.matter.end(court + timedelta(days=2), "отказ 1")))
    pay_all(stage, 1)
    pay_all(stage, 1, period=FEBRUARY)
    stage.settle()
    back = desk.standing("1", WATER, court + timedelta(days=5))
    assert (back.debt.overdue_kopecks, back.planned.step) == (0, Step.RESUMPTION)
    desk.take("1", WATER, Step.RESUMPTION, entry(court + timedelta(days=5), "акт 6"))
    assert [s for s in desk.standings(court + timedelta(days=6)) if s.account == "1"] == []

    # Nothing of it can be read without the account's key.
    with stage.office.engine.connect() as connection:
        rows = connection.execute(select(debt_journal)).all()
    assert len(rows) == 5
    assert not any("РПО".encode() in bytes(row.sealed) or b"cold" in bytes(row.sealed) for row in rows)
    stage.office.keyring.destroy(key)
    assert desk.journal.of("1") == ()
    with pytest.raises(KeyDestroyed):
        desk.journal.add("1", entry(court))


def _any_request() -> object:
    from billing.requests import RunRequest

    return RunRequest(JANUARY, ("1",))


def test_a_dispute_takes_its_line_out_of_the_debt(stage: Stage) -> None:
    billed(stage, 1)
    desk = desk_of(stage)
    late = desk.books.rules.due_date(JANUARY, desk.books.of_account("1").leaves[-1].presented) + timedelta(days=40)
    before = desk.standing("1", Service.HEATING, late).debt
    item = stage.ask("dispute stands in for a request", _any_request())
    dispute = Dispute(JANUARY, Service.HEATING, before.supplier, late, "холодно", "заявление 1")
    desk.cases.add(item.id, "1", desk.register.account("1").key_id, dispute)
    after = desk.standing("1", Service.HEATING, late + timedelta(days=1)).debt
    assert (after.overdue_kopecks, after.disputed_kopecks) == (0, before.overdue_kopecks)
