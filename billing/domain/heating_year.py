"""Heating paid evenly over the year: the mean of the year before, and what January sets right (F3(2), F3(4))."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from billing.domain import house_formulas
from billing.domain.calendar import cut, local_date, month_span
from billing.domain.charge import Input, Part, PartKind
from billing.domain.house_heat import heat_of, is_all_metered
from billing.domain.house_use import HouseUse
from billing.domain.household import DM2_PER_M2, AccountMonth
from billing.domain.parts import MICRO
from billing.domain.tariff import Kind, Version
from billing.domain.usage import PastMonth
from contracts.wire.ids import Period, Service

MONTHS = 12
JANUARY = 1


def is_uniform(month: AccountMonth, period: Period) -> bool:
    """Whether the house paid for heating evenly over the year in a period."""
    terms = month.house.terms_on(date(period.year, period.month, 1))
    return terms is not None and terms.uniform_heating


def last_year_volume(use: HouseUse | None, year: int) -> int | None:
    """What the house's meter showed over the calendar year before, 10⁻⁶ Gcal; None where it is not known whole."""
    if use is None:
        return None
    volumes = [use.past[number].volume for number in range((year - 1) * 100 + 1, (year - 1) * 100 + MONTHS + 1)
               if number in use.past]  # fmt: skip
    known = [volume for volume in volumes if volume is not None]
    return sum(known) if len(known) == MONTHS else use.last_year


def correction(month: AccountMonth) -> Part | None:
    """F3(2), in January: last year's payment by the meters less what was charged for it; may be below nothing. F3(4)
    where every premises had a meter of its own.

    The months that count are those the account was charged evenly for and the house's meter told. None in other
    months, and where no such month is known. Raises NoTariff.
    """
    use = month.house_use.get(Service.HEATING)
    if use is None or month.period.month != JANUARY:
        return None
    charged = {number: past for number, past in _last_year(month).items()
               if is_uniform(month, Period.from_number(number)) and _is_told(use, number)}  # fmt: skip
    if not charged:
        return None
    stretches = _by_tariff(month, use, charged)
    paid = sum(past.charged_kopecks for past in charged.values())
    by_flat_meters = any(use.past[number].metered_dm2 for number in charged)
    area, whole = month.household.area_m2, Fraction(use.area_dm2, DM2_PER_M2)
    if by_flat_meters:
        area = whole = Fraction(1)
    year = [(volume, version.document.rates["single"]) for version, volume in stretches]
    amount = house_formulas.heating_correction(area, whole, year, paid)
    sums = " + ".join(f"V_{i} · T_{i}" for i in range(1, len(year) + 1))
    formula = f"P = {sums} − P_charged" if by_flat_meters else f"P = ({sums}) · S / S_house − P_charged"
    shares = () if by_flat_meters else (Input.of("S", area, "m2"), Input.of("S_house", whole, "m2"))
    inputs = (
        *(given for i, (volume, rate) in enumerate(year, start=1)
          for given in (Input.of(f"V_{i}", volume, "Gcal"), Input.of(f"T_{i}", rate, "RUB/Gcal"))),
        *shares,
        Input.of("P_charged", Fraction(paid, 100), "RUB"),
    )  # fmt: skip
    versions = tuple(version for version, _ in stretches)
    point = "ф. 3(4)" if all(is_all_metered(use.past[number]) for number in charged) else "ф. 3(2)"
    return Part(formula, point, inputs, versions, month.span, amount, kind=PartKind.RECALCULATION)


def _last_year(month: AccountMonth) -> dict[int, PastMonth]:
    """The account's heating of the calendar year before, by the number of the period."""
    found = {}
    for past in month.history.get(Service.HEATING, ()):
        day = local_date(past.start_ts, month.house.zone)
        if day.year == month.period.year - 1:
            found[day.year * 100 + day.month] = past
    return found


def _is_told(use: HouseUse, number: int) -> bool:
    return number in use.past and use.past[number].volume is not None


def _by_tariff(month: AccountMonth, use: HouseUse, charged: dict[int, PastMonth]) -> list[tuple[Version, Fraction]]:
    """Last year's Gcal under each tariff in turn: the house's, or where flats have meters the account's own.

    A month within which the tariff changed is shared by days.
    """
    out: dict[int, tuple[Version, Fraction]] = {}
    metered = any(use.past[number].metered_dm2 for number in charged)
    for number in sorted(charged):
        past = use.past[number]
        own = charged[number].by_zone
        volume = heat_of(past, month.household.area_dm2, sum(own.values()) if own else None)
        volume = (volume if metered else Fraction(past.volume or 0)) / MICRO
        span = month_span(Period.from_number(number), month.house.zone)
        for piece in cut(span, month.tariffs.changes([Service.HEATING], month.house.areas, span), month.house.zone):
            version = month.tariffs.require(
                Kind.TARIFF, Service.HEATING, month.house.areas, piece.first, month.features
            )
            before = out.get(version.number, (version, Fraction(0)))[1]
            out[version.number] = version, before + volume * Fraction(piece.days, span.days)
    return list(out.values())
