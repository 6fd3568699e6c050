"""Tariffs and social norms of ГИС ЖКХ: messages of its tariff service (schemas 14.4), exported or to be imported.

What a message says by codes of ГИС ЖКХ's own directories is said again by a map of the operator's: which kind of tariff
(НСИ 268) is which service, which component (НСИ 262) which rate, which criterion which feature of a house, which act
an identifier is. A code that the map lacks is a fault that names it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from lxml import etree

from billing.domain.tariff import Kind, TariffError, parse_document
from billing.reference import cells
from billing.reference.faults import BadCell, FileRefused, RowFault
from billing.reference.table import MOST_BYTES
from billing.reference.tariff_form import Sourced
from contracts.wire.ids import Service

SOCIAL_NORM = "social_norm"
SPACE = "http://dom.gosuslugi.ru/schema/integration/tariff/"
_RESOURCE, _REPAIR, _HOUSING, _SOCIAL = (
    {"MunicipalResourceTariff", "LoadMunicipalResourceTariff"},
    {"CapitalRepairTariff", "LoadCapitalRepairTariff"},
    {"ResidentialPremisesMaintenance", "LoadResidentialPremisesMaintenance"},
    {"SocialNorms", "SocialNorm", "LoadSocialNorm"},
)
_KNOWN = frozenset(_RESOURCE | _REPAIR | _HOUSING | _SOCIAL)
_CANCELS = "CancelMunicipalResourceTariff", "CancelCapitalRepairTariff", "CancelSocialNorm"
UNITS = {"113": "m3", "245": "kWh", "233": "Gcal", "055": "m2", "792": "person"}
"""Codes of ОКЕИ (ОК 015-94)."""
_WATT_HOUR, _KILO = "243", 3


_Price = tuple[str, dict[str, str]]
"""A unit, and rates in roubles per it."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """What a criterion's value means: a feature of the house, or the name of the rate (a zone, over the norm)."""

    feature: str | None
    rate: str | None


@dataclass(frozen=True, slots=True)
class GisMap:
    """What the operator says of the codes: ``criteria`` by the criterion's code and its value."""

    areas: Mapping[str, str] = field(default_factory=dict)
    acts: Mapping[str, str] = field(default_factory=dict)
    tariff_types: Mapping[str, str] = field(default_factory=dict)
    components: Mapping[str, str] = field(default_factory=dict)
    criteria: Mapping[tuple[str, str], Criterion] = field(default_factory=dict)
    social_norm_rate: str = "social_norm_per_person"

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> GisMap:
        """The map that a file holds."""
        criteria = {
            (str(c["criterion"]), str(c["value"])): Criterion(c.get("feature"), c.get("rate"))
            for c in value.get("criteria", [])
        }
        return cls(
            value.get("areas", {}),
            value.get("acts", {}),
            value.get("tariff_types", {}),
            value.get("components", {}),
            criteria,
            value.get("social_norm_rate", "social_norm_per_person"),
        )


def read_gis(path: Path, codes: GisMap) -> tuple[list[Sourced], list[RowFault]]:
    """The documents of a message, and what of it can't be taken. Raises FileRefused."""
    if path.stat().st_size > MOST_BYTES:
        raise FileRefused(path.name, f"is over {MOST_BYTES >> 20} MB; split it")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        tree = etree.parse(str(path), parser)
    except etree.XMLSyntaxError as error:
        raise FileRefused(path.name, f"is no XML: {error.msg}") from error
    if "<!DOCTYPE" in str(getattr(tree.docinfo, "doctype", "")):
        raise FileRefused(path.name, "declares a document type; a message of ГИС ЖКХ has none")
    found: list[Sourced] = []
    faults: list[RowFault] = []
    messages = 0
    for element in tree.iter(f"{{{SPACE}}}*"):
        name = etree.QName(element).localname
        if name not in _CANCELS and name not in _KNOWN:
            continue
        messages += 1
        try:
            found += [Sourced(value, (_line(element),)) for value in _Message(element, codes).documents(name)]
        except BadCell as bad:
            faults.append(bad.at(_line(element)))
    if not messages:
        raise FileRefused(path.name, "holds no tariff of ГИС ЖКХ; give a message of its tariff service")
    return found, faults


