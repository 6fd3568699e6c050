"""What the house uses in common, on paper and for ГИС ЖКХ: with a house meter and without, on whose line it stands."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

import pytest

from billing.domain.household import Management
from billing.domain.readings import ReadingUsed
from billing.paper import render
from billing.paper.assemble import payment_document
from billing.paper.epd import PaymentDocument
from billing.paper.epd_sheet import payment_sheet
from billing.paper.gis.payment_documents import payment_documents
from contracts.wire.ids import Service, SourceClass, SupplierId
from contracts.wire.leaf import Quality
from tests.billing.builders import ROOT, meter_id
from tests.billing.paper.gis import DIRECTORY, check, texts
from tests.billing.paper.scene import PERSON, document_of, view_of
from tests.billing.test_common import COMMON_NORM, SPAN, TARIFF, flat, house, rules, t1

BILLS = "bills/hcs-bills-types.xsd"
HOUSING = {**TARIFF, "name": "housing", "service": "housing", "unit": "m2", "rates": {"single": "20.5"}}
HOUSE_READINGS = tuple(
    ReadingUsed(meter_id(9), 0, at, value, Quality.MEASURED, SourceClass.CONCENTRATOR, ROOT, 90 + leaf)
    for leaf, (at, value) in enumerate(((SPAN.start_ts, 500_000_000), (SPAN.end_ts, 512_000_000)))
)


def printed(month: object) -> PaymentDocument:
    document = document_of(month)  # type: ignore[arg-type]
    day = datetime(2026, 2, 3, tzinfo=UTC).date()
    return payment_document(view_of(document), document, PERSON, printed_on=day, due=day)


def test_the_published_house_stands_apart_on_the_utility_s_line() -> None:
    """(12000 − 1000 − 4000 − 5000) · 60 / 2400 · 1.936 = 96.80: 50 kWh of common use beside the flat's own 150."""
    document = printed(flat(t1(readings=HOUSE_READINGS)))
    (row,) = document.rows
    assert (row.volume, row.common_volume) == (150, 50)
    assert sum(d.amount_kopecks for d in row.details if d.is_common) == 96_80
    own, of_house = document.readings
    assert (own.is_house, own.current, own.services) == (False, 150, ("electricity",))
    assert (of_house.is_house, of_house.previous, of_house.current) == (True, 500_000, 512_000)


def test_the_system_is_told_both_volumes_and_the_house_s_own() -> None:
    root = check(payment_documents([printed(flat(t1(readings=HOUSE_READINGS)))], DIRECTORY), BILLS)
    volumes = [(e.get("type"), e.get("determiningMethod"), e.text) for e in root.iter("{*}Volume")]
    assert volumes == [("I", "M", "150"), ("O", "M", "50")]
    assert texts(root, "houseTotalIndividualConsumption", "houseTotalHouseOverallNeeds") == ["10000", "2000"]
    assert texts(root, "houseOverallNeedsCurrentValue", "individualConsumptionCurrentValue") == ["150", "512000"]
    assert len(texts(root, "MeteringDevice")) == 1, "the house's meter is not the flat's"


def test_without_a_house_meter_the_norm_is_told() -> None:
    document = printed(flat(t1(volume=None), tariffs=rules("none", "norm", COMMON_NORM)))
    root = check(payment_documents([document], DIRECTORY), BILLS)
    assert [e.get("determiningMethod") for e in root.iter("{*}Volume")] == ["M", "N"]
    assert texts(root, "houseOverallNeedsNorm") == ["2"]
    assert "Норматив потребления" in render.html(payment_sheet(document))


@pytest.mark.parametrize("negative", ["area", "persons"])
def test_a_house_that_used_less_takes_off_and_is_still_valid(negative: str) -> None:
    document = printed(flat(t1(volume=9_000_000), tariffs=rules(negative)))
    (row,) = document.rows
    assert row.common_volume is not None
    assert row.common_volume < 0
    check(payment_documents([document], DIRECTORY), BILLS)


def test_a_company_s_line_names_each_resource_of_the_common_property() -> None:
    """КР на СОИ: the electricity of the common property stands within the housing line, at its own rate."""
    suppliers = {Service.ELECTRICITY: SupplierId(3), Service.HOUSING: SupplierId(4)}
    month = flat(
        t1(readings=HOUSE_READINGS),
        at=house(Management.COMPANY),
        suppliers=suppliers,
        tariffs=rules("none", "none", HOUSING),
    )
    document = printed(month)
    housing = next(row for row in document.rows if row.service == "housing")
    (resource, details), *none = housing.resources.items()
    assert (resource, none, sum(d.amount_kopecks for d in details)) == ("electricity", [], 96_80)
    assert housing.rates == (Fraction("20.5"),)
    assert housing.charged_kopecks == 60 * 20_50 + 96_80
    assert [(r.services, r.unit) for r in document.readings if r.is_house] == [(("electricity",), "kWh")]
    page = render.html(payment_sheet(document))
    assert "в том числе на общее имущество: электроснабжение" in page
    assert "(96,80)" in page
    root = check(payment_documents([document], DIRECTORY), BILLS)
    assert len(texts(root, "MunicipalResource")) == 1
    assert texts(root, "Rate") == ["1.936", "20.5", "1.936"]
