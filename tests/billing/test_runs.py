"""Billing runs on a real chain: what is billed, posted, filed, taken back, vetoed."""

from __future__ import annotations

import json

import pytest

from billing.inbox import State
from billing.requests import (
    AgentPayment,
    RunRequest,
)
from contracts.wire.calls import encode_pause, encode_veto
from contracts.wire.files import parse_file
from contracts.wire.ids import Hash, RunId
from contracts.wire.leaf import decode_supplier_line
from contracts.wire.sealed import SealError, unseal
from tests.billing.scenes import (
    ALL,
    JANUARY,
    billed,
    check_books,
    pay_all,
    received,
)
from tests.billing.stage import Stage


def test_each_supplier_can_check_its_own_lines_alone(stage: Stage) -> None:
    billed(stage, 3)
    (run,) = stage.office.ledger.runs(JANUARY)
    bills = stage.office.ledger.bills_of_run(run.run)
    for total in run.suppliers:
        data = stage.town.files.get("lines", total.root)
        assert data is not None
        head, lines = parse_file(data, total.root)
        own = [decode_supplier_line(line.blob or b"") for line in lines]
        assert (head["run"], head["supplier"]) == ("0x" + run.root.hex(), total.supplier)
        assert sum(line.amount_kopecks for line in own) == total.total_kopecks
        assert all(bills[x.index].lines[x.line].supplier == total.supplier for x in own)
    assert sum(total.lines for total in run.suppliers) == sum(len(bill.lines) for bill in bills)


def test_bills_stand_by_commitment_and_open_with_their_own_account_s_key_alone(stage: Stage) -> None:
    billed(stage, 3)
    (run,) = stage.office.ledger.runs(JANUARY)
    data = stage.town.files.get("bills", run.root)
    assert data is not None
    assert b"House" not in data  # a document lies sealed, not in the clear
    _, lines = parse_file(data, run.root)
    commits = [(line.blob or b"")[:32] for line in lines]
    assert commits == sorted(commits)
    keys = {account.key_id: account for account in stage.office.register.accounts()}
    for line in lines:
        assert line.key is not None
        other = next(key for key in keys if key != line.key)
        opened = unseal(stage.town.keys.secret(line.key) or b"", line.leaf, line.sealed or b"")
        assert json.loads(opened[64:])["account"] == keys[line.key].account
        with pytest.raises(SealError):
            unseal(stage.town.keys.secret(other) or b"", line.leaf, line.sealed or b"")


def test_during_a_pause_payments_wait_and_go_on_after_it(stage: Stage) -> None:
    billed(stage, 1)
    until = stage.town.reader.head().timestamp + 3600
    stage.town.send("guardian", "Settlement", encode_pause(until))
    item = stage.ask("patient", AgentPayment(stage.bill("1", JANUARY).key, ALL))
    for _ in range(4):
        stage.turn()
    waiting = stage.inbox.get(item.id)
    assert waiting is not None
    assert waiting.state is State.ACCEPTED
    assert "SettlementPaused" in (waiting.reason or "")
    stage.town.send("guardian", "Settlement", encode_pause(0))
    (done,) = stage.work(item)
    assert done.state is State.DONE


def test_blocks_taken_back_are_made_again_with_the_same_money(stage: Stage) -> None:
    billed(stage, 2)
    stage.settle()
    item = stage.ask("pay", AgentPayment(stage.bill("1", JANUARY).key, ALL))
    (done,) = stage.work(item)
    assert (done.state, done.is_settled) == (State.DONE, False)
    stage.town.rpc.call("anvil_reorg", 4, [])
    assert received(stage) == 0
    for _ in range(30):
        stage.turn()
    again = stage.inbox.get(item.id)
    assert again is not None
    assert (again.state, again.is_settled) == (State.DONE, True)
    assert received(stage) == stage.bill("1", JANUARY).charged_kopecks
    check_books(stage)


def test_a_vetoed_run_fails_with_its_reason_and_can_be_billed_again(stage: Stage) -> None:
    stage.open(1)
    item = stage.ask("run", RunRequest(JANUARY))
    stage.collector.step()  # proposes; the activation comes in a later round
    stage.town.send("guardian", "ChargeBook", encode_veto(RunId(1), Hash(b"\x01" * 32)))
    (item,) = stage.work(item)
    assert item.state is State.FAILED
    assert "ChargeBookRunNotProposed" in (item.reason or "")
    (again,) = stage.work(stage.ask("run again", RunRequest(JANUARY)))
    assert again.state is State.DONE, again.reason
    pay_all(stage, 1)
    check_books(stage)
