"""Asking for money to move: through the pooled agent, ahead to a supplier, or by a wallet's signed order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from starlette.concurrency import run_in_threadpool

from api.caller import Caller, Door, require
from api.context import Context
from api.models import AccountDivision, AccountPaymentWanted, Item, Order, OrderWanted, PaymentWanted, PrepaymentWanted
from api.orders import authorization_of, check_order, draw_order
from api.people import Actor, Role
from api.problems import BillClosed, KeyMissing, NotFound, WrongSum
from api.rights import own_account, own_bill, parse_bill, payable
from contracts.wire.ids import SupplierId, parse_address

router = APIRouter(prefix="/v1", tags=["payments"])

POLL_S = 0.1


def idempotency_key(
    value: Annotated[str | None, Header(alias="Idempotency-Key", min_length=8, max_length=128)] = None,
) -> str:
    """The key of the request. Raises KeyMissing."""
    if value is None:
        raise KeyMissing("a request that moves money needs the header Idempotency-Key")
    return value


Key = Annotated[str, Depends(idempotency_key)]


@router.post("/payments", status_code=202)
def pay(wanted: PaymentWanted, key: Key, caller: Caller, door: Door) -> Item:
    """Pays at most the given sum of what is open, through the pooled agent. The same key pays once."""
    require(caller, Role.RESIDENT)
    found = own_bill(door, caller, wanted.bill)
    if not door.requests.knows_payment(caller.id, key):
        # Only a new request is checked: a repeated one gets its own item, though the bill be paid by now.
        if not payable(found):
            raise BillClosed(f"bill {wanted.bill} is {found.state}")
        if wanted.maximum_kopecks > found.open_kopecks:
            raise WrongSum(
                f"{wanted.maximum_kopecks} kopecks on bill {wanted.bill}, of which {found.open_kopecks} are open"
            )
    return door.requests.pay(caller.id, key, parse_bill(wanted.bill), wanted.maximum_kopecks)


@router.get("/accounts/{account}/division")
def account_division(
    account: str, caller: Caller, door: Door, amount_kopecks: Annotated[int | None, Query(gt=0, lt=2**48)] = None
) -> AccountDivision:
    """Where a sum for an account would go, bill by bill; by default all that can be paid on it."""
    return door.balances.division(own_account(door, caller, account).account, amount_kopecks)


@router.post("/account-payments", status_code=202)
def pay_account(wanted: AccountPaymentWanted, key: Key, caller: Caller, door: Door) -> Item:
    """Pays a sum for an account over its open bills, through the pooled agent. The same key pays once."""
    require(caller, Role.RESIDENT)
    own_account(door, caller, wanted.account)
    if not door.requests.knows_account_payment(caller.id, key):
        payable = door.balances.division(wanted.account, None).amount_kopecks
        if wanted.amount_kopecks > payable:
            raise WrongSum(
                f"{wanted.amount_kopecks} kopecks for account {wanted.account}, on which {payable} can be paid"
            )
    return door.requests.pay_account(caller.id, key, wanted.account, wanted.amount_kopecks)


@router.post("/prepayments", status_code=202)
def prepay(wanted: PrepaymentWanted, key: Key, caller: Caller, door: Door) -> Item:
    """Pays a supplier of an account ahead, under a one-time tag that a later bill nets."""
    require(caller, Role.RESIDENT)
    own_account(door, caller, wanted.account)
    known = {s.supplier for s in door.books.suppliers() if s.active}
    if wanted.supplier not in known:
        raise NotFound(f"there is no active supplier {wanted.supplier}")
    return door.requests.prepay(caller.id, key, wanted.account, SupplierId(wanted.supplier), wanted.amount_kopecks)


@router.get("/bills/{bill}/order")
def order(
    bill: str,
    payer: Annotated[str, Query(pattern="^0x[0-9a-fA-F]{40}$")],
    caller: Caller,
    door: Door,
    maximum_kopecks: Annotated[int | None, Query(gt=0, lt=2**48)] = None,
) -> Order:
    """What a wallet is to sign to pay this bill; by default all that is open on it."""
    found = own_bill(door, caller, bill)
    if not payable(found):
        raise BillClosed(f"bill {bill} is {found.state}")
    return draw_order(door.network, found, parse_address(payer), maximum_kopecks, door.books.now())


@router.post("/orders", status_code=202)
def send_order(wanted: OrderWanted, caller: Caller, door: Door) -> Item:
    """Takes a signed order; the collector relays it. The order's digest makes it one: sent twice, it pays once."""
    require(caller, Role.RESIDENT)
    own_bill(door, caller, wanted.bill)
    check_order(wanted, door.books.now())
    return door.requests.order(caller.id, authorization_of(door.network, wanted), wanted.signature)


@router.get("/payments/{item}")
async def payment(item: str, caller: Caller, door: Door, wait_s: Annotated[int, Query(ge=0, le=20)] = 0) -> Item:
    """What became of a request; with ``wait_s``, waits that long for it to end."""
    return await settled(lambda: _own_item(door, caller, item), wait_s)


async def settled(look: Callable[[], Item], wait_s: int) -> Item:
    """What ``look`` finds, once it ended or ``wait_s`` seconds have gone by."""
    until = time.monotonic() + wait_s
    while True:
        found = await run_in_threadpool(look)
        if found.state in ("done", "failed") or time.monotonic() >= until:
            return found
        await asyncio.sleep(POLL_S)


def _own_item(door: Context, caller: Actor, item: str) -> Item:
    """An item on an account of the caller's: who lives together sees each other's payments, as on the bill."""
    found = door.requests.item(item)
    if found is not None:
        account = found.account or (door.books.account_of(parse_bill(found.bill)) if found.bill else None)
        if account in caller.accounts:
            return found
    raise NotFound(f"there is no request {item} among yours")
