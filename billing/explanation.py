"""A bill explained out of its own stored document: every line's working, fit to be worked out again by anybody.

Nothing is computed here but sums that are checked against the document: what a resident, a court and a regulator get
is what the commitment on the chain holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from contracts.wire.ids import BillKey

ROUNDING = "half up to the kopeck, each part once"


def explain_bill(key: BillKey, document: bytes) -> dict[str, Any]:
    """The bill, or the note, with each line's parts, and each metered input's readings and how good they are.

    A note's lines are explained as the correction found them; ``change_kopecks`` is what the note itself asks for or
    takes off.
    """
    value = json.loads(document)
    lines = [_line(line) for line in value["lines"]]
    explained = [line for line in lines if line is not None]
    out = {name: value[name] for name in ("kind", "account", "period", "revision", "engine") if name in value}
    for name in ("original", "act", "premises", "credits"):
        if name in value:
            out[name] = value[name]
    return {
        "bill": str(key),
        **out,
        "rounding": ROUNDING,
        "lines": explained,
        "total_kopecks": sum(line["amount_kopecks"] for line in explained),
    }


def _line(line: Mapping[str, Any]) -> dict[str, Any] | None:
    """One line; None where a note says nothing of it."""
    if "parts" not in line:
        now = line.get("now")
        if not now:
            return None
        return {**_line_of(now), "change_kopecks": line["amount_kopecks"]}
    return _line_of(line)


def _line_of(line: Mapping[str, Any]) -> dict[str, Any]:
    names = [f"{used['root']}/{used['leaf']}" for used in line["readings"]]
    return {
        **line,
        "readings": [{"id": name, **used} for name, used in zip(names, line["readings"], strict=True)],
        "parts": [
            {
                **part,
                "rounded_to_kopecks": 1,
                "inputs": [_input(given, line["readings"], names) for given in part["inputs"]],
            }
            for part in line["parts"]
        ],
    }


def _input(given: Mapping[str, Any], readings: list[Mapping[str, Any]], names: list[str]) -> dict[str, Any]:
    if "readings" not in given:
        return dict(given)
    first, end = given["readings"]
    return {
        **given,
        "reading_ids": names[first:end],
        "qualities": sorted({used["quality"] for used in readings[first:end]}),
    }
