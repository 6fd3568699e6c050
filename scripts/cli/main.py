"""Entry point of ``kopeck``: the groups, and one place where an error becomes words and an exit code."""

from __future__ import annotations

import sys

import structlog
import typer
from typer._click.exceptions import ClickException

from scripts.cli import bench, bill, demo, erase, fsck, oracle, pay, statement, subsidy, up
from scripts.cli.console import fail

_cli = typer.Typer(
    name="kopeck",
    help="A payment ledger for housing and municipal services: every kopeck to the supplier it is owed to.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
_cli.command("up")(up.up)
_cli.command("stop")(up.stop)
_cli.command("demo")(demo.demo)
_cli.add_typer(oracle.group, name="oracle")
_cli.add_typer(bill.group, name="bill")
_cli.add_typer(pay.group, name="pay")
_cli.add_typer(subsidy.group, name="subsidy")
_cli.command("statement")(statement.statement)
_cli.command("fsck")(fsck.fsck)
_cli.command("erase")(erase.erase)
_cli.command("bench")(bench.bench)


def app() -> int:
    """Runs the command line; returns the exit code: 0 only when all is well."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # the output is the command's own
    try:
        code = _cli(standalone_mode=False)
    except typer.Abort:
        return 130
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        return _explain(error)
    return code if isinstance(code, int) else 0


def _explain(error: Exception) -> int:
    """Usage errors show how to ask; the rest name the record and the remedy in their own words."""
    if isinstance(error, ClickException):
        error.show(sys.stderr)
        return error.exit_code
    fail(error)
    return 1
