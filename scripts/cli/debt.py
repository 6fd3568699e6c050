"""``kopeck debt``: what may be done about each debt and when, the papers, the journal, claims and their register."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from billing.debt.books import DebtBooks
from billing.debt.cases import Cases
from billing.debt.claim import claim_json, journal_json, penalty_csv, register_csv, register_json
from billing.debt.journal import Journal
from billing.debt.penalty_rules import town_rules
from billing.debt.work import Done, Step
from billing.debt.work_desk import Standing, WorkDesk
from billing.debt.work_rules import town_work_rules
from billing.domain.calendar import local_date
from billing.months import Months
from billing.paper.debt_sheets import Notice, claim_sheet, notice_sheet, reminder_sheet
from billing.paper.render import pdf
from billing.run import Runs
from contracts.wire.canonical import content_hash
from contracts.wire.ids import Service, SupplierId
from contracts.wire.units import Money
from scripts.cli.balance import add_to as add_balances
from scripts.cli.console import out, show, show_json
from scripts.cli.options import HomeOption, JsonOption, day_of
from scripts.cli.outlook import billing_of
from scripts.cli.people import read_person
from scripts.home import DEFAULT_HOME

group = typer.Typer(help="Work on debts: notices, restrictions, claims.", no_args_is_help=True)
add_balances(group)
AccountArgument = Annotated[str, typer.Argument(help="The account's number.")]
ServiceArgument = Annotated[str, typer.Argument(help="The service, for example electricity.")]
DayOption = Annotated[str | None, typer.Option("--on", help="The day, YYYY-MM-DD; the ledger's last day by default.")]
PersonOption = Annotated[Path, typer.Option("--person", help="JSON file of who the paper is for; nothing keeps it.")]
OutOption = Annotated[Path, typer.Option("--out", help="Where the paper goes.")]
ProofOption = Annotated[str, typer.Option("--proof", help="How it is proved: a number of the post, an act.")]
ChannelOption = Annotated[str, typer.Option("--channel", help="How it was sent or done.")]


CUTS = (Step.RESTRICTION, Step.SUSPENSION, Step.RESUMPTION)


WORK_COLUMNS = ("account", "service", "overdue_kopecks", "step", "from", "why")
JOURNAL_COLUMNS = ("number", "day", "step", "service", "amount_kopecks", "proof")
REGISTER_BRIEF = ("account", "supplier", "principal_kopecks", "penalty_kopecks", "fee_kopecks", "procedure")
"""What fits a terminal of each listing; the whole of it is in --json."""


class NotACut(ValueError):
    """A step is no restriction, suspension or resumption."""

    def __init__(self, step: Step) -> None:
        super().__init__(f"{step.value} is not written so; give one of {', '.join(cut.value for cut in CUTS)}")


class NoSuchService(ValueError):
    """A service's name is not known."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no service {name!r}; there are: {', '.join(s.name.lower() for s in Service)}")


