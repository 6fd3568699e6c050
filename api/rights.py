"""Who may see what. What is not the caller's does not exist for the caller: 404, never 403."""

from __future__ import annotations

from api.context import Context
from api.models import Account, Bill, BillSummary
from api.people import Actor, Role
from api.problems import NotFound
from contracts.wire.ids import BillKey

SEES_ALL = frozenset({Role.REGULATOR, Role.OPERATOR})


def parse_bill(name: str) -> BillKey:
    """The bill that a path names. Raises NotFound: a name that is none names nothing."""
    try:
        key = BillKey.parse(name)
    except ValueError as error:
        raise NotFound(str(error)) from error
    if not (0 < key.run < 2**32 and key.index < 2**32):
        raise NotFound(f"there is no bill {name}")
    return key


def own_account(door: Context, actor: Actor, account: str) -> Account:
    """An account that the caller may see, with its address where the caller lives there. Raises NotFound."""
    held = account in actor.accounts
    found = door.books.account(account) if held or actor.role in SEES_ALL else None
    if found is None:
        raise NotFound(f"there is no account {account} among yours")
    contact = door.people.contact(account) if held else None
    return found.model_copy(update={"address": contact.address if contact else None})


def own_bill(door: Context, actor: Actor, name: str) -> Bill:
    """A bill that the caller may see. Raises NotFound."""
    key = parse_bill(name)
    account = door.books.account_of(key)
    bill = None
    if account is not None and (account in actor.accounts or actor.role in SEES_ALL):
        bill = door.books.bill(key)
    if bill is None:
        raise NotFound(f"there is no bill {name} among yours")
    return bill


def payable(bill: BillSummary) -> bool:
    """Whether money can still be paid on a bill."""
    return bill.state in ("open", "partial") and bill.kind != "credit-note" and bill.open_kopecks > 0
