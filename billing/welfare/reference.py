"""Rules and figures of help as documents: effective-dated, each with its act; the book finds which one holds.

A document says whether its figures were checked against the act (``checked``); what is from memory is not, and every
explanation that leans on it shows so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import TypeVar

from billing.domain.numbers import NumberError, exact
from contracts.wire.canonical import canonical_json, content_hash
from contracts.wire.ids import Hash, Service


class SheetKind(StrEnum):
    """What a document fixes."""

    CATEGORY = "category"
    AREA_NORM = "area-norm"
    PAYOUT = "payout"
    COST_STANDARD = "cost-standard"
    SHARE_LIMIT = "share-limit"
    SUBSISTENCE = "subsistence"
    SUBSIDY_RULES = "subsidy-rules"


class Covers(StrEnum):
    """Whose part of the household's charge a category compensates."""

    PERSON = "person"
    FAMILY = "family"


class Within(StrEnum):
    """What bounds the charge that is compensated: the area norm, the norm of consumption, or nothing."""

    AREA = "area"
    VOLUME = "volume"
    WHOLE = "whole"


class Effect(StrEnum):
    """Where the money goes: to the bill's lines, or to the person while the bill stays whole."""

    BILL = "bill"
    PERSON = "person"


class BadSheet(ValueError):
    """A document is not a rule or figure of help; names the document and the field."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"welfare document {name}: {reason}")
        self.name, self.reason = name, reason


class NoSheet(LookupError):
    """Nothing of a kind is in force."""

    def __init__(self, kind: SheetKind, areas: Sequence[str], day: date, what: str = "") -> None:
        which = f"{kind} {what}".strip()
        super().__init__(f"no {which} in {', '.join(areas)} on {day}; add a document of it that covers that day")
        self.kind, self.day = kind, day


class OverlappingSheets(ValueError):
    """Two documents say different things for the same day."""

    def __init__(self, first: str, second: str, day: date) -> None:
        super().__init__(f"welfare documents {first} and {second} both hold on {day}; end one where the other begins")
        self.first, self.second = first, second


@dataclass(frozen=True, slots=True)
class ServiceShare:
    """What share of a service's charge is compensated, and within which norm."""

    share: Fraction
    within: Within


@dataclass(frozen=True, slots=True)
class Category:
    """Whom an act helps: on which services, how much, on whose part of the household."""

    code: str
    level: str
    covers: Covers
    services: Mapping[Service, ServiceShare]


@dataclass(frozen=True, slots=True)
class AreaNorm:
    """The social norm of area: m² of a whole household by its size; beyond the table, ``per_person`` for each, or the
    last of the table where there is none."""

    household: tuple[Fraction, ...]
    per_person: Fraction | None

    def of(self, persons: int) -> Fraction:
        """m² that help covers for so many persons."""
        if 0 < persons <= len(self.household):
            return self.household[persons - 1]
        return self.household[-1] if self.per_person is None else self.per_person * persons


@dataclass(frozen=True, slots=True)
class Payout:
    """The regional switch: each kind of help nets the bill, or goes to the person. A grant on a bill may be applied
    for so many days."""

    compensation: Effect
    subsidy: Effect
    grant_valid_days: int


@dataclass(frozen=True, slots=True)
class CostStandard:
    """The regional standard of the cost of housing and services, roubles a person a month, by the family's size."""

    tenure: str
    per_person: tuple[Fraction, ...]

    def of(self, persons: int) -> Fraction:
        """Roubles for one member of a family of so many; the last figure holds for larger families."""
        return self.per_person[min(persons, len(self.per_person)) - 1]


@dataclass(frozen=True, slots=True)
class ShareLimit:
    """The largest share of its income that a family spends itself, by its mean income over the subsistence minimum:
    (below which ratio, share), the last without a bound."""

    bands: tuple[tuple[Fraction | None, Fraction], ...]

    def of(self, ratio: Fraction) -> Fraction:
        """The share at a ratio of mean income to subsistence minimum."""
        return next(share for below, share in self.bands if below is None or ratio < below)


