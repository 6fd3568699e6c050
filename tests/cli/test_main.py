"""Every command of the table is there, and one does not pay for another's imports."""

from __future__ import annotations

import subprocess
import sys

from typer.main import get_group
from typer.testing import CliRunner

from scripts.cli.main import cli


def test_every_command_of_the_table_explains_itself() -> None:
    for name in get_group(cli).commands:
        found = CliRunner().invoke(cli, [name, "--help"])
        assert (found.exit_code, f"kopeck {name}" in found.output) == (0, True), name


def test_a_slip_of_the_pen_is_answered_with_the_name_meant() -> None:
    found = CliRunner().invoke(cli, ["verfy"])
    assert found.exit_code == 2
    assert "verify" in found.output


def test_verifying_a_capsule_does_not_import_the_run() -> None:
    program = (
        "import sys; from scripts.cli.main import app; sys.argv = ['kopeck', 'verify', '--help']; app();"
        "print(sorted({'billing.prepare', 'fastapi', 'oracle.intake'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr
