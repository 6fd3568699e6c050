"""``kopeck tariff``: reference data out of files, into the tariff book, and what a late version changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from billing.accounts import Accounts
from billing.policy import Policies, Policy
from billing.publishing import TariffWord, TariffWords
from billing.reference.affected import AffectedMonth, affected_by, correct_affected
from billing.reference.faults import RowsRefused
from billing.reference.importing import FORMS, Import, codes_of, read_import, write_form, write_refused
from billing.reference.table import write_table
from billing.reference.tariff_form import example
from billing.reference.titles import is_tariff, title_of
from billing.run import Runs
from billing.store import database_url, open_database
from billing.tariffs import Tariffs
from contracts.client.files import FileStore
from contracts.client.rpc import Rpc
from contracts.wire.ids import Hash
from scripts.cli.books import Books, open_town
from scripts.cli.console import Steps, out, show, show_json
from scripts.cli.options import AskedByOption, HomeOption, JsonOption
from scripts.cli.outlook import what_if
from scripts.hands import signed
from scripts.home import DEFAULT_HOME
from scripts.town.parties import Parties

group = typer.Typer(help="Tariffs, norms, rates, calendars and regions: files, the book, corrections.",
                    no_args_is_help=True)  # fmt: skip
group.command("whatif")(what_if)
CALENDARS = frozenset({"key_rates", "holidays", "moratoria"})
RpcOption = Annotated[str, typer.Option(help="A node of the town's chain.")]
VersionArgument = Annotated[int, typer.Argument(help="Version of the tariff book.")]
NODE = "http://127.0.0.1:8545"
MOST_SHOWN = 20
"""Documents of a file that are listed; of the rest their number is told, so that what was refused stays in sight."""


class NoSuchDocument(LookupError):
    """No document of that name is kept here."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no document {name!r} is here; `kopeck tariff list` names those there are")
        self.name = name


class NoSuchForm(LookupError):
    """No form of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no form {name!r}; there are {', '.join(FORMS)}")
        self.name = name


@group.command("import")
def import_file(
    path: Annotated[Path, typer.Argument(help="CSV, .xlsx or ГИС ЖКХ XML.", exists=True, dir_okay=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be imported, keep nothing.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Import the rest where rows are refused.")] = False,
    refused: Annotated[
        Path | None, typer.Option(help="Where refused rows are written; beside the file if not.")
    ] = None,
    codes: Annotated[Path | None, typer.Option("--map", help="JSON map of ГИС ЖКХ's codes.", exists=True)] = None,
    replaces: Annotated[list[str] | None, typer.Option(help="A document that those of the file hold over.")] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Reads a file and keeps its documents, to be published. One row refused, and nothing is kept unless asked to."""
    town = open_town(home)
    tariffs = tariffs_of(town)
    kept = list(tariffs.kept().values())
    found = read_import(path, kept, codes_of(codes, kept), replaces or ())
    aside = None
    if found.faults:
        if not skip_bad and not dry_run:
            _tell(found, [], None, as_json)
            raise RowsRefused(found.file, found.faults)
        if not dry_run:
            aside = refused or path.with_name(f"{path.stem}.refused.csv")
            write_refused(aside, found)
    if not dry_run:
        tariffs.add_all(document.value for document in found.documents)
        _keep_calendars(town, [document.value for document in found.documents])
    _tell(found, [] if dry_run else list(found.documents), aside, as_json)


