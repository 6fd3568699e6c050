"""Months and days as the house's own clock counts them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.wire.ids import Period


class UnknownZone(ValueError):
    """A house names a time zone that the IANA data does not have."""

    def __init__(self, zone: str) -> None:
        super().__init__(f"no time zone {zone!r}; give an IANA name, for example Asia/Krasnoyarsk")
        self.zone = zone


@dataclass(frozen=True, slots=True)
class Span:
    """Whole local days from ``first`` up to, not including, ``end``; the same as seconds UTC."""

    first: date
    end: date
    start_ts: int
    end_ts: int

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.end - self.first).days


@lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises UnknownZone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise UnknownZone(name) from error


def midnight(day: date, zone: str) -> int:
    """First second of a local day, UTC."""
    return int(datetime.combine(day, time(), zone_of(zone)).timestamp())


def local_date(moment: int, zone: str) -> date:
    """Local date of a moment in seconds UTC."""
    return datetime.fromtimestamp(moment, zone_of(zone)).date()


@lru_cache(maxsize=512)
def month_span(period: Period, zone: str) -> Span:
    """A billing period in the house's time."""
    after = period.next()
    return span_of(date(period.year, period.month, 1), date(after.year, after.month, 1), zone)


def span_of(first: date, end: date, zone: str) -> Span:
    """Days from ``first`` up to, not including, ``end``."""
    return Span(first, end, midnight(first, zone), midnight(end, zone))


def cut(span: Span, days: Iterable[date], zone: str) -> tuple[Span, ...]:
    """The span cut at each of ``days`` that lies inside it: a tariff, a norm or the residents changed there."""
    edges = [span.first, *sorted({day for day in days if span.first < day < span.end}), span.end]
    return tuple(span_of(first, end, zone) for first, end in pairwise(edges))
