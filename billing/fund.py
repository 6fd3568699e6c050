"""The capital-repair fund of a house: what came in, what was spent on which works, and what is left.

Contributions, and the penalties paid on them, come from the ledger (ЖК РФ, ст. 170 ч. 1); the rest is entered with its
act: what was there at the opening, interest of the bank, works accepted and works paid for (ст. 174, 177, 183).
Entries are added, never changed; a wrong one is taken back by another. A house's facts are nobody's life: they are not
sealed, and a statement names no account but the owner's own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from sqlalchemy import Engine, insert, select

from billing.accounts import Accounts
from billing.debt.balance import Move
from billing.debt.books import DebtBooks
from billing.domain.household import House
from billing.fund_moves import FundMove, FundMoves
from billing.schema import fund_entries
from contracts.wire.ids import Period, Service, SupplierId

CAME = {Move.PAID: 1, Move.GRANTED: 1, Move.NETTED: 1, Move.REFUNDED: -1}
"""What brings money to the fund, or takes it back; a grant of the welfare body is money like a payment."""


class FundKind(StrEnum):
    """What is entered by hand. ``ACCEPTED`` is owed to a contractor by an act, ``SPENT`` was paid to one."""

    OPENING = "opening"
    INTEREST = "interest"
    ACCEPTED = "accepted"
    SPENT = "spent"


class OtherEntry(ValueError):
    """A document was entered before with another content."""

    def __init__(self, house: str, document: str) -> None:
        super().__init__(
            f"house {house} has another entry under the document {document!r}; take it back with --amount below zero "
            "under a document of its own, and enter it anew"
        )
        self.house, self.document = house, document


class NoSuchHouse(LookupError):
    """No house of that code."""

    def __init__(self, house: str) -> None:
        super().__init__(f"no house {house!r}; `kopeck fund list` names those there are")
        self.house = house


@dataclass(frozen=True, slots=True)
class FundEntry:
    """One movement of a house's fund that is not a contribution. ``document`` is its act's own number, once a house.

    An amount below zero takes an earlier one back.
    """

    house: str
    kind: FundKind
    day: date
    amount_kopecks: int
    document: str
    what: str
    contractor: str = ""

    @property
    def month(self) -> Period:
        """The month it is shown in."""
        return Period(self.day.year, self.day.month)


@dataclass(frozen=True, slots=True)
class FundMonth:
    """One month of a house's fund, kopecks. ``charged`` is what owners were asked for, less what was recalculated."""

    month: Period
    opening: int
    charged: int = 0
    received: int = 0
    penalties: int = 0
    entered: int = 0
    interest: int = 0
    accepted: int = 0
    spent: int = 0

    @property
    def closing(self) -> int:
        """What is left: contributions, penalties, interest and what was entered at the opening, less what was spent.
        Below zero, it was lent by the funds of other houses."""
        return self.opening + self.received + self.penalties + self.entered + self.interest - self.spent


@dataclass(frozen=True, slots=True)
class Share:
    """What one account was charged and paid to the fund through the statement's last month."""

    account: str
    charged: int
    received: int

    @property
    def owed(self) -> int:
        """What is still to be paid; below zero, paid ahead."""
        return self.charged - self.received


@dataclass(frozen=True, slots=True)
class FundStatement:
    """A house's fund from ``first`` through ``last``. ``charged``, ``received`` and ``works`` are of all time up to
    then; ``shares`` hold every account's."""

    house: str
    first: Period
    last: Period
    months: tuple[FundMonth, ...]
    works: tuple[FundEntry, ...]
    shares: tuple[Share, ...] = field(repr=False)

    @property
    def opening(self) -> int:
        """What was there before the first month."""
        return self.months[0].opening

    @property
    def closing(self) -> int:
        """What is there after the last month."""
        return self.months[-1].closing

    @property
    def charged(self) -> int:
        """All that owners were ever asked for."""
        return sum(share.charged for share in self.shares)

    @property
    def received(self) -> int:
        """All that ever came of it."""
        return sum(share.received for share in self.shares)

    @property
    def owed_to_contractors(self) -> int:
        """Works accepted and not yet paid for."""
        return sum(e.amount_kopecks * (1 if e.kind is FundKind.ACCEPTED else -1) for e in self.works)

    def share(self, account: str) -> Share:
        """One account's. Raises LookupError."""
        found = next((share for share in self.shares if share.account == account), None)
        if found is None:
            raise LookupError(f"account {account} is not of house {self.house}; name an account of the house")
        return found


