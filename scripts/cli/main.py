"""Entry point of ``kopeck``: the groups, and one place where an error becomes words and an exit code."""

from __future__ import annotations

import sys

import structlog
import typer
from typer._click.exceptions import ClickException

from scripts.cli.console import fail
from scripts.cli.lazy import lazy

cli = typer.Typer(
    name="kopeck",
    help="A payment ledger for housing and municipal services: every kopeck to the supplier it is owed to.",
    cls=lazy(
        {
            "up": "up:up",
            "stop": "up:stop",
            "demo": "demo:demo",
            "oracle": "oracle:group",
            "bill": "bill:group",
            "tariff": "tariff:group",
            "event": "event:group",
            "house": "house:group",
            "pay": "pay:group",
            "register": "register:group",
            "subsidy": "subsidy:group",
            "outlook": "outlook:group",
            "fund": "fund:group",
            "debt": "debt:group",
            "dispute": "cases:dispute",
            "instalment": "cases:instalment",
            "statement": "statement:group",
            "webhook": "webhook:group",
            "fsck": "fsck:fsck",
            "audit": "audit:audit",
            "bundle": "audit:group",
            "erase": "erase:erase",
            "backup": "backup:backup",
            "restore": "backup:restore_backup",
            "sender": "sender:group",
            "health": "deploy:health",
            "halt": "halt:group",
            "deploy": "deploy:group",
            "capsule": "capsule:capsule",
            "verify": "capsule:verify",
            "checkpoint": "checkpoint:group",
            "witness": "witness:witness",
            "network": "network:group",
            "observer": "observer:observer",
            "bench": "bench:bench",
        }
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@cli.callback()
def kopeck() -> None:
    """A payment ledger for housing and municipal services: every kopeck to the supplier it is owed to."""


def app() -> int:
    """Runs the command line; returns the exit code: 0 only when all is well."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # the output is the command's own
    try:
        code = cli(standalone_mode=False)
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


if __name__ == "__main__":
    sys.exit(app())
