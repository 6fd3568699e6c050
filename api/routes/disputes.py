"""Disputing a line of a bill: the line waits, its penalty clock stops, the others settle."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi import APIRouter

from api.caller import Caller, Door, require
from api.cases import BillStanding
from api.context import Context
from api.models import Bill, DisputeWanted, Item
from api.people import Actor, Role
from api.problems import NotDisputable
from api.rights import own_bill, parse_bill
from api.routes.payments import Key
from billing.debt.requests import DisputeRequest
from contracts.wire.ids import Period, Service

router = APIRouter(prefix="/v1/bills/{bill}", tags=["disputes"])


@router.get("/standing")
def standing(bill: str, caller: Caller, door: Door) -> BillStanding:
    """The last day to pay a bill, which of its lines are in dispute, and which the caller may dispute."""
    return _standing(door, caller, own_bill(door, caller, bill))


@router.post("/disputes", status_code=202)
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


def _standing(door: Context, caller: Actor, bill: Bill) -> BillStanding:
    found = door.balances.standing(parse_bill(bill.key), bill.account)
    may = caller.role is Role.RESIDENT and bill.kind == "bill" and bill.account in caller.accounts
    return found if may else found.model_copy(update={"disputable": []})
