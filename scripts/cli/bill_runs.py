"""``kopeck bill`` before a run is posted: a look at it, the second hand's word, what stands against it, the policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from billing.accounts import Accounts
from billing.inbox import Item
from billing.policy import Policies
from billing.prepare import Preparer
from billing.preview import Thresholds, preview_of
from billing.requests import ApprovalRequest, CorrectionRequest, RunRequest
from billing.run import Runs, RunStage
from billing.store import database_url, open_database
from contracts.wire.ids import Period
from scripts.cli.books import Books, open_town
from scripts.cli.console import out, show, show_json
from scripts.cli.options import AskedByOption, HomeOption, JsonOption
from scripts.cli.tariff import tariffs_of
from scripts.hands import office_policy, signed, signed_word
from scripts.home import DEFAULT_HOME

MonthArgument = Annotated[str, typer.Argument(help="The month, YYYY-MM.")]
RunArgument = Annotated[int, typer.Argument(help="The run, as `kopeck bill waiting` numbers it.")]
ByOption = Annotated[str, typer.Option("--by", help="The hand that does it, as the policy names it.")]
KeyOption = Annotated[str | None, typer.Option(help="Your own name for the request: the same runs once.")]
LeaveOutOption = Annotated[
    bool, typer.Option("--leave-out-problems", help="Go on without the accounts that can't be billed.")
]


class NoSuchRequest(LookupError):
    """No request for a run has that number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"no request {number} for a run or a correction; `kopeck pay requests` lists those there are")
        self.number = number


