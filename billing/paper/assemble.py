"""From a bill's own document to the payment document: each line a row, each part a detail, and the counters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any

from billing.paper.epd import (
    AgreedPayment,
    Detail,
    Instalment,
    MeterReading,
    NotABill,
    Owed,
    PaymentDocument,
    Premises,
    Recalculation,
    ServiceRow,
)
from billing.paper.expression import ExpressionError, evaluate
from billing.paper.person import Person
from billing.paper.words import BASE_UNITS
from contracts.wire.ids import Period
from ledger.queries.views import BillView

RATE_UNIT = "RUB/"
MULTIPLIER = "K"
DM2_PER_M2 = 100
HOUSE_SYMBOLS = frozenset({"V_house", "V_year"})
"""Inputs whose readings are a house meter's."""
BASE_OF = {unit: base for base, (_, unit) in BASE_UNITS.items()}


def payment_document(
    view: BillView,
    document: Mapping[str, Any],
    person: Person,
    *,
    printed_on: date,
    due: date,
    owed: Sequence[Owed] = (),
    noted: Iterable[Recalculation] = (),
    instalments: Sequence[Instalment] = (),
    agreed: Sequence[AgreedPayment] = (),
    limit_index_percent: Fraction | None = None,
    advance_kopecks: int = 0,
) -> PaymentDocument:
    """The payment document of a bill. ``noted`` are the notes to earlier bills since the last one. Raises NotABill."""
    if document.get("kind", "bill") != "bill":
        raise NotABill(view.key)
    rest = {(o.service, o.supplier): o for o in owed}
    lines = document["lines"]
    rows = [_row(line, view, rest.pop((line["service"], line["supplier"]), None)) for line in lines]
    recalculations = [again for row, line in zip(rows, lines, strict=True) for again in _recalculations(row, line)]
    tariffs = {(t["name"], t["act"]) for line in lines for t in line["tariffs"]}
    return PaymentDocument(
        key=view.key,
        account=document["account"],
        period=view.period,
        zone=document["premises"]["zone"],
        state=view.state,
        person=person,
        premises=_premises(document["premises"], view.period),
        rows=tuple(rows),
        readings=_readings(lines),
        recalculations=(*recalculations, *noted),
        tariffs=tuple(sorted(tariffs)),
        printed_on=printed_on,
        due=due,
        instalments=tuple(instalments),
        agreed=tuple(agreed),
        limit_index_percent=limit_index_percent,
        other=tuple(owed for owed in rest.values() if owed.total_kopecks),
        advance_kopecks=advance_kopecks,
        disputed_kopecks=sum(o.disputed_kopecks for o in owed),
    )


def _row(line: Mapping[str, Any], view: BillView, owed: Owed | None) -> ServiceRow:
    details = tuple(_detail(part) for part in line["parts"])
    charged = sum(detail.amount_kopecks for detail in details if not detail.is_recalculation)
    moved = view.lines[line["line"]] if line["line"] is not None else None
    scale, unit = BASE_UNITS.get(line["unit"], (1, line["unit"]))
    common = [d.volume for d in details if d.is_common and not d.resource and d.unit == unit and d.volume is not None]
    owed = owed or Owed(line["service"], line["supplier"])
    return ServiceRow(
        service=line["service"],
        supplier=line["supplier"],
        unit=unit,
        volume=Fraction(line["quantity"], scale),
        common_volume=sum(common, Fraction(0)) if common else None,
        method=line["method"],
        details=details,
        charged_kopecks=charged,
        # A line is never below nothing: what is left of a recalculation goes to the months to come.
        recalculated_kopecks=line["amount_kopecks"] - charged - (moved.written_off_kopecks if moved else 0),
        granted_kopecks=moved.granted_kopecks if moved else 0,
        paid_kopecks=moved.paid_kopecks + moved.netted_kopecks if moved else 0,
        arrears_kopecks=owed.arrears_kopecks,
        penalties_kopecks=owed.penalties_kopecks,
        court_costs_kopecks=owed.court_costs_kopecks,
    )


