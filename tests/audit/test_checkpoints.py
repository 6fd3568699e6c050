"""Checkpoints against the observers whom the auditor trusts."""

from __future__ import annotations

import json

import pytest

from contracts.wire.ids import Address, address_text
from contracts.wire.typed_data import address_of
from scripts.audit.checkpoints import Quorum
from tests.audit.conftest import Laid
from tests.audit.test_bad_input import run
from tests.ledger.town import key_of

SIGNED = address_of(key_of("observer"))
"""Who signed the town's checkpoint."""
SILENT = Address(bytes(19) + b"\x01")


def test_a_checkpoint_that_enough_signed_is_no_alarm(played: Laid) -> None:
    found = played.audit(quorum=Quorum(frozenset({SIGNED, SILENT}), 1))
    assert found.is_sound
    assert found.findings.checked["checkpoints held against the quorum"] == 1


def test_a_signature_missing_below_the_quorum_is_an_alarm(played: Laid) -> None:
    (finding,) = played.audit(quorum=Quorum(frozenset({SIGNED, SILENT}), 2)).findings
    assert finding.slug == "quorum-not-met"
    assert finding.expected == "cosignatures of 2 of 2 trusted observers"
    assert finding.found == f"1; missing: {address_text(SILENT)}"


def test_no_checkpoint_at_all_is_an_alarm_where_a_quorum_is_asked_for(laid: Laid) -> None:
    for path in laid.files("checkpoints"):
        path.unlink()
    assert laid.audit().is_sound
    (finding,) = laid.audit(quorum=Quorum(frozenset({SIGNED}), 1)).findings
    assert finding.slug == "checkpoint-missing"


def test_the_command_takes_observers_and_says_which_checks_ran(laid: Laid) -> None:
    both = f"{address_text(SIGNED)},{address_text(SILENT)}"
    assert run(laid, "--observers", both)[0] == 1
    code, shown = run(laid, "--observers", both, "--quorum", "1", "--json", "-")
    report = json.loads(shown)["report"]
    checks = {check["of"]: check for check in report["checks"]}
    assert code == 0
    assert checks["checkpoints held against the quorum"] == {
        "of": "checkpoints held against the quorum", "ran": True, "records": 1,
    }  # fmt: skip
    assert checks["bills worked out again"]["records"] == report["checked"]["bills"]
    (laid.folder / "keys.json").unlink()
    sealed = json.loads(run(laid, "--sealed", "--json", "-")[1])["report"]
    told = {check["of"]: check for check in sealed["checks"]}
    assert (told["bills worked out again"]["ran"], told["bills worked out again"]["records"]) == (False, 0)
    assert told["bills worked out again"]["why"] == "records were not opened"


@pytest.mark.parametrize("options", [("--quorum", "1"), ("--observers", "0x12"), ("--observers", "", "--quorum", "2")])
def test_a_quorum_that_can_t_be_met_is_refused(laid: Laid, options: tuple[str, ...]) -> None:
    assert run(laid, *options)[0] == 2
