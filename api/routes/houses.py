"""Houses: what each used, and its capital-repair fund."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.caller import Caller, Door, require
from api.house import House, HouseNames
from api.people import Role
from api.rights import own_account
from contracts.wire.ids import Period

router = APIRouter(prefix="/v1", tags=["houses"])
PeriodQuery = Annotated[str | None, Query(pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$")]


@router.get("/accounts/{account}/house")
def account_house(account: str, caller: Caller, door: Door, period: PeriodQuery = None) -> House:
    """The house of an account, by default in the last month that was billed, with the account's own use beside it."""
    return door.houses.of_account(own_account(door, caller, account).account, _period(period))


@router.get("/houses")
def houses(caller: Caller, door: Door) -> HouseNames:
    """All houses: for the regulator and the operator."""
    require(caller, Role.REGULATOR, Role.OPERATOR)
    return HouseNames(houses=door.houses.names())


@router.get("/houses/{house}")
def house(house: str, caller: Caller, door: Door, period: PeriodQuery = None) -> House:
    """A house: for the regulator and the operator."""
    require(caller, Role.REGULATOR, Role.OPERATOR)
    return door.houses.of(house, _period(period))


def _period(text: str | None) -> Period | None:
    return None if text is None else Period.parse(text)