@dataclass(frozen=True, slots=True)
class _Message:
    """One tariff or norm of a message."""

    element: etree._Element
    codes: GisMap

    def documents(self, name: str) -> list[dict[str, Any]]:
        """A document for each area, and for each set of features where prices differ by them. Raises BadCell."""
        parent = self.element.getparent()
        if name in _CANCELS or (parent is not None and _text(parent, "Status") == "Canceled"):
            named = "" if parent is None else _text(parent, "TariffGUID")
            raise BadCell(name, named, "is cancelled in ГИС ЖКХ", "publish what holds instead, replacing it")
        if name in _RESOURCE:
            code = self._required("TariffType/Code")
            service = self._mapped(self.codes.tariff_types, "TariffType/Code", code, "tariff_types")
            known = cells.service({"TariffType/Code": service}, "TariffType/Code")
            prices = list(self._prices())
        else:
            known = Service.CAPITAL_REPAIR if name in _REPAIR else Service.HOUSING
            if name in _SOCIAL:
                return [self._social_norm(area) for area in self._areas()]
            prices = [self._price()]
        return [
            self._document(known, area, features, price)
            for area in self._areas()
            for features, price in _by_features(prices).items()
        ]

    def _prices(self) -> Iterator[tuple[frozenset[str], str, str, str]]:
        """Features, unit, rate and number of each price of a resource's tariff."""
        for price in _all(self.element, "Price"):
            component = _text(price, "TariffStructure/Code")
            rate = self._mapped(self.codes.components, "Price/TariffStructure/Code", component, "components")
            unit = _text(price, "Unit")
            if unit not in UNITS:
                raise BadCell("Price/Unit", unit, "is no unit of ОКЕИ known here", f"give one of {', '.join(UNITS)}")
            meant = self._criteria(price)
            features = frozenset(c.feature for c in meant if c.feature is not None)
            rate = next((c.rate for c in meant if c.rate is not None), rate)
            yield features, UNITS[unit], rate, cells.decimal({"Price": _text(price, "Price")}, "Price")

    def _price(self) -> tuple[frozenset[str], str, str, str]:
        number = cells.decimal({"Price": _text(self.element, "Price")}, "Price")
        return self._features(self.element), "m2", "single", number

    def _social_norm(self, area: str) -> dict[str, Any]:
        """A norm in kWh a person and month; it becomes rates of the electricity tariff that it is of."""
        number = cells.decimal({"Price": _text(self.element, "Price")}, "Price")
        if _text(self.element, "Unit") == _WATT_HOUR:
            whole, _, part = number.partition(".")
            number = f"{whole.zfill(_KILO + 1)[:-_KILO]}.{whole.zfill(_KILO + 1)[-_KILO:]}{part}"
        rates = {self.codes.social_norm_rate: number}
        return self._value(SOCIAL_NORM, Service.ELECTRICITY, area, self._features(self.element), ("kWh", rates))

    def _features(self, element: etree._Element) -> frozenset[str]:
        return frozenset(c.feature for c in self._criteria(element) if c.feature is not None)

    def _criteria(self, element: etree._Element) -> list[Criterion]:
        out = []
        for criterion in _all(element, "Differentiation"):
            code = _text(criterion, "DifferentiationCode")
            for value in [_text(v, "Code") or (v.text or "").strip() for v in _values(criterion)]:
                meant = self.codes.criteria.get((code, value))
                if meant is None:
                    raise BadCell(
                        "Differentiation", f"{code}={value}", "is a criterion that the map lacks",
                        "say in the map's criteria which feature or rate it means",
                    )  # fmt: skip
                out.append(meant)
        return out

    def _areas(self) -> list[str]:
        found = [_text(element, "code") for element in _all(self.element, "OKTMO")]
        return list(dict.fromkeys(self._mapped(self.codes.areas, "OKTMO/code", code, "areas") for code in found))

    def _document(self, service: Service, area: str, features: frozenset[str], price: _Price) -> dict[str, Any]:
        value = self._value(Kind.TARIFF.value, service, area, features, price)
        try:
            parse_document(value)
        except TariffError as error:
            raise BadCell("Name", self._required("Name"), f"is no document: {error.reason}", "mend it") from error
        return value

    def _value(self, kind: str, service: Service, area: str, features: frozenset[str], price: _Price) -> dict[str, Any]:
        starts = cells.day({"DateFrom": self._required("DateFrom")[:10]}, "DateFrom")
        last = _text(self.element, "DateTo")
        end = None if not last else date.fromisoformat(last[:10]) + timedelta(days=1)
        acts = [self.codes.acts.get(e.text or "", f"ГИС ЖКХ, НПА {e.text}") for e in _all(self.element, "ActGUID")]
        value: dict[str, Any] = {
            "format": 1,
            "name": "-".join(["gis", area, kind, service.name.lower(), starts.isoformat(), *sorted(features)]),
            "kind": kind,
            "area": area,
            "service": service.name.lower(),
            "act": "; ".join([*acts, self._required("Name")]),
            "effective_from": starts.isoformat(),
            "effective_to": None if end is None else end.isoformat(),
            "unit": price[0],
            "rates": dict(price[1]),
        }
        if features:
            value["features"] = sorted(features)
        return value

    def _required(self, path: str) -> str:
        found = _text(self.element, path)
        if not found:
            raise BadCell(path, "", "is empty", "the schema asks for it; export the message again")
        return found

    @staticmethod
    def _mapped(codes: Mapping[str, str], path: str, code: str, name: str) -> str:
        if code not in codes:
            raise BadCell(path, code, "is a code that the map lacks", f"say what it is in the map's {name}")
        return codes[code]


def _by_features(
    prices: list[tuple[frozenset[str], str, str, str]],
) -> dict[frozenset[str], _Price]:
    """Prices with the same features are one document's rates. Raises BadCell where two name one rate."""
    out: dict[frozenset[str], _Price] = {}
    for features, unit, rate, number in prices:
        known_unit, rates = out.setdefault(features, (unit, {}))
        if rate in rates or unit != known_unit:
            raise BadCell("Price", number, f"is a second {rate} for the same houses, or in another unit",
                          "name its criterion's feature in the map")  # fmt: skip
        rates[rate] = number
    return out


def _values(criterion: etree._Element) -> list[etree._Element]:
    return [e for e in criterion if etree.QName(e).localname.startswith("Value")]


def _all(element: etree._Element, name: str) -> list[etree._Element]:
    return [e for e in element if isinstance(e.tag, str) and etree.QName(e).localname == name]


def _text(element: etree._Element, path: str) -> str:
    """Text at a path of names, whatever their name spaces; empty where there is none."""
    here: etree._Element = element
    for name in path.split("/"):
        found = _all(here, name)
        if not found:
            return ""
        here = found[0]
    return (here.text or "").strip()


def _line(element: etree._Element) -> int:
    line = element.sourceline
    return line if isinstance(line, int) else 0
