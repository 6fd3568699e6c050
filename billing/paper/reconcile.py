"""A bank's statement held against what the chain says came: to the kopeck, with what is unmatched on both sides.

Three ways to a match, the surest first: the purpose names the transaction; one entry and one movement of the same sum
within a few days; one entry that makes up all movements of a day that are left (banks put a day's receipts together).
A transaction that is named with another sum is told as such, never put aside as a match. Nothing is matched twice.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import Enum

from billing.paper.bank import BankEntry, BankStatement
from billing.paper.exchange import Movement
from billing.paper.registers import Problem

_TRANSACTION = re.compile(r"0x([0-9a-fA-F]{64})(?![0-9a-fA-F])")


class MatchedBy(Enum):
    """How sure a match is."""

    TRANSACTION = "transaction"
    SUM_AND_DAY = "sum and day"
    DAY_TOTAL = "day's total"


@dataclass(frozen=True, slots=True)
class Match:
    """Entries and movements that are the same money; their sums differ only where ``difference_kopecks`` says so."""

    by: MatchedBy
    entries: tuple[BankEntry, ...]
    movements: tuple[Movement, ...]

    @property
    def difference_kopecks(self) -> int:
        """What the bank has above the chain."""
        return sum(e.amount_kopecks for e in self.entries) - sum(m.amount_kopecks for m in self.movements)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The outcome. ``problems`` are the bank file's own."""

    matches: tuple[Match, ...]
    entries: tuple[BankEntry, ...]
    """In the bank alone."""
    movements: tuple[Movement, ...]
    """On the chain alone."""
    problems: tuple[Problem, ...]
    bank_kopecks: int
    chain_kopecks: int

    @property
    def differing(self) -> tuple[Match, ...]:
        """Matches whose sums differ."""
        return tuple(match for match in self.matches if match.difference_kopecks)

    @property
    def is_even(self) -> bool:
        """Every kopeck of both sides is accounted for, and the bank's file is sound."""
        return not (self.entries or self.movements or self.differing or self.problems)


def reconcile(
    statement: BankStatement, movements: Sequence[Movement], day_of: Callable[[int], date], days: int = 3
) -> Reconciliation:
    """Matches the two. ``day_of`` gives the local day of a moment; ``days`` is how far a bank's booking may be off."""
    desk = _Desk(dict.fromkeys(statement.entries), dict.fromkeys(movements), day_of, days)
    desk.match_transactions()
    desk.match_sums()
    desk.match_days()
    return Reconciliation(
        tuple(desk.matches),
        tuple(desk.entries),
        tuple(desk.left),
        statement.problems,
        sum(entry.amount_kopecks for entry in statement.entries),
        sum(movement.amount_kopecks for movement in movements),
    )


@dataclass(slots=True)
class _Desk:
    """What is not matched yet, in the order it came, and the matches so far."""

    entries: dict[BankEntry, None]
    left: dict[Movement, None]
    day_of: Callable[[int], date]
    days: int
    matches: list[Match] = field(default_factory=list)

    def match_transactions(self) -> None:
        """Entries that name one transaction, with all movements of it in their direction."""
        named: defaultdict[tuple[bytes, bool], list[BankEntry]] = defaultdict(list)
        for entry in self.entries:
            found = set(_TRANSACTION.findall(entry.purpose))
            if len(found) == 1:
                named[bytes.fromhex(found.pop()), entry.amount_kopecks > 0].append(entry)
        moved: defaultdict[tuple[bytes, bool], list[Movement]] = defaultdict(list)
        for movement in self.left:
            moved[movement.tx_hash, movement.amount_kopecks > 0].append(movement)
        for key, own in named.items():
            if key in moved:
                self._named(own, moved[key])

    def _named(self, own: list[BankEntry], moved: list[Movement]) -> None:
        """Entries of one transaction: those that tell one movement each, then the rest together."""
        for entry in list(own):
            same = next((m for m in moved if m.amount_kopecks == entry.amount_kopecks), None)
            if same is not None:
                own.remove(entry)
                moved.remove(same)
                self._take(MatchedBy.TRANSACTION, [entry], [same])
        if own and moved:
            self._take(MatchedBy.TRANSACTION, own, moved)

    def match_sums(self) -> None:
        """One to one, each sum by itself, earliest first: with windows of equal width that is the most there can be."""
        by_sum: defaultdict[int, list[Movement]] = defaultdict(list)
        for movement in sorted(self.left, key=lambda m: m.at):
            by_sum[movement.amount_kopecks].append(movement)
        for entry, on in self._dated():
            candidates = by_sum[entry.amount_kopecks]
            near = next((m for m in candidates if self._is_near(on, self.day_of(m.at))), None)
            if near is not None:
                candidates.remove(near)
                self._take(MatchedBy.SUM_AND_DAY, [entry], [near])

    def match_days(self) -> None:
        """One entry for all that is left of a day: of one source and party, of one source, or of all."""
        by_day: defaultdict[tuple[date, bool], list[Movement]] = defaultdict(list)
        for movement in self.left:
            by_day[self.day_of(movement.at), movement.amount_kopecks > 0].append(movement)
        for entry, on in self._dated():
            for back in range(-1, self.days + 1):
                of_day = by_day[on - timedelta(days=back), entry.amount_kopecks > 0]
                group = _group_of(entry.amount_kopecks, of_day)
                if group:
                    self._take(MatchedBy.DAY_TOTAL, [entry], group)
                    of_day[:] = [m for m in of_day if m in self.left]
                    break

    def _dated(self) -> list[tuple[BankEntry, date]]:
        found = [(entry, entry.on) for entry in self.entries if entry.on is not None]
        return sorted(found, key=lambda pair: (pair[1], pair[0].line))

    def _is_near(self, booked: date, moved: date) -> bool:
        """A bank books on the day or after it; clocks and zones may put it one day before."""
        return -timedelta(days=1) <= booked - moved <= timedelta(days=self.days)

    def _take(self, by: MatchedBy, own: Sequence[BankEntry], moved: Sequence[Movement]) -> None:
        for entry in own:
            del self.entries[entry]
        for movement in moved:
            del self.left[movement]
        self.matches.append(Match(by, tuple(own), tuple(moved)))


def _group_of(kopecks: int, of_day: Sequence[Movement]) -> list[Movement]:
    """Movements of a day that make up a sum; none where no group does."""
    groups: defaultdict[tuple[object, ...], list[Movement]] = defaultdict(list)
    for movement in of_day:
        for key in ((movement.source, movement.counterparty), (movement.source,), ()):
            groups[key].append(movement)
    return next((g for g in groups.values() if sum(m.amount_kopecks for m in g) == kopecks), [])
