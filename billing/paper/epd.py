"""The unified payment document (ЕПД) as data: what each section of приказ Минстроя № 43/пр says of one bill.

Pure: made of the bill's own document, what has moved on it, what is owed besides, and a ``Person``. Sums are whole
kopecks, volumes and rates exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from billing.paper.expression import ExpressionError, evaluate
from billing.paper.person import Person
from billing.paper.words import BASE_UNITS
from contracts.wire.ids import BillKey, BillState, Period
from ledger.queries.views import BillView

RATE_UNIT = "RUB/"
MULTIPLIER = "K"
DM2_PER_M2 = 100


class NotABill(ValueError):
    """A note has no payment document of its own."""

    def __init__(self, key: BillKey) -> None:
        super().__init__(f"{key} is a correction note, not a bill; print the bill of a later month, which lists it")
        self.key = key


@dataclass(frozen=True, slots=True)
class Owed:
    """What is owed for a service besides this bill: earlier bills and notes, penalties, costs of a court. Kopecks.

    ``service`` is empty where the record behind a debt was erased. ``disputed_kopecks`` wait for a decision and are in
    none of the others.
    """

    service: str
    supplier: int
    arrears_kopecks: int = 0
    penalties_kopecks: int = 0
    court_costs_kopecks: int = 0
    disputed_kopecks: int = 0

    @property
    def total_kopecks(self) -> int:
        """What is to be paid of it now."""
        return self.arrears_kopecks + self.penalties_kopecks + self.court_costs_kopecks


@dataclass(frozen=True, slots=True)
class Instalment:
    """What an agreement makes of a service's sum this month (section 5). ``interest_percent`` a year, exact."""

    service: str
    current_kopecks: int
    past_kopecks: int
    interest_kopecks: int
    interest_percent: Fraction

    @property
    def total_kopecks(self) -> int:
        """What is paid this month under the agreement."""
        return self.current_kopecks + self.past_kopecks + self.interest_kopecks


@dataclass(frozen=True, slots=True)
class AgreedPayment:
    """What an agreement on instalments asks for this month: by when, how much, under which act."""

    by: date
    amount_kopecks: int
    act: str


@dataclass(frozen=True, slots=True)
class Recalculation:
    """One recalculation (section 6): of which service, on what ground, how much. Less than nothing takes off."""

    service: str
    reason: str
    amount_kopecks: int


@dataclass(frozen=True, slots=True)
class Detail:
    """One part of a line. ``volume`` in ``unit`` is None where two rates or none are in its formula.

    ``multiplier`` is K where a raising coefficient was applied; the volume is the one before it.
    """

    kind: str
    zone: str
    first: date
    end: date
    formula: str
    act: str
    inputs: tuple[tuple[str, Fraction, str], ...]
    amount_kopecks: int
    surcharge_kopecks: int = 0
    rate: Fraction | None = None
    volume: Fraction | None = None
    unit: str = ""
    multiplier: Fraction | None = None
    is_common: bool = False

    @property
    def is_recalculation(self) -> bool:
        """Whether it belongs to months before."""
        return self.kind == "recalculation"


