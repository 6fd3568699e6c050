"""Invariants 1, 2, 3 and 8, from the chain's own words; each gives what is wrong, nothing when all is well."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data

from contracts.wire.events import (
    Approval,
    BatchSettled,
    BillPaid,
    BillStateChanged,
    BillSuperseded,
    CreditApplied,
    Event,
    Frozen,
    GrantApplied,
    GrantsPosted,
    PayoutChanged,
    Prepaid,
    PrepaymentNetted,
    Refunded,
    Seized,
    SupplierRegistered,
    Transfer,
    Unfrozen,
)
from contracts.wire.ids import NO_ADDRESS, NO_HASH, Address, BillKey, BillState
from contracts.wire.leaf import BillKind
from tests.invariants.compare import CUSTODY
from tests.invariants.history import History, Sent

Moves = Counter[tuple[Address, Address]]


# --- 1: the legs are the payment, the balances the supply ---


def check_sums(history: History) -> list[str]:
    """Each receipt's legs are what moved, to the wallet of the supplier they name; nothing is made or lost."""
    wrong: list[str] = []
    payouts: dict[int, Address] = {}
    wallets: dict[int, Address] = {}
    for name, events in history.by_transaction():
        for event in events:
            if isinstance(event, (SupplierRegistered, PayoutChanged)):
                payouts[event.supplier] = event.payout
            if isinstance(event, GrantsPosted):
                wallets[event.batch] = event.wallet
        said = sum((_said(event, payouts, wallets) for event in events), Moves())
        moved = _moved(event for event in events if isinstance(event, Transfer))
        if history.sent[name].to == "Settlement" and +said != moved:
            wrong.append(f"{name.hex()}: the receipts say {dict(said)}, the token moved {dict(moved)}")
        wrong += _wrong_batch_totals(events)
    return wrong + _wrong_supply(history)


def _said(event: Event, payouts: Mapping[int, Address], wallets: Mapping[int, Address]) -> Moves:
    said = Moves()
    if isinstance(event, BillPaid):
        for leg in event.legs:
            said[event.payer, payouts[leg.supplier]] += leg.amount_kopecks
    if isinstance(event, GrantApplied):
        said[wallets[event.batch], payouts[event.supplier]] += event.amount
    if isinstance(event, Prepaid):
        said[event.payer, payouts[event.supplier]] += event.amount
    if isinstance(event, Refunded):
        said[payouts[event.supplier], event.recipient] += event.to_payer
        said[payouts[event.supplier], event.wallet] += event.to_welfare
    return said


def _moved(transfers: Iterable[Transfer]) -> Moves:
    moved = Moves()
    for transfer in transfers:
        moved[transfer.from_, transfer.to] += transfer.value
    return +moved


def _wrong_batch_totals(events: Sequence[Event]) -> list[str]:
    paid: Counter[bytes] = Counter()
    for event in events:
        if isinstance(event, BillPaid):
            paid[event.ref] += sum(leg.amount_kopecks for leg in event.legs)
    return [
        f"batch {event.ref.hex()} says {event.total} kopecks, its receipts {paid[event.ref]}"
        for event in events
        if isinstance(event, BatchSettled) and event.total != paid[event.ref]
    ]


def _wrong_supply(history: History) -> list[str]:
    balances: Counter[Address] = Counter()
    for event in history.events:
        if isinstance(event, Transfer):
            balances[event.from_] -= event.value
            balances[event.to] += event.value
    supply = -balances.pop(NO_ADDRESS, 0)
    wrong = [
        f"{wallet.hex()} holds {history.balances.get(wallet)}, the logs say {amount}"
        for wallet, amount in balances.items()
        if history.balances.get(wallet) != amount
    ]
    if not supply == history.supply == sum(balances.values()):
        wrong.append(f"supply {history.supply}, by the logs {supply}, sum of balances {sum(balances.values())}")
    return wrong


# --- 2: zero custody ---


