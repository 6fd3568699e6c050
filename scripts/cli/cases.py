"""``kopeck dispute`` and ``kopeck instalment``: disputes of lines, and agreements to pay by instalments."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from billing.debt.books import AccountBook
from billing.debt.cases import Case, debts_covered, payments_on
from billing.debt.disputes import Dispute
from billing.debt.instalments import Agreement, Instalment
from billing.debt.requests import DisputeDecision, DisputeRequest, InstalmentEnd, InstalmentRequest
from billing.inbox import Item
from billing.requests import Request
from contracts.wire.ids import Period, Service
from contracts.wire.units import Money
from scripts.cli.balance import Debts, OnOption
from scripts.cli.books import open_town
from scripts.cli.console import out, show
from scripts.cli.options import HomeOption, JsonOption, day_of
from scripts.home import DEFAULT_HOME

dispute = typer.Typer(help="Disputes of a bill's line.", no_args_is_help=True)
instalment = typer.Typer(help="Agreements to pay a debt by instalments.", no_args_is_help=True)
AccountArgument = Annotated[str, typer.Argument(help="The account.")]
CaseArgument = Annotated[int, typer.Argument(help="Its number, as the list shows it.")]
ActOption = Annotated[str, typer.Option(help="The act behind it.")]
DayOption = Annotated[str, typer.Option("--on", help="The day, YYYY-MM-DD.")]


class BadInstalment(ValueError):
    """An instalment is not written as DAY=ROUBLES."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is no instalment; write YYYY-MM-DD=ROUBLES, for example 2026-05-10=1500.00")
        self.text = text


class NoService(ValueError):
    """A service is not named as documents name it."""

    def __init__(self, text: str) -> None:
        names = ", ".join(service.name.lower() for service in Service)
        super().__init__(f"no service {text!r}; there are {names}")
        self.text = text


@dispute.command("open")
def open_dispute(
    account: AccountArgument,
    month: Annotated[str, typer.Argument(help="The month of the bill, YYYY-MM.")],
    service: Annotated[str, typer.Argument(help="The line's service, e.g. hot_water.")],
    on: DayOption,
    ground: Annotated[str, typer.Option(help="What the resident says.")],
    act: ActOption,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Disputes a line: it is set apart, its penalty clock stops, and the rest of the bill can be paid."""
    if service.upper() not in Service.__members__:
        raise NoService(service)
    what = Period.parse(month), Service[service.upper()], day_of(on)
    _ask(f"kopeck dispute {account} {month} {service} {act}", DisputeRequest(account, *what, ground, act), home)


@dispute.command("decide")
def decide(
    case: CaseArgument,
    upheld: Annotated[bool, typer.Option("--upheld/--rejected", help="For the resident, or against.")],
    on: DayOption,
    act: ActOption,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Decides a dispute: upheld, the month is worked out again; rejected, the clock goes on."""
    request = DisputeDecision(case, upheld, day_of(on), act)
    _ask(f"kopeck dispute decide {case} {act}", request, home)


@dispute.command("list")
def list_disputes(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Lists disputes."""
    cases = [case for found in Debts(home).cases.of_accounts().values() for case in found]
    rows = [_dispute(case, case.matter) for case in cases if isinstance(case.matter, Dispute)]
    show(rows, as_json, "disputes")


@instalment.command("sign")
def sign(
    account: AccountArgument,
    months: Annotated[list[str], typer.Option("--month", help="A month whose debt is meant, YYYY-MM; several.")],
    pay: Annotated[list[str], typer.Option("--pay", help="YYYY-MM-DD=ROUBLES; several, in order.")],
    on: DayOption,
    act: ActOption,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Keeps an agreement: debts of these months are paid by the schedule."""
    periods = tuple(Period.parse(month) for month in months)
    schedule = tuple(_instalment(text) for text in pay)
    request = InstalmentRequest(account, day_of(on), periods, schedule, act)
    _ask(f"kopeck instalment {account} {act}", request, home)


@instalment.command("end")
def end(case: CaseArgument, on: DayOption, act: ActOption, home: HomeOption = DEFAULT_HOME) -> None:
    """Takes an agreement back before its end."""
    _ask(f"kopeck instalment end {case} {act}", InstalmentEnd(case, day_of(on), act), home)


@instalment.command("list")
def list_instalments(on: OnOption = None, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Lists agreements with how each is kept on a day."""
    debts = Debts(home)
    rows = []
    for account, cases in debts.cases.of_accounts().items():
        agreements = [(case, case.matter) for case in cases if isinstance(case.matter, Agreement)]
        if agreements:
            day = debts.day(debts.register.account(account), on)
            book = debts.books.of_account(account)
            rows += [_agreement(case, matter, book, day) for case, matter in agreements]
    show(rows, as_json, "instalment agreements")


def _ask(key: str, request: Request, home: HomeOption) -> Item:
    item = open_town(home).inbox.put(key, request)
    out.print(f"request {item.id}: {item.state.value}; `kopeck pay requests` shows how it ends")
    return item


def _instalment(text: str) -> Instalment:
    day, sign, roubles = text.partition("=")
    if not sign:
        raise BadInstalment(text)
    try:
        return Instalment(day_of(day), Money.parse(roubles).kopecks)
    except ValueError as error:
        raise BadInstalment(text) from error


def _dispute(case: Case, matter: Dispute) -> dict[str, object]:
    return {
        "case": case.id,
        "account": case.account,
        "period": str(matter.period),
        "service": matter.service.name.lower(),
        "supplier": int(matter.supplier),
        "opened": matter.opened.isoformat(),
        "act": matter.act,
        "outcome": matter.outcome.value,
        "decided": "" if matter.decided is None else matter.decided.isoformat(),
        "decision": matter.decision,
        "by": matter.decided_by,
    }


def _agreement(case: Case, matter: Agreement, book: AccountBook, day: date) -> dict[str, object]:
    paid = payments_on(debts_covered(book, matter))
    return {
        "case": case.id,
        "account": case.account,
        "signed": matter.signed.isoformat(),
        "periods": ", ".join(str(period) for period in matter.periods),
        "total_kopecks": matter.total_kopecks,
        "standing": matter.standing(paid, day).value,
        "restriction_stopped": matter.stops_restriction(paid, day),
        "act": matter.act,
    }
