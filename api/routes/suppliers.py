"""Suppliers and what each received; what welfare granted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.caller import Caller, Door, require
from api.models import GrantBatches, Statement, Suppliers, WelfareCases
from api.people import Role
from api.problems import NotFound
from api.rights import SEES_ALL
from contracts.wire.ids import Period, SupplierId

router = APIRouter(prefix="/v1", tags=["suppliers"])


@router.get("/suppliers")
def suppliers(caller: Caller, door: Door) -> Suppliers:
    """All suppliers, as the registry on the chain has them."""
    del caller  # anyone known may see them
    return Suppliers(suppliers=door.books.suppliers())


@router.get("/grant-batches")
def grant_batches(caller: Caller, door: Door) -> GrantBatches:
    """Batches of grants with what of each has moved: for the welfare body, the regulator and the operator."""
    require(caller, Role.WELFARE, Role.REGULATOR, Role.OPERATOR)
    return GrantBatches(batches=door.books.grant_batches())


@router.get("/welfare-cases")
def welfare_cases(caller: Caller, door: Door) -> WelfareCases:
    """Cases of help with what each was given and owes back: for the welfare body alone."""
    require(caller, Role.WELFARE)
    return WelfareCases(cases=door.books.welfare_cases())


@router.get("/suppliers/{supplier}/statement")
def statement(
    supplier: int,
    caller: Caller,
    door: Door,
    period: Annotated[str | None, Query(pattern="^[0-9]{4}-(0[1-9]|1[0-2])$")] = None,
) -> Statement:
    """A supplier's receipts of one month; its own, or any for the regulator and the operator."""
    own = caller.role is Role.SUPPLIER and caller.supplier == supplier
    found = None
    if own or caller.role in SEES_ALL:
        found = door.books.statement(SupplierId(supplier), Period.parse(period) if period else None)
    if found is None:
        raise NotFound(f"there is no supplier {supplier} whose receipts are yours to see")
    return found
