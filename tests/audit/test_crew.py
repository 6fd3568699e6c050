"""Several processes find what one finds, in the same words; and one that is killed is told by name."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from scripts.audit.crew import Crew
from scripts.audit.finding import CannotAudit
from tests.audit.conftest import Laid, copy_of
from tests.audit.tampering import TAMPERINGS


def outcome(laid: Laid, processes: int) -> object:
    try:
        found = laid.audit(processes=processes)
    except CannotAudit as refused:
        return str(refused)
    return [f.value() for f in found.findings], found.findings.checked, found.findings.closed


@pytest.mark.parametrize("place", range(0, len(TAMPERINGS), 2))
def test_two_processes_find_what_one_finds(played: Laid, tmp_path: Path, place: int) -> None:
    laid = copy_of(played, tmp_path / "copy")
    TAMPERINGS[place](laid, random.Random(place))
    assert outcome(laid, 2) == outcome(laid, 1)


def test_a_process_that_is_killed_is_told_by_name() -> None:
    def die(task: int) -> int:
        if task == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    with pytest.raises(CannotAudit) as refused, Crew(2).at(die, range(6)) as running:
        list(running.results())
    assert refused.value.slug == "worker-killed"
