"""What temporary absence takes off (ПП 354, раздел VIII; for solid waste п. 148(44) and приложение 4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from billing.domain.charge import Input, Part, PartKind, Scope
from billing.domain.events import Absence
from billing.domain.household import AccountMonth
from billing.domain.numbers import kopecks
from billing.domain.rules import Rule, rule_if_any
from billing.domain.standing import months_before
from contracts.wire.ids import Service

POINT = "п. 86–92"
WASTE_POINT = "п. 148(44), приложение 4"


@dataclass(frozen=True, slots=True)
class _Away:
    """On how many days so many persons were away, and by which applications."""

    days: int
    persons: int
    act: str


def days_away(absence: Absence) -> int:
    """Full days: neither that of departure nor that of return is one."""
    return (absence.returned - absence.departed).days - 1


def refusal_of(absence: Absence, rule: Rule) -> str | None:
    """Why an absence takes nothing off, in words for whoever applied; None where it does."""
    least, filed = rule.whole("absence_least_days"), rule.whole("absence_filed_within_days")
    if days_away(absence) < least:
        return f"{days_away(absence)} full days away; a recalculation needs {least} at least"
    if absence.filed > absence.returned + timedelta(days=filed):
        return f"applied for on {absence.filed}, more than {filed} days after the return on {absence.returned}"
    return None


def absence_parts(month: AccountMonth, service: Service, parts: Sequence[Part]) -> tuple[Part, ...]:
    """What absences take off the parts of a line that were charged by persons, a norm or, for waste, by area.

    Each is P = −A · n_away · D / (n · D_part): the part's own sum by the share of persons and of days. Days on which
    several absences run together count the persons of each, never more than there are.
    """
    out: list[Part] = []
    for part in parts:
        rule = rule_if_any(month, service, part.span.first)
        if part.kind is not PartKind.CHARGE or part.scope is Scope.COMMON or rule is None:
            continue
        if not rule.has("absence_least_days") or not _by_persons(part, rule):
            continue
        out += [_absence_part(month, service, part, away, rule) for away in _stretches(month, service, part, rule)]
    return tuple(out)


def _by_persons(part: Part, rule: Rule) -> bool:
    """Whether a part counts persons: a norm's n stands among its inputs; waste by area counts them in the rule."""
    return any(given.unit == "person" for given in part.inputs) or rule.has("absence_by_area")


def _stretches(month: AccountMonth, service: Service, part: Part, rule: Rule) -> Iterator[_Away]:
    """The absences of a part: days on which the same ones hold, together."""
    persons = month.household.persons_on(part.span.first)
    counted: dict[tuple[int, str], int] = {}
    absences = [
        event
        for event in month.events
        if isinstance(event, Absence) and refusal_of(event, rule) is None and _may(month, service, part, event, rule)
    ]
    for offset in range(part.span.days):
        day = part.span.first + timedelta(days=offset)
        there = [event for event in absences if _is_away(event, day, rule)]
        if there:
            away = min(sum(event.persons for event in there), persons)
            act = "; ".join(dict.fromkeys(event.act for event in there))
            counted[away, act] = counted.get((away, act), 0) + 1
    for (away, act), days in counted.items():
        yield _Away(days, away, act)


def _may(month: AccountMonth, service: Service, part: Part, absence: Absence, rule: Rule) -> bool:
    """Where a meter could stand and does not, absence takes nothing off, but for a force of nature or of the law."""
    if not rule.has("absence_needs_no_meter_possible") or absence.beyond_control:
        return True
    impossible = month.household.no_meter_possible
    behind = [given.symbol.removeprefix("n_") for given in part.inputs if given.symbol.startswith("n_")]
    return all(Service[name.upper()] in impossible for name in behind) if behind else service in impossible


def _is_away(absence: Absence, day: date, rule: Rule) -> bool:
    """A day between departure and return, within as many months of the departure as one application covers."""
    longest = rule.whole("absence_longest_months")
    return absence.departed < day < absence.returned and months_before(day, longest) <= absence.departed


def _absence_part(month: AccountMonth, service: Service, part: Part, away: _Away, rule: Rule) -> Part:
    persons = month.household.persons_on(part.span.first)
    charged = Fraction(part.amount_kopecks, 100)
    by_norm, whole = _norm_share(part)
    amount = -kopecks(charged * by_norm / whole * away.persons * away.days / (persons * part.span.days))
    inputs = [Input.of("A", charged, "RUB")]
    formula = "P = −A"
    if by_norm != whole:
        inputs += [Input.of("V_by_norm", by_norm, "m3"), Input.of("V", whole, "m3")]
        formula += " · V_by_norm / V"
    inputs += [
        Input.of("n_away", away.persons, "person"), Input.of("D", away.days, "day"), Input.of("n", persons, "person"),
        Input.of("D_part", part.span.days, "day"),
    ]  # fmt: skip
    point = WASTE_POINT if service is Service.SOLID_WASTE else POINT
    return Part(
        f"{formula} · n_away · D / (n · D_part)", f"ПП РФ от 06.05.2011 № 354, {point}; {away.act}", tuple(inputs),
        (rule.version,), part.span, amount, part.zone, kind=PartKind.RECALCULATION,
    )  # fmt: skip


def _norm_share(part: Part) -> tuple[Fraction, Fraction]:
    """How much of the part's volume came by norm: sewage may be of a metered and of an unmetered water."""
    volumes = [given for given in part.inputs if given.symbol.startswith("V_") and given.unit == "m3"]
    by_norm = sum((Fraction(given.value) for given in volumes if given.formula), Fraction(0))
    whole = sum((Fraction(given.value) for given in volumes), Fraction(0))
    return (by_norm, whole) if 0 < by_norm < whole else (Fraction(1), Fraction(1))
