"""The unified payment document (ЕПД) as data: what each section of приказ Минстроя № 43/пр says of one bill.

Pure: made of the bill's own document, what has moved on it, what is owed besides, and a ``Person``. Sums are whole
kopecks, volumes and rates exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from billing.paper.person import Person
from contracts.wire.ids import BillKey, BillState, Period


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

    ``multiplier`` is K where a raising coefficient was applied; the volume is the one before it. ``is_common``: for the
    common property; ``resource`` is the service whose resource that is, where it stands in the housing line.
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
    resource: str = ""

    @property
    def is_recalculation(self) -> bool:
        """Whether it belongs to months before."""
        return self.kind == "recalculation"


@dataclass(frozen=True, slots=True)
class MeterReading:
    """A counter's last two values that lines used (section 2), exact, in ``unit``. Moments in seconds UTC.

    ``is_house``: the meter of the whole house (section 4).
    """

    services: tuple[str, ...]
    meter: str
    register: int
    unit: str
    previous: Fraction | None
    current: Fraction
    taken_at: int
    quality: str
    is_house: bool = False


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """One service of section 3. ``volume`` is the premises' own, ``common_volume`` their share of the common use.

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
    def resources(self) -> dict[str, tuple[Detail, ...]]:
        """What a housing line charges for the common property's use, by resource (КР на СОИ)."""
        named = dict.fromkeys(d.resource for d in self.details if d.resource)
        return {name: tuple(d for d in self.details if d.resource == name) for name in named}

    @property
    def rates(self) -> tuple[Fraction, ...]:
        """Its rates in their order, each once."""
        plain = (d for d in self.details if not (d.is_recalculation or d.resource))
        return tuple(dict.fromkeys(d.rate for d in plain if d.rate is not None))


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
