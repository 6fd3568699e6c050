"""What moved on a house's lines of capital repair, by a few queries over all its bills.

A bill's document is opened only where its lines leave it in doubt what they are for: a note's purpose, and lines of
suppliers who bill, or billed, the house for something else as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

from sqlalchemy import Engine, select

from billing.corrections import PENALTY
from billing.debt.balance import Move
from billing.debt.books import DISPUTE, MOVES, named_in
from billing.domain.calendar import local_date
from billing.run import Runs, RunStage
from billing.schema import accounts, bills, contracts, runs
from contracts.wire.ids import BillKey, Period, RunId, Service, SupplierId
from contracts.wire.leaf import BillKind
from ledger.queries import Ledger
from ledger.queries.lines import LineOf

CAPITAL_REPAIR = frozenset({Service.CAPITAL_REPAIR})


@dataclass(frozen=True, slots=True)
class FundMove:
    """What moved on an account's lines of the fund in a month, in kopecks; ``is_penalty``: on notes of penalties."""

    account: str
    month: Period
    move: Move
    amount_kopecks: int
    is_penalty: bool = False


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A bill or note of an account of the house, as far as no document has to be opened for it."""

    account: str
    period: Period
    kind: BillKind
    original: BillKey | None


@dataclass(frozen=True, slots=True)
class _Told:
    """What a document says of its lines; nothing once it was erased."""

    services: Mapping[int, Service]
    purpose: str | None = None


class FundMoves:
    """Reads them out of billing's register and the ledger's queries."""

    def __init__(self, engine: Engine, register: Runs, ledger: Ledger) -> None:
        self._engine, self._runs, self._ledger = engine, register, ledger

    def of_house(self, house: str, zone: str, fund_only: frozenset[SupplierId]) -> list[FundMove]:
        """All of them. ``fund_only`` are suppliers whose lines are the fund's where a document was erased."""
        leaves, known = self._leaves(house), self._contracts(house)
        others = frozenset(supplier for supplier, services in known.items() if not services & CAPITAL_REPAIR)
        plain = frozenset(supplier for supplier in fund_only if known[supplier] == CAPITAL_REPAIR)
        lines, moved = self._ledger.lines_of(list(leaves), others)
        told = self._told([line.bill for line in lines if _in_doubt(leaves[line.bill], line, plain)])
        mine = {
            (line.bill, line.line): line
            for line in lines
            if leaves[line.bill].kind is not BillKind.CREDIT_NOTE and _is_of_fund(line, told.get(line.bill), fund_only)
        }
        days = {run.run: local_date(run.activatable_at, zone) for run in self._ledger.runs()}

        @cache
        def month_at(timestamp: int) -> Period:
            return _month_of(local_date(timestamp, zone))

        out = [*_charged(mine, leaves, told, days), *_credited(lines, mine, leaves, told, days)]
        out += [
            FundMove(leaves[row.bill].account, month_at(row.timestamp), MOVES[row.kind], row.amount_kopecks,
                     _is_penalty(told.get(row.bill)))
            for row in moved if (row.bill, row.line) in mine
        ]  # fmt: skip
        return out

    def _leaves(self, house: str) -> dict[BillKey, _Leaf]:
        query = (
            select(
                runs.c.chain_run, bills.c.bill_index, bills.c.account, bills.c.period, bills.c.kind, bills.c.original
            )
            .join(runs, runs.c.id == bills.c.run)
            .join(accounts, accounts.c.account == bills.c.account)
            .where(accounts.c.house == house, runs.c.state == RunStage.ACTIVE.value, runs.c.chain_run.is_not(None))
        )
        with self._engine.connect() as connection:
            return {
                BillKey(RunId(row.chain_run), row.bill_index): _Leaf(
                    row.account,
                    Period.from_number(row.period),
                    BillKind(row.kind),
                    None if row.original is None else BillKey.from_number(row.original),
                )
                for row in connection.execute(query)
            }

    def _contracts(self, house: str) -> defaultdict[SupplierId, frozenset[Service]]:
        """What each supplier was ever to bill the house for; nothing is known of any other."""
        found: defaultdict[SupplierId, frozenset[Service]] = defaultdict(frozenset)
        query = select(contracts.c.supplier, contracts.c.service).where(contracts.c.house == house)
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                found[SupplierId(row.supplier)] |= {Service(row.service)}
        return found

    def _told(self, keys: Sequence[BillKey]) -> dict[BillKey, _Told]:
        return {
            key: _Told(*named_in(stored.document))
            for key, stored in self._runs.bills_at(list(dict.fromkeys(keys))).items()
        }


def _in_doubt(leaf: _Leaf, line: LineOf, plain: frozenset[SupplierId]) -> bool:
    return leaf.kind is not BillKind.BILL or line.supplier not in plain


def _is_of_fund(line: LineOf, told: _Told | None, fund_only: frozenset[SupplierId]) -> bool:
    """A line that needed no document is the fund's: ``told`` is None of it."""
    if told is None:
        return True
    service = told.services.get(line.line)
    return service is Service.CAPITAL_REPAIR or (service is None and line.supplier in fund_only)


def _is_penalty(told: _Told | None) -> bool:
    return told is not None and told.purpose == PENALTY


def _charged(
    mine: Mapping[tuple[BillKey, int], LineOf], leaves: Mapping[BillKey, _Leaf], told: Mapping[BillKey, _Told],
    days: Mapping[RunId, date],
) -> Iterator[FundMove]:  # fmt: skip
    for line in mine.values():
        leaf, penalty = leaves[line.bill], _is_penalty(told.get(line.bill))
        if not line.charged_kopecks:
            continue
        if leaf.kind is BillKind.BILL or penalty:
            yield FundMove(leaf.account, leaf.period, Move.CHARGED, line.charged_kopecks, penalty)
        else:
            run = _presented_with(line.bill, leaf, told.get(line.bill), days)
            yield FundMove(leaf.account, _month_of(days[run]), Move.RECALCULATED, line.charged_kopecks)


def _presented_with(key: BillKey, leaf: _Leaf, told: _Told | None, days: Mapping[RunId, date]) -> RunId:
    """A note that only sets a disputed line apart was presented with the bill it is of."""
    if told is not None and told.purpose == DISPUTE and leaf.original is not None and leaf.original.run in days:
        return leaf.original.run
    return key.run


def _credited(
    lines: Sequence[LineOf], mine: Mapping[tuple[BillKey, int], LineOf], leaves: Mapping[BillKey, _Leaf],
    told: Mapping[BillKey, _Told], days: Mapping[RunId, date],
) -> Iterator[FundMove]:  # fmt: skip
    for line in lines:
        leaf = leaves[line.bill]
        if leaf.kind is not BillKind.CREDIT_NOTE or leaf.original is None or not line.charged_kopecks:
            continue
        if (leaf.original, line.line) in mine:
            run = _presented_with(line.bill, leaf, told.get(line.bill), days)
            penalty = _is_penalty(told.get(leaf.original))
            yield FundMove(leaf.account, _month_of(days[run]), Move.RECALCULATED, -line.charged_kopecks, penalty)


def _month_of(day: date) -> Period:
    return Period(day.year, day.month)
