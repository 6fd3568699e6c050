"""What may befall the accounts of a random town in March 2026: one maker for each kind of event."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta

from billing.domain.calendar import Span
from billing.domain.events import (
    Absence,
    Event,
    Inspection,
    Interruption,
    MeterOutage,
    Ownership,
    PoorQuality,
    RefusedInspection,
    Tampering,
)
from contracts.wire.ids import Service

DAY_S = 86_400
SHARED_ACT = "a made-up act of the tests"

_Made = Callable[[random.Random, Service, Span], Event]
_FIRST = date(2026, 3, 1)


def _interruption(drawn: random.Random, service: Service, span: Span) -> Event:
    start = span.start_ts + drawn.randrange(0, 20) * DAY_S
    return Interruption(act=SHARED_ACT, service=service, start=start, end=start + drawn.randrange(1, 90) * 3600)


def _poor(drawn: random.Random, _service: Service, span: Span) -> Event:
    start = span.start_ts + drawn.randrange(0, 20) * DAY_S
    end = start + drawn.randrange(1, 90) * 3600
    measured = drawn.randrange(350, 600)
    return PoorQuality(
        act=SHARED_ACT, service=Service.HOT_WATER, measure="temperature", start=start, end=end, measured_tenths=measured
    )


def _absence(drawn: random.Random, _service: Service, _span: Span) -> Event:
    departed = _FIRST + timedelta(days=drawn.randrange(-5, 10))
    returned = departed + timedelta(days=drawn.randrange(3, 40))
    return Absence(act=SHARED_ACT, departed=departed, returned=returned, persons=1, filed=returned)


def _tampering(drawn: random.Random, service: Service, _span: Span) -> Event:
    since, found = date(2026, 1, drawn.randrange(1, 28)), date(2026, 3, 9)
    return Tampering(act=SHARED_ACT, service=service, since=since, found=found)


def _refusal(drawn: random.Random, service: Service, _span: Span) -> Event:
    return RefusedInspection(act=SHARED_ACT, service=service, refused=date(2026, 2, drawn.randrange(1, 28)))


def _inspection(drawn: random.Random, service: Service, _span: Span) -> Event:
    return Inspection(act=SHARED_ACT, service=service, inspected=date(2026, 2, drawn.randrange(1, 28)))


def _outage(drawn: random.Random, service: Service, _span: Span) -> Event:
    return MeterOutage(act=SHARED_ACT, service=service, since=date(2026, 3, drawn.randrange(1, 28)))


def _ownership(drawn: random.Random, _service: Service, _span: Span) -> Event:
    return Ownership(act=SHARED_ACT, since=date(2026, 3, drawn.randrange(1, 28)), owned=drawn.random() < 0.5)


EVENTS: tuple[_Made, ...] = (
    _interruption, _poor, _absence, _tampering, _refusal, _inspection, _outage, _ownership,
)  # fmt: skip
