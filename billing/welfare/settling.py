"""From what a case is due and what it has had to its next award, or to what it owes back. Pure."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from billing.welfare import subsidy
from billing.welfare.awards import Award, AwardLine, Manner, Recovery
from billing.welfare.cases import in_force
from billing.welfare.due import BilledMonth, Due
from billing.welfare.records import Shelf
from billing.welfare.reference import Effect, Payout
from billing.welfare.standing import Account
from contracts.wire.ids import Period, Service
from contracts.wire.units import split_largest_remainder

NOTHING_DUE = Due("", {}, (), 0, 0, "the case does not cover the month")


@dataclass(frozen=True, slots=True)
class Head:
    """What all awards of a batch to one household share."""

    month: BilledMonth
    payout: Payout
    expires_at: int
    on: date
    act: str
    batch: str


@dataclass(frozen=True, slots=True)
class Demand:
    """When, under which act and how what is owed back is taken."""

    on: date
    act: str
    manner: Manner


def award_for(shelf: Shelf, account: Account, due: Due, head: Head) -> Award | str:
    """The next award of a case for a month, or why there is none.

    What is due and was not given goes to open recoveries first; the rest goes to the lines that lack it, as far as
    they are open where the bill is netted.
    """
    period = head.month.period
    revision = in_force(shelf.revisions, period)
    wanted = due.amount_kopecks - account.settled(period)
    if revision is None or due.amount_kopecks == 0:
        return due.why_nothing or NOTHING_DUE.why_nothing
    if wanted < 0:
        return f"{-wanted} kopecks more than due were given; `kopeck subsidy recompute` takes them back under an act"
    if wanted == 0:
        return "what is due was given already"
    effect = head.payout.subsidy if due.kind == subsidy.KIND else head.payout.compensation
    lacking = _lacking(account, due, period)
    if effect is Effect.BILL:
        lacking = {service: min(amount, head.month.open_kopecks[service]) for service, amount in lacking.items()}
        lacking = {service: amount for service, amount in lacking.items() if amount}
    withheld = _withheld(shelf.recoveries, account.open_kopecks, wanted)
    net = min(wanted - sum(withheld.values()), sum(lacking.values()))
    if net == 0 and not withheld:
        return "its lines are paid already: nothing is open on them; pay it to the person"
    parts = split_largest_remainder(net, list(lacking.values())) if net else []
    charged = {line.service: line.charged_kopecks for line in head.month.lines}
    return Award(
        account=shelf.account,
        case=shelf.case,
        kind=due.kind,
        period=period,
        number=1 + sum(award.period == period for award in shelf.awards),
        revision=revision.number,
        effect=effect,
        on=head.on,
        act=head.act,
        amount_kopecks=net + sum(withheld.values()),
        withheld=withheld,
        lines=tuple(AwardLine(s, part, charged[s]) for s, part in zip(lacking, parts, strict=False) if part),
        workings=tuple(working.explain() for working in due.workings),
        family=due.family,
        expense_kopecks=due.expense_kopecks,
        expires_at=head.expires_at,
        batch=head.batch,
        nonce=secrets.token_hex(32),
    )


def recovery_for(
    shelf: Shelf, account: Account, due: Due, period: Period, *, number: int, demand: Demand
) -> Recovery | None:  # fmt: skip
    """What of a month was more than due and is owed back, or None. The act: ПП РФ № 761, п. 51 for subsidies."""
    owed = account.settled(period) - due.amount_kopecks
    if owed <= 0:
        return None
    over = {s: amount - due.lines.get(s, 0) for s, amount in account.by_service(period).items()}
    over = {service: amount for service, amount in over.items() if amount > 0}
    # A part that was withheld was given on no line.
    parts = split_largest_remainder(min(owed, sum(over.values())), list(over.values())) if over else []
    lines = {service: part for service, part in zip(over, parts, strict=True) if part}
    return Recovery(shelf.account, shelf.case, number, period, owed, demand.manner, demand.act, demand.on, lines)


def _lacking(account: Account, due: Due, period: Period) -> dict[Service, int]:
    given = account.by_service(period)
    lacking = {service: amount - given.get(service, 0) for service, amount in due.lines.items()}
    return {service: amount for service, amount in lacking.items() if amount > 0}


def _withheld(recoveries: Iterable[Recovery], open_kopecks: Mapping[int, int], most: int) -> dict[int, int]:
    """What of an award goes to recoveries that are withheld, the oldest first."""
    out: dict[int, int] = {}
    for recovery in sorted(recoveries, key=lambda r: r.number):
        if recovery.manner is Manner.WITHHOLD:
            take = min(most - sum(out.values()), open_kopecks[recovery.number])
            if take > 0:
                out[recovery.number] = take
    return out
