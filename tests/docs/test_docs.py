"""The documents point at what is there, and say nothing that belongs to one machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

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
