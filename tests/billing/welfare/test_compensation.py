"""Compensation against published cases, and as properties.

The cases: capital repair by Krasnoyarskenergosbyt (40 m², alone, 80+, norm 33 m², 10.04); by the welfare office of a
district of Chelyabinsk (11.20 a m², norms of 54, 36 and 18 m² a beneficiary; 2023); Rostov's norms of a household
(33, 42, 54 m²); a home of Batyrevo, Chuvashia, with utilities below and above their norms of consumption.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.welfare.compensation import (
    BilledLine,
    Bounds,
    Claim,
    Dwelling,
    NoBound,
    VolumeNorm,
    choose,
    compensate,
)
from billing.welfare.reference import AreaNorm, Category, Sheet
from billing.welfare.working import Working
from contracts.wire.ids import Service
from tests.billing.welfare.recompute import recomputed
from tests.billing.welfare.sheets import area_norm, category, shipped_book

DAY = date(2024, 6, 1)
REPAIR = Service.CAPITAL_REPAIR


def body(sheet: Sheet) -> tuple[Sheet, Category]:
    assert isinstance(sheet.body, Category)
    return sheet, sheet.body


def bounds(norm: Sheet | None = None, **volumes: str) -> Bounds:
    area = None if norm is None or not isinstance(norm.body, AreaNorm) else (norm, norm.body)
    norms = {Service[name.upper()]: VolumeNorm(Fraction(value), "m3", "act") for name, value in volumes.items()}
    return Bounds(area, norms)


def line(service: Service, kopecks: int, *, volume: str = "0", surcharge: int = 0) -> BilledLine:
    return BilledLine(service, 0, kopecks, surcharge, Fraction(volume))


def sum_of(working: Working | None) -> int:
    assert working is not None
    assert recomputed(working.explain()) == working.amount_kopecks
    return working.amount_kopecks


def test_krasnoyarsk_compensates_33_of_40_square_metres() -> None:
    book = shipped_book()
    found = book.category("capital-repair-80", ("krasnoyarsk", "russia"), DAY)
    area = book.require(AreaNorm, ("krasnoyarsk", "russia"), DAY)
    charged = line(REPAIR, 40160)
    working = compensate(charged, found, Dwelling(Fraction(40), 1), Bounds(area, {}))
    assert sum_of(working) == 33132


@pytest.mark.parametrize(
    ("age", "persons", "area", "kopecks"),
    [(70, 1, "60", 30240), (70, 2, "60", 20160), (70, 3, "60", 10080), (80, 1, "54", 60480), (80, 2, "41.7", 40320)],
)
def test_chelyabinsk_s_published_sums(age: int, persons: int, area: str, kopecks: int) -> None:
    book = shipped_book()
    norm = area_norm("54", "36", "18")
    found = book.category(f"capital-repair-{age}", ("chelyabinsk", "russia"), DAY)
    flat = Dwelling(Fraction(area), persons)
    charged = line(REPAIR, round(flat.area_m2 * 1120))
    assert sum_of(compensate(charged, found, flat, bounds(norm))) == kopecks


@pytest.mark.parametrize(("persons", "m2"), [(1, 33), (2, 42), (3, 54), (5, 54)])
def test_rostov_s_norms_are_of_a_household(persons: int, m2: int) -> None:
    assert shipped_book().require(AreaNorm, ("rostov",), DAY)[1].of(persons) == m2


@pytest.mark.parametrize(("persons", "m2"), [(1, 33), (2, 44), (3, 66)])
def test_krasnoyarsk_s_norms_are_by_person_but_for_one_alone(persons: int, m2: int) -> None:
    assert shipped_book().require(AreaNorm, ("krasnoyarsk",), DAY)[1].of(persons) == m2


@pytest.mark.parametrize(
    ("service", "kopecks", "volume", "norm", "wanted"),
    [
        (Service.COLD_WATER, 9420, "3", "4.029", 4710),
        (Service.SEWAGE, 12756, "4", "4.029", 6378),
        (Service.ELECTRICITY, 19600, "100", "95", 9310),  # above the norm: 1.96 · 95 / 2
    ],
)
def test_batyrevo_s_home_within_and_above_the_norms(
    service: Service, kopecks: int, volume: str, norm: str, wanted: int
) -> None:
    name = service.name.lower()
    found = body(category("family", **{name: ("0.5", "volume")}))
    charged = line(service, kopecks, volume=volume)
    assert sum_of(compensate(charged, found, Dwelling(Fraction(35), 1), bounds(**{name: norm}))) == wanted


def test_a_raising_coefficient_is_not_compensated() -> None:
    # F4(1), domain: n = 2, N = 6.935, T = 43.57: 604.32 of 906.47 is the norm's, 302.16 the multiplier's.
    found = body(category("family", cold_water=("0.5", "volume")))
    charged = line(Service.COLD_WATER, 90647, volume="13.87", surcharge=30216)
    working = compensate(charged, found, Dwelling(Fraction(50), 2), bounds(cold_water="6.935"))
    assert sum_of(working) == 30216  # half of 604.31


def test_a_person_s_category_covers_the_person_s_part() -> None:
    found = body(category("person", heating=("0.5", "area")))
    charged = line(Service.HEATING, 300_00)
    assert (
        sum_of(compensate(charged, found, Dwelling(Fraction(60), 3), bounds(area_norm("33", per_person="22")))) == 50_00
    )


def test_a_norm_that_nobody_published_is_named() -> None:
    found = body(category("family", heating=("0.5", "area"), gas=("0.5", "volume")))
    for service in (Service.HEATING, Service.GAS):
        with pytest.raises(NoBound, match=service.name.lower()):
            compensate(line(service, 100, volume="1"), found, Dwelling(Fraction(30), 1), bounds())


money = st.integers(0, 10**7)
shares = st.integers(0, 100).map(lambda percent: f"{percent / 100:.2f}")


@given(
    charged=money, part=st.integers(0, 100), persons=st.integers(1, 9), area=st.integers(1, 30_000),
    first=shares, second=shares, covers=st.sampled_from(["person", "family"]),
    within=st.sampled_from(["area", "volume", "whole"]), volume=st.integers(0, 10**6),
)  # fmt: skip
def test_never_above_the_charge_and_grows_with_the_share(
    *, charged: int, part: int, persons: int, area: int, first: str, second: str, covers: str, within: str, volume: int
) -> None:
    surcharge = charged * part // 100
    bill = BilledLine(Service.COLD_WATER, 0, charged, surcharge, Fraction(volume, 1000))
    flat, limits = Dwelling(Fraction(area, 100), persons), bounds(area_norm("33", per_person="22"), cold_water="6.935")
    sums = []
    for share in sorted((first, second)):
        found = body(category(covers, cold_water=(share, within)))
        sums.append(sum_of(compensate(bill, found, flat, limits)))
    assert 0 <= sums[0] <= sums[1] <= charged - surcharge


@given(claims=st.lists(st.tuples(st.sampled_from(["", "1", "2", "3"]), st.integers(0, 1000)), max_size=8))
def test_of_two_titles_of_one_person_the_better_holds(claims: list[tuple[str, int]]) -> None:
    given_claims = [
        Claim(str(i), person, Working("benefit", "P = A", "act", (), (), amount))
        for i, (person, amount) in enumerate(claims)
    ]
    chosen = choose(given_claims)
    together = sum(claim.working.amount_kopecks for claim in chosen)
    by_person = {person: max(a for p, a in claims if p == person) for person in {p for p, _ in claims}}
    family = by_person.pop("", 0)
    assert together == max(family, sum(by_person.values()))
    assert len({claim.person for claim in chosen}) == len(chosen)
