"""``kopeck statement``: what a supplier was charged for and received, its registers, its bank, and the proof of all."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from api.papers import Payees
from api.store import database_url, open_database
from billing.paper.bank import (
    BankStatement,
    StatementProfile,
    is_exchange,
    parse_statement_profile,
    read_exchange,
    read_table,
    statement_profiles,
)
from billing.paper.exchange import movements_of, register_rows, summary, write_csv, write_exchange, write_xlsx
from billing.paper.person import Requisites
from billing.paper.reconcile import Match, Reconciliation, reconcile
from billing.paper.registers import RegisterError, write_register
from contracts.client.deployments import Deployment
from contracts.client.reader import Reader
from contracts.client.rpc import Rpc
from contracts.wire.ids import Period, SupplierId
from ledger.queries.supplier_views import SupplierStatement
from scripts.cli.books import Books, open_town
from scripts.cli.console import out, show, show_json
from scripts.cli.options import HomeOption, JsonOption
from scripts.cli.register import profile_of
from scripts.home import DEFAULT_HOME
from scripts.statement.file import StatementFile, make_file
from scripts.statement.verify import FOREVER, verify_statement
from scripts.town.plan import ZONE, midnight

group = typer.Typer(help="Statements of suppliers: charges, receipts, registers, the bank.", no_args_is_help=True)
SupplierArgument = Annotated[int, typer.Argument(help="The supplier's number.")]
FromOption = Annotated[str | None, typer.Option("--from", help="First day or month: 2026-01-15 or 2026-01.")]
ToOption = Annotated[str | None, typer.Option("--to", help="Last day or month; that of --from where left out.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="Write it to this file.", dir_okay=False)]


@group.command("supplier")
def supplier(
    number: SupplierArgument,
    first: FromOption = None,
    last: ToOption = None,
    path: OutOption = None,
    register: Annotated[str | None, typer.Option(help="Write a bank's register by this profile.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write a table of receipts.")] = False,
    as_xlsx: Annotated[bool, typer.Option("--xlsx", help="Write a workbook.")] = False,
    as_1c: Annotated[bool, typer.Option("--1c", help="Write 1CClientBankExchange.")] = False,
    rpc: Annotated[str | None, typer.Option("--rpc", help="A node: adds to --json the proof of each receipt.")] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Opening, charged, received by source, refunded, closing, and every receipt with where it stands on the chain."""
    town = open_town(home)
    known_supplier(town, number)
    span = span_of(first, last)
    forms = [as_csv, as_xlsx, as_1c, as_json, register is not None]
    if sum(forms) > 1 or (any(forms[:3]) or register is not None) != (path is not None and not as_json):
        raise RegisterError("take one of --json, --csv, --xlsx, --1c, --register; but --json they need --out FILE")
    if as_json:
        node = None if rpc is None else Rpc(rpc)
        data = make_file(town.ledger, town.deployment, node, SupplierId(number), span).encode()
        if path is None:
            typer.echo(data.decode(), nl=False)
            return
    else:
        statement = town.ledger.supplier_statement(SupplierId(number), *span)
        if path is None:
            _print(statement)
            return
        if as_csv:
            data = write_csv(statement, ZONE)
        elif as_xlsx:
            data = write_xlsx(statement, ZONE)
        elif as_1c:
            data = write_exchange(statement, _requisites(town, number), ZONE, datetime.now(ZONE))
        else:
            data = write_register(register_rows(statement, ZONE), profile_of(register or ""))
    path.write_bytes(data)
    path.chmod(0o600)
    out.print(f"{path}: {len(data)} bytes", highlight=False)


