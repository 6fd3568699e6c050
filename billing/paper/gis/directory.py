"""What ГИС ЖКХ calls our services and suppliers: GUIDs that the system gives out, kept as data.

The directory is one JSON document of the operator's, format 1: ``services`` by our code (each an entry of НСИ 51, an
organisation's own directory of main services, or of НСИ 50 for housing), ``resources`` (НСИ 2) for meters,
``penalties`` (НСИ 329), and ``suppliers`` by number with the GUID of the organisation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from billing.paper.gis.message import GisError, Reference

FORMAT = 1


@dataclass(frozen=True, slots=True)
class GisDirectory:
    """References by our codes, organisations' GUIDs by supplier."""

    services: Mapping[str, Reference]
    resources: Mapping[str, Reference] = field(default_factory=dict)
    penalties: Reference | None = None
    suppliers: Mapping[int, str] = field(default_factory=dict)

    def service(self, code: str) -> Reference:
        """A service's entry. Raises GisError."""
        return self._entry(self.services, code, "services")

    def resource(self, code: str) -> Reference:
        """A metered resource's entry. Raises GisError."""
        return self._entry(self.resources, code, "resources")

    def _entry(self, entries: Mapping[str, Reference], code: str, kind: str) -> Reference:
        if code not in entries:
            raise GisError(f"the directory of ГИС ЖКХ has no entry for {code} among its {kind}; add its code and GUID")
        return entries[code]


def read_directory(path: Path) -> GisDirectory:
    """The directory in a file. Raises GisError."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if value["format"] != FORMAT:
            raise GisError(f"{path.name} is of format {value['format']}, not {FORMAT}")
        return GisDirectory(
            services={code: _reference(entry) for code, entry in value["services"].items()},
            resources={code: _reference(entry) for code, entry in value.get("resources", {}).items()},
            penalties=_reference(value["penalties"]) if "penalties" in value else None,
            suppliers={int(number): str(text) for number, text in value.get("suppliers", {}).items()},
        )
    except FileNotFoundError as error:
        raise GisError(f"there is no directory of ГИС ЖКХ at {path}; write one") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, GisError):
            raise
        raise GisError(
            f"{path.name} is no directory of ГИС ЖКХ: {error!r}; billing/paper/gis/directory.py says what it holds"
        ) from error


def _reference(value: Mapping[str, Any]) -> Reference:
    return Reference(str(value["code"]), str(value["guid"]), str(value.get("name", "")))
