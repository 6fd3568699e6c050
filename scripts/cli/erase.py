"""``kopeck erase``: destroys an account's key, and with it every record that it sealed."""

from __future__ import annotations

from typing import Annotated

import typer

import billing.store
from contracts.client.reader import Reader
from contracts.client.rpc import Rpc
from scripts.cli.books import open_town
from scripts.cli.console import out, show_json
from scripts.cli.options import HomeOption, JsonOption
from scripts.erasing import Erased, erase_account, key_of
from scripts.home import DEFAULT_HOME


class NotErased(RuntimeError):
    """Some files hold sealed leaves of the account still."""

    def __init__(self, waiting: tuple[str, ...]) -> None:
        super().__init__(
            f"{len(waiting)} files have no record of erasure yet: {', '.join(waiting[:3])}; nobody can read them any "
            "more, the key is gone. Restore them where they are served, and run the same command again"
        )


def erase(
    account: Annotated[str, typer.Argument(help="The account's number.")],
    act: Annotated[str, typer.Option(help="Under which act: it stands in every record of the erasure.")],
    home: HomeOption = DEFAULT_HOME,
    rpc: Annotated[str, typer.Option(help="A node of the town's chain.")] = "http://127.0.0.1:8545",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: there is no way back.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Erases a person's records for good. Amounts, roots and proofs stay. Safe to repeat after a kill."""
    town = open_town(home)
    reader = Reader(Rpc(rpc), town.deployment)
    key_of(billing.store.open_database(billing.store.database_url(town.home.root)), town.keyring, account)
    if not yes:
        typer.confirm(f"Destroy the key of account {account}? Its records can never be read again", abort=True)
    found = erase_account(town.home, account, act, lambda: reader.head().timestamp)
    if as_json:
        show_json(_as_json(found))
    else:
        _tell(found)
    if found.waiting:
        raise NotErased(found.waiting)


def _as_json(found: Erased) -> dict[str, object]:
    gone = {party: dict(counts) for party, counts in found.gone.items()}
    return {
        **{"account": found.account, "key": found.key.hex(), "at": found.at, "act": found.act},
        **{"repeated": found.is_repeated, "gone": gone, "waiting": list(found.waiting)},
    }


def _tell(found: Erased) -> None:
    when = "was destroyed before" if found.is_repeated else "is destroyed"
    out.print(f"account {found.account}: key {found.key.hex()} {when}, under {found.act!r}", highlight=False)
    for party, counts in found.gone.items():
        what = ", ".join(f"{number} {kind.replace('_', ' ')}" for kind, number in sorted(counts.items()))
        out.print(f"  {party}: {what or 'nothing left'}", highlight=False)
