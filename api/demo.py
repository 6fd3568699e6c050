"""Logins of a demo town, kept in a file of the town's home so that the login page can offer them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "demo-logins.json"


@dataclass(frozen=True, slots=True)
class DemoLogin:
    """A login shown to anyone: only ever of a resident or a clerk that nobody is."""

    login: str
    password: str
    label: str


def save_demo_logins(home: Path, logins: Sequence[DemoLogin]) -> None:
    """Writes the file; from the next start of the door on, its login page offers them."""
    path = home / "api" / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps([asdict(login) for login in logins], ensure_ascii=False, indent=1) + "\n")
    aside.rename(path)


def load_demo_logins(home: Path) -> list[DemoLogin]:
    """The logins; none where the town is no demo."""
    path = home / "api" / FILE
    return [DemoLogin(**row) for row in json.loads(path.read_text())] if path.exists() else []
