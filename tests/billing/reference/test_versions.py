"""Which of several versions holds: the one that replaces, in whatever order they reached the book."""

from __future__ import annotations

from datetime import date
from itertools import permutations
from typing import Any

import pytest

from billing.domain.calendar import month_span
from billing.domain.tariff import Kind
from contracts.wire.ids import Period, Service
from tests.billing.builders import ZONE, tariffs_of

SPAN = month_span(Period(2026, 10), ZONE)


def value(name: str, since: str, *replaces: str, features: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "format": 1, "name": name, "kind": "tariff", "area": "a", "service": "gas", "act": "act", "unit": "m3",
        "effective_from": since, "effective_to": None, "rates": {"single": "1"}, "replaces": list(replaces),
        "features": list(features),
    }  # fmt: skip


FIRST = value("first", "2020-01-01")
SECOND = value("second", "2026-01-01", "first")
THIRD = value("third", "2026-10-15", "first", "second")


@pytest.mark.parametrize("order", list(permutations((FIRST, SECOND, THIRD))))
def test_the_one_that_replaces_holds_whenever_it_was_published(order: tuple[dict[str, Any], ...]) -> None:
    tariffs = tariffs_of(*order)
    held = {
        day: tariffs.require(Kind.TARIFF, Service.GAS, ("a",), day).document.name
        for day in (date(2025, 1, 1), date(2026, 1, 1), date(2026, 10, 14), date(2026, 10, 15))
    }
    assert list(held.values()) == ["first", "second", "second", "third"]
    assert tariffs.overlaps([Service.GAS], ("a",), SPAN) == []


@pytest.mark.parametrize(
    ("values", "features", "names"),
    [
        ((FIRST, value("again", "2026-10-20")), frozenset(), [("first", "again")]),
        ((FIRST, value("again", "2026-11-01")), frozenset(), []),
        ((FIRST, value("lift", "2020-01-01", features=("lift",))), frozenset({"lift"}), []),
        (
            (value("gas", "2020-01-01", features=("gas",)), value("lift", "2020-01-01", features=("lift",))),
            frozenset({"lift", "gas"}),
            [("gas", "lift")],
        ),
        ((value("x", "2020-01-01", "y"), value("y", "2020-01-01", "x")), frozenset(), [("x", "y")]),
    ],
)
def test_versions_that_nothing_puts_in_order_overlap(
    values: tuple[dict[str, Any], ...], features: frozenset[str], names: list[tuple[str, ...]]
) -> None:
    found = tariffs_of(*values).overlaps([Service.GAS], ("a",), SPAN, features)
    assert [tuple(v.document.name for v in overlap.versions) for overlap in found] == names
