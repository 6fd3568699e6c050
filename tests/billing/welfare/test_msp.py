"""The messages to ГИС ЖКХ validate against its own schemas and name nobody whom nobody named."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from lxml import etree

from billing.welfare import msp
from billing.welfare.awards import Award, AwardLine, Repayment
from billing.welfare.cases import CompensationCase, Revision, SubsidyCase
from billing.welfare.records import Shelf
from billing.welfare.reference import Effect
from billing.welfare.subsidy import Family
from contracts.wire.ids import Period, Service
from tests.billing.paper.gis import check

SCHEMA = "msp/hcs-msp-types.xsd"
OCTOBER = Period(2022, 10)
MONTHS = tuple(Period(2022, month) for month in (10, 11, 12)) + tuple(Period(2023, month) for month in (1, 2, 3))
DAY, PAID = date(2022, 10, 28), date(2022, 11, 3)
GUID = "0b9f5c6a-1111-4222-8333-444455556666"
NAMED = msp.Recipient(
    surname="Тестова",
    first_name="Проверка",
    house_guid=GUID,
    apartment="17",
    decision=msp.DecisionCode("1", "11111111-2222-3333-4444-555555555555"),
)


def award(kind: str, effect: Effect = Effect.PERSON, **changes: object) -> Award:
    made = Award(
        "17", "С-5", kind, OCTOBER, 1, 1, effect, DAY, "order 1", 1911_00, {1: 11_00},
        (AwardLine(Service.HEATING, 1500_00, 3000_00), AwardLine(Service.COLD_WATER, 400_00, 500_00)),
        (), 1, 4000_00, 0, "welfare 2022-10 1", "00",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def subsidised(*awards: Award) -> Shelf:
    family = Family({"working": 1}, "owner")
    case = SubsidyCase("17", "С-5", DAY, date(2022, 9, 20), ("rybinsk",), family, (12_500_00,), (), MONTHS)
    repaid = (Repayment("17", "С-5", 1, 5_00, "receipt", date(2022, 10, 30)),)
    return Shelf("17", "С-5", (Revision(1, OCTOBER, DAY, "decision", case),), awards, (), repaid)


def compensated(*awards: Award) -> Shelf:
    case = CompensationCase("17", "К-5", DAY, "disabled", "1", OCTOBER)
    return Shelf("17", "К-5", (Revision(1, OCTOBER, DAY, "decision", case),), awards, (), ())


def texts(message: bytes, name: str) -> list[str | None]:
    return [found.text for found in etree.fromstring(message).iter(f"{{{msp.MSP}}}{name}")]


@pytest.mark.parametrize("who", [NAMED, msp.Recipient(guid=GUID)])
def test_a_month_s_subsidies_validate(who: msp.Recipient) -> None:
    later = award("subsidy", number=2, amount_kopecks=50_00, withheld={})
    (message,) = msp.subsidies([subsidised(award("subsidy"), later)], {"17": who}, OCTOBER, PAID)
    assert texts(message, "PeriodDate") == ["2022-10", "2022-10"]
    assert texts(message, "FamilySize") == ["1", "1"]
    assert texts(message, "ActualExpensesSum") == ["4000.00", "4000.00"]
    assert texts(message, "SubsidySum") == ["1911.00"]
    assert texts(message, "RecalculationSum") == ["-11.00", "50.00"]
    assert texts(message, "TotalSum") == ["1900.00", "50.00"]
    assert texts(message, "PaymentType") == ["Payment", "Payment", "Refund"]
    assert texts(message, "PaymentSum") == ["1900.00", "50.00", "5.00"]
    assert texts(message, "ToDate") == ([] if who.guid else ["2023-03-31"])
    check(message, SCHEMA)


def test_a_month_s_compensations_validate_service_by_service() -> None:
    (message,) = msp.compensations([compensated(award("benefit"))], {"17": msp.Recipient(guid=GUID)}, OCTOBER, PAID)
    assert texts(message, "Service") == ["Heating", "ColdWater"]
    assert texts(message, "ServicePaymentSum") == ["3000.00", "500.00"]
    assert texts(message, "PeriodTo") == ["2022-10-31"]
    check(message, SCHEMA)


def test_what_nets_the_bill_is_no_payment_to_anybody() -> None:
    shelf = replace(subsidised(award("subsidy", Effect.BILL)), repayments=())
    (message,) = msp.subsidies([shelf], {"17": msp.Recipient(guid=GUID)}, OCTOBER, PAID)
    assert texts(message, "Payment") == []
    check(message, SCHEMA)


def test_the_same_month_is_the_same_message() -> None:
    shelves = [subsidised(award("subsidy"))]
    first, again = (msp.subsidies(shelves, {"17": NAMED}, OCTOBER, PAID) for _ in range(2))
    assert first == again


def test_a_month_without_awards_is_no_message() -> None:
    assert msp.subsidies([subsidised(award("subsidy"))], {}, OCTOBER.next(), PAID) == []


def test_nobody_is_made_up() -> None:
    shelf = subsidised(award("subsidy"))
    with pytest.raises(msp.CannotExport, match=r"С-5.*account 17"):
        msp.subsidies([shelf], {}, OCTOBER, PAID)
    with pytest.raises(msp.CannotExport, match="ФИАС"):
        msp.subsidies([shelf], {"17": replace(NAMED, house_guid="")}, OCTOBER, PAID)
