"""Tariffs, norms and multipliers: effective-dated documents, each with its act, one a version of the tariff book."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from fractions import Fraction

from billing.domain.calendar import Span
from billing.domain.numbers import NumberError, exact
from billing.domain.zones import SINGLE, ZoneError, ZonePlan
from contracts.wire.ids import Hash, Service


class Kind(StrEnum):
    """What a document fixes."""

    TARIFF = "tariff"
    NORM = "norm"
    MULTIPLIER = "multiplier"
    RULE = "rule"
    """The numbers of a rule itself: limits of absences and interruptions, what tampering multiplies a norm by."""
    COMMON_NORM = "common_norm"
    """What common property may use, a month and m² of it (ПП 354, прил. 2, N^одн; ПП 491, п. 29)."""
    COMMON_RULE = "common_rule"
    """How common use is charged under a form of management: its ``options`` are those of ``billing.domain.common``."""


class TariffError(ValueError):
    """A document is not a tariff, a norm or a multiplier; names the document and the field."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"tariff document {name}: {reason}")
        self.name, self.reason = name, reason


class NoTariff(LookupError):
    """Nothing is in force for a service on a day."""

    def __init__(self, kind: Kind, service: Service, areas: Sequence[str], day: date) -> None:
        super().__init__(
            f"no {kind} for {service.name.lower()} in {', '.join(areas)} on {day}; publish one that covers that day"
        )
        self.kind, self.service, self.day = kind, service, day


@dataclass(frozen=True, slots=True)
class Document:
    """One document as its file says it. Rates are exact numbers in roubles per unit; norms in the unit itself.

    ``replaces`` names documents that this one may hold over; without it two that hold for the same on one day are an
    overlap, and nothing is billed by either.
    """

    name: str
    kind: Kind
    area: str
    service: Service
    act: str
    effective_from: date
    effective_to: date | None
    unit: str
    rates: Mapping[str, Fraction]
    plans: Mapping[str, ZonePlan] = field(default_factory=dict)
    features: frozenset[str] = frozenset()
    table: tuple[tuple[Fraction, ...], ...] = ()
    season: frozenset[int] = frozenset(range(1, 13))
    replaces: frozenset[str] = frozenset()
    options: Mapping[str, str] = field(default_factory=dict)

    def in_force(self, day: date) -> bool:
        """Whether it holds on a day; ``effective_to`` is the first day it no longer does."""
        return self.effective_from <= day and (self.effective_to is None or day < self.effective_to)


@dataclass(frozen=True, slots=True)
class Version:
    """A document in its place in the tariff book."""

    number: int
    hash: Hash
    document: Document


@dataclass(frozen=True, slots=True)
class Overlap:
    """Versions that hold for the same house and service on one day, none of which is said to replace another."""

    kind: Kind
    service: Service
    day: date
    versions: tuple[Version, ...]

    def __str__(self) -> str:
        names = " and ".join(f"{v.document.name} (version {v.number})" for v in self.versions)
        return (
            f"{names} both fix the {self.kind} for {self.service.name.lower()} on {self.day}; "
            "publish one that replaces them"
        )


def parse_document(value: Mapping[str, object]) -> Document:
    """The document that canonical JSON holds. Raises TariffError naming the document and the field."""
    name = str(value.get("name", "without a name"))
    try:
        return _parse(value)
    except KeyError as error:
        raise TariffError(name, f"the field {error} is missing") from error
    except (NumberError, ZoneError, ValueError, TypeError, AttributeError) as error:
        raise TariffError(name, str(error)) from error


def _parse(value: Mapping[str, object]) -> Document:
    rates = _mapping(value.get("rates", {}))
    season = value.get("season_months", list(range(1, 13)))
    table = value.get("table", [])
    features, replaces = value.get("features", []), value.get("replaces", [])
    if not (isinstance(season, list) and isinstance(table, list)):
        raise TypeError("season_months and table are lists")
    if not (isinstance(features, list) and isinstance(replaces, list)):
        raise TypeError("features and replaces are lists")
    document = Document(
        name=str(value["name"]),
        kind=Kind(str(value["kind"])),
        area=str(value["area"]),
        service=Service[str(value["service"]).upper()],
        act=str(value["act"]),
        effective_from=date.fromisoformat(str(value["effective_from"])),
        effective_to=None if value.get("effective_to") is None else date.fromisoformat(str(value["effective_to"])),
        unit=str(value["unit"]),
        rates={key: exact(_text(rate)) for key, rate in rates.items()},
        plans={key: _plan(_mapping(zones)) for key, zones in _mapping(value.get("plans", {})).items()},
        features=frozenset(str(feature) for feature in features),
        table=tuple(tuple(exact(_text(cell)) for cell in row) for row in table),
        season=frozenset(int(month) for month in season),
        replaces=frozenset(str(name) for name in replaces),
        options={key: _choice(option) for key, option in _mapping(value.get("options", {})).items()},
    )
    if not document.act:
        raise ValueError("the act is missing; name the act that sets it")
    if document.effective_to is not None and document.effective_to <= document.effective_from:
        raise ValueError(f"it ends on {document.effective_to}, before it begins")
    if any(rate < 0 for rate in document.rates.values()):
        raise ValueError("a rate is negative")
    if not document.rates and not document.table and not document.options:
        raise ValueError("it holds neither rates nor a table nor options")
    return document