def _detail(part: Mapping[str, Any]) -> Detail:
    inputs = tuple((i["symbol"], Fraction(i["value"]), i["unit"]) for i in part["inputs"])
    rates = [(symbol, value, unit) for symbol, value, unit in inputs if unit.startswith(RATE_UNIT)]
    surcharge = part.get("surcharge_kopecks", 0)
    multiplier = next((value for symbol, value, _ in inputs if symbol == MULTIPLIER), None) if surcharge else None
    rate, volume, unit = None, None, ""
    if len(rates) == 1:
        symbol, rate, unit = rates[0]
        plain = {name: value for name, value, _ in inputs} | {symbol: Fraction(1)}
        volume = _volume(part["formula"], plain | ({MULTIPLIER: Fraction(1)} if multiplier is not None else {}))
    return Detail(
        kind=part.get("kind", "charge"),
        zone=part["zone"],
        first=date.fromisoformat(part["from"]),
        end=date.fromisoformat(part["to"]),
        formula=part["formula"],
        act=part["act"],
        inputs=inputs,
        amount_kopecks=part["amount_kopecks"],
        surcharge_kopecks=surcharge,
        rate=rate,
        volume=volume,
        unit=unit.removeprefix(RATE_UNIT),
        multiplier=multiplier,
        is_common=part.get("scope") == "common",
        resource=part.get("resource", ""),
    )


def _volume(formula: str, values: Mapping[str, Fraction]) -> Fraction | None:
    """What the rate was multiplied by: the formula with a rate of one rouble."""
    try:
        return evaluate(formula, values)
    except ExpressionError:
        return None


def _recalculations(row: ServiceRow, line: Mapping[str, Any]) -> list[Recalculation]:
    found = [
        Recalculation(row.service, f"{d.act} ({d.first:%d.%m.%Y}–{d.end:%d.%m.%Y})", d.amount_kopecks)
        for d in row.details
        if d.is_recalculation
    ]
    left = row.recalculated_kopecks - sum(r.amount_kopecks for r in found)
    if carried := line.get("carried_over_kopecks", 0):
        found.append(Recalculation(row.service, "остаток перерасчёта переходит на следующие месяцы", carried))
        left -= carried
    if left:
        found.append(Recalculation(row.service, "корректировка этого платёжного документа", left))
    return found


def _readings(lines: Sequence[Mapping[str, Any]]) -> tuple[MeterReading, ...]:
    """The counters behind the lines, first and last of each register; a water meter's stand behind sewage too.

    A profile's readings are sums over its intervals, not counters; those of a house meter are told apart by the input
    that names their stretch.
    """
    found: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    services: dict[tuple[str, int], dict[str, str]] = {}
    of_house: set[tuple[str, int]] = set()
    for line in lines:
        house = _house_places(line)
        for number, reading in enumerate(line["readings"]):
            if number not in house and line["method"] != "meter":
                continue
            place = reading["meter"], reading["register"]
            found.setdefault(place, []).append(reading)
            services.setdefault(place, {})[_resource(line, number)] = _unit(line, number)
            of_house |= {place} if number in house else set()
    return tuple(
        _reading(place, values, services[place], is_house=place in of_house) for place, values in found.items()
    )


def _reading(
    place: tuple[str, int], values: Sequence[Mapping[str, Any]], services: Mapping[str, str], *, is_house: bool
) -> MeterReading:
    first, *_, last = sorted([values[0], *values], key=lambda reading: (reading["at"], reading["leaf"]))
    scale, unit = BASE_UNITS.get(next(iter(services.values())), (1, next(iter(services.values()))))
    previous = Fraction(first["value"], scale) if first["at"] < last["at"] else None
    current = Fraction(last["value"], scale)
    return MeterReading(tuple(services), *place, unit, previous, current, last["at"], last["quality"], is_house)


def _house_places(line: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    """Places of a line's readings that are a house meter's, with the part that uses them."""
    return {
        number: part
        for part in line["parts"]
        for given in part["inputs"]
        if given["symbol"] in HOUSE_SYMBOLS and "readings" in given
        for number in range(*given["readings"])
    }


def _resource(line: Mapping[str, Any], number: int) -> str:
    part = _house_places(line).get(number)
    return str(line["service"] if part is None else part.get("resource", line["service"]))


def _unit(line: Mapping[str, Any], number: int) -> str:
    """The base unit of a reading: its line's, but in a housing line the one of the resource."""
    part = _house_places(line).get(number)
    if part is None or "resource" not in part:
        return str(line["unit"])
    house = next(given for given in part["inputs"] if given["symbol"] in HOUSE_SYMBOLS)
    return BASE_OF[house["unit"]]


def _premises(value: Mapping[str, Any], period: Period) -> Premises:
    end = date(period.next().year, period.next().month, 1)
    residents = [row["number"] for row in value["residents"] if date.fromisoformat(row["since"]) < end]
    return Premises(
        area_m2=Fraction(value["area_dm2"], DM2_PER_M2),
        rooms=value["rooms"],
        owners=value["owners"],
        residents=residents[-1] if residents else 0,
        house_area_m2=Fraction(value["house_area_dm2"], DM2_PER_M2),
    )
