"""The welfare clerk's commands of ``kopeck subsidy``: decide, look, recompute, preview, grant, reverse, export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from billing.accounts import Accounts
from billing.requests import ReverseGrants
from billing.store import database_url, open_database
from billing.tariffs import Tariffs
from billing.welfare import msp
from billing.welfare.awards import Award, Manner
from billing.welfare.bureau import Bureau, Plan
from billing.welfare.cases import SubsidyCase
from billing.welfare.overview import summaries
from billing.welfare.post import Posting
from contracts.client.files import FileStore
from contracts.wire.ids import GrantBatchId, Period
from scripts.cli.books import Books, open_town
from scripts.cli.console import out, show, show_json
from scripts.cli.options import HomeOption, JsonOption, day_of
from scripts.home import DEFAULT_HOME

AccountArgument = Annotated[str, typer.Argument(help="The account.")]
CaseArgument = Annotated[str, typer.Argument(help="The decision's number.")]
MonthArgument = Annotated[str, typer.Argument(help="The month, YYYY-MM.")]
ActOption = Annotated[str, typer.Option(help="The act behind it.")]
FileArgument = Annotated[Path, typer.Argument(help="JSON.", exists=True, dir_okay=False)]
DayOption = Annotated[str | None, typer.Option("--on", help="The day, YYYY-MM-DD; without it the chain's own.")]


class NoClock(LookupError):
    """The ledger has no block yet."""

    def __init__(self) -> None:
        super().__init__("the ledger has no block yet, so there is no time to go by; start the town with `kopeck up`")


class BadFile(ValueError):
    """A file is not the JSON that a command takes."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}; give one JSON object")
        self.path = path


@dataclass(frozen=True)
class Desk:
    """A town's welfare desk and the time it goes by."""

    town: Books
    bureau: Bureau
    now: int

    def day(self, given: str | None) -> date:
        """The day given, or the chain's own."""
        return datetime.fromtimestamp(self.now, UTC).date() if given is None else day_of(given)


def desk_of(home: Path) -> Desk:
    """The desk of a town. Raises NoTown, NoClock."""
    town = open_town(home)
    engine = open_database(database_url(town.home.root))
    head = town.ledger.head()
    if head is None:
        raise NoClock
    tariffs = Tariffs(engine, FileStore(town.home.folder("billing") / "files"))
    register = Accounts(engine, town.keyring)
    bureau = Bureau(engine, register, town.keyring, tariffs=tariffs, ledger=town.ledger)
    return Desk(town, bureau, head.timestamp)


def document(file: FileArgument, home: HomeOption = DEFAULT_HOME) -> None:
    """Adds a rule or a figure of help: a category, an area norm, a standard of cost, a share, a minimum, a payout."""
    sheet = desk_of(home).bureau.library.add(_read(file))
    out.print(f"{sheet.kind} {sheet.name} of {sheet.area} holds from {sheet.effective_from}: 0x{sheet.hash.hex()}")


