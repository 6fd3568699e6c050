"""What interruptions and poor quality take off (ПП 354, раздел IX and приложение 1).

Hours of a period are added up and count when they are whole: an hour begun is not an hour exceeded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from billing.domain.calendar import zone_of
from billing.domain.charge import ChargedLine, Input, Part, PartKind
from billing.domain.events import Event, Interruption, PoorQuality
from billing.domain.household import AccountMonth
from billing.domain.numbers import kopecks
from billing.domain.parts import LITRES, tariff_on
from billing.domain.rules import Rule, rule_on
from billing.domain.tariff import Version
from contracts.wire.ids import Service

HOUR_S = 3600
TENTHS = 10
ACT = "ПП РФ от 06.05.2011 № 354, приложение 1"


@dataclass(frozen=True, slots=True)
class _Less:
    """One reduction of a line: the formula after ``P = −A``, its inputs, what it takes of A, and the acts."""

    formula: str
    inputs: tuple[Input, ...]
    share: Fraction
    acts: tuple[str, ...]
    versions: tuple[Version, ...] = ()


def quality_parts(month: AccountMonth, line: ChargedLine, left_kopecks: int) -> tuple[Part, ...]:
    """The reductions of a line, one after another off what is left of it, ``left_kopecks`` at first.

    Raises NoTariff where an event needs a rule and none is in force, TariffError where the rule lacks a number.
    """
    mine = [e for e in month.events if isinstance(e, Interruption | PoorQuality) and e.service is line.service]
    mine = [e for e in mine if e.start < month.span.end_ts and e.end > month.span.start_ts]
    if not mine:
        return ()
    rule = rule_on(month, line.service, month.span.first)
    out: list[Part] = []
    for less in _reductions(month, line, mine, rule):
        share = less.share
        if share == 0 or left_kopecks <= 0:
            continue
        charged = Fraction(left_kopecks, 100)
        amount = -kopecks(charged * share)
        left_kopecks += amount
        point = "; ".join((ACT, *dict.fromkeys(less.acts)))
        inputs = (Input.of("A", charged, "RUB"), *less.inputs)
        versions = (rule.version, *less.versions)
        formula = f"P = −A · {less.formula}"
        out.append(Part(formula, point, inputs, versions, month.span, amount, kind=PartKind.RECALCULATION))
    return tuple(out)


def _reductions(month: AccountMonth, line: ChargedLine, events: Sequence[Event], rule: Rule) -> list[_Less]:
    found = [_interrupted(month, [e for e in events if isinstance(e, Interruption)], rule)]
    poor = [e for e in events if isinstance(e, PoorQuality)]
    warmth = [e for e in poor if e.measure == "temperature"]
    if warmth:
        found += [_as_cold(month, line, warmth, rule), _by_degrees(month, warmth, rule)]
    for measure in dict.fromkeys(e.measure for e in poor if e.measure != "temperature"):
        found.append(_by_measure(month, [e for e in poor if e.measure == measure], rule))
    return [less for less in found if less is not None]


# --- interruptions -------------------------------------------------------------------------------------------------


def _interrupted(month: AccountMonth, events: Sequence[Interruption], rule: Rule) -> _Less | None:
    """Per hour (solid waste: per 24) beyond what is allowed: over the month, or at once, whichever is more."""
    if not events:
        return None
    once = rule.whole("interruption_once_hours")
    seconds = sum(_within(month, e.start, e.end) for e in events)
    over_month = seconds - rule.whole("interruption_month_hours") * HOUR_S
    allowed = [(e, (once if e.allowed_hours is None else e.allowed_hours) * HOUR_S) for e in events]
    at_once = sum(_within(month, e.start + limit, e.end) for e, limit in allowed)
    hours = max(over_month, at_once, 0) // HOUR_S
    step = rule.whole("interruption_step_hours")
    rate = rule.number("interruption_rate")
    steps = hours // step
    symbol = Input.of("h", steps, "h" if step == 1 else f"{step} h")
    return _Less("min(1, r · h)", (Input.of("r", rate, "1"), symbol), min(Fraction(1), rate * steps), _acts(events))


# --- quality -------------------------------------------------------------------------------------------------------


def _by_measure(month: AccountMonth, events: Sequence[PoorQuality], rule: Rule) -> _Less:
    """What the rule says of a measure: so much an hour, or nothing charged for each day on which it was wrong."""
    measure = events[0].measure
    if rule.has(f"{measure}_day"):
        days = {day for e in events for day in _days(month, e)}
        all_days, share = month.span.days, rule.number(f"{measure}_day")
        by_day = (Input.of("r", share, "1"), Input.of("D", len(days), "day"), Input.of("D_month", all_days, "day"))
        taken = min(Fraction(1), share * len(days) / all_days)
        return _Less("min(1, r · D / D_month)", by_day, taken, _acts(events))
    rate = rule.number(f"{measure}_rate")
    hours = sum(_within(month, e.start, e.end) for e in events) // HOUR_S
    inputs = (Input.of("r", rate, "1"), Input.of("h", hours, "h"))
    return _Less("min(1, r · h)", inputs, min(Fraction(1), rate * hours), _acts(events))


def _by_degrees(month: AccountMonth, events: Sequence[PoorQuality], rule: Rule) -> _Less:
    """So much an hour and step of degrees below what is due less what the hour allows; too cold hours are not here."""
    rate, step = rule.number("temperature_rate"), rule.number("temperature_step")
    degree_hours = 0
    for event in events:
        if _is_cold(event, rule):
            continue
        due = rule.number("temperature_norm") if event.norm_tenths is None else Fraction(event.norm_tenths, TENTHS)
        found = Fraction(event.measured_tenths or 0, TENTHS)
        for by_night in (False, True):
            allowed = rule.number("temperature_night_tolerance" if by_night else "temperature_day_tolerance")
            steps = max((due - allowed - found) // step, 0)
            degree_hours += steps * _hours(month, event, rule, by_night)
    inputs = (Input.of("r", rate, "1"), Input.of("G", degree_hours, "step·h"))
    return _Less("min(1, r · G)", inputs, min(Fraction(1), rate * degree_hours), _acts(events))


def _as_cold(month: AccountMonth, line: ChargedLine, events: Sequence[PoorQuality], rule: Rule) -> _Less | None:
    """Hours in which hot water was too cold are paid by the tariff for cold water."""
    cold = [e for e in events if _is_cold(e, rule)]
    hours = sum(_within(month, e.start, e.end) for e in cold) // HOUR_S
    if not hours or line.amount_kopecks <= 0:
        return None
    tariff = tariff_on(month, Service.COLD_WATER, month.span.first)
    volume, rate = Fraction(line.quantity, LITRES), tariff.document.rates["single"]
    all_hours = (month.span.end_ts - month.span.start_ts) // HOUR_S
    whole = Fraction(line.charged_kopecks, 100)
    inputs = (
        Input.of("V", volume, "m3"), Input.of("T_cold", rate, "RUB/m3"), Input.of("A_month", whole, "RUB"),
        Input.of("h", hours, "h"), Input.of("H", all_hours, "h"),
    )  # fmt: skip
    share = max(Fraction(0), 1 - volume * rate / whole) * min(hours, all_hours) / all_hours
    return _Less("max(0, 1 − V · T_cold / A_month) · min(h, H) / H", inputs, share, _acts(cold), (tariff,))


def _is_cold(event: PoorQuality, rule: Rule) -> bool:
    measured = Fraction(event.measured_tenths or 0, TENTHS)
    return rule.has("temperature_cold_below") and measured < rule.number("temperature_cold_below")


# --- time ----------------------------------------------------------------------------------------------------------


def _within(month: AccountMonth, start: int, end: int) -> int:
    """Seconds of a stretch that lie in the month."""
    return max(0, min(end, month.span.end_ts) - max(start, month.span.start_ts))


def _hours(month: AccountMonth, event: PoorQuality, rule: Rule, by_night: bool) -> int:
    """Whole hours of an event in the month that begin by night, or by day, on the house's clock."""
    first, end = rule.whole("night_from_hour"), rule.whole("night_to_hour")
    zone = zone_of(month.house.zone)
    start = max(event.start, month.span.start_ts)
    begins = range(start, start + _within(month, event.start, event.end) - HOUR_S + 1, HOUR_S)
    return sum((first <= datetime.fromtimestamp(at, zone).hour < end) is by_night for at in begins)


def _days(month: AccountMonth, event: PoorQuality) -> set[int]:
    """Local days of the month on which an event was, by their ordinals."""
    zone = zone_of(month.house.zone)
    start, end = max(event.start, month.span.start_ts), min(event.end, month.span.end_ts)
    first, last = (datetime.fromtimestamp(at, zone).date().toordinal() for at in (start, max(start, end - 1)))
    return set(range(first, last + 1))


def _acts(events: Sequence[Event]) -> tuple[str, ...]:
    return tuple(event.act for event in events)
