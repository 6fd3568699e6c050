"""What every ГИС ЖКХ message is made of: namespaces, ordered elements, sums in roubles, and names that repeat.

A message sent again must be recognised as the same: transport GUIDs come of what they stand for, never of chance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from uuid import UUID, uuid5

from lxml import etree

from billing.paper.words import plain_number
from contracts.wire.ids import Period

ROOT = "http://dom.gosuslugi.ru/schema/integration/"
NAMESPACES = {
    name: f"{ROOT}{name}/"
    for name in (
        "base", "bills", "bills-base", "payment", "payments-base", "account-base", "nsi-base", "organizations-base",
        "device-metering", "metering-device-base", "msp", "tariff", "premises-base", "individual-registry-base",
    )
}  # fmt: skip
"""Prefix → namespace. A prefix is the namespace's last part, so that a message reads like its schema."""
OURS = UUID("6f1f7a52-3d6b-5c0e-9d0f-6b1f6f70656b")
"""The namespace of our own transport GUIDs."""
GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document can hold."""
RATE_PLACES = 6

Element = etree._Element


class GisError(ValueError):
    """A message can't be made of what is known; names the record and what is missing."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An entry of one of the system's directories (НСИ)."""

    code: str
    guid: str
    name: str = ""


def message(prefix: str, name: str, version: str) -> Element:
    """The root of a message; ``version`` is the one that its schema fixes."""
    root = etree.Element(_tag(prefix, name), nsmap=dict(NAMESPACES))
    root.set("Id", "signed-data")
    root.set(_tag("base", "version"), version)
    return root


def add(parent: Element, name: str, text: str | None = None, attributes: Mapping[str, str] | None = None) -> Element:
    """Adds an element. ``name`` is ``prefix:Name``, or ``Name`` alone in the namespace of its parent."""
    prefix, _, local = name.rpartition(":")
    tag = _tag(prefix, local) if prefix else etree.QName(etree.QName(parent).namespace, local).text
    child = etree.SubElement(parent, tag, dict(attributes or {}))
    if text is not None:
        child.text = FORBIDDEN.sub("", text)
    return child


def add_reference(parent: Element, name: str, entry: Reference) -> None:
    """Adds a reference to an entry of a directory (nsiRef). Raises GisError."""
    child = add(parent, name)
    add(child, "nsi-base:Code", entry.code)
    add(child, "nsi-base:GUID", guid(entry.guid, f"directory entry {entry.code} {entry.name}"))
    if entry.name:
        add(child, "nsi-base:Name", entry.name)


def add_period(parent: Element, period: Period) -> None:
    """Adds month and year, in the order of payment documents."""
    add(parent, "base:Month", str(period.month))
    add(parent, "base:Year", str(period.year))


def transport_guid(*names: object) -> str:
    """The GUID of a record within a message: the same for the same record, always."""
    return str(uuid5(OURS, "/".join(str(name) for name in names)))


def guid(text: str, record: str) -> str:
    """A GUID as the schemas want it. Raises GisError naming the record."""
    if not GUID.fullmatch(text):
        raise GisError(f"{record}: {text!r} is not a GUID of ГИС ЖКХ; enter the one that the system gave")
    return text.lower()


def roubles(kopecks: int) -> str:
    """A sum as the schemas write it: roubles with a point and two decimals."""
    sign, whole = ("-" if kopecks < 0 else ""), abs(kopecks)
    return f"{sign}{whole // 100}.{whole % 100:02d}"


def rate(value: Fraction) -> str:
    """A rate, at most six decimals, the last half up."""
    return plain_number(value, RATE_PLACES)


def day(value: date) -> str:
    """A date."""
    return value.isoformat()


def to_bytes(root: Element) -> bytes:
    """The message as UTF-8."""
    etree.cleanup_namespaces(root)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def _tag(prefix: str, name: str) -> str:
    return f"{{{NAMESPACES[prefix]}}}{name}"
