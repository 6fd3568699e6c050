"""How cold months are as a rule: normals of a place as data with their source, as degree-days a day."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from billing.outlook.series import Floats
from contracts.wire.ids import Period

MONTHS = 12


class ClimateError(ValueError):
    """A document of climate normals can't be read; names it and the field."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"climate normals {name}: {reason}")
        self.name, self.reason = name, reason


@dataclass(frozen=True, slots=True)
class Climate:
    """Mean air temperature of each calendar month, °C, and the temperature below which a house is heated."""

    name: str
    area: str
    source: str
    base_c: float
    months_c: tuple[float, ...]

    def warmth(self, periods: Sequence[Period]) -> Floats:
        """Degree-days a day of each month: how far it lies below the base, never negative."""
        return np.array([max(self.base_c - self.months_c[period.month - 1], 0.0) for period in periods])


def parse_climate(value: Mapping[str, object]) -> Climate:
    """The normals that a document holds. Raises ClimateError."""
    name = str(value.get("name", "without a name"))
    months = value.get("months_c")
    if not isinstance(months, list) or len(months) != MONTHS:
        raise ClimateError(name, "months_c must list twelve temperatures, January first")
    try:
        numbers = tuple(float(str(month)) for month in months)
        return Climate(name, str(value["area"]), str(value["source"]), float(str(value["base_c"])), numbers)
    except KeyError as error:
        raise ClimateError(name, f"the field {error} is missing") from error
    except ValueError as error:
        raise ClimateError(name, str(error)) from error


@cache
def climates() -> tuple[Climate, ...]:
    """The normals that ship with billing."""
    folder = files("billing.outlook") / "climate"
    paths = sorted(path.name for path in folder.iterdir() if path.name.endswith(".json"))
    return tuple(parse_climate(json.loads((folder / name).read_text(encoding="utf-8"))) for name in paths)


def climate_of(areas: Sequence[str]) -> Climate | None:
    """The normals of the first of a house's areas that has any."""
    by_area = {climate.area: climate for climate in climates()}
    return next((by_area[area] for area in areas if area in by_area), None)
