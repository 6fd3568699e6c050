"""An account's balance: what was charged, recalculated, granted and paid, month after month, and how old a debt is.

Pure. Entries come from the ledger and from billing's books (``billing.debt.books``). A penalty is never part of a
balance: it stands beside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from billing.debt.penalty import Debt, Paid
from contracts.wire.ids import BillKey, Period, Service, SupplierId

ServiceLine = tuple[Service | None, SupplierId]
"""What a balance is kept by: a service (None where its document was erased) and who is owed for it."""


class Move(StrEnum):
    """What an entry did to a balance. Amounts are positive, but for a recalculation that takes off."""

    CHARGED = "charged"
    RECALCULATED = "recalculated"
    GRANTED = "granted"
    PAID = "paid"
    NETTED = "netted"
    REFUNDED = "refunded"


_RAISES = frozenset({Move.CHARGED, Move.RECALCULATED, Move.REFUNDED})


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement on one line of one bill or note, on a day of the house's own calendar.

    ``leaf`` is the bill or debit note whose line it is on; a credit note's entry is on the line that it credits.
    ``month`` is where a statement shows it: a charge in the month it is for, anything else in the month it came.
    """

    move: Move
    service_line: ServiceLine
    leaf: BillKey
    line: int
    period: Period
    month: Period
    day: date
    amount_kopecks: int

    @property
    def effect_kopecks(self) -> int:
        """What it adds to what is owed."""
        return self.amount_kopecks if self.move in _RAISES else -self.amount_kopecks


@dataclass(frozen=True, slots=True)
class Turnover:
    """One month of one service of one supplier, in kopecks. ``penalties`` accrued in it, and stand apart."""

    month: Period
    service: Service | None
    supplier: SupplierId
    opening: int
    moved: Mapping[Move, int] = field(default_factory=dict)
    penalties: int = 0

    def of(self, move: Move) -> int:
        """Kopecks of one kind of movement."""
        return self.moved.get(move, 0)

    def all_moved(self) -> dict[Move, int]:
        """Kopecks of every kind of movement, 0 where there was none."""
        return {move: self.of(move) for move in Move}

    @property
    def closing(self) -> int:
        """What is owed at the month's end; negative where the supplier owes it back."""
        raised = sum(amount for move, amount in self.moved.items() if move in _RAISES)
        return self.opening + raised - sum(amount for move, amount in self.moved.items() if move not in _RAISES)


def statement(
    entries: Iterable[Entry], accrued: Mapping[tuple[ServiceLine, Period], int] | None = None
) -> list[Turnover]:
    """Each month's turnover by service and supplier; every opening is the closing before it.

    ``accrued`` are penalties by the month whose days they are for. A month in which nothing moved or accrued is left
    out: its closing would be its opening.
    """
    penalties = accrued or {}
    by_place: defaultdict[tuple[ServiceLine, Period], defaultdict[Move, int]] = defaultdict(lambda: defaultdict(int))
    for entry in entries:
        by_place[entry.service_line, entry.month][entry.move] += entry.amount_kopecks
    balance: defaultdict[ServiceLine, int] = defaultdict(int)
    out = []
    for place in sorted({*by_place, *penalties}, key=lambda place: (place[1], _order(place[0]))):
        service_line, month = place
        moved = dict(by_place[place]) if place in by_place else {}
        row = Turnover(month, *service_line, balance[service_line], moved, penalties.get(place, 0))
        balance[service_line] = row.closing
        out.append(row)
    return out


def _order(service_line: ServiceLine) -> tuple[int, int]:
    service, supplier = service_line
    return (0 if service is None else int(service), int(supplier))