def run(
    month: MonthArgument,
    key: KeyOption = None,
    leave_out_problems: LeaveOutOption = False,
    before_end: Annotated[
        bool, typer.Option("--before-end", help="Bill a month that is not over by what is read so far.")
    ] = False,
    by: AskedByOption = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Asks billing to bill a month: every account that has no bill for it yet. One that can't be billed stops all."""
    period, town = Period.parse(month), open_town(home)
    request = RunRequest(period, leaves_out_problems=leave_out_problems, before_end=before_end)
    request = signed(town.home, request, by)
    rest = " without those that can't be" if leave_out_problems else ""
    rest += " before its end" if before_end else ""
    key = key or town.inbox.free_key(RunRequest.kind, f"kopeck bill run {period}{rest}")
    item = town.inbox.put(key, request)
    out.print(f"request {item.id}: {item.state.value}; `kopeck pay requests` shows how it ends")


def preview(
    month: MonthArgument,
    thresholds: Annotated[Path | None, typer.Option(help="JSON of what is worth a look.", exists=True)] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Works a month out and shows it: sums, what differs from the month before, what can't be billed. Keeps nothing."""
    town = open_town(home)
    engine = open_database(database_url(town.home.root))
    limits = Thresholds.shipped() if thresholds is None else Thresholds.from_json(json.loads(thresholds.read_text()))
    preparer = Preparer(engine, Accounts(engine, town.keyring), town.keyring, tariffs_of(town), town.ledger)
    worked = preparer.preview(Period.parse(month), policy=Policies(engine).get())
    found = preview_of(worked, Runs(engine, town.keyring), limits).to_json()
    if as_json:
        show_json(found)
        return
    head = ("period", "bills", "billed_already", "tariff_version", "total_kopecks", "was_kopecks")
    show([{name: found[name] for name in head}], False, f"if {month} were billed now")
    show(_rows(found["services"]), False, "by service")
    show(_rows(found["findings"]), False, "worth a look")
    show(_problem_rows(found["problems"]), False, "can't be billed")


def waiting(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Lists the runs and corrections that wait for another hand."""
    town = open_town(home)
    rows = []
    for found in _runs(town).at(RunStage.WAITING):
        asked = None if found.item is None else town.inbox.get(found.item)
        request = None if asked is None else asked.request
        hand = request.hand if isinstance(request, RunRequest | CorrectionRequest) else None
        rows.append(
            {
                "run": found.id,
                "kind": found.kind,
                "period": str(found.period),
                "bills": found.proposal.count,
                "total_kopecks": sum(s.total_kopecks for s in found.proposal.suppliers),
                "left_out": len(found.problems),
                "asked_by": None if hand is None else hand.name,
                "root": "0x" + found.proposal.root.hex(),
            }
        )
    show(rows, as_json, "runs that wait")


def approve(
    number: RunArgument, by: ByOption, leave_out_problems: LeaveOutOption = False, home: HomeOption = DEFAULT_HOME
) -> None:
    """Lets a waiting run be posted, as another hand than the one that asked for it."""
    town = open_town(home)
    _decide(town, signed_word(town.home, _runs(town).get(number), by, leave_out_problems))


def refuse(
    number: RunArgument,
    by: ByOption,
    reason: Annotated[str, typer.Option(help="Why; it stands with the run.")],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Gives a waiting run up; the month can be asked for again."""
    town = open_town(home)
    _decide(town, signed_word(town.home, _runs(town).get(number), by, refusal=reason))


def problems(
    request: Annotated[int, typer.Argument(help="The request for the run, as `kopeck pay requests` numbers it.")],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Lists the accounts that a run could not bill, each with what to do."""
    town = open_town(home)
    item = town.inbox.get(request)
    if item is None or not isinstance(item.request, RunRequest | CorrectionRequest):
        raise NoSuchRequest(request)
    found = {**_problems_of(item), **{k: v for run in _runs(town).of_item(item.id) for k, v in run.problems.items()}}
    show(_problem_rows(found), as_json, f"not billed by request {request}")


def policy(
    hands: Annotated[
        list[str] | None, typer.Option("--hand", help="A hand; two or more, or none for no policy.")
    ] = None,
    needs_passports: Annotated[bool, typer.Option("--passports", help="Meters need a passport.")] = False,
    one_hand: Annotated[bool, typer.Option("--one-hand", help="One hand is enough again.")] = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Shows or sets who asks for runs and approves them, and whether a meter needs a passport."""
    town = open_town(home)
    kept = Policies(open_database(database_url(town.home.root)))
    if hands or one_hand or needs_passports:
        kept.set(office_policy(town.home, [] if one_hand else list(hands or kept.get().hands), needs_passports))
    now = kept.get()
    show_or_print = {
        "hands": {name: "0x" + address.hex() for name, address in now.hands.items()},
        "passports": now.needs_passports,
    }
    if as_json:
        show_json(show_or_print)
        return
    rows = [{"hand": name, "address": "0x" + address.hex()} for name, address in now.hands.items()]
    show(rows, False, "hands of the office" + (", meters need passports" if now.needs_passports else ""))


def add_to(group: typer.Typer) -> None:
    """Puts these commands into the group."""
    for command in (run, preview, waiting, approve, refuse, problems, policy):
        group.command(command.__name__)(command)


def _decide(town: Books, word: ApprovalRequest) -> None:
    name = f"{'approve' if word.approves else 'refuse'} run {word.run} by {word.hand.name}"
    item = town.inbox.put(town.inbox.free_key(ApprovalRequest.kind, name), word)
    out.print(f"request {item.id}: {item.state.value}; `kopeck pay requests` shows how it ends")


def _runs(town: Books) -> Runs:
    return Runs(open_database(database_url(town.home.root)), town.keyring)


def _problems_of(item: Item) -> dict[str, str]:
    found = (item.result or {}).get("problems", {})
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _problem_rows(found: object) -> list[dict[str, str]]:
    rows = found if isinstance(found, dict) else {}
    return [{"account": str(account), "what_to_do": str(why)} for account, why in sorted(rows.items())]


def _rows(found: object) -> list[dict[str, object]]:
    return [dict(row) for row in found] if isinstance(found, list) else []