@group.command("publish")
def publish(
    names: Annotated[list[str] | None, typer.Argument(help="Documents by name; all unpublished if none.")] = None,
    rpc: RpcOption = NODE,
    by: AskedByOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Sends documents kept here to the tariff book, by the operator's key, and waits until they are final. Where the
    office works by four eyes they wait for another hand: `kopeck tariff approve`."""
    town = open_town(home)
    wanted = _unpublished(town, names)
    words, policy = _words(town)
    if policy.four_eyes:
        for hash_ in wanted.values():
            words.ask(signed(town.home, TariffWord(hash_), by), policy)
        rows = [{"name": name, "document": "0x" + hash_.hex()} for name, hash_ in sorted(wanted.items())]
        show(rows, as_json, "wait for another hand: `kopeck tariff approve NAME --by HAND`")
        return
    _publish(town, wanted, rpc, as_json)


@group.command("approve")
def approve(
    names: Annotated[list[str], typer.Argument(help="Documents by name, as `kopeck tariff list` shows them.")],
    by: Annotated[str, typer.Option("--by", help="The hand that does it, as the policy names it.")],
    rpc: RpcOption = NODE,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Publishes documents that another hand asked to publish, as a hand that has seen them."""
    town = open_town(home)
    wanted = _unpublished(town, names)
    words, policy = _words(town)
    for name, hash_ in wanted.items():
        words.approve(signed(town.home, TariffWord(hash_), by), name, policy)
    _publish(town, wanted, rpc, as_json)


def _unpublished(town: Books, names: list[str] | None) -> dict[str, Hash]:
    """Documents kept here and not in the book, by name: those named, or all. Raises NoSuchDocument."""
    kept, published = tariffs_of(town).kept(), _published(town)
    waiting = {value["name"]: name for name, value in kept.items() if name not in published}
    for unknown in sorted(set(names or ()) - {value["name"] for value in kept.values()}):
        raise NoSuchDocument(unknown)
    return {name: hash_ for name, hash_ in waiting.items() if not names or name in names}


def _words(town: Books) -> tuple[TariffWords, Policy]:
    engine = open_database(database_url(town.home.root))
    return TariffWords(engine), Policies(engine).get()


def _publish(town: Books, wanted: dict[str, Hash], rpc: str, as_json: bool) -> None:
    """Sends documents to the book and waits until they are final. Raises NotApproved."""
    tariffs = tariffs_of(town)
    words, policy = _words(town)
    for name, hash_ in wanted.items():
        words.require(hash_, name, policy)
    node = Rpc(rpc)
    town.deployment.check(node)
    parties = Parties(town.home, node, town.deployment)
    with Steps(quiet=as_json).step("publish", f"publishing {len(wanted)} documents", len(wanted)) as step:
        for hash_ in wanted.values():
            parties.act("operator", f"publish {hash_.hex()}", "TariffBook", tariffs.publish_call(hash_))
        parties.settle(done=step.at)
    rows = [{"name": name, "document": "0x" + hash_.hex()} for name, hash_ in sorted(wanted.items())]
    show(rows, as_json, "published")


@group.command("list")
def list_documents(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Lists the documents kept here with their versions in the book; those without one are not published."""
    town = open_town(home)
    published = _published(town)
    words, policy = _words(town)
    rows = [
        {**_listed(value, name, published.get(name)), "asked_by": ", ".join(words.hands_of(name, policy))}
        for name, value in sorted(tariffs_of(town).kept().items(), key=lambda kept: published.get(kept[0], 1 << 30))
    ]
    show(rows, as_json, "reference data")


@group.command("affected")
def affected(version: VersionArgument, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Lists the billed months that a version falls into, and the accounts that it holds for."""
    months = _affected(open_town(home), version)
    if as_json:
        show_json([{"period": str(month.period), "accounts": list(month.accounts)} for month in months])
        return
    rows = [{"period": str(m.period), "accounts": len(m.accounts), "first": m.accounts[0]} for m in months]
    show(rows, False, f"billed without version {version}")


@group.command("correct")
def correct(
    version: VersionArgument,
    act: Annotated[str, typer.Option(help="The act behind the corrections.")],
    by: AskedByOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Asks for a correction of each billed month that a version falls into; bills themselves are never edited."""
    town = open_town(home)
    by_hand = partial(signed, town.home, by=by)
    items = correct_affected(version, act, _affected(town, version), town.inbox, by_hand)
    rows = [{"request": item.id, "asked": item.client_key, "state": item.state.value} for item in items]
    show(rows, as_json, f"corrections for version {version}")


@group.command("drop")
def drop(
    name: Annotated[str, typer.Argument(help="The document's name.")],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Forgets a document that was imported and never published."""
    town = open_town(home)
    tariffs = tariffs_of(town)
    found = next((hash_ for hash_, value in tariffs.kept().items() if value["name"] == name), None)
    if found is None:
        raise NoSuchDocument(name)
    tariffs.drop(found, town.ledger)
    (_calendars(town) / f"{name}.json").unlink(missing_ok=True)
    out.print(f"{name} is forgotten", highlight=False)


@group.command("export")
def export(
    path: Annotated[Path, typer.Argument(help="A .csv or .xlsx to write.")],
    names: Annotated[list[str] | None, typer.Argument(help="Documents by name; all tariffs if none.")] = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Writes documents as the form that they can be imported from."""
    kept = list(tariffs_of(open_town(home)).kept().values())
    chosen = [value for value in kept if (value["name"] in names if names else is_tariff(value))]
    form = next((value["kind"] for value in chosen if value["kind"] in FORMS), "tariffs")
    write_form(path, form, [value for value in chosen if (value["kind"] == form or form == "tariffs")])
    out.print(f"{len(chosen)} documents in {path}", highlight=False)


@group.command("template")
def template(
    form: Annotated[str, typer.Argument(help="tariffs, key_rates, moratoria, holidays or regions.")],
    path: Annotated[Path, typer.Argument(help="A .csv or .xlsx to write.")],
) -> None:
    """Writes an empty form; that of tariffs with an example."""
    if form not in FORMS:
        raise NoSuchForm(form)
    write_table(path, FORMS[form].columns, example() if form == "tariffs" else ())
    out.print(f"the form of {form} is {path}", highlight=False)


def tariffs_of(town: Books) -> Tariffs:
    """The documents of a town."""
    engine = open_database(database_url(town.home.root))
    return Tariffs(engine, FileStore(town.home.folder("billing") / "files"))


def _affected(town: Books, version: int) -> list[AffectedMonth]:
    engine = open_database(database_url(town.home.root))
    published = tariffs_of(town).published(town.ledger)
    return affected_by(version, published, Accounts(engine, town.keyring), Runs(engine, town.keyring))


def _published(town: Books) -> dict[Hash, int]:
    return {view.document: view.version for view in town.ledger.tariffs()}


def _calendars(town: Books) -> Path:
    return town.home.folder("billing") / "calendar"


def _keep_calendars(town: Books, values: list[Mapping[str, Any]]) -> None:
    """The rules of penalties read a town's own calendars from this folder."""
    for value in values:
        if value["kind"] in CALENDARS:
            _calendars(town).mkdir(exist_ok=True)
            text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)
            (_calendars(town) / f"{value['name']}.json").write_text(text + "\n", encoding="utf-8")


def _listed(value: Mapping[str, Any], name: Hash, version: int | None) -> dict[str, object]:
    title = title_of(value)
    return {
        "version": version,
        "name": title.name,
        "kind": title.kind,
        "area": value.get("area"),
        "service": value.get("service"),
        "from": title.effective_from.isoformat(),
        "to": None if title.effective_to is None else title.effective_to.isoformat(),
        "replaces": list(value.get("replaces", [])),
        "act": title.act,
        "document": "0x" + name.hex(),
    }


def _tell(found: Import, kept: list[Any], aside: Path | None, as_json: bool) -> None:
    rows = [{"name": d.value["name"], "kind": d.value["kind"], "rows": len(d.rows)} for d in found.documents]
    if as_json:
        show_json(
            {
                "file": found.file,
                "form": found.form,
                "kept": len(kept),
                "documents": rows,
                "faults": [asdict(fault) for fault in found.faults],
                "refused": None if aside is None else str(aside),
            }
        )
        return
    show(rows[:MOST_SHOWN], False, f"{found.file}: {found.form}, {len(rows)} whole documents, {len(kept)} kept")
    if len(rows) > MOST_SHOWN:
        out.print(f"and {len(rows) - MOST_SHOWN} more; --json lists them all", highlight=False)
    if found.faults:
        show([fault.to_json() for fault in found.faults[:50]], False, f"{len(found.faults)} refused rows")
    if aside is not None:
        out.print(f"the refused rows are in {aside}; mend them and import that file", highlight=False)
