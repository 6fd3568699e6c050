"""The desk's documents on a real chain, against what the ledger says by itself."""

from __future__ import annotations

import io
import re
from datetime import UTC, date, datetime

import pytest
from pypdf import PdfReader

from billing.debt.books import DebtBooks
from billing.debt.cases import Cases
from billing.debt.instalments import Agreement, Instalment
from billing.debt.penalty_rules import shipped_rules
from billing.inbox import State
from billing.paper.desk import BillBooks, NoDocument, Papers
from billing.paper.gis.notices import notices_of, payment_notices
from billing.requests import GrantItem, GrantsRequest, Prepayment
from contracts.wire.ids import BillKey, BillState, RunId, Service
from contracts.wire.leaf import BillKind
from tests.billing.builders import ZONE
from tests.billing.paper.gis import DIRECTORY, check, texts
from tests.billing.paper.scene import GIS, PERSON
from tests.billing.paper.test_gis_messages import LEGAL
from tests.billing.scenes import FEBRUARY, JANUARY, billed, billed_again, correct, pay_all
from tests.billing.stage import Stage

NOW = int(datetime(2026, 3, 4, tzinfo=UTC).timestamp())


def papers_of(stage: Stage) -> Papers:
    office = stage.office
    debts = DebtBooks(office.engine, office.register, office.runs, office.ledger, shipped_rules())
    books = BillBooks(office.runs, debts, Cases(office.engine, office.keyring))
    return Papers(office.ledger, books, books, lambda: DIRECTORY)


def test_every_bill_says_what_the_ledger_has_open(stage: Stage) -> None:
    """Paid, part paid, granted, prepaid, superseded, corrected by notes: each document's sums are the ledger's."""
    billed(stage, 4)
    grants = (GrantItem("1", JANUARY, Service.CAPITAL_REPAIR, 9_000, 1 << 39, "decision"),)
    items = [
        stage.ask("grants", GrantsRequest("act", grants)),
        stage.ask("ahead", Prepayment("3", stage.suppliers["heat"], 7_000)),
    ]
    for item in stage.work(*items):
        assert item.state is State.DONE, item.reason
    pay_all(stage, 2)
    pay_all(stage, 3, maximum=5_000)
    stage.settle()
    for account in "234":
        stage.office.register.set_residents(account, date(2026, 1, 1), 6)
    correct(stage, "2", "3", "4")
    stage.settle()
    billed_again(stage, 4)
    stage.settle()
    papers = papers_of(stage)
    for account in "1234":
        document = papers.document(stage.bill(account, FEBRUARY).key, PERSON, NOW)
        leaves = [key for key, _, _ in stage.office.runs.of_account(account) if key is not None]
        open_kopecks = [stage.view(key).open_kopecks for key in leaves]
        assert document.overall_kopecks == sum(open_kopecks), account
        assert document.arrears_kopecks == sum(open_kopecks) - stage.bill(account, FEBRUARY).open_kopecks
        message = check(papers.gis_xml(document.key, PERSON, NOW), "bills/hcs-bills-types.xsd")
        (total,) = texts(message, "TotalPayableByPDWithDebtAndAdvance")
        assert total == f"{document.overall_kopecks // 100}.{document.overall_kopecks % 100:02d}"
    for account in "23":
        leaves = [key for key, _, _ in stage.office.runs.of_account(account, JANUARY) if key is not None]
        receipts = [receipt for key in leaves for receipt in stage.office.ledger.receipts(key)]
        notices = list(notices_of(receipts, JANUARY, ZONE, GIS, dict.fromkeys(range(1, 5), LEGAL)))
        paid = sum(line.paid_kopecks for key in leaves for line in stage.view(key).lines)
        assert sum(notice.amount_kopecks for notice in notices) == paid > 0
        check(payment_notices(notices), "payment/hcs-payment-types.xsd")
    granted = papers.document(stage.bill("1", JANUARY).key, PERSON, NOW)
    assert {row.service: row.granted_kopecks for row in granted.rows}["capital_repair"] == 9_000
    ahead = papers.document(stage.bill("3", FEBRUARY).key, PERSON, NOW)
    netted = sum(line.netted_kopecks for line in stage.bill("3", FEBRUARY).lines)
    assert ahead.advance_kopecks + netted == 7_000


def test_a_note_stands_in_section_six_of_the_next_bill_and_has_no_document_of_its_own(stage: Stage) -> None:
    billed(stage, 2)
    pay_all(stage, 2)
    stage.settle()
    stage.office.register.set_residents("2", date(2026, 1, 1), 6)
    correct(stage, "2")
    stage.settle()
    billed_again(stage, 2)
    stage.settle()
    papers = papers_of(stage)
    notes = [
        stage.view(key) for key, stored, _ in stage.office.runs.of_account("2") if key and stored.kind != BillKind.BILL
    ]
    document = papers.document(stage.bill("2", FEBRUARY).key, PERSON, NOW)
    told = sum(r.amount_kopecks for r in document.recalculations)
    assert told == sum(n.charged_kopecks * (-1 if n.kind is BillKind.CREDIT_NOTE else 1) for n in notes) != 0
    assert all("act of recount 1" in r.reason for r in document.recalculations)
    with pytest.raises(NoDocument, match="it is a note"):
        papers.document(notes[0].key, PERSON, NOW)


def test_a_superseded_bill_says_so_and_asks_for_nothing(stage: Stage) -> None:
    billed(stage, 2)
    old = stage.bill("2", JANUARY).key
    stage.office.register.set_residents("2", date(2026, 1, 1), 6)
    correct(stage, "2")
    stage.settle()
    papers = papers_of(stage)
    document = papers.document(old, PERSON, NOW)
    assert (document.state, document.arrears_kopecks) == (BillState.SUPERSEDED, 0)
    text = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(papers.pdf(old, PERSON, NOW))).pages)
    assert "заменён исправленным" in re.sub(r"\s+", " ", text)
    assert "<svg" not in papers.html(old, PERSON, NOW)


def test_an_agreement_s_payment_of_the_month_stands_in_section_five(stage: Stage) -> None:
    billed(stage, 1)
    (account,) = stage.office.register.accounts(["1"])
    schedule = (Instalment(date(2026, 2, 20), 5_000), Instalment(date(2026, 3, 20), 6_000))
    agreement = Agreement(date(2026, 2, 1), (JANUARY,), schedule, "соглашение № 1")
    item = stage.ask("ahead", Prepayment("1", stage.suppliers["heat"], 1))
    Cases(stage.office.engine, stage.office.keyring).add(item.id, "1", account.key_id, agreement)
    document = papers_of(stage).document(stage.bill("1", JANUARY).key, PERSON, NOW)
    assert [(a.by, a.amount_kopecks, a.act) for a in document.agreed] == [(date(2026, 2, 20), 5_000, "соглашение № 1")]
    assert "соглашение № 1" in papers_of(stage).html(document.key, PERSON, NOW)


def test_what_is_not_there_or_was_erased_is_named(stage: Stage) -> None:
    billed(stage, 1)
    papers, key = papers_of(stage), stage.bill("1", JANUARY).key
    with pytest.raises(NoDocument, match="no active run"):
        papers.document(BillKey(RunId(9), 9), PERSON, NOW)
    (account,) = stage.office.register.accounts(["1"])
    stage.office.keyring.destroy(account.key_id, NOW, "an act")
    with pytest.raises(NoDocument, match="key was destroyed"):
        papers.document(key, PERSON, NOW)
