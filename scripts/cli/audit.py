"""``kopeck audit`` and ``kopeck bundle``: what a town publishes, and anybody's check of it against a node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from contracts.client.files import FileStore, FirstOf
from contracts.client.reader import Reader
from contracts.client.rpc import Rpc
from contracts.wire.ids import parse_address
from ledger.published import Published
from scripts.audit.audit import audit as run_audit
from scripts.audit.bundle import Bundle
from scripts.audit.checkpoints import Quorum
from scripts.audit.export import export_bundle, keys_named, named_files
from scripts.audit.finding import CannotAudit
from scripts.audit.node import connect
from scripts.audit.page import page
from scripts.audit.report import refusal_value, report_value, signed, verdict_of
from scripts.cli.books import open_town
from scripts.cli.console import out
from scripts.cli.options import HomeOption
from scripts.home import DEFAULT_HOME

_SHOWN = 20
NOT_AUDITED = 2
"""Exit code where nothing was found right or wrong: the node or the bundle can't be used."""

group = typer.Typer(help="The published bundle of a town.", no_args_is_help=True)


@group.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="A new folder for the bundle.")],
    home: HomeOption = DEFAULT_HOME,
    rpc: Annotated[str, typer.Option(help="A node of the town's chain.")] = "http://127.0.0.1:8545",
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="For whoever may open records: adds keys.json. Never publish that file.")
    ] = False,
) -> None:
    """Writes everything that the chain names, up to its last final block, into one folder."""
    town = open_town(home)
    reader = Reader(Rpc(rpc), town.deployment)
    town.deployment.check(reader.rpc)
    files = FirstOf([FileStore(town.home.root / name / "files") for name in ("oracle", "billing", "ledger")])
    secrets = None
    if with_keys:
        used = keys_named(files, list(named_files(reader, reader.finalized().number)))
        found = town.keyring.secrets(used)
        secrets = {key: secret for key, secret in found.items() if secret is not None}
    checkpoints = Published(town.home.root / "checkpoints").all()
    manifest = export_bundle(folder, reader, files, secrets, checkpoints)
    out.print(f"{folder}: {len(manifest.files)} files up to block {manifest.height}", soft_wrap=True)
    if secrets is not None:
        out.print(f"keys.json opens {len(secrets)} accounts: hand it to whoever is entitled, and to nobody else")


def audit(
    bundle: Annotated[Path, typer.Option(help="The folder of the bundle.")],
    rpc: Annotated[str, typer.Option(help="A node that you trust, of the bundle's chain.")],
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the report as JSON here; - prints it.")] = None,
    html_out: Annotated[Path | None, typer.Option("--html", help="Write the report as a page here.")] = None,
    state: Annotated[Path | None, typer.Option(help="Keep what was read here: the next audit goes on from it.")] = None,
    key: Annotated[Path | None, typer.Option(help="A file with the private key that signs the report.")] = None,
    sealed: Annotated[
        bool, typer.Option("--sealed", help="It is all right that the bundle has no keys: open no record.")
    ] = False,
    observers: Annotated[
        str, typer.Option(help="Observers whom you trust, by their addresses, with commas between them.")
    ] = "",
    quorum: Annotated[
        int | None, typer.Option(help="How many of them must have signed each checkpoint; all where none is given.")
    ] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="How many processes; one a core by itself.")] = None,
) -> None:
    """Works everything out again from a node and a bundle. Exit code 0 only where all is well; 1 where a record is not
    as it should be, or records stayed sealed unasked; 2 where the audit could not be made."""
    secret = None if key is None else bytes.fromhex(key.read_text().strip().removeprefix("0x"))
    trusted = _quorum(observers, quorum)
    try:
        opened = Bundle(bundle)
        result = run_audit(opened, connect(rpc, opened.deployment), state, processes, trusted)
        if result.anew is not None and str(json_out) != "-":
            out.print(f"{result.anew}; history was read anew", highlight=False, markup=False, soft_wrap=True)
        verdict = verdict_of(result, sealed)
        report, sentence, is_good = report_value(result, verdict), verdict.sentence, verdict.is_good
        shown = [str(finding) for finding in result.findings]
        code = 0 if is_good else 1
    except CannotAudit as error:
        report, sentence, shown, code = refusal_value(error), str(error), [], NOT_AUDITED
    value = signed(report, secret)
    text = json.dumps(value, indent=1, ensure_ascii=False)
    if html_out is not None:
        _write(html_out, page(value, sentence))
    if json_out is not None and str(json_out) != "-":
        _write(json_out, text + "\n")
    if str(json_out) == "-":
        typer.echo(text)
    else:
        for line in shown[:_SHOWN]:
            out.print(line, highlight=False, markup=False, soft_wrap=True)
        if len(shown) > _SHOWN:
            out.print(f"and {len(shown) - _SHOWN} more; --json and --html have them all")
        out.print(sentence, highlight=False, markup=False, soft_wrap=True)
    if code:
        raise typer.Exit(code)


def _quorum(observers: str, quorum: int | None) -> Quorum | None:
    """Raises BadParameter: no address, or a quorum that can't be met."""
    try:
        named = frozenset(parse_address(name.strip()) for name in observers.split(",") if name.strip())
        if not named and quorum is None:
            return None
        return Quorum(named, len(named) if quorum is None else quorum)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--observers, --quorum") from error


def _write(path: Path, text: str) -> None:
    """Writes a report. Where that fails there is no report, and no good end."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        out.print(
            f"the report can't be written to {path}: {error}. Make room there, or give another path", markup=False
        )
        raise typer.Exit(NOT_AUDITED) from error