@group.command("work")
def work(on: DayOption = None, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Lists every late service with the next step, the day from which it is lawful, and why."""
    desk = desk_of(home)
    day = _day(desk, on)
    rows = [_standing(standing, day) for standing in desk.standings(day)]
    show(rows if as_json else _brief(rows, WORK_COLUMNS), as_json, f"debts on {day}")


@group.command("journal")
def journal(account: AccountArgument, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Lists what was sent and done about an account's debts, with the proof of each."""
    desk = desk_of(home)
    desk.register.account(account)
    rows = [journal_json(done) for done in desk.journal.of(account)]
    show(rows if as_json else _brief(rows, JOURNAL_COLUMNS), as_json, f"journal of account {account}")


@group.command("notice")
def notice(
    account: AccountArgument,
    service: ServiceArgument,
    person: PersonOption,
    paper: OutOption,
    proof: ProofOption,
    channel: ChannelOption = "почта",
    on: DayOption = None,
    remind: Annotated[bool, typer.Option("--reminder", help="A reminder instead of the notice.")] = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Prints a notice (or a reminder) as PDF and writes into the journal that it was sent."""
    desk = desk_of(home)
    day, named = _day(desk, on), _service(service)
    found = desk.standing(account, named, day)
    whom = read_person(person)
    step = Step.REMINDER if remind else Step.NOTICE
    sheet = reminder_sheet(account, found.debt, day, whom) if remind else notice_sheet(_notice(desk, found, day), whom)
    data = pdf(sheet, _moment(day))
    with paper.open("wb") as file:  # where the paper can't be written, nothing was sent
        done = desk.take(account, named, step, _entry(day, channel, proof, "0x" + content_hash(data).hex()))
        file.write(data)
    _tell(done, as_json)


@group.command("delivered")
def delivered(
    account: AccountArgument,
    number: Annotated[int, typer.Argument(help="The notice's number in the journal.")],
    proof: ProofOption,
    on: DayOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Writes into the journal that a notice reached the debtor: its days are counted from here."""
    desk = desk_of(home)
    _tell(desk.deliver(account, number, _day(desk, on), proof), as_json)


@group.command("restrict")
def restrict(
    account: AccountArgument,
    service: ServiceArgument,
    proof: ProofOption,
    step: Annotated[Step, typer.Option(help="restriction, suspension or resumption.")] = Step.RESTRICTION,
    channel: ChannelOption = "акт",
    on: DayOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Writes a restriction, suspension or resumption into the journal; refuses what is not lawful on the day."""
    if step not in CUTS:
        raise NotACut(step)
    desk = desk_of(home)
    _tell(desk.take(account, _service(service), step, _entry(_day(desk, on), channel, proof)), as_json)


@group.command("claim")
def claim(
    account: AccountArgument,
    supplier: Annotated[int, typer.Option(help="The supplier who claims.")],
    person: PersonOption,
    folder: OutOption,
    filed: Annotated[str, typer.Option(help="The court and its number: writes that the claim was filed.")] = "",
    on: DayOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Makes the pack for a court: claim.pdf, claim.json and penalty.csv."""
    desk = desk_of(home)
    day = _day(desk, on)
    found = desk.claim(account, SupplierId(supplier), day)
    value = claim_json(found)
    paper = pdf(claim_sheet(found, read_person(person)), _moment(day))  # before anything is written: all or nothing
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "claim.json").write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    (folder / "penalty.csv").write_text(penalty_csv(found), encoding="utf-8-sig", newline="")
    (folder / "claim.pdf").write_bytes(paper)
    if filed:
        desk.file(found, filed)
    if as_json:
        show_json(value)
    else:
        out.print(f"claim of {Money(found.claimed_kopecks)} roubles, fee {Money(found.fee_kopecks)}, in {folder}")


@group.command("register")
def register(
    file: Annotated[Path | None, typer.Option("--out", help="A CSV file for the court.")] = None,
    on: DayOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Lists every claim that may be made on a day."""
    desk = desk_of(home)
    day = _day(desk, on)
    claims = list(desk.claims(day))
    if file is not None:
        file.write_text(register_csv(claims), encoding="utf-8-sig", newline="")
    rows = register_json(claims)
    show(rows if as_json else _brief(rows, REGISTER_BRIEF), as_json, f"claims on {day}")


def desk_of(home: Path) -> WorkDesk:
    """The desk of the town in a home. Raises NoTown."""
    engine, accounts, keyring, tariffs, ledger = billing_of(home)
    runs = Runs(engine, keyring)
    books = DebtBooks(engine, accounts, runs, ledger, town_rules(home))
    months = Months(engine, accounts, keyring, ledger)
    cases, entries = Cases(engine, keyring), Journal(engine, keyring)
    return WorkDesk(accounts, books, cases, entries, months, tariffs, ledger, town_work_rules(home))


def _day(desk: WorkDesk, text: str | None) -> date:
    """The day that is meant: the ledger's last by the clock of the town's houses, where none is named."""
    if text is not None:
        return day_of(text)
    head = desk.ledger.head()
    now = int(datetime.now(UTC).timestamp()) if head is None else head.timestamp
    return max(local_date(now, house.zone) for house in desk.register.houses().values())


def _moment(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=12)


def _service(name: str) -> Service:
    if name.upper() not in Service.__members__:
        raise NoSuchService(name)
    return Service[name.upper()]


def _brief(rows: Sequence[Mapping[str, object]], names: Sequence[str]) -> list[dict[str, object]]:
    return [{name: row[name] for name in names} for row in rows]


def _entry(day: date, channel: str, proof: str, content: str = "") -> Done:
    return Done(0, Step.REMINDER, day, None, SupplierId(0), 0, channel, proof, content)


def _notice(desk: WorkDesk, found: Standing, day: date) -> Notice:
    rule = desk.rules.rule_on(day)
    house = desk.register.houses()[desk.register.account(found.account).house]
    around = desk.circumstances(house)
    may_suspend = rule.may_suspend(found.debt.service, around.in_flat)
    can_restrict = found.debt.service in around.restrictable
    return Notice(found.account, found.debt, rule, day, can_restrict, may_suspend)


def _standing(standing: Standing, day: date) -> dict[str, object]:
    debt, planned = standing.debt, standing.planned
    return {
        "account": standing.account,
        "service": debt.service.name.lower(),
        "supplier": int(debt.supplier),
        "overdue_kopecks": debt.overdue_kopecks,
        "disputed_kopecks": debt.disputed_kopecks,
        "agreed_kopecks": debt.agreed_kopecks,
        "norm_kopecks": "" if debt.norm_kopecks is None else debt.norm_kopecks,
        "oldest_due": debt.oldest_due.isoformat(),
        "step": planned.step.value,
        "from": "" if planned.on is None else planned.on.isoformat(),
        "due": planned.is_due(day),
        "why": planned.why,
        "act": planned.act,
    }


def _tell(done: Done, as_json: bool) -> None:
    if as_json:
        show_json(journal_json(done))
    else:
        out.print(f"journal entry {done.number}: {done.step.value} on {done.day}")