def check_custody(history: History) -> list[str]:
    """Settlement, ChargeBook and SubsidyBook hold nothing after any transaction."""
    held: Counter[str] = Counter()
    names = {history.addresses[name]: name for name in CUSTODY}
    wrong: list[str] = []
    for transaction, events in history.by_transaction():
        for event in events:
            if isinstance(event, Transfer):
                held[names.get(event.to, "")] += event.value
                held[names.get(event.from_, "")] -= event.value
        held.pop("", None)
        wrong += [f"{transaction.hex()}: {name} holds {amount} kopecks" for name, amount in held.items() if amount]
    return wrong


# --- 3: no line is paid twice ---


def check_lines(history: History) -> list[str]:
    """What moved on a line stays within what is charged on it less its credits; a closed bill takes nothing more."""
    moved: Counter[tuple[BillKey, int]] = Counter()
    off: Counter[tuple[BillKey, int]] = Counter()
    credited: Counter[tuple[BillKey, int]] = Counter()
    states: defaultdict[BillKey, BillState] = defaultdict(lambda: BillState.OPEN)
    wrong: list[str] = []
    for event in history.events:
        for key, line, amount in _takings(event):
            if states[key] >= BillState.PAID:
                wrong.append(f"bill {key} is {states[key].name} and takes {amount} more on line {line}")
            moved[key, line] += amount
        if isinstance(event, CreditApplied):
            off[event.bill, event.line] += event.written_off
            credited[event.bill, event.line] += history.bills[event.note].lines[event.line].amount_kopecks
        if isinstance(event, Refunded):
            moved[event.bill, event.line] -= event.to_payer + event.to_welfare
        if isinstance(event, BillSuperseded):
            if any(amount for (key, _), amount in moved.items() if key == event.bill):
                wrong.append(f"bill {event.bill} is superseded after a kopeck moved")
            states[event.bill] = BillState.SUPERSEDED
        if isinstance(event, (BillPaid, GrantApplied, BillStateChanged)):
            states[event.bill] = event.state
    for key, line in moved | off:
        charged = history.bills[key].lines[line].amount_kopecks
        most = max(0, charged - credited[key, line])
        if not 0 <= moved[key, line] <= most or off[key, line] > charged:
            wrong.append(f"bill {key} line {line}: {moved[key, line]} kopecks on a line of {most}")
    return wrong + _wrong_paid(history, states, moved)


def _takings(event: Event) -> list[tuple[BillKey, int, int]]:
    if isinstance(event, BillPaid):
        return [(event.bill, leg.line, leg.amount_kopecks) for leg in event.legs]
    if isinstance(event, (GrantApplied, PrepaymentNetted)):
        return [(event.bill, event.line, event.amount)]
    return []


def _wrong_paid(
    history: History, states: Mapping[BillKey, BillState], moved: Mapping[tuple[BillKey, int], int]
) -> list[str]:
    """A paid bill on which no credit was carried out took exactly what it charges."""
    credited = {event.bill for event in history.events if isinstance(event, CreditApplied)}
    wrong: list[str] = []
    for key, state in states.items():
        bill = history.bills[key]
        if state is not BillState.PAID or bill.kind is BillKind.CREDIT_NOTE or key in credited:
            continue
        taken = [moved.get((key, i), 0) for i in range(len(bill.lines))]
        if taken != [line.amount_kopecks for line in bill.lines]:
            wrong.append(f"bill {key} is paid, and took {taken}")
    return wrong


# --- 8: whose word moves money ---


