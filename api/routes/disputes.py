"""Disputing a line of a bill, and deciding: the line waits, its penalty clock stops, the others settle."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query

from api.caller import Caller, Door, require
from api.cases import BillStanding, StaffDispute, StaffDisputes
from api.context import Context
from api.models import Bill, DecisionWanted, DisputeWanted, Item
from api.people import Actor, Role
from api.problems import DisputeDecided, NotDisputable, NotFound
from api.requests import is_number
from api.rights import SEES_ALL, own_bill, parse_bill
from api.routes.payments import Key, settled
from billing.debt.requests import DisputeDecision, DisputeRequest
from contracts.wire.ids import Period, Service

router = APIRouter(prefix="/v1", tags=["disputes"])


@router.get("/bills/{bill}/standing")
def standing(bill: str, caller: Caller, door: Door) -> BillStanding:
    """The last day to pay a bill, which of its lines are in dispute, and which the caller may dispute."""
    return _standing(door, caller, own_bill(door, caller, bill))


@router.post("/bills/{bill}/disputes", status_code=202)
def dispute(bill: str, wanted: DisputeWanted, key: Key, caller: Caller, door: Door) -> Item:
    """Disputes a line from today on, by the house's calendar. The same key disputes once."""
    require(caller, Role.RESIDENT)
    found = own_bill(door, caller, bill)
    lines = {line.line: line for line in found.lines}
    if wanted.line not in lines or lines[wanted.line].service.upper() not in Service.__members__:
        raise NotDisputable(f"bill {found.key} has no line {wanted.line} whose service is known")
    today = datetime.fromtimestamp(door.books.now(), ZoneInfo(found.zone)).date()
    request = DisputeRequest(
        found.account,
        Period.parse(found.period),
        Service[lines[wanted.line].service.upper()],
        today,
        wanted.ground.strip(),
        f"обращение по счёту {found.key}, строка {wanted.line + 1}, от {today:%d.%m.%Y}",
    )
    if not door.requests.knows_dispute(caller.id, key) and wanted.line not in _standing(door, caller, found).disputable:
        raise NotDisputable(f"line {wanted.line} of bill {found.key} is, or was, in dispute, or is not in force")
    return door.requests.dispute(caller.id, key, request)


@router.get("/disputes")
def disputes(caller: Caller, door: Door, decided: bool = False) -> StaffDisputes:
    """Disputes of all accounts, the newest first: those that wait for a decision, or those decided. For the regulator
    and the operator."""
    require(caller, *SEES_ALL)
    return StaffDisputes(disputes=door.balances.disputes(is_open=not decided))


@router.get("/disputes/{case}")
def one_dispute(case: str, caller: Caller, door: Door) -> StaffDispute:
    """One dispute: for the regulator and the operator."""
    require(caller, *SEES_ALL)
    return _case(door, case)


@router.post("/disputes/{case}/decision", status_code=202)
def decide(case: str, wanted: DecisionWanted, key: Key, caller: Caller, door: Door) -> Item:
    """Decides a dispute today, by the house's calendar, in the caller's name: upheld, the month is worked out again
    under the act; rejected, the line is to be paid. For the operator. The same key decides once."""
    require(caller, Role.OPERATOR)
    found = _case(door, case)
    if not door.requests.knows_decision(caller.id, key) and found.outcome != "open":
        raise DisputeDecided(f"dispute {found.case} was {found.outcome} on {found.decided} by {found.decision}")
    decision = DisputeDecision(found.case, wanted.upheld, _today(door, found.account), wanted.act.strip(), caller.id)
    return door.requests.decide(caller.id, key, decision)


@router.get("/disputes/{case}/decisions/{item}")
async def decision(
    case: str, item: str, caller: Caller, door: Door, wait_s: Annotated[int, Query(ge=0, le=20)] = 0
) -> Item:
    """What became of a decision; with ``wait_s``, waits that long for it to end. For the operator."""
    require(caller, Role.OPERATOR)
    return await settled(lambda: _decision(door, case, item), wait_s)


def _decision(door: Context, case: str, item: str) -> Item:
    sent, found = door.requests.decision(item), door.requests.item(item)
    if sent is None or found is None or str(sent.case) != case:
        raise NotFound(f"there is no decision {item} of dispute {case}")
    return found


def _case(door: Context, case: str) -> StaffDispute:
    found = door.balances.dispute(int(case)) if is_number(case) else None
    if found is None:
        raise NotFound(f"there is no dispute {case}")
    return found


def _today(door: Context, account: str) -> date:
    found = door.books.account(account)
    if found is None:
        raise NotFound(f"there is no account {account}")
    return datetime.fromtimestamp(door.books.now(), ZoneInfo(found.zone)).date()


def _standing(door: Context, caller: Actor, bill: Bill) -> BillStanding:
    found = door.balances.standing(parse_bill(bill.key), bill.account)
    may = caller.role is Role.RESIDENT and bill.kind == "bill" and bill.account in caller.accounts
    return found if may else found.model_copy(update={"disputable": []})
