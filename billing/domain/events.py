"""What befell an account: absences, interruptions, tampering, refused inspections, broken meters, changes of ownership.

Each names the act or the application behind it. Days are the house's own; moments are seconds UTC. An event says what
happened; what follows from it is for the rules, which read their numbers from documents of the kind ``rule``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import date
from typing import Any, get_type_hints

from contracts.wire.ids import Service


class EventError(ValueError):
    """An event cannot be; names the field and what to write."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"event {kind}: {reason}")
        self.kind, self.reason = kind, reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something with an act, or an application, behind it."""

    act: str

    def __post_init__(self) -> None:
        if not self.act:
            raise EventError(kind_of(self), "the act is missing; name the act or the application")


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence(Event):
    """Somebody was away (ПП 354, п. 86–92). Neither the day of departure nor that of return counts as away.

    ``beyond_control`` says that a force of nature or of the law kept them away: the lack of a meter is then no
    obstacle.
    """

    departed: date
    returned: date
    persons: int
    filed: date
    beyond_control: bool = False

    def __post_init__(self) -> None:
        Event.__post_init__(self)
        _in_order("absence", self.departed, self.returned)
        if self.persons < 1:
            raise EventError("absence", "nobody was away; give the number of persons")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption(Event):
    """A service was not there (ПП 354, приложение 1). ``allowed_hours`` is what is allowed at once in a case of its
    own (a dead-end main, a second source of power, indoor cold); None where the rule's own number holds."""

    service: Service
    start: int
    end: int
    allowed_hours: int | None = None

    def __post_init__(self) -> None:
        Event.__post_init__(self)
        _in_order("interruption", self.start, self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoorQuality(Event):
    """A service was there and not as it should be (ПП 354, приложение 1).

    ``measure`` is what was wrong, as the rule's document names it: ``temperature``, ``pressure``, ``composition`` …
    ``measured_tenths`` is the temperature found, in tenths of °C; ``norm_tenths`` the one due in a case of its own.
    """

    service: Service
    measure: str
    start: int
    end: int
    measured_tenths: int | None = None
    norm_tenths: int | None = None

    def __post_init__(self) -> None:
        Event.__post_init__(self)
        _in_order("poor_quality", self.start, self.end)
        if self.measure == "temperature" and self.measured_tenths is None:
            raise EventError("poor_quality", "measured_tenths is missing; give the temperature found, in tenths of °C")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tampering(Event):
    """A meter was tampered with, or a tap made past it (ПП 354, п. 62 and 81(11)).

    ``since`` is the day of sealing, or of the check before; ``found`` that of the act; ``cured`` the first day on
    which it no longer was, None while it lasts.
    """

    service: Service
    since: date
    found: date
    cured: date | None = None

    def __post_init__(self) -> None:
        Event.__post_init__(self)
        if self.since > self.found or (self.cured is not None and self.cured < self.found):
            raise EventError("tampering", "its days run backwards; give since ≤ found ≤ cured")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedInspection(Event):
    """The meter was not shown to an inspector, and an act says so (ПП 354, п. 60(1) and 85(3))."""

    service: Service
    refused: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection(Event):
    """The meter was inspected: from this day on refusals before it no longer count."""

    service: Service
    inspected: date


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterOutage(Event):
    """A meter failed, was lost, or its verification ran out (ПП 354, п. 59 «а»): from ``since`` up to, not including,
    ``until``, when counting began again; None while it lasts."""

    service: Service
    since: date
    until: date | None = None

    def __post_init__(self) -> None:
        Event.__post_init__(self)
        if self.until is not None:
            _in_order("meter_outage", self.since, self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership(Event):
    """From ``since`` on the flat belongs to those who live there, or (``owned`` false) to the city or the state, which
    then pay for capital repair themselves (ЖК РФ, ст. 169)."""

    since: date
    owned: bool


KINDS: Mapping[str, type[Event]] = {
    "absence": Absence,
    "interruption": Interruption,
    "poor_quality": PoorQuality,
    "tampering": Tampering,
    "refused_inspection": RefusedInspection,
    "inspection": Inspection,
    "meter_outage": MeterOutage,
    "ownership": Ownership,
}


def kind_of(event: Event) -> str:
    """The name of an event's kind."""
    return next(name for name, kind in KINDS.items() if type(event) is kind)


def event_value(event: Event) -> dict[str, object]:
    """An event as JSON holds it; fields that say nothing are left out."""
    out: dict[str, object] = {"kind": kind_of(event)}
    for name in (f.name for f in fields(event)):
        value = getattr(event, name)
        if isinstance(value, Service):
            out[name] = value.name.lower()
        elif isinstance(value, date):
            out[name] = value.isoformat()
        elif value is not None:
            out[name] = value
    return out


def parse_event(value: Mapping[str, Any]) -> Event:
    """The event that JSON holds. Raises EventError naming the field."""
    name = str(value.get("kind", ""))
    kind = KINDS.get(name)
    if kind is None:
        raise EventError(name or "without a kind", f"no such kind; there are {', '.join(KINDS)}")
    hints = get_type_hints(kind)
    given = {key: text for key, text in value.items() if key != "kind"}
    unknown = sorted(set(given) - set(hints))
    if unknown:
        raise EventError(name, f"unknown fields {', '.join(unknown)}; it has {', '.join(hints)}")
    missing = [f.name for f in fields(kind) if f.default is MISSING and f.name not in given]
    if missing:
        raise EventError(name, f"missing fields {', '.join(missing)}; it has {', '.join(hints)}")
    arguments: dict[str, Any] = {}
    for key, text in given.items():
        try:
            arguments[key] = _field(hints[key], text)
        except (TypeError, KeyError, ValueError) as error:
            raise EventError(name, f"the field {key}: {error}") from error
    try:
        return kind(**arguments)
    except EventError:
        raise
    except (TypeError, ValueError) as error:
        raise EventError(name, str(error)) from error


def _field(hint: Any, value: object) -> object:
    kinds = set(getattr(hint, "__args__", (hint,)))
    if value is None and type(None) in kinds:
        return None
    if Service in kinds:
        return Service[str(value).upper()]
    if date in kinds:
        return date.fromisoformat(str(value))
    wanted = next(iter(kinds - {type(None)}))
    if type(value) is not wanted:
        raise TypeError(f"{value!r} is not of the type {wanted.__name__}")
    return value


def _in_order(kind: str, first: date | int, end: date | int) -> None:
    if not first < end:  # type: ignore[operator]  # both are days, or both are moments
        raise EventError(kind, f"it ends ({end}) before it begins ({first}); give the later one as the end")
