"""What every document of reference data has, whatever it fixes: a name, an act, the days it holds on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from billing.debt.penalty_rules import rules_of
from billing.domain.tariff import Kind, parse_document
from billing.reference.regions import parse_regions

_STARTS = ("effective_from", "since", "from")
_BEFORE_ALL = date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Title:
    """What names a document in the tariff book. ``effective_to`` is the first day it no longer holds."""

    name: str
    kind: str
    act: str
    effective_from: date
    effective_to: date | None


def is_tariff(value: Mapping[str, Any]) -> bool:
    """Whether the rules of charging read a document; the rest are calendars, rates and regions."""
    return value.get("kind") in set(Kind)


def title_of(value: Mapping[str, Any]) -> Title:
    """Reads a document whole and tells its title. Raises TariffError, RulesError and RegionsError."""
    if value.get("kind") == "regions":
        parse_regions(value)
    elif not is_tariff(value) and "kind" in value:
        rules_of([value])
    else:
        document = parse_document(value)
        return Title(document.name, document.kind.value, document.act, document.effective_from, document.effective_to)
    end = value.get("effective_to")
    acts = [str(value["act"])] if value.get("act") else list(dict.fromkeys(_found(value, ("act",))))
    starts = [date.fromisoformat(text) for text in _found(value, _STARTS)]
    return Title(
        str(value["name"]),
        str(value["kind"]),
        "; ".join(acts),
        min(starts, default=_BEFORE_ALL),
        None if end is None else date.fromisoformat(end),
    )


def _found(value: object, names: tuple[str, ...]) -> Iterator[str]:
    """Texts under these names anywhere in a document."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in names and isinstance(item, str):
                yield item
            else:
                yield from _found(item, names)
    elif isinstance(value, list):
        for item in value:
            yield from _found(item, names)