@dataclass(frozen=True, slots=True)
class LineDebt:
    """One line's principal with what came towards it. ``principal_kopecks`` is less what was credited.

    ``is_penalty``: the line charges a penalty, so nothing accrues on it and it is paid after all principal.
    """

    leaf: BillKey
    line: int
    service: Service | None
    supplier: SupplierId
    period: Period
    due: date
    principal_kopecks: int
    payments: tuple[Paid, ...] = ()
    refunded_kopecks: int = 0
    is_penalty: bool = False

    @property
    def _moved_kopecks(self) -> int:
        return sum(paid.amount_kopecks for paid in self.payments) - self.refunded_kopecks

    @property
    def open_kopecks(self) -> int:
        """What is still to be paid."""
        return max(0, self.principal_kopecks - self._moved_kopecks)

    @property
    def owed_back_kopecks(self) -> int:
        """What came and is not owed any more."""
        return max(0, self._moved_kopecks - self.principal_kopecks)

    @property
    def debt(self) -> Debt:
        """The debt that a penalty is counted on."""
        return Debt(self.period, self.principal_kopecks, self.due, self.payments)

    @property
    def settled(self) -> date | None:
        """The day on which nothing was left to pay; None while something is."""
        if self.open_kopecks or not self.payments:
            return None
        return max(paid.day for paid in self.payments)


def line_debts(
    entries: Iterable[Entry], due_of: Callable[[BillKey], date], penalties: Iterable[BillKey] = ()
) -> list[LineDebt]:
    """The debt of each line; ``penalties`` are leaves that charge penalties."""
    found: dict[tuple[BillKey, int], LineDebt] = {}
    apart = frozenset(penalties)
    for entry in entries:
        place = entry.leaf, entry.line
        if place not in found:
            service, supplier = entry.service_line
            due = due_of(entry.leaf)
            found[place] = LineDebt(
                entry.leaf, entry.line, service, supplier, entry.period, due, 0, is_penalty=entry.leaf in apart
            )
        found[place] = _with(found[place], entry)
    return [replace(debt, principal_kopecks=max(0, debt.principal_kopecks)) for debt in found.values()]


def _with(debt: LineDebt, entry: Entry) -> LineDebt:
    if entry.move in (Move.CHARGED, Move.RECALCULATED):
        return replace(debt, principal_kopecks=debt.principal_kopecks + entry.amount_kopecks)
    if entry.move is Move.REFUNDED:
        return replace(debt, refunded_kopecks=debt.refunded_kopecks + entry.amount_kopecks)
    return replace(debt, payments=(*debt.payments, Paid(entry.day, entry.amount_kopecks)))


# --- how old a debt is ---


class Age(StrEnum):
    """How long a debt is overdue, in days after its due date."""

    NOT_DUE = "not due"
    TO_30 = "0-30"
    TO_90 = "31-90"
    TO_180 = "91-180"
    TO_365 = "181-365"
    OVER = "over 365"
    EXPIRED = "over the limitation"


_BUCKETS = ((30, Age.TO_30), (90, Age.TO_90), (180, Age.TO_180), (365, Age.TO_365))


def age_of(due: date, at: date, limitation_years: int) -> Age:
    """The bucket of a debt that was due on ``due``, seen on ``at``."""
    if at <= due:
        return Age.NOT_DUE
    if is_expired(due, at, limitation_years):
        return Age.EXPIRED
    days = (at - due).days
    return next((age for last, age in _BUCKETS if days <= last), Age.OVER)


def is_expired(due: date, at: date, limitation_years: int) -> bool:
    """Whether a court may refuse the debt for its age, counted from the day after it was due (ст. 196, 200 ГК РФ)."""
    try:
        last = due.replace(year=due.year + limitation_years)
    except ValueError:  # 29 February: the last day of the month (ст. 192 ГК РФ)
        last = date(due.year + limitation_years, 2, 28)
    return at > last


def ageing(debts: Iterable[LineDebt], at: date, limitation_years: int) -> dict[Age, int]:
    """Kopecks open in each bucket, in the order of age; empty buckets stand with 0."""
    out = dict.fromkeys(Age, 0)
    for debt in debts:
        out[age_of(debt.due, at, limitation_years)] += debt.open_kopecks
    return out


def by_service_line(debts: Sequence[LineDebt]) -> Iterator[tuple[ServiceLine, list[LineDebt]]]:
    """Debts grouped by service and supplier, in order."""
    groups: defaultdict[ServiceLine, list[LineDebt]] = defaultdict(list)
    for debt in debts:
        groups[debt.service, debt.supplier].append(debt)
    yield from sorted(groups.items(), key=lambda item: _order(item[0]))
