"""What deploy/ holds can be used as it stands: units verify, arguments are the programs' own, runbooks name what is."""

from __future__ import annotations

import configparser
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

import ledger.witness
from ledger.witness import HALTING
from scripts.keeping.health import Kind

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))


def exec_start(unit: Path) -> str:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit)
    return parser["Service"]["ExecStart"] if parser.has_section("Service") else ""


def service_words() -> list[list[str]]:
    """How units and the compose file start our modules: from ``-m`` on."""
    yaml = pytest.importorskip("yaml")
    compose: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    found = [shlex.split(exec_start(unit)) for unit in UNITS]
    found += [service.get("command", []) for service in compose["services"].values()]
    return [words[words.index("-m") + 1 :] for words in found if "-m" in words]


def timed_words() -> list[list[str]]:
    """How units that a timer starts call the command: from its name on."""
    found = [re.search(r"bin/kopeck (.*?)'?$", exec_start(unit)) for unit in UNITS]
    return [["scripts.cli.main", *match[1].split()] for match in found if match]


def program_of(words: list[str]) -> tuple[str, ...]:
    """The module, with the command of ours that it is told to run."""
    return tuple(takewhile(re.compile(r"[a-z][\w.]*$").match, words))


def test_every_service_is_started_with_arguments_that_its_program_takes() -> None:
    started, timed = service_words(), timed_words()
    wanted = {("oracle.main",), ("ledger.main",), ("ledger.holder",), ("billing.main",), ("api.main",)}
    wanted |= {("api.notifier",), ("scripts.cli.main", "witness")}
    assert sorted(map(program_of, started)) == sorted([*wanted, *wanted])
    assert {program_of(words)[1:] for words in timed} == {("backup",), ("checkpoint", "make")}
    helps = {
        program: subprocess.run(
            [sys.executable, "-m", *program, "--help"],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={**os.environ, "COLUMNS": "200"},
        ).stdout
        for program in {*wanted, *map(program_of, timed)}
    }
    for words in (*started, *timed):
        for word in words:
            if word.startswith("--"):
                assert re.search(rf"{word}\b", helps[program_of(words)]), (program_of(words), word)


def test_every_timer_has_its_service() -> None:
    names = {unit.name for unit in UNITS}
    timers = [unit.stem for unit in UNITS if unit.suffix == ".timer"]
    assert sorted(timers) == ["kopeck-backup", "kopeck-checkpoint"]
    assert {f"{name}.service" for name in timers} <= names


def test_a_fault_for_a_person_is_not_tried_again_and_again() -> None:
    for unit in UNITS:
        if "-m " in exec_start(unit):
            assert "RestartPreventExitStatus=2 3" in unit.read_text(), unit.name


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    """The programs are not installed here, so something that is stands for each; the rest is verified as written."""
    for unit in UNITS:
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE)
        text = re.sub(r"^User=.*$", "User=root", text, flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text)
    assert _verified([tmp_path / unit.name for unit in UNITS]) == []
    faulty = tmp_path / "faulty.service"
    faulty.write_text((tmp_path / "besu.service").read_text().replace("Restart=", "Restrat="))
    assert any("Restrat" in line for line in _verified([faulty])), "it does look"


def _verified(units: list[Path]) -> list[str]:
    """What systemd says of units."""
    found = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    return [line for line in found.stderr.splitlines() if any(unit.name in line for unit in units)]


def test_every_variable_of_the_example_is_read_by_a_program() -> None:
    named = set(re.findall(r"^#?(KOPECK_\w+)=", (DEPLOY / "kopeck.env.example").read_text(), re.MULTILINE))
    sources = "".join(
        path.read_text() for folder in ("contracts", "oracle", "ledger", "billing", "api", "scripts")
        for path in (ROOT / folder).rglob("*.py")
    )  # fmt: skip
    assert len(named) == 6
    assert [name for name in named if name not in sources] == []


def test_every_fault_has_its_runbook_and_every_runbook_its_place() -> None:
    index = (ROOT / "docs" / "runbooks" / "README.md").read_text()
    assert [kind for kind in Kind if f"| `{kind.value}` |" not in index] == []
    assert [page.name for page in RUNBOOKS if page.name != "README.md" and f"({page.name}" not in index] == []
    for occasion in ("validator-lost", "key-compromised", "chain-stalled", "wrong-tariff", "disk-full", "clock-off"):
        assert (ROOT / "docs" / "runbooks" / f"{occasion}.md").exists()


def test_every_kind_of_a_witness_s_alarm_is_on_its_page() -> None:
    kinds = {*HALTING, *re.findall(r'Alarm\("([a-z-]+)"', inspect.getsource(ledger.witness))}
    assert len(kinds) >= 5
    page = (ROOT / "docs" / "runbooks" / "witness-alarm.md").read_text()
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == kinds | {"ledger-differs"}


def test_every_unit_that_a_page_names_is_there() -> None:
    units = {unit.stem for unit in UNITS}
    for page in (*RUNBOOKS, DEPLOY / "README.md"):
        for line in re.findall(r"systemctl (?:re)?st\w+ ([^`]*)`", page.read_text()):
            assert set(line.split()) <= units, (page.name, line)
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (DEPLOY / "README.md").read_text())
    assert [link for link in links if not (DEPLOY / link).exists()] == []
