"""Payment documents for ГИС ЖКХ against the system's own schema."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from lxml import etree

from billing.paper.epd import Instalment, Owed, PaymentDocument, Recalculation
from billing.paper.gis.directory import GisDirectory
from billing.paper.gis.message import GisError
from billing.paper.gis.payment_documents import payment_documents
from contracts.wire.ids import BillKey, Period, RunId
from tests.billing.builders import household, month_of
from tests.billing.paper.gis import DIRECTORY, check, schema, texts
from tests.billing.paper.scene import PERSON, by_norm, epd, named

BILLS = "bills/hcs-bills-types.xsd"
NASTY = "<&>\"' ]]> \x00\x0b😀 " + "Ы" * 500


def full() -> PaymentDocument:
    """A document with something in every section."""
    return epd(
        by_norm(),
        owed=(Owed("cold_water", 1, 1000, 70, 5), Owed("gas", 9, 300, 20), Owed("heating", 2, -500)),
        noted=(Recalculation("heating", "Счёт 3-1: " + NASTY, -77_70),),
        moved={0: {"paid": 100_00, "granted": 50_00}, 1: {"written_off": 46_68}, 6: {"granted": 10_00}},
        instalments=(Instalment("heating", 1000_00, 500_00, 3_21, Fraction("7.5")),),
        limit_index_percent=Fraction("11.9"),
    )


@pytest.mark.parametrize("document", [full(), epd(), epd(month_of(flat=household(residents=())))])
def test_a_document_is_valid_by_the_schema(document: PaymentDocument) -> None:
    check(payment_documents([document], DIRECTORY), BILLS)


def test_its_sums_are_the_documents() -> None:
    document = full()
    root = check(payment_documents([document], DIRECTORY), BILLS)
    (total,) = texts(root, "TotalPayableByPDWithDebtAndAdvance")
    assert total == f"{document.overall_kopecks / 100:.2f}"
    assert texts(root, "Ratio", "AmountOfExcessFees")[:2] == ["3", "1208.63"]
    assert texts(root, "MDServiceCode") == []
    assert (texts(root, "MoneyDiscount")[0], texts(root, "LimitIndex")) == ("50.00", ["11.9"])
    assert texts(root, "piecemealPaymentSum") == ["1503.21"]
    assert texts(root, "Contribution") == ["10.04"]
    assert texts(root, "AccountGuid") == [PERSON.gis.account_guid if PERSON.gis else None]
    methods = [e.get("determiningMethod") for e in root.iter() if etree.QName(e).localname == "Volume"]
    assert methods == ["N", "N", "N", "N", "N", "O"]


def test_readings_go_with_their_units_and_services() -> None:
    root = check(payment_documents([epd()], DIRECTORY), BILLS)
    assert texts(root, "MDServiceCode") == ["1", "3", "2", "3", "4", "4"]
    assert texts(root, "MDUnit") == ["113", "113", "245", "245"]
    assert texts(root, "MDPreviousPeriodReadings") == ["100", "50", "1000", "400"]


def test_the_same_document_sent_again_is_the_same_message() -> None:
    """A transport GUID that came of chance would make a repetition a second document."""
    assert payment_documents([full()], DIRECTORY) == payment_documents([full()], DIRECTORY)


def test_two_documents_share_their_payee_and_keep_their_own_names() -> None:
    second = replace(full(), key=BillKey(RunId(7), 4))
    root = check(payment_documents([full(), second], DIRECTORY), BILLS)
    assert len(texts(root, "BankBIK")) == 1
    assert texts(root, "PaymentDocumentNumber") == ["7-3", "7-4"]


def test_documents_of_two_months_or_of_none_are_refused() -> None:
    with pytest.raises(GisError, match="split"):
        payment_documents([full(), replace(full(), period=Period(2026, 2))], DIRECTORY)
    with pytest.raises(GisError, match="split"):
        payment_documents([], DIRECTORY)


def test_what_the_system_needs_and_nobody_entered_is_named() -> None:
    with pytest.raises(GisError, match="account 17 has no GUID"):
        payment_documents([epd(person=named(gis=None))], DIRECTORY)
    with pytest.raises(GisError, match="cold_water"):
        payment_documents([epd()], GisDirectory({}))


def test_the_schema_would_notice_a_defect() -> None:
    """The check can fail: a sum that is none, an element out of its place."""
    message = payment_documents([epd()], DIRECTORY)
    schema(BILLS)
    with pytest.raises(AssertionError):
        check(message.replace(b"304.99", b"304.999"), BILLS)
    with pytest.raises(AssertionError):
        check(message.replace(b"<base:Month>1</base:Month>", b""), BILLS)