def check_authority(history: History) -> list[str]:
    """Every debit has the payer's own transaction, allowance or signature, or a seizure that names an act."""
    wrong: list[str] = []
    allowed: Counter[tuple[Address, Address]] = Counter()
    wallets: set[Address] = set()
    for name, events in history.by_transaction():
        sent = history.sent[name]
        for event in events:
            if isinstance(event, Approval):
                allowed[event.owner, event.spender] = event.value
                if sent.sender != event.owner:
                    wrong.append(f"{name.hex()}: {sent.sender.hex()} allowed for {event.owner.hex()}")
            if isinstance(event, GrantsPosted) and sent.sender == event.wallet:
                wallets.add(event.wallet)
            if isinstance(event, (Frozen, Unfrozen, Seized)) and event.act == NO_HASH:
                wrong.append(f"{name.hex()}: a {type(event).__name__} without an act")
        debits: Counter[Address] = Counter()
        for event in events:
            if isinstance(event, Transfer) and event.from_ != NO_ADDRESS and event.value:
                debits[event.from_] += event.value
        for payer, amount in debits.items():
            reason = _forbidden(history, sent, events, payer, amount, allowed, wallets)
            if reason:
                wrong.append(f"{name.hex()}: {amount} kopecks of {payer.hex()} moved by {sent.function}: {reason}")
    return wrong


def _forbidden(  # noqa: PLR0917  all that a right may rest on
    history: History, sent: Sent, events: Sequence[Event], payer: Address, amount: int,
    allowed: Counter[tuple[Address, Address]], wallets: set[Address],
) -> str | None:  # fmt: skip
    """Why this debit is nobody's right; None when it is somebody's. Counts allowances down."""
    if sent.function in {"transfer", "redeem"} and sent.to == "Rouble":
        return None if sent.sender == payer else "not the owner's call"
    if sent.function == "seize":
        named = sum(e.amount for e in events if isinstance(e, Seized) and e.from_ == payer and e.act != NO_HASH)
        return None if named == amount else "no seizure that names an act"
    if sent.function in {"payOrder", "payOrders", "refund"}:
        return None if amount <= _signed_for(history, sent, payer) else "no signature of the payer for that much"
    spender = history.addresses["Settlement"] if sent.to == "Settlement" else sent.sender
    if sent.function in {"pay", "payBatch", "prepay"} and sent.sender != payer:
        return "not the payer's call"
    if sent.function == "applyGrants" and payer not in wallets:
        return "no grants of this wallet"
    if sent.function not in {"pay", "payBatch", "prepay", "applyGrants", "transferFrom"}:
        return "no function that moves money"
    allowed[payer, spender] -= amount
    return None if allowed[payer, spender] >= 0 else "above the allowance"


def _signed_for(history: History, sent: Sent, payer: Address) -> int:
    """The most that the payer's own signatures in this transaction agree to."""
    if sent.function == "refund":
        note, _, line, recipient, _, split = sent.args
        signed = [(split, ("refund", note[0], note[1], line, recipient))]
    else:
        bills, splits = sent.args if sent.function == "payOrders" else ([sent.args[0]], [sent.args[1]])
        signed = [
            (split, ("pay", bill[0], bill[1], 0, "0x" + bytes(20).hex()))
            for bill, split in zip(bills, splits, strict=True)
        ]
    return sum(split[1] for split, purpose in signed if _signer(history, split, purpose) == payer.hex())


def _signer(history: History, split: tuple[Any, ...], purpose: tuple[Any, ...]) -> str:
    """Who signed, by eth-account's own EIP-712; lower-case hex."""
    names = ("action", "run", "index", "line", "recipient")
    types = ("string", "uint32", "uint32", "uint8", "address")
    fields = [("payer", "address"), ("spender", "address"), ("maximum", "uint256"), ("purpose", "Purpose"),
              ("nonce", "uint256"), ("validBefore", "uint256")]  # fmt: skip
    rouble, settlement = (history.addresses[name].hex() for name in ("Rouble", "Settlement"))
    message = encode_typed_data(
        {"name": "Kopeck Rouble", "version": "1", "chainId": history.chain_id, "verifyingContract": "0x" + rouble},
        {
            "SplitAuthorization": [{"name": name, "type": kind} for name, kind in fields],
            "Purpose": [{"name": name, "type": kind} for name, kind in zip(names, types, strict=True)],
        },
        {
            "payer": split[0], "spender": "0x" + settlement, "maximum": split[1], "nonce": split[2],
            "validBefore": split[3], "purpose": dict(zip(names, purpose, strict=True)),
        },
    )  # fmt: skip
    return str(Account.recover_message(message, signature=split[4])).lower().removeprefix("0x")