@dataclass(frozen=True, slots=True)
class MeterReading:
    """A counter's last two values that lines used (section 2), exact, in ``unit``. Moments in seconds UTC."""

    services: tuple[str, ...]
    meter: str
    register: int
    unit: str
    previous: Fraction | None
    current: Fraction
    taken_at: int
    quality: str


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """One service of section 3.

    ``charged_kopecks`` is the month without recalculations and benefits, the surcharge of a raising coefficient
    included. ``granted_kopecks`` came from the welfare body, ``paid_kopecks`` from the payer, prepaid or since.
    """

    service: str
    supplier: int
    unit: str
    volume: Fraction | None
    common_volume: Fraction | None
    method: str
    details: tuple[Detail, ...]
    charged_kopecks: int
    recalculated_kopecks: int = 0
    granted_kopecks: int = 0
    paid_kopecks: int = 0
    arrears_kopecks: int = 0
    penalties_kopecks: int = 0
    court_costs_kopecks: int = 0

    @property
    def payable_kopecks(self) -> int:
        """For the month: charged, recalculated, less benefits."""
        return self.charged_kopecks + self.recalculated_kopecks - self.granted_kopecks

    @property
    def overall_kopecks(self) -> int:
        """What is left to pay, with debts, penalties and costs, less what was paid."""
        extra = self.arrears_kopecks + self.penalties_kopecks + self.court_costs_kopecks
        return self.payable_kopecks - self.paid_kopecks + extra

    @property
    def surcharge_kopecks(self) -> int:
        """The share of the charge that a raising coefficient added."""
        return sum(detail.surcharge_kopecks for detail in self.details if not detail.is_recalculation)

    @property
    def multiplier(self) -> Fraction | None:
        """The raising coefficient; the highest where it changed within the month."""
        return max((d.multiplier for d in self.details if d.multiplier is not None), default=None)

    @property
    def rates(self) -> tuple[Fraction, ...]:
        """Its rates in their order, each once."""
        found = (detail.rate for detail in self.details if detail.rate is not None and not detail.is_recalculation)
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Premises:
    """The premises of section 1. Areas in m², exact."""

    area_m2: Fraction
    rooms: int
    owners: int
    residents: int
    house_area_m2: Fraction


@dataclass(frozen=True, slots=True)
class PaymentDocument:
    """A payment document. ``due`` is the last day to pay; ``printed_on`` the day as of which money is told."""

    key: BillKey
    account: str
    period: Period
    zone: str
    state: BillState
    person: Person
    premises: Premises
    rows: tuple[ServiceRow, ...]
    readings: tuple[MeterReading, ...]
    recalculations: tuple[Recalculation, ...]
    tariffs: tuple[tuple[str, str], ...]
    printed_on: date
    due: date
    instalments: tuple[Instalment, ...] = ()
    agreed: tuple[AgreedPayment, ...] = ()
    limit_index_percent: Fraction | None = None
    other: tuple[Owed, ...] = ()
    """Debts of services that this bill does not charge."""
    advance_kopecks: int = 0
    """Paid ahead and not yet netted: a later bill nets it."""
    disputed_kopecks: int = 0

    @property
    def overall_kopecks(self) -> int:
        """What is left to pay on everything."""
        return sum(row.overall_kopecks for row in self.rows) + sum(owed.total_kopecks for owed in self.other)

    @property
    def penalties_kopecks(self) -> int:
        """Penalties on everything."""
        return sum(row.penalties_kopecks for row in self.rows) + sum(o.penalties_kopecks for o in self.other)

    @property
    def arrears_kopecks(self) -> int:
        """What earlier bills and notes leave open."""
        return sum(row.arrears_kopecks for row in self.rows) + sum(o.arrears_kopecks for o in self.other)

    @property
    def number(self) -> str:
        """The number of the document: that of the bill on the chain."""
        return str(self.key)

    @property
    def is_superseded(self) -> bool:
        """Whether a later bill replaced this one: then nothing is to be paid by it."""
        return self.state is BillState.SUPERSEDED


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
    common = [d.volume for d in details if d.is_common and d.volume is not None]
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

    A profile's readings are sums over its intervals, not counters.
    """
    found: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    services: dict[tuple[str, int], dict[str, str]] = {}
    for line in lines:
        for reading in line["readings"] if line["method"] == "meter" else ():
            place = reading["meter"], reading["register"]
            found.setdefault(place, []).append(reading)
            services.setdefault(place, {})[line["service"]] = line["unit"]
    out: list[MeterReading] = []
    for (meter, register), values in found.items():
        first, *_, last = sorted([values[0], *values], key=lambda r: (r["at"], r["leaf"]))
        named = services[meter, register]
        scale, unit = BASE_UNITS.get(next(iter(named.values())), (1, next(iter(named.values()))))
        previous = Fraction(first["value"], scale) if first["at"] < last["at"] else None
        current = Fraction(last["value"], scale)
        out.append(MeterReading(tuple(named), meter, register, unit, previous, current, last["at"], last["quality"]))
    return tuple(out)


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
