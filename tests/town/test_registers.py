"""``kopeck register``: a bank's file is read to JSON, and what is wrong with it is in the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from billing.paper.registers import RegisterError
from scripts.cli.register import group, profile_of
from tests.billing.paper.test_registers import FILE


@pytest.mark.parametrize(("text", "code"), [(FILE, 0), (FILE.replace("=2;", "=3;"), 1)])
def test_a_register_is_read_to_json(tmp_path: Path, text: str, code: int) -> None:
    path = tmp_path / "payments.txt"
    path.write_bytes(text.encode("koi8-r"))
    done = CliRunner().invoke(group, ["read", str(path), "--json"])
    found = json.loads(done.stdout)
    assert (done.exit_code, found["count"], found["amount_kopecks"], found["encoding"]) == (
        code,
        2,
        2_102_047,
        "koi8-r",
    )
    assert [row["period"] for row in found["rows"]] == ["2026-01", "2026-01"]
    assert len(found["problems"]) == code


def test_a_profile_of_one_s_own_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    shipped = Path(__file__).parents[2] / "billing" / "paper" / "data" / "registers" / "plain-payments.json"
    path.write_text(json.dumps(json.loads(shipped.read_text()) | {"name": "mine"}))
    assert profile_of(str(path)).name == "mine"
    with pytest.raises(RegisterError, match="sberbank-payments"):
        profile_of("no such")
