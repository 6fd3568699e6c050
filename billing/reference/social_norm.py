"""A social norm of electricity as ГИС ЖКХ publishes it, apart from the tariff, put into the tariff that it is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from billing.domain.tariff import Kind, parse_document
from billing.reference.faults import BadCell

LEAST = "social_norm_least"
"""The least norm of a household; a norm by person alone has none, which is zero."""


def with_social_norm(norm: Mapping[str, Any], kept: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """New versions of the electricity tariffs in force on the norm's first day or later, that know the norm.

    Raises BadCell where there is no such tariff, or one has no rates over the norm.
    """
    begins, ends = str(norm["effective_from"]), norm.get("effective_to")
    replaced = {name for value in kept for name in value.get("replaces", [])}
    found = [
        value
        for value in kept
        if value.get("kind") == Kind.TARIFF
        and (value.get("area"), value.get("service")) == (norm["area"], norm["service"])
        and sorted(value.get("features", [])) == sorted(norm.get("features", []))
        and value["name"] not in replaced
        and (value.get("effective_to") or "9999") > begins
        and (ends is None or value["effective_from"] < ends)
    ]
    if not found:
        raise BadCell("DateFrom", begins, f"has no electricity tariff of {norm['area']}", "import the tariff first")
    return [_joined(value, norm) for value in found]


def _joined(tariff: Mapping[str, Any], norm: Mapping[str, Any]) -> dict[str, Any]:
    rates = tariff["rates"]
    lacking = next((rate for rate in ("single",) if f"{rate}_over" not in rates), None)
    if lacking is not None:
        raise BadCell("Price", str(tariff["name"]), f"has no rate {lacking}_over", "import its rates over the norm too")
    starts = max(str(tariff["effective_from"]), str(norm["effective_from"]))
    ends = min((e for e in (tariff.get("effective_to"), norm.get("effective_to")) if e), default=None)
    value = {
        **tariff,
        "name": f"{tariff['name']}-{norm['name']}",
        "act": f"{tariff['act']}; {norm['act']}",
        "effective_from": starts,
        "effective_to": ends,
        "rates": {LEAST: "0", **rates, **norm["rates"]},
        "replaces": [tariff["name"]],
    }
    parse_document(value)
    return value
