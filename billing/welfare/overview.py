"""The cases in sums: what each was given and what is owed back. Income and family stay where they are sealed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from billing.welfare.cases import SubsidyCase
from billing.welfare.records import Shelf
from billing.welfare.standing import Standing, account_of
from contracts.wire.ids import Period


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """A case without what it was decided by. ``last`` is its last month, None where it is open."""

    account: str
    case: str
    kind: Literal["subsidy", "compensation"]
    first: Period
    last: Period | None
    revision: int
    months_given: int
    given_kopecks: int
    owed_back_kopecks: int


def summaries(shelves: Iterable[Shelf], standing: Standing) -> list[CaseSummary]:
    """Every case, in the order given."""
    return [_summary(shelf, standing) for shelf in shelves]


def _summary(shelf: Shelf, standing: Standing) -> CaseSummary:
    sums = account_of(shelf, standing)
    latest = max(shelf.revisions, key=lambda r: r.number)
    case = latest.case
    return CaseSummary(
        account=shelf.account,
        case=shelf.case,
        kind="subsidy" if isinstance(case, SubsidyCase) else "compensation",
        first=case.months[0] if isinstance(case, SubsidyCase) else case.since,
        last=case.months[-1] if isinstance(case, SubsidyCase) else case.until,
        revision=latest.number,
        months_given=len({award.period for award in shelf.awards}),
        given_kopecks=sum(sum(given.lines.values()) for given in sums.given),
        owed_back_kopecks=sum(sums.open_kopecks.values()),
    )
