"""Accounts and bills: what was charged and why, what moved, and the proof of a bill's place in its run."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.balance import Balance
from api.caller import Caller, Door
from api.division import divide
from api.models import Accounts, Bill, BillSummary, Proof, Split, Status, Suppliers
from api.outlook import Ahead
from api.problems import BillClosed, NotFound, WrongSum
from api.rights import own_account, own_bill, parse_bill, payable

router = APIRouter(prefix="/v1", tags=["bills"])


@router.get("/status")
def status(door: Door) -> Status:
    """How far the ledger has read the chain; open to anyone."""
    return door.books.status()


@router.get("/accounts")
def accounts(caller: Caller, door: Door) -> Accounts:
    """The caller's accounts with their bills."""
    return Accounts(accounts=[own_account(door, caller, account) for account in caller.accounts])


@router.get("/accounts/{account}/suppliers")
def account_suppliers(account: str, caller: Caller, door: Door) -> Suppliers:
    """Who supplies an account: everyone with a line on its latest bill."""
    bills = own_account(door, caller, account).bills
    latest = door.books.bill(parse_bill(bills[0].key)) if bills else None
    named = {line.supplier for line in latest.lines} if latest else set()
    return Suppliers(suppliers=[s for s in door.books.suppliers() if s.supplier in named and s.active])


@router.get("/accounts/{account}/balance")
def account_balance(account: str, caller: Caller, door: Door) -> Balance:
    """An account month by month, what is open by age, and each penalty row by row."""
    found = door.balances.of(own_account(door, caller, account).account)
    if found is None:
        raise NotFound(f"there is no account {account} among yours")
    return found


@router.get("/accounts/{account}/outlook")
def account_outlook(account: str, caller: Caller, door: Door, months: Annotated[int, Query(ge=1, le=12)] = 3) -> Ahead:
    """What the months after the last bill will use and cost, with intervals, beside the naive figure."""
    return door.outlooks.of(own_account(door, caller, account).account, months)


@router.get("/accounts/{account}/bills")
def account_bills(account: str, caller: Caller, door: Door) -> list[BillSummary]:
    """An account's bills, newest first."""
    return own_account(door, caller, account).bills


@router.get("/bills/{bill}")
def bill(bill: str, caller: Caller, door: Door) -> Bill:
    """A bill with the explanation of each line, its benefits, and where every kopeck went."""
    return own_bill(door, caller, bill)


@router.get("/bills/{bill}/proof")
def proof(bill: str, caller: Caller, door: Door) -> Proof:
    """What proves, against the chain alone, that the bill stands in its run."""
    found = door.books.proof(parse_bill(own_bill(door, caller, bill).key))
    if found is None:
        raise NotFound(f"the file that proves bill {bill} is not here yet")
    return found


@router.get("/bills/{bill}/split")
def split(bill: str, amount_kopecks: Annotated[int, Query(lt=2**48)], caller: Caller, door: Door) -> Split:
    """How a sum would be divided over what is open, to the kopeck."""
    found = own_bill(door, caller, bill)
    if not payable(found):
        raise BillClosed(f"bill {bill} is {found.state}")
    if not 0 < amount_kopecks <= found.open_kopecks:
        raise WrongSum(f"{amount_kopecks} kopecks on bill {bill}, of which {found.open_kopecks} kopecks are open")
    suspended = {s.supplier for s in door.books.suppliers() if not s.active}
    divided = divide(found, amount_kopecks, suspended)
    if not divided.amount_kopecks:
        raise BillClosed(f"all that is open on bill {bill} is owed to suspended suppliers")
    return divided
