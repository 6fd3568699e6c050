"""What a payer's sum covers: which bills first, and how much of each line.

ГК 319: costs of the claim, then contractual interest, then principal; penalties after principal. Within one rank ГК
319.1 and п. 32 of the Пленум ВС 22/2017: the period that the payer names, then the oldest that can still be claimed,
what is past the limitation last. Among the lines of one bill pro rata to what is open, by largest remainder, exactly
as the Settlement divides, so that what is shown before paying is what the receipt says. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby

from contracts.wire.ids import BillKey, Period, Service, SupplierId
from contracts.wire.units import split_largest_remainder


class Rank(IntEnum):
    """The order of ГК 319; a lower rank is paid first."""

    COSTS = 1
    INTEREST = 2
    PRINCIPAL = 3
    PENALTY = 4


@dataclass(frozen=True, slots=True)
class OpenLine:
    """What is open on one line."""

    line: int
    service: Service | None
    supplier: SupplierId
    open_kopecks: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A bill or note with something open. ``waits``: in dispute, so that a payment passes it over."""

    leaf: BillKey
    period: Period
    rank: Rank
    lines: tuple[OpenLine, ...]
    is_expired: bool = False
    waits: bool = False

    @property
    def open_kopecks(self) -> int:
        """Sum of its lines."""
        return sum(line.open_kopecks for line in self.lines)


@dataclass(frozen=True, slots=True)
class LineShare:
    """What one line gets."""

    line: OpenLine
    amount_kopecks: int


@dataclass(frozen=True, slots=True)
class Share:
    """What one bill or note gets, and each of its lines."""

    claim: Claim
    lines: tuple[LineShare, ...]

    @property
    def amount_kopecks(self) -> int:
        """Sum of the lines."""
        return sum(share.amount_kopecks for share in self.lines)


@dataclass(frozen=True, slots=True)
class Allocation:
    """Where a sum goes, in the order in which it goes there; ``left_kopecks`` finds nothing to pay."""

    shares: tuple[Share, ...]
    left_kopecks: int
    waiting: tuple[Claim, ...]


def allocate(amount_kopecks: int, claims: Iterable[Claim], named: Period | None = None) -> Allocation:
    """Divides a sum over claims; what is over goes to nobody. Raises ValueError for a negative sum."""
    if amount_kopecks < 0:
        raise ValueError(f"{amount_kopecks} kopecks can't be divided; give a sum of 0 or more")
    wanted = [claim for claim in claims if claim.open_kopecks]
    payable = sorted((c for c in wanted if not c.waits), key=lambda c: (_turn(c, named), c.leaf))
    left, shares = amount_kopecks, []
    for _, group in groupby(payable, key=lambda c: _turn(c, named)):
        together = list(group)
        take = min(left, sum(claim.open_kopecks for claim in together))
        for claim, part in zip(together, _divide(take, [c.open_kopecks for c in together]), strict=True):
            if part:
                shares.append(_share(claim, part))
        left -= take
    return Allocation(tuple(shares), left, tuple(claim for claim in wanted if claim.waits))


def _turn(claim: Claim, named: Period | None) -> tuple[Rank, bool, bool, Period]:
    """Claims of one turn are paid together: those of one rank and one period."""
    return claim.rank, claim.period != named, claim.is_expired, claim.period


def _share(claim: Claim, amount: int) -> Share:
    parts = _divide(amount, [line.open_kopecks for line in claim.lines])
    return Share(claim, tuple(LineShare(line, part) for line, part in zip(claim.lines, parts, strict=True)))


def _divide(amount: int, weights: Sequence[int]) -> list[int]:
    """Largest remainder (docs/protocol.md §7); nothing gives nothing."""
    return split_largest_remainder(amount, list(weights)) if amount else [0] * len(weights)
