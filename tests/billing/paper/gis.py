"""The official schemas, read where they are; and the directory that the tests' organisation has in ГИС ЖКХ."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import pytest
from lxml import etree

from billing.paper.gis.directory import GisDirectory
from billing.paper.gis.message import Reference
from contracts.wire.ids import Service

SCHEMAS = Path(__file__).parents[4] / "shared" / "data" / "gis_gkh_xsd" / "wsdl_xsd_14.4.0.1"


def guid_of(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, "https://kopeck.invalid/tests/" + name))


DIRECTORY = GisDirectory(
    services={s.name.lower(): Reference(str(int(s)), guid_of(s.name), s.name) for s in Service},
    resources={s.name.lower(): Reference(str(int(s)), guid_of("resource " + s.name)) for s in Service},
    penalties=Reference("1", guid_of("penalties"), "Пени"),
    suppliers={number: guid_of(f"supplier {number}") for number in range(1, 6)},
)


@cache
def schema(name: str) -> etree.XMLSchema:
    """A schema of the system by its file, e.g. ``bills/hcs-bills-types.xsd``; skips where the set is absent."""
    path = SCHEMAS / name
    if not path.exists():
        pytest.skip(f"the schemas of ГИС ЖКХ are not at {SCHEMAS}")
    return etree.XMLSchema(etree.parse(path))


def check(message: bytes, name: str) -> etree._Element:
    """The message, valid by its schema."""
    root = etree.fromstring(message)
    found = schema(name)
    assert found.validate(root), "\n".join(str(error) for error in found.error_log)
    return root


def texts(root: etree._Element, *names: str) -> list[str | None]:
    """Texts of all elements of these names, whatever their namespaces, in order."""
    return [e.text for e in root.iter() if isinstance(e.tag, str) and etree.QName(e).localname in names]