class Funds:
    """The funds of houses."""

    def __init__(self, engine: Engine, register: Accounts, books: DebtBooks) -> None:
        self._engine = engine
        self._writes = engine.execution_options(writes=True)
        self._register = register
        self._moves = FundMoves(engine, books.runs, books.ledger)

    def houses(self) -> list[str]:
        """Codes of all houses."""
        return sorted(self._register.houses())

    def zone_of(self, house: str) -> str:
        """IANA zone of a house. Raises NoSuchHouse."""
        return self._require(house).zone

    def enter(self, entry: FundEntry) -> None:
        """Adds a movement; the same document with the same content changes nothing. Raises OtherEntry, NoSuchHouse."""
        self._require(entry.house)
        if not entry.amount_kopecks or not entry.document.strip():
            raise ValueError("an entry of a fund needs a sum other than zero and the number of its document")
        with self._writes.begin() as connection:
            here = (fund_entries.c.house == entry.house) & (fund_entries.c.document == entry.document)
            known = connection.execute(select(fund_entries).where(here)).one_or_none()
            if known is None:
                connection.execute(insert(fund_entries).values(**_row(entry)))
            elif known._asdict() != _row(entry):
                raise OtherEntry(entry.house, entry.document)

    def entries(self, house: str) -> list[FundEntry]:
        """What was entered for a house, by day."""
        query = select(fund_entries).where(fund_entries.c.house == house)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(fund_entries.c.day, fund_entries.c.document)).all()
        return [
            FundEntry(
                row.house, FundKind(row.kind), date.fromisoformat(row.day), row.amount, row.document, row.what,
                row.contractor,
            )
            for row in rows
        ]  # fmt: skip

    def statement(self, house: str, first: Period, last: Period) -> FundStatement:
        """A house's fund. Raises NoSuchHouse, and ValueError where the months are turned around."""
        if last < first:
            raise ValueError(f"{last} is before {first}; name the first month first")
        self._require(house)
        fund_only = self._fund_only(house, last)
        moves = self._moves.of_house(house, self.zone_of(house), fund_only)
        names = [account.account for account in self._register.accounts_of([house])]
        entered = [entry for entry in self.entries(house) if entry.month <= last]
        works = [entry for entry in entered if entry.kind in (FundKind.ACCEPTED, FundKind.SPENT)]
        return FundStatement(
            house,
            first,
            last,
            tuple(fund_months(moves, entered, (first, last))),
            tuple(works),
            tuple(_shares(names, moves, last)),
        )

    def _require(self, house: str) -> House:
        found = self._register.houses([house])
        if house not in found:
            raise NoSuchHouse(house)
        return found[house]

    def _fund_only(self, house: str, last: Period) -> frozenset[SupplierId]:
        """Suppliers who bill the house for capital repair and nothing else: theirs are the lines of bills whose
        documents were erased."""
        after = last.next()
        by_service = self._register.suppliers(house, date(after.year, after.month, 1))
        others = {supplier for service, supplier in by_service.items() if service is not Service.CAPITAL_REPAIR}
        return frozenset({by_service[s] for s in by_service if s is Service.CAPITAL_REPAIR} - others)


def fund_months(
    moves: Iterable[FundMove], entered: Sequence[FundEntry], span: tuple[Period, Period]
) -> Iterator[FundMonth]:
    """Each month of the span; what lies before it makes its opening."""
    sums: defaultdict[Period, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for moved in moves:
        came = moved.move in CAME
        if came or not moved.is_penalty:
            name = "charged" if not came else "penalties" if moved.is_penalty else "received"
            sums[moved.month][name] += CAME.get(moved.move, 1) * moved.amount_kopecks
    names = {FundKind.OPENING: "entered", FundKind.INTEREST: "interest"}
    for row in entered:
        sums[row.month][names.get(row.kind, row.kind.value)] += row.amount_kopecks
    first, last = span
    opening = sum(FundMonth(month, 0, **found).closing for month, found in sums.items() if month < first)
    month = first
    while month <= last:
        row_of = FundMonth(month, opening, **sums[month])
        yield row_of
        opening, month = row_of.closing, month.next()


def _shares(names: Iterable[str], moves: Iterable[FundMove], last: Period) -> Iterator[Share]:
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for moved in moves:
        if moved.month <= last and not moved.is_penalty:
            sums[moved.account][moved.move in CAME] += CAME.get(moved.move, 1) * moved.amount_kopecks
    for account in names:
        yield Share(account, *sums[account])


def _row(entry: FundEntry) -> dict[str, object]:
    return {
        "house": entry.house,
        "document": entry.document,
        "kind": entry.kind.value,
        "day": entry.day.isoformat(),
        "amount": entry.amount_kopecks,
        "what": entry.what,
        "contractor": entry.contractor,
    }


def statement_json(statement: FundStatement, account: str | None = None) -> dict[str, object]:
    """The statement as plain values, whole kopecks; of accounts only the one named. Raises LookupError."""
    out: dict[str, object] = {
        "house": statement.house,
        "from": str(statement.first),
        "to": str(statement.last),
        "opening_kopecks": statement.opening,
        "closing_kopecks": statement.closing,
        "charged_kopecks": statement.charged,
        "received_kopecks": statement.received,
        "owed_to_contractors_kopecks": statement.owed_to_contractors,
        "months": [month_json(month) for month in statement.months],
        "works": [
            {
                "kind": work.kind.value,
                "day": work.day.isoformat(),
                "amount_kopecks": work.amount_kopecks,
                "document": work.document,
                "what": work.what,
                "contractor": work.contractor,
            }
            for work in statement.works
        ],
    }
    if account is not None:
        share = statement.share(account)
        out["account"] = {
            "account": account,
            "charged_kopecks": share.charged,
            "received_kopecks": share.received,
            "owed_kopecks": share.owed,
        }
    return out


def month_json(month: FundMonth) -> dict[str, object]:
    """A month as plain values, whole kopecks."""
    return {
        "month": str(month.month),
        "opening_kopecks": month.opening,
        "charged_kopecks": month.charged,
        "received_kopecks": month.received,
        "penalties_kopecks": month.penalties,
        "entered_kopecks": month.entered,
        "interest_kopecks": month.interest,
        "accepted_kopecks": month.accepted,
        "spent_kopecks": month.spent,
        "closing_kopecks": month.closing,
    }
