"""When a bill is to be paid, what of it is in dispute, and what is paid by instalments, as the HTTP door says it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Literal

from pydantic import Field

from api.models import BillName, Kopecks, Model, Month
from api.parties import Names
from api.people import People
from billing.read import Agreement, AgreementStanding, Case, Dispute, DisputeCase, LineDebt
from contracts.wire.ids import BillKey


class BillDue(Model):
    """A bill or note in force: the last day to pay it, and what is open on it."""

    bill: BillName
    period: Month
    due: date
    open_kopecks: Kopecks
    disputed_kopecks: Kopecks = Field(description="of what is open: not asked for until a dispute is decided")
    is_penalty: bool = Field(description="it charges a penalty")


class DisputeState(Model):
    """A dispute of one line of a month. ``ground`` is what the resident said, ``decision`` the act that ended it."""

    case: int
    period: Month
    service: str
    supplier: int
    supplier_name: str
    opened: date
    ground: str
    act: str
    outcome: Literal["open", "upheld", "rejected"]
    decided: date | None
    decision: str


class StaffDispute(DisputeState):
    """A dispute for those who decide, with the account it is of."""

    account: str
    bill: BillName | None = Field(description="null where the bill is not in force any more")
    waiting_kopecks: Kopecks = Field(description="open, and not asked for until the decision")
    decided_by: str = Field(description="who decided it here; empty where it was decided at the command line")


class StaffDisputes(Model):
    """Disputes, the newest first."""

    disputes: list[StaffDispute]


class Instalment(Model):
    """So much by a day."""

    by: date
    amount_kopecks: Kopecks


class InstalmentState(Model):
    """An agreement to pay some months' debts by a schedule, and how it is kept."""

    case: int
    periods: list[Month]
    signed: date
    act: str
    standing: Literal["kept", "completed", "breached", "ended"]
    schedule: list[Instalment]


class BillStanding(Model):
    """What the books of debts say of one bill; no due date where it is not in force any more."""

    due: date | None
    disputes: list[DisputeState]
    disputable: list[int] = Field(description="lines that the caller may dispute here")


def dues(debts: Iterable[LineDebt], in_dispute: Collection[LineDebt]) -> list[BillDue]:
    """Bills and notes in force, the oldest first; of ``debts`` those ``in_dispute`` are not asked for."""
    by_leaf: dict[BillKey, list[LineDebt]] = {}
    for debt in debts:
        by_leaf.setdefault(debt.leaf, []).append(debt)
    return [
        BillDue(
            bill=str(leaf),
            period=str(lines[0].period),
            due=lines[0].due,
            open_kopecks=sum(line.open_kopecks for line in lines),
            disputed_kopecks=sum(line.open_kopecks for line in in_dispute if line.leaf == leaf),
            is_penalty=lines[0].is_penalty,
        )
        for leaf, lines in sorted(by_leaf.items(), key=lambda found: (found[1][0].period, found[0]))
    ]


def disputes(cases: Iterable[Case], names: Names) -> list[DisputeState]:
    """The disputes among an account's cases, in the order they came."""
    return [_dispute(case.id, case.matter, names) for case in cases if isinstance(case.matter, Dispute)]


def instalments(cases: Iterable[Case], standings: Mapping[int, AgreementStanding]) -> list[InstalmentState]:
    """The agreements among an account's cases, in the order they came; ``standings`` by case."""
    return [
        _agreement(case.id, case.matter, standings[case.id]) for case in cases if isinstance(case.matter, Agreement)
    ]


def standing(bill: BillKey, debts: Iterable[LineDebt], cases: Iterable[Case], names: Names) -> BillStanding:
    """What the debts and cases of an account say of one of its bills."""
    mine = [debt for debt in debts if debt.leaf == bill]
    lines = {(debt.period, debt.service, debt.supplier) for debt in mine}
    about = [case for case in cases if isinstance(case.matter, Dispute) and case.matter.place in lines]
    places = {(case.matter.service, case.matter.supplier) for case in about if isinstance(case.matter, Dispute)}
    free = [debt.line for debt in mine if debt.service is not None and (debt.service, debt.supplier) not in places]
    return BillStanding(due=mine[0].due if mine else None, disputes=disputes(about, names), disputable=sorted(free))


def staff_dispute(found: DisputeCase, names: Names, people: People) -> StaffDispute:
    """A dispute for those who decide. A person who left is told by their number."""
    by = found.matter.decided_by
    person = people.person(by) if by else None
    return StaffDispute(
        **_dispute(found.id, found.matter, names).model_dump(),
        account=found.account,
        bill=None if found.bill is None else str(found.bill),
        waiting_kopecks=found.waiting_kopecks,
        decided_by=by if person is None else person.name,
    )


def _dispute(case: int, matter: Dispute, names: Names) -> DisputeState:
    return DisputeState(
        case=case,
        period=str(matter.period),
        service=matter.service.name.lower(),
        supplier=int(matter.supplier),
        supplier_name=names.supplier(matter.supplier),
        opened=matter.opened,
        ground=matter.ground,
        act=matter.act,
        outcome=matter.outcome.value,
        decided=matter.decided,
        decision=matter.decision,
    )


def _agreement(case: int, matter: Agreement, standing: AgreementStanding) -> InstalmentState:
    return InstalmentState(
        case=case,
        periods=[str(period) for period in matter.periods],
        signed=matter.signed,
        act=matter.act,
        standing=standing.value,
        schedule=[Instalment(by=row.by, amount_kopecks=row.amount_kopecks) for row in matter.schedule],
    )