def _text(value: object) -> str:
    """Numbers come as text: a JSON number may have been a float on its way."""
    if not isinstance(value, str):
        raise NumberError(f'{value!r} is not a plain decimal in text; write it like "43.57"')
    return value


def _choice(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"an option is a word, not {value!r}")
    return value


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError(f"not an object: {value!r}")
    return value


def _plan(zones: Mapping[str, object]) -> ZonePlan:
    parsed = []
    for name, pairs in zones.items():
        if not isinstance(pairs, list):
            raise TypeError(f"hours of zone {name} are a list of pairs")
        parsed.append((name, tuple((int(first), int(end)) for first, end in pairs)))
    return ZonePlan(tuple(parsed))


class TariffSet:
    """All versions published so far: which holds for a house on a day.

    A house names its areas in order of preference; within an area the document whose features the house has, the
    most of them, holds, unless another of those replaces it; among what is left the latest version.
    """

    def __init__(self, versions: Iterable[Version]) -> None:
        self.versions = tuple(sorted(versions, key=lambda v: v.number))
        self._by_key: dict[tuple[Kind, str, Service], list[Version]] = {}
        for version in self.versions:
            document = version.document
            self._by_key.setdefault((document.kind, document.area, document.service), []).append(version)
        self._edges: dict[tuple[tuple[Service, ...], tuple[str, ...]], frozenset[date]] = {}

    @property
    def number(self) -> int:
        """Version of the book: the last published."""
        return self.versions[-1].number if self.versions else 0

    def find(
        self, kind: Kind, service: Service, areas: Sequence[str], day: date, features: frozenset[str] = frozenset()
    ) -> Version | None:
        """What is in force on a day, None where nothing is."""
        return max(self._tied(kind, service, areas, day, features), key=lambda v: v.number, default=None)

    def overlaps(
        self, services: Iterable[Service], areas: Sequence[str], span: Span, features: frozenset[str] = frozenset()
    ) -> list[Overlap]:
        """Versions for these services that hold for a house on one day of the span, none said to replace another."""
        wanted = list(services)
        days = sorted({span.first, *self.changes(wanted, areas, span)})
        found: dict[tuple[int, ...], Overlap] = {}
        for service in wanted:
            for kind in Kind:
                for day in days:
                    tied = self._tied(kind, service, areas, day, features)
                    if len(tied) > 1:
                        found.setdefault(tuple(v.number for v in tied), Overlap(kind, service, day, tuple(tied)))
        return list(found.values())

    def _tied(
        self, kind: Kind, service: Service, areas: Sequence[str], day: date, features: frozenset[str]
    ) -> list[Version]:
        """What ``find`` chooses among: one version, unless several hold and none replaces the others."""
        for area in areas:
            fitting = [
                version
                for version in self._by_key.get((kind, area, service), ())
                if version.document.in_force(day) and version.document.features <= features
            ]
            if fitting:
                most = max(len(v.document.features) for v in fitting)
                top = [v for v in fitting if len(v.document.features) == most]
                replaced = {name for v in top for name in v.document.replaces}
                return [v for v in top if v.document.name not in replaced] or top
        return []

    def require(
        self, kind: Kind, service: Service, areas: Sequence[str], day: date, features: frozenset[str] = frozenset()
    ) -> Version:
        """What is in force on a day. Raises NoTariff."""
        found = self.find(kind, service, areas, day, features)
        if found is None:
            raise NoTariff(kind, service, areas, day)
        return found

    def changes(self, services: Iterable[Service], areas: Sequence[str], span: Span) -> set[date]:
        """Days within the span on which something for these services begins or ends to hold."""
        name = tuple(services), tuple(areas)
        if name not in self._edges:
            self._edges[name] = frozenset(
                edge
                for (_, area, service), versions in self._by_key.items()
                if service in name[0] and area in name[1]
                for version in versions
                for edge in (version.document.effective_from, version.document.effective_to)
                if edge is not None
            )
        return {edge for edge in self._edges[name] if span.first < edge < span.end}


def zone_plan(document: Document, name: str) -> ZonePlan:
    """The hours of the zones that an account is charged by: ``single`` always is a plan. Raises TariffError."""
    if name == "single":
        return SINGLE
    if name not in document.plans:
        raise TariffError(document.name, f"no zones {name!r}; it has {sorted(document.plans)}")
    return document.plans[name]
