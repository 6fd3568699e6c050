"""Negative controls: each check, given a doctored history, says so. A check that cannot fail proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import update

from contracts.wire.events import (
    Anchored,
    BillPaid,
    Event,
    GrantUsed,
    PayoutChangeApproved,
    PayoutChanged,
    Refunded,
    Seized,
    Transfer,
)
from contracts.wire.ids import NO_HASH, BillKey, BillState, Reference
from contracts.wire.leaf import BillKind
from ledger.fsck import compare
from ledger.models import bill_lines
from ledger.store import open_database
from tests.invariants import offices
from tests.invariants.books import Refused
from tests.invariants.checks_money import check_authority, check_custody, check_lines, check_sums
from tests.invariants.checks_rights import check_chains, check_grants, check_payouts
from tests.invariants.history import History, read_history
from tests.invariants.machine import CHECKS, Stage, rebuilds
from tests.invariants.play import Order, Play
from tests.ledger.indexed import Indexed
from tests.ledger.town import EVER, bytes_of

E = TypeVar("E", bound=Event)


def played(stage: Stage) -> Play:
    """One of everything."""
    play = stage.again()
    run = play.runs[0]
    paid, whole, ordered, part = (place(play, amount) for amount in (1_400, 333, 7, 1))
    play.pay("resident", run.key(paid), 1_000)
    play.pay("resident", run.key(paid), EVER)
    play.pay_batch(Reference(bytes_of("b")), run, {whole: EVER >> 16, part: 700})
    play.pay_order(Order("resident", run.key(ordered), 15, 1, EVER, "resident"))
    posted = play.grants[0]
    play.apply_grants([(posted, part, run.key(part))])
    note = play.propose_note(run, paid, [40, 0, 0], BillKind.CREDIT_NOTE)
    play.activate(note)
    assert play.refund(note.key(0), run.key(paid), 0, "water")
    for _ in range(3):
        offices.anchor(play, 1)
    offices.propose_payout(play, 2, "new wallet", "heat-key")
    offices.approve_payout(play, 2, "new wallet", "operator")
    play.jump(60)
    assert offices.execute_payout(play, 2)
    play.set_frozen("agent", True)
    assert play.seize("agent", "court", 10)
    return play


def place(play: Play, last: int) -> int:
    """Where the plain bill stands whose last line charges this."""
    bills = play.runs[0].bills
    return next(i for i, bill in enumerate(bills) if bill.lines[-1].amount_kopecks == last and not bill.credits)


@pytest.fixture(scope="module")
def play(stage: Stage) -> Play:
    return played(stage)


@pytest.fixture(scope="module")
def history(play: Play) -> History:
    return read_history(play.town.reader, play.town.files)


def first(history: History, kind: type[E], choose: Callable[[E], bool] = lambda _: True) -> E:
    return next(event for event in history.events if isinstance(event, kind) and choose(event))


def swapped(history: History, event: Event, *others: Event) -> History:
    """The history with other events, or none, in the place of one."""
    at = history.events.index(event)
    return replace(history, events=(*history.events[:at], *others, *history.events[at + 1 :]))


def found(wrong: Sequence[str], text: str) -> bool:
    return any(text in line for line in wrong)


def test_the_true_history_passes_every_check(history: History) -> None:
    assert [line for check in CHECKS for line in check(history)] == []


def test_1_a_kopeck_more_than_the_receipt_is_found(history: History) -> None:
    receipt = first(history, BillPaid)
    moved = first(history, Transfer, lambda t: t.log.tx_hash == receipt.log.tx_hash and t.value > 1)
    assert found(check_sums(swapped(history, moved, replace(moved, value=moved.value + 1))), "the token moved")
    assert found(check_sums(replace(history, supply=history.supply + 1)), "supply")
    elsewhere = replace(moved, to=history.addresses["Timelock"])
    assert found(check_sums(swapped(history, moved, elsewhere)), "the token moved")


def test_2_a_kopeck_that_stays_in_the_settlement_is_found(history: History) -> None:
    moved = first(history, Transfer, lambda t: t.value > 0)
    stopped = replace(moved, to=history.addresses["Settlement"])
    assert found(check_custody(swapped(history, moved, stopped)), "Settlement holds")


def test_3_a_bill_paid_twice_is_found(history: History) -> None:
    paid = first(history, BillPaid, lambda e: e.state is BillState.PAID)
    wrong = check_lines(swapped(history, paid, paid, paid))
    assert found(wrong, "takes")
    assert found(wrong, "on a line of")


def test_3_a_refund_that_never_came_is_found(history: History) -> None:
    refund = first(history, Refunded)
    assert found(check_lines(swapped(history, refund)), f"bill {refund.bill} line 0")


def test_3_a_bill_called_paid_too_early_is_found(history: History) -> None:
    part = first(history, BillPaid, lambda e: sum(leg.amount_kopecks for leg in e.legs) == 700)
    assert part.state is BillState.PARTIAL
    others = tuple(e for e in history.events if getattr(e, "bill", None) != part.bill)
    early = replace(history, events=(*others, replace(part, state=BillState.PAID)))
    assert found(check_lines(early), "is paid, and took")


def test_4_a_gap_a_fork_and_another_signer_are_found(history: History) -> None:
    second = first(history, Anchored, lambda e: e.sequence == 2)
    assert found(check_chains(swapped(history, second)), "follows 0/1")
    forked = replace(second, head=bytes(24))
    assert found(check_chains(swapped(history, second, forked)), "names another batch before it")
    header, signature = history.sent[second.log.tx_hash].args
    stolen = replace(history.sent[second.log.tx_hash], args=((*header[:5], header[5] + 1, *header[6:]), signature))
    doctored = replace(history, sent={**history.sent, second.log.tx_hash: stolen})
    assert found(check_chains(doctored), "is not signed by the source")


def test_7_a_grant_used_again_too_much_too_late_or_elsewhere_is_found(history: History) -> None:
    used = first(history, GrantUsed)
    grant = history.grants[used.batch, used.index]
    assert found(check_grants(swapped(history, used, used, used)), "is used again")
    more = replace(used, amount=grant.maximum_kopecks + 1)
    assert found(check_grants(swapped(history, used, more)), "of 600")
    elsewhere = replace(used, bill=BillKey(used.bill.run, used.bill.index + 1))
    assert found(check_grants(swapped(history, used, elsewhere)), "is for")
    late = replace(history, times={**history.times, used.log.block_number: grant.expires_at})
    assert found(check_grants(late), "after its expiry")


def test_8_a_debit_on_nobody_s_word_is_found(history: History) -> None:
    name = first(history, BillPaid).log.tx_hash
    thief = replace(history.sent[name], sender=history.addresses["Timelock"])
    assert found(check_authority(replace(history, sent={**history.sent, name: thief})), "not the payer's call")
    name = first(history, BillPaid, lambda e: sum(leg.amount_kopecks for leg in e.legs) == 15).log.tx_hash
    sent = history.sent[name]
    bill, order = sent.args
    more = replace(sent, args=(bill, (order[0], order[1] + 1, *order[2:])))
    assert found(check_authority(replace(history, sent={**history.sent, name: more})), "no signature of the payer")
    seized = first(history, Seized)
    wrong = check_authority(swapped(history, seized, replace(seized, act=NO_HASH)))
    assert found(wrong, "without an act")
    assert found(wrong, "no seizure that names an act")


def test_9_a_payout_without_key_operator_or_delay_is_found(history: History) -> None:
    approved, changed = first(history, PayoutChangeApproved), first(history, PayoutChanged)
    assert found(check_payouts(swapped(history, approved)), "without the key, the operator and the delay")
    sooner = {**history.times, changed.log.block_number: history.time_of(approved)}
    assert found(check_payouts(replace(history, times=sooner)), "without the key, the operator and the delay")
    other = replace(changed, payout=history.addresses["Timelock"])
    assert found(check_payouts(swapped(history, changed, other)), "without the key, the operator and the delay")
    thief = replace(history.sent[approved.log.tx_hash], sender=history.addresses["Timelock"])
    doctored = replace(history, sent={**history.sent, approved.log.tx_hash: thief})
    assert found(check_payouts(doctored), "approved by no operator")


def test_6_a_row_changed_in_the_ledger_is_found(play: Play, tmp_path: Path) -> None:
    indexed = rebuilds(play, tmp_path)
    fresh = Indexed(play.town, _folder(tmp_path, "fresh"))
    fresh.sync()
    assert compare(indexed.engine, fresh.engine).is_equal
    with open_database(f"sqlite:///{tmp_path / 'ledger.db'}").begin() as connection:
        amount = bill_lines.c.amount_kopecks
        assert connection.execute(update(bill_lines).values({amount: amount + 1})).rowcount
    report = compare(indexed.engine, fresh.engine)
    assert not report.is_equal
    assert [difference.table for difference in report.differences] == ["bill_lines"]


def test_the_model_and_the_chain_disagree_where_one_is_wrong(stage: Stage) -> None:
    play = stage.again()
    key = play.runs[0].key(0)
    play.model.bill(key).lines[0].paid += 1
    with pytest.raises(AssertionError, match="question, chain, model"):
        play.set_active(1, True)
    play = stage.again()
    play.model.money.frozen.add(play.town.account("resident"))
    with pytest.raises(AssertionError, match="the chain says done, the model RoubleAccountFrozen"):
        play.pay("resident", key, EVER)
    with pytest.raises(Refused):
        play.model.pay(play.town.account("resident"), key, EVER)


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder
