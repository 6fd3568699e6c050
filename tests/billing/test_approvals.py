"""Four eyes: a run or a correction waits until a hand with another key approves the very bills it saw."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from billing.approve import Approvals
from billing.debt.requests import DisputeDecision, DisputeRequest
from billing.inbox import Item, State
from billing.policy import Policies, Policy, sign
from billing.requests import ApprovalRequest, CorrectionRequest, Hand, RunRequest
from billing.run import Run, RunStage
from contracts.wire.ids import BillState, Hash, Service
from contracts.wire.leaf import BillKind
from contracts.wire.typed_data import address_of
from tests.billing.scenes import JANUARY, billed, pay_all
from tests.billing.stage import Stage
from tests.billing.test_bad_input import no_area, ready
from tests.ledger.town import key_of

HANDS = ("clerk", "chief")
OFFICE = Policy({name: address_of(key_of(name)) for name in HANDS})


def asked(stage: Stage, by: str = "clerk", key: str | None = None, **changes: bool) -> Item:
    request = RunRequest(JANUARY, **changes)  # type: ignore[arg-type]
    item = stage.ask(f"run {by} {key}", replace(request, hand=sign(by, key_of(key or by), request)))
    for _ in range(3):
        stage.turn()
    found = stage.inbox.get(item.id)
    assert found is not None
    return found


def decide(stage: Stage, run: Run, by: str, *, signed: str | None = None, **changes: object) -> Item:
    request = ApprovalRequest(run.id, run.proposal.root, Hand("", b""))
    request = replace(request, **changes)  # type: ignore[arg-type]
    word = replace(request, hand=sign(by, key_of(signed or by), request))
    (item,) = stage.work(stage.ask(f"decide {run.id} {by} {signed} {sorted(changes)}", word))
    return item


@pytest.fixture
def office(stage: Stage) -> Stage:
    ready(stage, 3)
    Policies(stage.office.engine).set(OFFICE)
    return stage


def only(stage: Stage, stage_of: RunStage = RunStage.WAITING) -> Run:
    (run,) = stage.office.runs.at(stage_of)
    return run


def test_a_run_waits_for_the_second_hand_and_is_posted_then(office: Stage) -> None:
    item = asked(office)
    assert item.state is State.WORKING
    assert "another hand" in (item.reason or "")
    assert office.office.ledger.runs(JANUARY) == []
    run = only(office)
    decided = decide(office, run, "chief")
    assert (decided.state, decided.result) == (State.DONE, {"run": run.id, "approved": True})
    (done,) = office.work(item)
    assert done.state is State.DONE
    assert office.office.ledger.runs(JANUARY)[0].root == run.proposal.root
    approval = Approvals(office.office.engine, office.office.runs, office.inbox).of(run.id)
    assert approval is not None
    assert (approval.asked_by, approval.approved_by, approval.left_out) == ("clerk", "chief", 0)


def test_whoever_asked_can_not_approve_and_a_stranger_neither(office: Stage) -> None:
    asked(office)
    run = only(office)
    assert decide(office, run, "clerk").slug == "same-hand"
    assert decide(office, run, "thief").slug == "not-signed"
    assert decide(office, run, "chief", signed="clerk").slug == "not-signed"  # the clerk writes the chief's name
    assert decide(office, run, "chief", root=Hash(bytes(32))).slug == "another-run"
    assert decide(office, replace(run, id=run.id + 1), "chief").slug == "no-such-run"
    assert only(office) == run
    assert office.office.ledger.runs(JANUARY) == []


def test_a_run_that_nobody_signed_is_not_prepared(office: Stage) -> None:
    (item,) = office.work(office.ask("unsigned", RunRequest(JANUARY)))
    assert (item.state, item.slug) == (State.FAILED, "not-signed")
    assert asked(office, "clerk", "thief").slug == "not-signed"
    assert office.office.runs.at(RunStage.WAITING) == []


def test_a_refused_run_is_given_up_with_the_reason_and_can_be_asked_for_again(office: Stage) -> None:
    item = asked(office)
    decide(office, only(office), "chief", approves=False, reason="account 2 rose tenfold")
    (failed,) = office.work(item)
    assert (failed.state, failed.slug) == (State.FAILED, "run-not-activated")
    assert "chief refused" in (failed.reason or "")
    assert "rose tenfold" in (failed.reason or "")
    again = asked(office, "chief")
    assert decide(office, only(office), "clerk").state is State.DONE
    assert office.work(again)[0].state is State.DONE


def test_problems_have_to_be_seen_by_the_second_hand_too(office: Stage) -> None:
    no_area(office)
    item = asked(office)
    run = only(office)
    assert list(run.problems) == ["2"]
    refused = decide(office, run, "chief")
    assert refused.slug == "problems-not-seen"
    assert "2" in (refused.reason or "")
    assert decide(office, run, "chief", leaves_out_problems=True).state is State.DONE
    (done,) = office.work(item)
    assert (done.result or {})["bills"] == 2


def test_an_approval_that_died_before_its_answer_is_the_same_approval(office: Stage) -> None:
    asked(office)
    run = only(office)
    approvals = Approvals(office.office.engine, office.office.runs, office.inbox)
    request = ApprovalRequest(run.id, run.proposal.root, Hand("", b""))
    item = office.ask("word", replace(request, hand=sign("chief", key_of("chief"), request)))
    word = item.request
    assert isinstance(word, ApprovalRequest)
    assert approvals.decide(word, item.id, OFFICE)
    (done,) = office.work(item)
    assert done.state is State.DONE


def test_four_eyes_need_two_keys(office: Stage) -> None:
    with pytest.raises(ValueError, match="two hands"):
        Policies(office.office.engine).set(Policy({"a": address_of(key_of("a")), "b": address_of(key_of("a"))}))
    assert Policies(office.office.engine).get() == OFFICE


# --- corrections -----------------------------------------------------------------------------------------------------


def billed_then_four_eyes(stage: Stage) -> None:
    """January is billed by one hand; one resident too few was counted, and from now on it takes two."""
    billed(stage, 1)
    stage.office.register.set_residents("1", date(2026, 1, 1), 5)
    Policies(stage.office.engine).set(OFFICE)


def correction(stage: Stage, by: str | None = "clerk", *, key: str = "correct", signed: str | None = None) -> Item:
    request = CorrectionRequest(JANUARY, ("1",), "act 7")
    hand = None if by is None else sign(by, key_of(signed or by), request)
    item = stage.ask(key, replace(request, hand=hand))
    for _ in range(3):
        stage.turn()
    found = stage.inbox.get(item.id)
    assert found is not None
    return found


def test_a_correction_waits_for_the_second_hand_and_is_posted_then(stage: Stage) -> None:
    billed_then_four_eyes(stage)
    old = stage.bill("1", JANUARY)
    item = correction(stage)
    run = only(stage)
    assert (run.kind, run.superseded, item.state) == ("correction", (old.key,), State.WORKING)
    assert f"kopeck bill approve {run.id}" in (item.reason or "")
    assert stage.view(old.key).state is BillState.OPEN
    assert decide(stage, run, "clerk").slug == "same-hand"
    assert decide(stage, run, "chief").state is State.DONE
    (done,) = stage.work(item)
    assert done.state is State.DONE, done.reason
    assert stage.view(old.key).state is BillState.SUPERSEDED
    assert stage.bill("1", JANUARY).charged_kopecks > old.charged_kopecks
    approval = Approvals(stage.office.engine, stage.office.runs, stage.inbox).of(run.id)
    assert approval is not None
    assert (approval.asked_by, approval.approved_by) == ("clerk", "chief")


def test_a_correction_that_nobody_of_the_office_signed_is_not_prepared(stage: Stage) -> None:
    billed_then_four_eyes(stage)
    for key, by, signed in (("plain", None, None), ("dispute 1", None, None), ("stolen name", "chief", "clerk")):
        item = correction(stage, by, key=key, signed=signed)
        assert (item.state, item.slug) == (State.FAILED, "not-signed")
    assert stage.office.runs.at(RunStage.WAITING) == []


def test_a_refused_correction_is_given_up_and_not_decided_again(stage: Stage) -> None:
    billed_then_four_eyes(stage)
    item = correction(stage)
    decide(stage, only(stage), "chief", approves=False, reason="five live there only since March")
    (failed,) = stage.work(item)
    assert (failed.state, failed.slug) == (State.FAILED, "run-not-activated")
    assert "since March" in (failed.reason or "")
    assert [run.stage for run in stage.office.runs.of_item(item.id)] == [RunStage.FAILED]


def test_a_correction_that_a_payment_raced_waits_for_another_word_on_what_it_is_now(stage: Stage) -> None:
    """Approved while the bill was open, paid before it was posted: the note in the new bill's place is seen anew."""
    billed_then_four_eyes(stage)
    original = stage.bill("1", JANUARY)
    item = correction(stage)
    first = only(stage)
    pay_all(stage, 1, maximum=1)
    decide(stage, first, "chief")
    for _ in range(20):
        stage.turn()
    second = only(stage)
    assert (second.item, second.superseded) == (item.id, ())
    assert second.proposal.root != first.proposal.root
    assert decide(stage, second, "chief", root=first.proposal.root).slug == "another-run"
    assert stage.bill("1", JANUARY).key == original.key
    decide(stage, second, "chief")
    (done,) = stage.work(item)
    assert done.state is State.DONE, done.reason
    assert stage.bill("1", JANUARY).kind is BillKind.DEBIT_NOTE


def test_what_an_upheld_dispute_asks_for_waits_for_a_hand_too(stage: Stage) -> None:
    billed(stage, 1)
    claim = DisputeRequest("1", JANUARY, Service.SEWAGE, date(2026, 2, 20), "fewer live here", "claim 7")
    (claimed,) = stage.work(stage.ask("dispute", claim))
    (case,) = stage.office.cases().of_accounts(["1"])["1"]
    stage.office.register.set_residents("1", date(2026, 1, 1), 1)
    Policies(stage.office.engine).set(OFFICE)
    word = DisputeDecision(case.id, upheld=True, on=date(2026, 3, 1), act="decision 9")
    (decided,) = stage.work(stage.ask("decide", word))
    assert claimed.state is decided.state is State.DONE
    for _ in range(3):
        stage.turn()
    run = only(stage)
    assert run.item == (decided.result or {})["correction"]
    assert decide(stage, run, "clerk").state is State.DONE
    asked = stage.inbox.get(int(run.item or 0))
    assert asked is not None
    assert stage.work(asked)[0].state is State.DONE
