"""Invariants 4, 7 and 9, from the chain's own words; each gives what is wrong, nothing when all is well."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from eth_account import Account
from eth_account.messages import encode_typed_data

from contracts.wire.events import (
    Anchored,
    BatchReversed,
    EpochReset,
    Event,
    GrantApplied,
    GrantReversed,
    GrantsPosted,
    GrantUsed,
    PayoutChangeApproved,
    PayoutChangeCancelled,
    PayoutChanged,
    PayoutChangeProposed,
    RoleGranted,
    RoleRevoked,
    SourceRegistered,
    SourceRotated,
    SupplierKeyChangeCancelled,
    SupplierKeyChanged,
    SupplierKeyChangeProposed,
    SupplierRegistered,
)
from contracts.wire.ids import Address
from scripts.deploy import Role
from tests.invariants.history import History, Sent
from tests.invariants.offices import KEY_DELAY_S, PAYOUT_DELAY_S

_HEADER_FIELDS = (
    ("source", "uint32"), ("epoch", "uint16"), ("sequence", "uint48"), ("previous", "bytes24"), ("root", "bytes32"),
    ("count", "uint32"), ("periodStart", "uint40"), ("periodEnd", "uint40"), ("document", "bytes32"),
)  # fmt: skip


# --- 4: chains of batches ---


def check_chains(history: History) -> list[str]:
    """Sequences grow by one within an epoch, each header names the one before, and the source signed it."""
    heads: dict[int, tuple[int, int, bytes]] = {}
    keys: dict[int, Address] = {}
    wrong: list[str] = []
    for event in history.events:
        if isinstance(event, (SourceRegistered, SourceRotated)):
            keys[event.source] = event.key
        if isinstance(event, EpochReset):
            epoch, _, _ = heads.get(event.source, (0, 0, bytes(24)))
            if event.epoch != epoch + 1:
                wrong.append(f"source {event.source}: epoch {event.epoch} after {epoch}")
            heads[event.source] = (event.epoch, 0, event.head)
        if isinstance(event, Anchored):
            before = heads.get(event.source, (0, 0, bytes(24)))
            wrong += _wrong_header(history, event, before, keys[event.source])
            heads[event.source] = (event.epoch, event.sequence, event.head)
    return wrong


def _wrong_header(history: History, event: Anchored, before: tuple[int, int, bytes], key: Address) -> list[str]:
    name = f"source {event.source}, batch {event.epoch}/{event.sequence}"
    wrong: list[str] = []
    if (event.epoch, event.sequence) != (before[0], before[1] + 1):
        wrong.append(f"{name} follows {before[0]}/{before[1]}")
    header, signature = history.sent[event.log.tx_hash].args
    if header[3] != before[2]:
        wrong.append(f"{name} names another batch before it")
    message = encode_typed_data(
        {
            "name": "Kopeck ReadingAnchor", "version": "1", "chainId": history.chain_id,
            "verifyingContract": "0x" + history.addresses["ReadingAnchor"].hex(),
        },
        {"BatchHeader": [{"name": field, "type": kind} for field, kind in _HEADER_FIELDS]},
        dict(zip((field for field, _ in _HEADER_FIELDS), header, strict=True)),
    )  # fmt: skip
    if message.body[:24] != event.head:  # the body of an EIP-712 message is its struct hash
        wrong.append(f"{name}: the head is not the header's hash")
    if str(Account.recover_message(message, signature=signature)).lower() != "0x" + key.hex():
        wrong.append(f"{name} is not signed by the source")
    return wrong


# --- 7: grants ---


def check_grants(history: History) -> list[str]:
    """A grant pays its own line alone, once, at most its maximum and its batch's total, before its expiry."""
    ended: set[tuple[int, int]] = set()
    totals: dict[int, int] = {}
    reversed_batches: set[int] = set()
    paid: Counter[tuple[int, int]] = Counter()
    wrong: list[str] = []
    for event in history.events:
        if isinstance(event, GrantsPosted):
            totals[event.batch] = event.total
        if isinstance(event, BatchReversed):
            reversed_batches.add(event.batch)
        if isinstance(event, GrantReversed):
            ended.add((event.batch, event.index))
        if isinstance(event, GrantUsed):
            wrong += _wrong_use(history, event, ended)
            totals[event.batch] -= event.amount
            if totals[event.batch] < 0 or event.batch in reversed_batches:
                wrong.append(f"batch {event.batch} gave more than its total, or after its end")
            ended.add((event.batch, event.index))
            paid[event.batch, event.index] += event.amount
        if isinstance(event, GrantApplied):
            grant = history.grants[event.batch, event.index]
            if (event.bill, event.line) != (grant.bill, grant.line):
                wrong.append(f"grant {event.batch}/{event.index} paid {event.bill} line {event.line}")
            paid[event.batch, event.index] -= event.amount
    return wrong + [f"grant {batch}/{index}: used is not what moved" for (batch, index), x in paid.items() if x]


