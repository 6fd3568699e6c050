"""The explanation of a line, out of the bill's own document."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from api.models import Explanation


def explanation_of(line: Mapping[str, Any]) -> Explanation | None:
    if "parts" not in line:
        return None
    parts = [
        {
            "formula": part["formula"],
            "act": part["act"],
            "inputs": part["inputs"],
            "first": part["from"],
            "end": part["to"],
            "zone": part["zone"],
            "tariff_versions": part["tariff_versions"],
            "amount_kopecks": part["amount_kopecks"],
            "surcharge_kopecks": part.get("surcharge_kopecks", 0),
            "kind": part.get("kind", "charge"),
            "scope": part.get("scope", "individual"),
            "resource": part.get("resource"),
        }
        for part in line["parts"]
    ]
    readings = [
        {
            "meter": reading["meter"],
            "register_number": reading["register"],
            "at": moment(reading["at"]),
            "value": reading["value"],
            "quality": reading["quality"],
            "source": reading["source"],
            "root": reading["root"],
            "leaf": reading["leaf"],
        }
        for reading in line["readings"]
    ]
    return Explanation.model_validate(
        {
            "method": line["method"],
            "quantity": line["quantity"],
            "unit": line["unit"],
            "rounding": line["rounding"],
            "parts": parts,
            "readings": readings,
            "tariffs": line["tariffs"],
            "estimated_intervals": line.get("estimated_intervals", 0),
            "intervals": line.get("intervals", 0),
            "carried_over": line.get("carried_over", {}),
        }
    )


def moment(timestamp: int) -> datetime:
    """An instant of the chain or of a meter."""
    return datetime.fromtimestamp(timestamp, UTC)
