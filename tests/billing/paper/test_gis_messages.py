"""Notices of payments and meter values for ГИС ЖКХ, against the system's own schemas."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest

from billing.paper.gis.message import GisError, roubles, transport_guid
from billing.paper.gis.meter_values import DeviceValue, Occasion, Verification, device_values, meter_values
from billing.paper.gis.notices import Notice, notices_of, payment_notices
from billing.paper.person import Requisites
from contracts.wire.ids import Address, BillKey, Hash, Period, Reference, RunId, SupplierId
from ledger.queries.views import LegView, ReceiptKind, ReceiptView
from tests.billing.paper.gis import DIRECTORY, check, guid_of, texts
from tests.billing.paper.scene import GIS, epd
from tests.billing.paper.test_person import DEMO

JANUARY = Period(2026, 1)
PAYMENTS, DEVICES = "payment/hcs-payment-types.xsd", "device-metering/hcs-device-metering-types.xsd"
LEGAL = replace(DEMO, kpp="000001001")
TRADER = replace(DEMO, inn="500100732259", name='ИП <А> & "Б"')


def receipt(kind: ReceiptKind = ReceiptKind.PAYMENT, log_index: int = 3) -> ReceiptView:
    legs = (
        LegView(0, SupplierId(1), Address(b"\x01" * 20), 30_499),
        LegView(1, SupplierId(2), Address(b"\x02" * 20), 1),
    )
    return ReceiptView(
        kind, BillKey(RunId(7), 3), Hash(b"\xd1" * 32), 9, Hash(b"\xd2" * 32), 1_770_400_000, log_index, None,
        Reference(b"\xd3" * 32), legs, True,
    )  # fmt: skip


def noticed(*receipts: ReceiptView, recipients: dict[int, Requisites] | None = None) -> list[Notice]:
    known = {1: LEGAL, 2: TRADER} if recipients is None else recipients
    return list(notices_of(receipts, JANUARY, "Asia/Krasnoyarsk", GIS, known))


def test_each_leg_is_a_notice_to_its_supplier() -> None:
    root = check(payment_notices(noticed(receipt(), receipt(ReceiptKind.GRANT))), PAYMENTS)
    assert texts(root, "Amount") == ["30499", "1"]
    assert texts(root, "OrderDate") == ["2026-02-07", "2026-02-07"]
    assert texts(root, "UnifiedAccountNumber", "ServiceID") == ["70AA123456", "70AA123456-01"] * 2
    assert texts(root, "EntprFIO") == [TRADER.name]
    assert texts(root, "Year", "Month") == ["2026", "1"] * 2


def test_a_payment_keeps_its_name_and_no_two_share_one() -> None:
    first, again, other = noticed(receipt()), noticed(receipt()), noticed(receipt(log_index=4))
    names = [n.order_id for n in (*first, *other)]
    assert [n.order_id for n in again] == names[:2]
    assert len(set(names)) == 4
    assert all(len(name) == 32 for name in names)


def test_what_a_notice_lacks_is_named() -> None:
    with pytest.raises(GisError, match="no supplier 2"):
        noticed(receipt(), recipients={1: LEGAL})
    with pytest.raises(GisError, match="КПП"):
        payment_notices(noticed(receipt(), recipients={1: DEMO, 2: DEMO}))
    with pytest.raises(GisError, match="unified account"):
        payment_notices([replace(n, account=replace(GIS, unified_account="1")) for n in noticed(receipt())])
    with pytest.raises(GisError, match="split"):
        payment_notices([])


def test_the_values_behind_a_document_go_by_device() -> None:
    document = epd()
    devices = {reading.meter: guid_of(reading.meter) for reading in document.readings}
    root = check(meter_values(device_values(document, devices), DIRECTORY, house=guid_of("house")), DEVICES)
    assert texts(root, "MeteringValue") == ["107", "54"]
    assert texts(root, "MeteringValueT1", "MeteringValueT2") == ["1160", "460"]
    assert texts(root, "DateValue") == ["2026-02-01"] * 3
    with pytest.raises(GisError, match="has no GUID"):
        list(device_values(document, {}))


def test_control_values_volumes_and_verifications_are_valid_too() -> None:
    device, third = guid_of("device"), Fraction(1, 3)
    values = [
        DeviceValue(device, "cold_water", date(2026, 1, 20), JANUARY, (third,), Occasion.CONTROL),
        DeviceValue(device, "heating", date(2026, 1, 31), JANUARY, (Fraction("1.5"),), is_volume=True),
        DeviceValue(device, "electricity", date(2026, 1, 31), JANUARY, (Fraction(1), third, Fraction(3))),
    ]
    verified = [
        Verification(device, "hot_water", date(2026, 1, 10), date(2026, 1, 12), date(2026, 1, 13), (third,), (third,)),
        Verification(
            device, "electricity", date(2026, 1, 10), date(2026, 1, 12), date(2026, 1, 13), (third,), (third,)
        ),
    ]
    root = check(meter_values(values, DIRECTORY, verified), DEVICES)
    assert texts(root, "MeteringValue")[0] == "0.3333333"
    assert len(texts(root, "Period")) == 2, "a control value is of its day, not of a month"
    assert len(texts(root, "StartValue", "EndValue")) == 4


@pytest.mark.parametrize(
    "value",
    [
        DeviceValue(guid_of("d"), "cold_water", date(2026, 1, 1), JANUARY, (Fraction(1), Fraction(2))),
        DeviceValue(guid_of("d"), "electricity", date(2026, 1, 1), JANUARY, (Fraction(1),) * 4),
        DeviceValue(guid_of("d"), "electricity", date(2026, 1, 1), JANUARY, (Fraction(-1),)),
        DeviceValue("no guid", "electricity", date(2026, 1, 1), JANUARY, (Fraction(1),)),
    ],
)
def test_values_that_the_system_would_refuse_are_refused(value: DeviceValue) -> None:
    with pytest.raises(GisError):
        meter_values([value], DIRECTORY)


def test_sums_and_names_of_messages() -> None:
    assert [roubles(k) for k in (0, 5, -5, 123_456, -100)] == ["0.00", "0.05", "-0.05", "1234.56", "-1.00"]
    assert transport_guid("a", 1) == transport_guid("a", 1) != transport_guid("a", 2)
