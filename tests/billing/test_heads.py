"""What a run says it read is what it read: heads first, then readings up to them and none behind."""

from __future__ import annotations

import json

import pytest

from billing.inbox import State
from billing.requests import RunRequest
from contracts.wire.ids import Hash, KeyId, SourceClass
from contracts.wire.leaf import Decision, DecisionReason, Quality
from contracts.wire.structs import UsedHead
from tests.billing.scenes import JANUARY, SPAN, check_books
from tests.billing.stage import Stage

VALIDATION_KEY = KeyId(b"\x78" * 16)


def roots_in_bill(stage: Stage) -> set[str]:
    """Roots of the batches whose leaves the bill of account 1 names."""
    document = json.loads(stage.bill("1", JANUARY).document or b"")
    text = json.dumps(document)
    return {root for root in ("0x" + r.hex() for r in stage_roots(stage)) if root[2:] in text}


def stage_roots(stage: Stage) -> list[Hash]:
    return [Hash(root) for root in stage.town.files.names("readings")]


def test_a_batch_acknowledged_while_a_run_is_charged_is_not_read(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.open(1)
    opening = stage.read_water({1: 1_000}, SPAN.start_ts)
    closing = stage.read_water({1: 4_000}, SPAN.end_ts, acknowledge=False)
    take = stage.office.ledger.heads_to_bill

    def overtaken() -> list[UsedHead]:
        heads = take()
        if not stage.office.ledger.holders_of(closing):
            stage.town.acknowledge(closing)
            stage.settle()
        return heads

    monkeypatch.setattr(stage.office.ledger, "heads_to_bill", overtaken)
    (item,) = stage.work(stage.ask("run", RunRequest(JANUARY)))
    assert item.state is State.DONE, item.reason
    (run,) = stage.office.ledger.runs(JANUARY)
    assert [(head.source, head.sequence) for head in run.heads] == [(stage.source, 1)]
    assert "0x" + closing.hex() not in roots_in_bill(stage)
    assert [h.sequence for h in take()] == [2]
    assert opening != closing


def test_what_is_acknowledged_in_time_is_read_and_claimed(stage: Stage) -> None:
    stage.open(1)
    stage.read_water({1: 1_000}, SPAN.start_ts)
    closing = stage.read_water({1: 4_000}, SPAN.end_ts)
    (item,) = stage.work(stage.ask("run", RunRequest(JANUARY)))
    assert item.state is State.DONE, item.reason
    (run,) = stage.office.ledger.runs(JANUARY)
    assert [(head.source, head.sequence) for head in run.heads] == [(stage.source, 2)]
    assert "0x" + closing.hex() in roots_in_bill(stage)


def test_a_run_waits_for_the_last_word_of_the_validation_step(stage: Stage) -> None:
    stage.open(1)
    stage.read_water({1: 1_000}, SPAN.start_ts)
    jumped = stage.read_water({1: 999_000}, SPAN.end_ts)
    validation = stage.town.add_source("validation", SourceClass.VALIDATION)
    rejection = [Decision(jumped, 0, Quality.MISSING, DecisionReason.JUMP, None)]
    decided = stage.town.anchor("validation", validation, rejection, VALIDATION_KEY)
    stage.settle()
    item = stage.ask("run", RunRequest(JANUARY))
    for _ in range(3):
        stage.turn()
    waiting = stage.inbox.get(item.id)
    assert waiting is not None
    assert waiting.state is State.ACCEPTED
    assert decided.hex() in (waiting.reason or "")
    stage.town.acknowledge(decided)
    stage.settle()
    (item,) = stage.work(item)
    assert item.state is State.DONE, item.reason
    assert "0x" + jumped.hex() not in roots_in_bill(stage)
    check_books(stage)