def decide(file: FileArgument, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Keeps a decision: a subsidy with its family and income, or a person's category. The same again is the same."""
    revision, working = desk_of(home).bureau.decide(_read(file))
    months = [str(month) for month in revision.case.months] if isinstance(revision.case, SubsidyCase) else []
    told: dict[str, object] = {
        "account": revision.case.account,
        "case": revision.case.number,
        "since": str(revision.since),
        "months": months,
        "working": None if working is None else working.explain(),
    }
    if as_json:
        show_json(told)
        return
    until = f" to {months[-1]}" if months else ""
    amount = "" if working is None else f": {_roubles(working.amount_kopecks)} a month, by {working.formula}"
    out.print(f"case {revision.case.number} of account {revision.case.account} from {revision.since}{until}{amount}")


def cases(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Lists the cases with what they were given and what is owed back."""
    bureau = desk_of(home).bureau
    rows = [
        {
            "account": case.account,
            "case": case.case,
            "type": case.kind,
            "first": str(case.first),
            "last": None if case.last is None else str(case.last),
            "revision": case.revision,
            "months_given": case.months_given,
            "given_kopecks": case.given_kopecks,
            "owed_back_kopecks": case.owed_back_kopecks,
        }
        for case in summaries(bureau.records.shelves(), bureau.standing())
    ]
    show(rows, as_json, "cases")


def recompute(
    account: AccountArgument,
    case: CaseArgument,
    since: Annotated[str, typer.Option(help="From which month the change holds, YYYY-MM.")],
    act: ActOption,
    change: Annotated[
        list[str] | None, typer.Option("--set", help='Input=JSON, e.g. income_kopecks="[3000000]".')
    ] = None,
    demand: Annotated[bool, typer.Option("--demand", help="Demand what is owed back; else it is withheld.")] = False,
    dry: Annotated[bool, typer.Option("--dry", help="Only show what would change.")] = False,
    on: DayOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Changes inputs of a case and works out again every month that was given; an act for what is owed back."""
    desk = desk_of(home)
    found = desk.bureau.recompute(
        account,
        case,
        dict(_pair(text) for text in change or ()),
        since=Period.parse(since),
        on=desk.day(on),
        act=act,
        manner=Manner.DEMAND if demand else Manner.WITHHOLD,
        dry=dry,
    )
    rows = [
        {
            "month": str(month),
            "case": number,
            "given_kopecks": given,
            "due_kopecks": due,
            "owed_back_kopecks": max(0, given - due),
        }
        for month, number, given, due in found.months
    ]
    show(rows, as_json, f"case {case}, revision {found.revision.number}" + (", not recorded" if dry else ""))


def repay(
    account: AccountArgument,
    case: CaseArgument,
    recovery: Annotated[int, typer.Argument(help="Which recovery of the case.")],
    kopecks: Annotated[int, typer.Argument(help="What the person gave back, kopecks.")],
    act: ActOption,
    on: DayOption = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Records that a person gave back a part of what is owed."""
    desk = desk_of(home)
    left = desk.bureau.repay(account, case, recovery, kopecks, act=act, on=desk.day(on))
    out.print(f"{_roubles(left)} of recovery {recovery} is left")


def preview(month: MonthArgument, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Shows who would get what for a month and why, and who nothing and why; posts nothing."""
    desk = desk_of(home)
    plan = desk.bureau.plan(Period.parse(month), now=desk.now, on=desk.day(None), act="preview")
    if as_json:
        show_json(_plan(plan))
        return
    show([_row(award) for award in plan.awards], False, f"awards for {month}")
    show([{"account": a, "case": c, "why nothing": why} for (a, c), why in plan.nothing.items()], False, "nothing")
    show([{"account": a, "what to do": why} for a, why in plan.problems.items()], False, "problems")


def grant(
    month: MonthArgument,
    act: ActOption,
    on: DayOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Posts a month's awards as one batch of grants, after its bills are active. Safe to repeat."""
    desk = desk_of(home)
    posting = Posting(desk.bureau, desk.town.inbox)
    posted = posting.post(Period.parse(month), now=desk.now, on=desk.day(on), act=act)
    told = {
        "batch": posted.batch,
        "request": None if posted.item is None else posted.item.id,
        **_plan(posted.plan),
    }
    if as_json:
        show_json(told)
        return
    show([_row(award) for award in posted.plan.awards], False, f"batch {posted.batch!r}")
    if posted.item is not None:
        out.print(f"request {posted.item.id}: `kopeck subsidy list` shows the batch once it is posted")


def reverse(
    batch: Annotated[int, typer.Argument(help="The batch's number on the chain.")],
    act: ActOption,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Ends what is left of a batch; what was used of it stays."""
    item = open_town(home).inbox.put(f"reverse {batch} {act}", ReverseGrants(GrantBatchId(batch), act))
    out.print(f"request {item.id}: {item.state.value}; `kopeck subsidy list` shows how it ends")


def export(
    month: MonthArgument,
    folder: Annotated[Path, typer.Option("--to", help="The folder for the messages.", file_okay=False)],
    recipients: Annotated[Path, typer.Option(help="JSON: account → who it is in ГИС ЖКХ.", exists=True)],
    paid_on: Annotated[str, typer.Option(help="The day on which persons were paid, YYYY-MM-DD.")],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Writes a month's subsidies and compensations as messages for ГИС ЖКХ (msp)."""
    shelves, period, day = desk_of(home).bureau.records.shelves(), Period.parse(month), day_of(paid_on)
    people = {account: _recipient(value) for account, value in _read(recipients).items()}
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, messages in (
        ("subsidies", msp.subsidies(shelves, people, period, day)),
        ("compensations", msp.compensations(shelves, people, period, day)),
    ):
        for number, message in enumerate(messages, start=1):
            path = folder / f"{name}-{period}-{number}.xml"
            path.write_bytes(message)
            rows.append({"file": str(path), "bytes": len(message)})
    show(rows, as_json, f"messages for {month}")


def _recipient(value: Any) -> msp.Recipient:
    decision = value.get("decision")
    fields = {name: text for name, text in value.items() if name != "decision"}
    return msp.Recipient(**fields, decision=None if decision is None else msp.DecisionCode(**decision))


def _plan(plan: Plan) -> dict[str, object]:
    return {
        "period": str(plan.period),
        "awards": [{**_row(award), "workings": [dict(w) for w in award.workings]} for award in plan.awards],
        "nothing": [{"account": a, "case": c, "why": why} for (a, c), why in plan.nothing.items()],
        "problems": dict(plan.problems),
    }


def _row(award: Award) -> dict[str, object]:
    return {
        "account": award.account,
        "case": award.case,
        "kind": award.kind,
        "to": award.effect.value,
        "due_kopecks": award.amount_kopecks,
        "withheld_kopecks": sum(award.withheld.values()),
        "net_kopecks": award.net_kopecks,
        "lines": ", ".join(f"{line.service.name.lower()} {line.amount_kopecks}" for line in award.lines),
        "why": "; ".join(_formulas(award)),
    }


def _formulas(award: Award) -> Iterator[str]:
    for working in award.workings:
        yield f"{working['formula']}, {working['act']}"


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadFile(path, str(error)) from error
    if not isinstance(value, dict):
        raise BadFile(path, "not an object")
    return value


def _pair(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: after = comes JSON, e.g. income_kopecks=[3000000]") from error


def _roubles(kopecks: int) -> str:
    return f"{kopecks // 100}.{kopecks % 100:02d} ₽"
