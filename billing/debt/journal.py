"""The journal of work on debts: what was sent or done when, and how it is proved. Entries are added, never changed.

What an entry says is sealed under its account's key: erasing the account leaves that something was done, not what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from sqlalchemy import Engine, func, insert, select

from billing.debt.work import Done, Step
from billing.schema import accounts, debt_journal
from billing.store import dump, load
from contracts.client.keyring import KeyDestroyed, KeyRing
from contracts.wire.ids import KeyId, Service, SupplierId
from contracts.wire.sealed import seal, unseal


class Journal:
    """The journals of accounts."""

    def __init__(self, engine: Engine, keyring: KeyRing) -> None:
        self._engine = engine
        self._writes = engine.execution_options(writes=True)
        self._keyring = keyring

    def add(self, account: str, done: Done) -> Done:
        """Writes the next entry of an account; its number is given here. Raises LookupError, KeyDestroyed."""
        with self._writes.begin() as connection:
            key = connection.execute(
                select(accounts.c.key_id).where(accounts.c.account == account)
            ).scalar_one_or_none()
            if key is None:
                raise LookupError(f"no account {account!r}; open it first")
            secret = self._keyring.secret(KeyId(bytes(key)))
            if secret is None:
                raise KeyDestroyed(KeyId(bytes(key)))
            mine = select(func.max(debt_journal.c.number)).where(debt_journal.c.account == account)
            number = (connection.execute(mine).scalar() or 0) + 1
            entry = replace(done, number=number)
            sealed = seal(secret, _place(account, number), dump(_value(entry)).encode())
            values = {"account": account, "number": number, "key_id": key, "sealed": sealed}
            connection.execute(insert(debt_journal).values(**values))
        return entry

    def of(self, account: str) -> tuple[Done, ...]:
        """An account's entries in the order they were written; none once it was erased."""
        return self.of_accounts([account]).get(account, ())

    def of_accounts(self, wanted: Sequence[str] | None = None) -> dict[str, tuple[Done, ...]]:
        """The same for many accounts, or all."""
        query = select(debt_journal).order_by(debt_journal.c.account, debt_journal.c.number)
        if wanted is not None and len(wanted) <= 500:
            query = query.where(debt_journal.c.account.in_(wanted))
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        keys = self._keyring.secrets(KeyId(bytes(row.key_id)) for row in rows)
        out: dict[str, tuple[Done, ...]] = {}
        for row in rows:
            secret = keys.get(KeyId(bytes(row.key_id)))
            if secret is not None:
                value = load(unseal(secret, _place(row.account, row.number), bytes(row.sealed)).decode())
                out[row.account] = (*out.get(row.account, ()), _done(row.number, value))
        return out


def _place(account: str, number: int) -> bytes:
    """What the seal of an entry is bound to."""
    return f"debt_journal/{account}/{number}".encode()


def _value(done: Done) -> dict[str, object]:
    return {
        "step": done.step.value,
        "day": done.day.isoformat(),
        "service": None if done.service is None else int(done.service),
        "supplier": int(done.supplier),
        "amount": done.amount_kopecks,
        "channel": done.channel,
        "proof": done.proof,
        "content": done.content,
        "about": done.about,
    }


def _done(number: int, value: dict[str, object]) -> Done:
    service, about = value["service"], value["about"]
    return Done(
        number,
        Step(str(value["step"])),
        date.fromisoformat(str(value["day"])),
        None if service is None else Service(int(str(service))),
        SupplierId(int(str(value["supplier"]))),
        int(str(value["amount"])),
        str(value["channel"]),
        str(value["proof"]),
        str(value["content"]),
        None if about is None else int(str(about)),
    )