@group.command("reconcile")
def reconcile_bank(
    path: Annotated[Path, typer.Argument(help="The bank's file.", exists=True, dir_okay=False)],
    number: Annotated[int, typer.Option("--supplier", help="The supplier's number.")],
    first: FromOption = None,
    last: ToOption = None,
    profile: Annotated[str, typer.Option(help="Layout of a table; 1CClientBankExchange is known by itself.")] = (
        "plain-statement"
    ),
    account: Annotated[str, typer.Option(help="Which account, where the file holds several.")] = "",
    days: Annotated[int, typer.Option(help="How many days a bank's booking may lag.", min=0, max=31)] = 3,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Holds a bank's statement against the chain, to the kopeck. Exit code 0 only where nothing is left on either side.

    Without --from and --to the days are the bank's own.
    """
    town = open_town(home)
    known_supplier(town, number)
    bank = _bank_statement(path.read_bytes(), profile, account)
    if first is None and last is None:
        if bank.first is None or bank.last is None:
            raise RegisterError("the bank's file names no days; give --from and --to")
        first, last = bank.first.isoformat(), bank.last.isoformat()
    statement = town.ledger.supplier_statement(SupplierId(number), *span_of(first, last))
    found = reconcile(bank, movements_of(statement.receipts), _local_day, days)
    if as_json:
        show_json(_reconciliation_json(found))
    else:
        _print_reconciliation(found)
    if not found.is_even:
        raise typer.Exit(1)


@group.command("verify")
def verify(
    path: Annotated[Path, typer.Argument(help="The statement, as --json wrote it.", exists=True, dir_okay=False)],
    rpc: Annotated[str, typer.Option("--rpc", help="A node of your own.")],
    deployment: Annotated[Path, typer.Option(help="Addresses of the contracts, from whom you trust.")] = (
        DEFAULT_HOME / "deployment.json"
    ),
    is_deep: Annotated[
        bool, typer.Option("--deep", help="Believe no list of events: follow the headers and hash every receipt.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Checks a statement against a node: nothing false in it, nothing left out. Exit code 0 only where that is so."""
    reader = Reader(Rpc(rpc), Deployment.load(deployment))
    checked = verify_statement(StatementFile.parse(path.read_bytes()), reader, is_deep=is_deep)
    findings = [asdict(finding) for finding in checked.findings]
    sums = {
        "is_complete": checked.is_complete,
        "receipts": checked.receipts,
        "received_kopecks": checked.received_kopecks,
        "transfers_ever": checked.transfers,
        "transferred_ever_kopecks": checked.transferred_kopecks,
        "other_transfers_ever": checked.other_transfers,
        "proven_receipts": checked.proven_receipts,
        "deep_blocks": checked.deep_blocks,
        "is_balance_checked": checked.is_balance_checked,
        "is_whole": checked.is_whole,
        "height": checked.statement.height,
    }
    if as_json:
        show_json({**sums, "findings": findings})
    else:
        show(findings, False, "what is wrong")
        show([{"what": name, "value": value} for name, value in sums.items()], False, str(path))
        if not checked.is_whole:
            out.print("the span had not ended at the statement's block: ask for the statement again after its end")
        if not checked.is_balance_checked:
            out.print("this node tells no balances at that block nor now: ask another one")
    if not checked.is_complete:
        raise typer.Exit(1)


def span_of(first: str | None, last: str | None) -> tuple[int, int]:
    """Seconds UTC from the first to the last one of days or months; all time where neither is given."""
    if first is None and last is None:
        return 0, FOREVER
    start, _ = _days(first or last or "")
    _, after = _days(last or first or "")
    if after <= start:
        raise RegisterError(f"{last} is before {first}; give them the other way round")
    return midnight(start), midnight(after) - 1


def known_supplier(town: Books, number: int) -> None:
    """Raises RegisterError where the registry has no such supplier."""
    if all(int(row.supplier) != number for row in town.ledger.suppliers()):
        raise RegisterError(f"there is no supplier {number}; the registry's numbers go from 1 on")


def _days(text: str) -> tuple[date, date]:
    """First day, and the day after the last."""
    try:
        if len(text) == len("2026-01"):
            month = Period.parse(text)
            after = month.next()
            return date(month.year, month.month, 1), date(after.year, after.month, 1)
        day = date.fromisoformat(text)
    except ValueError as error:
        raise RegisterError(f"{text!r} is neither a day such as 2026-01-15 nor a month such as 2026-01") from error
    return day, day + timedelta(days=1)


def _local_day(at: int) -> date:
    return datetime.fromtimestamp(at, ZONE).date()


def _requisites(town: Books, number: int) -> Requisites:
    found = Payees(open_database(database_url(town.home.root))).payee(str(number))
    if found is None:
        raise RegisterError(f"the directory of payees has no supplier {number}; enter its requisites")
    return found


def _bank_statement(data: bytes, profile: str, account: str) -> BankStatement:
    return read_exchange(data, account) if is_exchange(data) else read_table(data, _profile(profile), account)


def _profile(name: str) -> StatementProfile:
    known = statement_profiles()
    if name in known:
        return known[name]
    path = Path(name)
    if not path.is_file():
        raise RegisterError(f"no profile and no file {name!r}; there are {', '.join(known)}")
    return parse_statement_profile(json.loads(path.read_text(encoding="utf-8")))


# --- printing ---


def _print(statement: SupplierStatement) -> None:
    sums = [{"what": name, "kopecks": kopecks} for name, kopecks in summary(statement)]
    show(sums, False, f"supplier {statement.supplier}, final to block {statement.height}")
    rows = [
        {
            "at": datetime.fromtimestamp(row.timestamp, UTC).isoformat(),
            "source": row.source.value,
            "bill": "" if row.bill is None else str(row.bill),
            "line": "" if row.line is None else row.line,
            "amount_kopecks": row.amount_kopecks,
            "block": row.block_number,
            "transaction": "0x" + row.tx_hash.hex(),
        }
        for row in statement.receipts
    ]
    show(rows, False, "receipts")


def _print_reconciliation(found: Reconciliation) -> None:
    value = _reconciliation_json(found)
    for name in ("differing", "bank_alone", "chain_alone", "problems"):
        rows = value[name]
        assert isinstance(rows, list)
        if rows:
            show(rows, False, name.replace("_", " "))
    out.print(
        f"bank {found.bank_kopecks}, chain {found.chain_kopecks} kopecks; {len(found.matches)} matches; "
        + ("everything is accounted for" if found.is_even else "NOT everything is accounted for"),
        highlight=False,
    )


def _reconciliation_json(found: Reconciliation) -> dict[str, object]:
    return {
        "is_even": found.is_even,
        "bank_kopecks": found.bank_kopecks,
        "chain_kopecks": found.chain_kopecks,
        "matches": len(found.matches),
        "matched_by": {by: sum(m.by.value == by for m in found.matches) for by in {m.by.value for m in found.matches}},
        "differing": [_match_value(match) for match in found.differing],
        "bank_alone": [
            {
                "line": e.line,
                "on": None if e.on is None else e.on.isoformat(),
                "number": e.number,
                "amount_kopecks": e.amount_kopecks,
                "purpose": e.purpose,
            }
            for e in found.entries
        ],
        "chain_alone": [
            {
                "on": _local_day(m.at).isoformat(),
                "source": m.source.value,
                "amount_kopecks": m.amount_kopecks,
                "transaction": "0x" + m.tx_hash.hex(),
            }
            for m in found.movements
        ],
        "problems": [{"line": p.line, "reason": p.reason} for p in found.problems],
    }


def _match_value(match: Match) -> dict[str, object]:
    return {
        "bank_lines": [e.line for e in match.entries],
        "bank_kopecks": sum(e.amount_kopecks for e in match.entries),
        "chain_kopecks": sum(m.amount_kopecks for m in match.movements),
        "transaction": "0x" + match.movements[0].tx_hash.hex(),
    }
