"""Entry point of ``kopeck``: the groups, and one place where an error becomes words and an exit code."""

from __future__ import annotations

import sys

import structlog
import typer
from typer._click.exceptions import ClickException

from scripts.cli import (
    audit,
    backup,
    balance,
    bench,
    bill,
    bill_runs,
    capsule,
    cases,
    checkpoint,
    debt,
    demo,
    deploy,
    erase,
    event,
    fsck,
    fund,
    halt,
    house,
    network,
    observer,
    oracle,
    outlook,
    pay,
    register,
    sender,
    statement,
    subsidy,
    tariff,
    up,
    webhook,
    witness,
)
from scripts.cli.console import fail

cli = typer.Typer(
    name="kopeck",
    help="A payment ledger for housing and municipal services: every kopeck to the supplier it is owed to.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
cli.command("up")(up.up)
cli.command("stop")(up.stop)
cli.command("demo")(demo.demo)
cli.add_typer(oracle.group, name="oracle")
bill_runs.add_to(bill.group)
cli.add_typer(bill.group, name="bill")
tariff.group.command("whatif")(outlook.what_if)
cli.add_typer(tariff.group, name="tariff")
cli.add_typer(event.group, name="event")
cli.add_typer(house.group, name="house")
cli.add_typer(pay.group, name="pay")
cli.add_typer(register.group, name="register")
cli.add_typer(subsidy.group, name="subsidy")
cli.add_typer(outlook.group, name="outlook")
cli.add_typer(fund.group, name="fund")
balance.add_to(debt.group)
cli.add_typer(debt.group, name="debt")
cli.add_typer(cases.dispute, name="dispute")
cli.add_typer(cases.instalment, name="instalment")
cli.add_typer(statement.group, name="statement")
cli.add_typer(webhook.group, name="webhook")
cli.command("fsck")(fsck.fsck)
cli.command("audit")(audit.audit)
cli.add_typer(audit.group, name="bundle")
cli.command("erase")(erase.erase)
cli.command("backup")(backup.backup)
cli.command("restore")(backup.restore_backup)
cli.add_typer(sender.group, name="sender")
cli.command("health")(deploy.health)
cli.add_typer(halt.group, name="halt")
cli.add_typer(deploy.group, name="deploy")
cli.command("capsule")(capsule.capsule)
cli.command("verify")(capsule.verify)
cli.add_typer(checkpoint.group, name="checkpoint")
cli.command("witness")(witness.witness)
cli.add_typer(network.group, name="network")
cli.command("observer")(observer.observer)
cli.command("bench")(bench.bench)


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