@dataclass(frozen=True, slots=True)
class Subsistence:
    """The subsistence minimum a month, roubles, by group (working, pensioner, child) or ``anyone``."""

    groups: Mapping[str, Fraction]

    def of_family(self, family: Mapping[str, int]) -> Fraction:
        """The family's own minimum for one member: the mean over its groups. Raises LookupError."""
        total = Fraction(0)
        for group, number in family.items():
            value = self.groups.get(group, self.groups.get("anyone"))
            if value is None:
                raise LookupError(f"no subsistence minimum for the group {group!r}; the document has {[*self.groups]}")
            total += value * number
        return total / sum(family.values())


@dataclass(frozen=True, slots=True)
class SubsidyRules:
    """How a subsidy is given: its term, the day of the month from which an application counts for the next month, and
    the switches of what the regions' practice or our memory of the act leaves open."""

    term_months: int
    next_month_from_day: int
    lowers_share_below_subsistence: bool
    is_capped_by_expense: bool
    follows_new_standards: bool
    debt_blocks: bool
    debt_years: int


Body = Category | AreaNorm | Payout | CostStandard | ShareLimit | Subsistence | SubsidyRules
B = TypeVar("B", Category, AreaNorm, Payout, CostStandard, ShareLimit, Subsistence, SubsidyRules)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A document in the book; ``effective_to`` is the first day it no longer holds."""

    name: str
    hash: Hash
    kind: SheetKind
    area: str
    act: str
    effective_from: date
    effective_to: date | None
    is_checked: bool
    body: Body

    def in_force(self, day: date) -> bool:
        """Whether it holds on a day."""
        return self.effective_from <= day and (self.effective_to is None or day < self.effective_to)


class Book:
    """All documents: which holds where and when."""

    def __init__(self, sheets: Iterable[Sheet]) -> None:
        self.sheets = tuple(sheets)

    def require(
        self,
        body: type[B],
        areas: Sequence[str],
        day: date,
        fits: Callable[[B], bool] = lambda _body: True,
        what: str = "",
    ) -> tuple[Sheet, B]:
        """What holds on a day in the first of ``areas`` that has one. Raises NoSheet, OverlappingSheets."""
        for area in areas:
            found = [
                (sheet, sheet.body)
                for sheet in self.sheets
                if sheet.area == area and sheet.in_force(day) and isinstance(sheet.body, body) and fits(sheet.body)
            ]
            if found:
                latest = max(sheet.effective_from for sheet, _ in found)
                first, *others = [pair for pair in found if pair[0].effective_from == latest]
                if others:
                    raise OverlappingSheets(first[0].name, others[0][0].name, day)
                return first
        raise NoSheet(_KINDS[body], areas, day, what)

    def category(self, code: str, areas: Sequence[str], day: date) -> tuple[Sheet, Category]:
        """A category by its code. Raises NoSheet."""
        return self.require(Category, areas, day, lambda body: body.code == code, code)

    def standard(self, tenure: str, areas: Sequence[str], day: date) -> tuple[Sheet, CostStandard]:
        """The standard of cost for owners or tenants. Raises NoSheet."""
        return self.require(CostStandard, areas, day, lambda body: body.tenure == tenure, tenure)


# --- reading documents ---


def parse_sheet(value: Mapping[str, object]) -> Sheet:
    """The document that JSON holds. Raises BadSheet naming the document and the field."""
    name = str(value.get("name", "without a name"))
    try:
        kind = SheetKind(str(value["kind"]))
        until = value.get("effective_to")
        sheet = Sheet(
            name=str(value["name"]),
            hash=content_hash(canonical_json(dict(value))),
            kind=kind,
            area=str(value["area"]),
            act=str(value["act"]),
            effective_from=date.fromisoformat(str(value["effective_from"])),
            effective_to=None if until is None else date.fromisoformat(str(until)),
            is_checked=_flag(value["checked"]),
            body=_PARSERS[kind](value),
        )
    except KeyError as error:
        raise BadSheet(name, f"the field {error} is missing") from error
    except (NumberError, TypeError, ValueError, AttributeError) as error:
        raise BadSheet(name, str(error)) from error
    if not sheet.act:
        raise BadSheet(name, "the act is missing; name the act that sets it")
    if sheet.effective_to is not None and sheet.effective_to <= sheet.effective_from:
        raise BadSheet(name, f"it ends on {sheet.effective_to}, before it begins")
    return sheet


def _category(value: Mapping[str, object]) -> Category:
    services = {}
    for service, row in _mapping(value["services"]).items():
        share = _share(_mapping(row)["share"])
        services[Service[service.upper()]] = ServiceShare(share, Within(str(_mapping(row)["within"])))
    return Category(str(value["code"]), str(value["level"]), Covers(str(value["covers"])), services)


def _area_norm(value: Mapping[str, object]) -> AreaNorm:
    each = value.get("per_person_m2")
    household = tuple(_number(cell) for cell in _list(value["household_m2"]))
    if not household:
        raise ValueError("household_m2 holds at least the norm of one person alone")
    return AreaNorm(household, None if each is None else _number(each))


def _payout(value: Mapping[str, object]) -> Payout:
    valid = _whole(value["grant_valid_days"])
    return Payout(Effect(str(value["compensation"])), Effect(str(value["subsidy"])), valid)


def _cost_standard(value: Mapping[str, object]) -> CostStandard:
    figures = tuple(_number(cell) for cell in _list(value["roubles_per_person"]))
    if not figures:
        raise ValueError("roubles_per_person holds at least the figure of one person alone")
    return CostStandard(str(value["tenure"]), figures)


def _share_limit(value: Mapping[str, object]) -> ShareLimit:
    bands = []
    for row in _list(value["bands"]):
        below = _mapping(row).get("below")
        bands.append((None if below is None else _number(below), _share(_mapping(row)["share"])))
    bounds = [below for below, _ in bands]
    if not bands or bounds[-1] is not None or None in bounds[:-1]:
        raise ValueError("the last band, and it alone, has no bound")
    if bounds[:-1] != sorted(b for b in bounds if b is not None) or [s for _, s in bands] != sorted(
        s for _, s in bands
    ):
        raise ValueError("bands go up, in their bounds and in their shares")
    return ShareLimit(tuple(bands))


def _subsistence(value: Mapping[str, object]) -> Subsistence:
    groups = {group: _number(cell) for group, cell in _mapping(value["roubles"]).items()}
    if not groups or any(cell <= 0 for cell in groups.values()):
        raise ValueError("roubles holds a sum above zero for each group")
    return Subsistence(groups)


def _subsidy_rules(value: Mapping[str, object]) -> SubsidyRules:
    return SubsidyRules(
        term_months=_whole(value["term_months"]),
        next_month_from_day=_whole(value["next_month_from_day"]),
        lowers_share_below_subsistence=_flag(value["lowers_share_below_subsistence"]),
        is_capped_by_expense=_flag(value["is_capped_by_expense"]),
        follows_new_standards=_flag(value["follows_new_standards"]),
        debt_blocks=_flag(value["debt_blocks"]),
        debt_years=_whole(value["debt_years"]),
    )


_KINDS: dict[type[Body], SheetKind] = {
    Category: SheetKind.CATEGORY,
    AreaNorm: SheetKind.AREA_NORM,
    Payout: SheetKind.PAYOUT,
    CostStandard: SheetKind.COST_STANDARD,
    ShareLimit: SheetKind.SHARE_LIMIT,
    Subsistence: SheetKind.SUBSISTENCE,
    SubsidyRules: SheetKind.SUBSIDY_RULES,
}
_PARSERS: dict[SheetKind, Callable[[Mapping[str, object]], Body]] = {
    SheetKind.CATEGORY: _category,
    SheetKind.AREA_NORM: _area_norm,
    SheetKind.PAYOUT: _payout,
    SheetKind.COST_STANDARD: _cost_standard,
    SheetKind.SHARE_LIMIT: _share_limit,
    SheetKind.SUBSISTENCE: _subsistence,
    SheetKind.SUBSIDY_RULES: _subsidy_rules,
}


def _number(value: object) -> Fraction:
    if not isinstance(value, str):
        raise NumberError(f'{value!r} is not a plain decimal in text; write it like "33"')
    return exact(value)


def _share(value: object) -> Fraction:
    share = _number(value)
    if not 0 <= share <= 1:
        raise ValueError(f"a share is from 0 to 1, not {value}")
    return share


def _whole(value: object) -> int:
    if type(value) is not int or value < 1:
        raise TypeError(f"not a whole number above zero: {value!r}")
    return value


def _flag(value: object) -> bool:
    if type(value) is not bool:
        raise TypeError(f"not true or false: {value!r}")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"not a list: {value!r}")
    return value


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError(f"not an object: {value!r}")
    return value
