"""The documents point at what is there, and say nothing that belongs to one machine."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from scripts.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")) if "node_modules" not in path.parts
)
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)[^)]*\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = [link for link in _LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_path_of_a_machine_is_in_a_page(page: Path) -> None:
    assert not re.search(r"(?<![\w.])/(home|root|work|Users)/", page.read_text())


def test_every_make_target_of_the_readme_is_in_the_makefile() -> None:
    named = set(re.findall(r"make (run|install|test|check|bench|clean)\b", (ROOT / "README.md").read_text()))
    makefile = (ROOT / "Makefile").read_text()
    assert named
    for target in named | {"run", "install", "test", "check", "bench", "clean"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_decisions_are_numbered_without_holes() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_lock_files_pin_by_hash_and_name_no_registry() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text()
        assert "--hash=sha256:" in text, lock.name
        assert "://" not in text, lock.name
    assert "resolved" not in (ROOT / "package-lock.json").read_text()


@pytest.mark.parametrize("script", [*sorted(ROOT.glob("scripts/*.sh")), ROOT / ".ci" / "run"], ids=lambda p: p.name)
def test_shell_scripts_parse_and_may_be_run(script: Path) -> None:
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True)


def _commands() -> list[list[str]]:
    """Every `kopeck …` that a page shows, in a fence or in a line, as words; the protocol has bytes of that name."""
    shown = re.compile(r"^\.venv/bin/kopeck ([a-z][^#\n]*)|`kopeck ([a-z][^`\n]*)`", re.MULTILINE)
    pages = [page.read_text() for page in PAGES if page.name != "protocol.md"]
    return [shlex.split(text) for text in sorted({(a or b).strip() for page in pages for a, b in shown.findall(page)})]


@pytest.mark.parametrize("words", _commands(), ids=" ".join)
def test_every_command_of_the_pages_is_one_that_kopeck_takes(words: list[str]) -> None:
    command: Any = get_command(cli)
    path: list[str] = []
    while len(path) < len(words) and words[len(path)] in getattr(command, "commands", {}):
        path.append(words[len(path)])
        command = command.commands[path[-1]]
    assert path, f"kopeck has no command {words[0]!r}"
    assert CliRunner().invoke(cli, [*path, "--help"]).exit_code == 0
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word.strip("[]") for word in words if word.strip("[").startswith("--")} <= known | {"--help"}