def _wrong_use(history: History, event: GrantUsed, ended: set[tuple[int, int]]) -> list[str]:
    grant = history.grants[event.batch, event.index]
    name = f"grant {event.batch}/{event.index}"
    wrong: list[str] = []
    if (event.batch, event.index) in ended:
        wrong.append(f"{name} is used again")
    if (event.bill, event.line) != (grant.bill, grant.line):
        wrong.append(f"{name} is for {grant.bill} line {grant.line}, not {event.bill} line {event.line}")
    if event.amount > grant.maximum_kopecks:
        wrong.append(f"{name} gave {event.amount} of {grant.maximum_kopecks}")
    if history.time_of(event) >= grant.expires_at:
        wrong.append(f"{name} paid after its expiry")
    return wrong


# --- 9: payouts ---


@dataclass
class _Standing:
    """A supplier's keys and wishes as the log tells them."""

    key: Address
    payout: Address
    asked: Address | None = None
    agreed_until: int | None = None
    new_key: tuple[Address, int] | None = None


def check_payouts(history: History) -> list[str]:
    """A payout moves only where the supplier's key asked and an operator agreed, after the delay; a key only by the
    timelock, after the longer one."""
    standing: dict[int, _Standing] = {}
    operators: set[Address] = set()
    wrong: list[str] = []
    for event in history.events:
        if isinstance(event, RoleGranted) and event.role_id == Role.OPERATOR:
            operators.add(event.account)
        if isinstance(event, RoleRevoked) and event.role_id == Role.OPERATOR:
            operators.discard(event.account)
        if isinstance(event, SupplierRegistered):
            standing[event.supplier] = _Standing(event.key, event.payout)
        supplier = getattr(event, "supplier", None)
        if event.log.contract != "Registry" or supplier is None:
            continue
        reason = _wrong_step(history, event, standing[supplier], operators)
        if reason:
            wrong.append(f"supplier {supplier}: {reason}")
    return wrong


def _wrong_step(history: History, event: Event, known: _Standing, operators: set[Address]) -> str | None:
    sent, now = history.sent[event.log.tx_hash], history.time_of(event)
    if isinstance(event, PayoutChangeProposed):
        known.asked, known.agreed_until = event.payout, None
        return None if sent.sender == known.key else "a payout asked for by another key"
    if isinstance(event, PayoutChangeApproved):
        known.agreed_until = now + PAYOUT_DELAY_S
        fits = sent.sender in operators and event.payout == known.asked
        return None if fits else "a payout approved by no operator, or another one than was asked for"
    if isinstance(event, PayoutChangeCancelled):
        known.asked = known.agreed_until = None
    if isinstance(event, PayoutChanged):
        is_due = known.agreed_until is not None and now >= known.agreed_until and event.payout == known.asked
        known.payout, known.asked, known.agreed_until = event.payout, None, None
        return None if is_due else "a payout moved without the key, the operator and the delay"
    return _wrong_key_step(history, event, known, sent, now)


def _wrong_key_step(history: History, event: Event, known: _Standing, sent: Sent, now: int) -> str | None:
    if isinstance(event, SupplierKeyChangeProposed):
        known.new_key = event.key, now + KEY_DELAY_S
        return None if sent.sender == history.addresses["Timelock"] else "a key replaced by somebody else"
    if isinstance(event, SupplierKeyChangeCancelled):
        known.new_key = None
    if isinstance(event, SupplierKeyChanged):
        is_due = known.new_key is not None and known.new_key[0] == event.key and now >= known.new_key[1]
        known.key, known.new_key, known.asked, known.agreed_until = event.key, None, None, None
        return None if is_due else "a key moved without the timelock and the delay"
    return None
