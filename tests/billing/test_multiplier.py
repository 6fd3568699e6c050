"""The raising coefficient of ф. 4(1): it raises what is paid and not what was used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from fractions import Fraction

import pytest

from billing.domain.charge import ChargedLine, Part, explain
from billing.domain.events import Tampering
from billing.domain.household import AccountMonth
from billing.domain.numbers import exact, kopecks
from billing.domain.services import charge_account
from billing.domain.tariff import TariffSet
from contracts.wire.ids import Service, SupplierId
from tests.billing.builders import household, month_of, tariffs_of
from tests.billing.cases import event, shipped
from tests.billing.paper.scene import epd
from tests.billing.recompute import recompute

HOT = {"water": "43.57", "heat": "2546.83", "heat_per_m3": "0.0583"}


def line_of(month: AccountMonth, service: Service) -> ChargedLine:
    (line,) = [line for line in charge_account(month) if line.service is service]
    for part in json.loads(json.dumps(explain(line)))["parts"]:
        assert recompute(part) == part["amount_kopecks"]
    return line


def power(persons: int, **changes: object) -> AccountMonth:
    """Krasnoyarsk, two rooms, no meter: 74 kWh a person for two, 110 kWh and more within the social norm."""
    flat = household(residents=((date(2020, 1, 1), persons),))
    return month_of(flat=flat, suppliers={Service.ELECTRICITY: SupplierId(3)}, **changes)  # type: ignore[arg-type]


def given(part: Part) -> Mapping[str, str]:
    return {one.symbol: one.value for one in part.inputs}


def test_the_social_norm_is_filled_by_what_was_used_and_not_by_what_is_paid() -> None:
    """148 kWh are within the 150 of two persons, whatever they cost: 148 · 1.5 · 3.25 = 721.50."""
    line = line_of(power(2), Service.ELECTRICITY)
    (part,) = line.parts
    assert (line.quantity, line.amount_kopecks, part.surcharge_kopecks) == (148_000, 72150, 24050)
    assert (part.formula, given(part)["V"], given(part)["K"]) == ("P = V · K · T", "148", "1.5")


def test_both_steps_are_raised_alike() -> None:
    """One person alone in two rooms uses more than 110 kWh by the norm; each step costs half as much again."""
    plain = line_of(power(1, tariffs=_krasnoyarsk(None)), Service.ELECTRICITY)
    raised = line_of(power(1, tariffs=_krasnoyarsk("1.5")), Service.ELECTRICITY)
    assert [given(part).get("V_within", given(part).get("V_over")) for part in plain.parts] == [
        given(part).get("V_within", given(part).get("V_over")) for part in raised.parts
    ]
    assert len(raised.parts) == 2
    assert [part.amount_kopecks for part in raised.parts] == [
        kopecks(Fraction(part.amount_kopecks, 100) * Fraction(3, 2)) for part in plain.parts
    ]


def _krasnoyarsk(multiplier: str | None) -> TariffSet:
    documents = [shipped("krasnoyarsk-electricity-2022-12"), shipped("krasnoyarsk-electricity-norm")]
    if multiplier is not None:
        documents.append(shipped("russia-electricity-multiplier-2017", rates={"single": multiplier}))
    return tariffs_of(*documents)


def test_tampering_multiplies_the_volume_itself() -> None:
    """п. 81(11) charges a volume of ten norms: 1480 kWh, so that the steps above fill up too."""
    sealed = event(Tampering, service=Service.ELECTRICITY, since=date(2025, 12, 20), found=date(2026, 1, 10))
    line = line_of(power(2, events=(sealed,)), Service.ELECTRICITY)
    assert {given(part)["V"] for part in line.parts} == {"1480"}


@pytest.mark.parametrize(
    ("rates", "water", "heat"),
    [
        ({"single": "1.5"}, "620.22", "2113.62"),
        ({"single": "1.5", "heat": "1"}, "620.22", "1409.08"),
        ({"single": "1.5", "heat": "1.2"}, "620.22", "1690.89"),
    ],
)
def test_heat_in_hot_water_is_raised_as_the_document_says(rates: dict[str, str], water: str, heat: str) -> None:
    """Two persons, 4.745 m³ each: 9.49 · 43.57 · 1.5 = 620.22; 9.49 · 0.0583 · 2546.83 = 1409.08, raised or not."""
    line = line_of(two_components(rates), Service.HOT_WATER)
    assert [part.amount_kopecks for part in line.parts] == [kopecks(exact(water)), kopecks(exact(heat))]
    plain = line_of(two_components({"single": "1"}), Service.HOT_WATER)
    for part, base in zip(line.parts, plain.parts, strict=True):
        assert abs(part.amount_kopecks - part.surcharge_kopecks - base.amount_kopecks) <= 1


def two_components(multiplier: dict[str, str]) -> AccountMonth:
    return month_of(
        tariffs=tariffs_of(
            shipped("moscow-hot-water-2021-07", area="russia", rates=HOT),
            shipped("moscow-hot-water-norm", area="russia"),
            shipped("russia-hot-water-multiplier-2017", rates=multiplier),
        ),
        suppliers={Service.HOT_WATER: SupplierId(2)},
    )


@pytest.mark.parametrize(
    ("month", "volumes"), [(two_components({"single": "1.5"}), ["9.49", "0.553267"]), (power(2), ["148"])]
)
def test_the_payment_document_shows_the_volume_before_the_coefficient(month: AccountMonth, volumes: list[str]) -> None:
    """ГИС ЖКХ wants the consumption and the ratio apart: their product is what the rate multiplies."""
    (row,) = epd(month).rows
    assert row.multiplier == Fraction(3, 2)
    assert [detail.volume for detail in row.details] == [exact(volume) for volume in volumes]
    for detail in row.details:
        assert detail.rate is not None
        assert detail.volume is not None
        assert kopecks(detail.volume * detail.rate * Fraction(3, 2)) == detail.amount_kopecks
