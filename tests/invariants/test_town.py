"""Invariants 1 to 4 and 6 to 9 on random plays of the whole town: real chain, model, and ledger beside it."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from contracts.wire import errors
from tests.invariants.machine import Stage, TownMachine
from tests.invariants.play import Play

# No shrinking: a play is a chain's time, and each failure prints its own steps.
_QUIET = list(HealthCheck)
_SHORT = settings(
    max_examples=12, stateful_step_count=30, deadline=None, derandomize=True, suppress_health_check=_QUIET,
    database=None, phases=(Phase.generate,),
)  # fmt: skip
_LONG = settings(
    max_examples=90, stateful_step_count=50, deadline=None, print_blob=True, suppress_health_check=_QUIET,
    database=None, phases=(Phase.generate,),
)  # fmt: skip


def play_all(stage: Stage, how: settings) -> tuple[Counter[str], Counter[str]]:
    """Plays; gives what was accepted and what was refused, by name."""
    seen: list[Play] = []
    machine = type("Machine", (TownMachine,), {"stage": stage, "seen": seen})
    run_state_machine_as_test(machine, settings=how)
    accepted = sum((play.accepted for play in seen), Counter[str]())
    return accepted, sum((play.refusals for play in seen), Counter[str]())


def test_chain_model_and_ledger_agree_after_every_operation(stage: Stage) -> None:
    accepted, refused = play_all(stage, _SHORT)
    done = {"pay", "pay_batch", "pay_order", "apply_grants", "refund", "prepay", "activate", "execute_payout", "anchor"}
    # A few plays reach most operations; that all of them are reached is asked of the long run.
    assert len(done - set(accepted)) <= 3, f"never done: {done - set(accepted)}"
    assert len(refused) >= 10, refused
    assert all(issubclass(getattr(errors, name), errors.ContractError) for name in refused)


@pytest.mark.slow
def test_long_random_plays_agree(stage: Stage) -> None:
    accepted, refused = play_all(stage, _LONG)
    assert sum(accepted.values()) > 500
    assert len(refused) >= 25, refused
