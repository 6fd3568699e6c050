"""The book of events: what befell an account, sealed under its key, put once and never edited.

The same event under the same name changes nothing; the only thing that may be added later is an end that was not
known. An event put by mistake is withdrawn, with the act, and stays in the book.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, insert, select, update

from billing.domain.events import Event, event_value, parse_event
from billing.schema import accounts, events
from billing.store import dump, load
from contracts.client.keyring import KeyDestroyed, KeyRing
from contracts.wire.ids import KeyId
from contracts.wire.keccak import keccak
from contracts.wire.sealed import seal, unseal


class UnknownEvent(LookupError):
    """There is no such account, or no such event on it."""

    def __init__(self, account: str, name: str | None = None) -> None:
        wanted = f"no account {account!r}; open it first"
        if name is not None:
            wanted = f"account {account} has no event {name!r}; `kopeck event list {account}` names those it has"
        super().__init__(wanted)
        self.account, self.name = account, name


class EventDiffers(ValueError):
    """Another event stands under the same name."""

    def __init__(self, account: str, name: str) -> None:
        super().__init__(
            f"account {account} has another event under the name {name!r}; withdraw that one, or give this a new name"
        )
        self.account, self.name = account, name


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in the book. ``withdrawn`` is the act by which it no longer counts, empty while it does."""

    name: str
    event: Event
    withdrawn: str = ""


class EventBook:
    """Events of accounts; what is read is opened with the keys of ``keyring``."""

    def __init__(self, engine: Engine, keyring: KeyRing) -> None:
        self._engine = engine
        self._writes = engine.execution_options(writes=True)
        self._keyring = keyring

    def put(self, account: str, name: str, event: Event) -> bool:
        """Enters an event under a name of the caller's choosing; False where it stands there already.

        Raises UnknownEvent, EventDiffers, and KeyDestroyed where the account was erased.
        """
        with self._writes.begin() as connection:
            key_id, secret = self._key(connection, account)
            found = self._find(connection, secret, account, name)
            if found is None:
                row = _sealed(secret, account, Entry(name, event))
                connection.execute(insert(events).values(account=account, key_id=key_id, **row))
                return True
            if found.event == event:
                return False
            if found.withdrawn or not _only_ends(found.event, event):
                raise EventDiffers(account, name)
            self._write(connection, secret, account, Entry(name, event))
            return True

    def withdraw(self, account: str, name: str, act: str) -> bool:
        """Says by which act an event no longer counts; False where it was withdrawn already. Raises UnknownEvent."""
        with self._writes.begin() as connection:
            _, secret = self._key(connection, account)
            found = self._find(connection, secret, account, name)
            if found is None:
                raise UnknownEvent(account, name)
            if found.withdrawn:
                return False
            self._write(connection, secret, account, Entry(name, found.event, act))
            return True

    def entries(self, account: str) -> list[Entry]:
        """All of an account's events, those withdrawn among them, by name."""
        return sorted(self._read([account]).get(account, []), key=lambda entry: entry.name)

    def standing(self, only: Iterable[str] | None = None) -> dict[str, tuple[Event, ...]]:
        """The events that count, of all accounts or of those named; an account without any is not there."""
        return {
            account: tuple(e.event for e in sorted(found, key=lambda e: e.name) if not e.withdrawn)
            for account, found in self._read(only).items()
        }

    # --- rows ---

    def _read(self, only: Iterable[str] | None) -> dict[str, list[Entry]]:
        wanted = None if only is None else set(only)
        query = select(events)
        if wanted is not None and len(wanted) <= 500:
            query = query.where(events.c.account.in_(wanted))
        with self._engine.connect() as connection:
            rows = [row for row in connection.execute(query) if wanted is None or row.account in wanted]
        keys = self._keyring.secrets({KeyId(bytes(row.key_id)) for row in rows})
        out: defaultdict[str, list[Entry]] = defaultdict(list)
        for row in rows:
            secret = keys.get(KeyId(bytes(row.key_id)))
            if secret is not None:  # else erased with its account
                out[row.account].append(_opened(secret, row.account, bytes(row.event), bytes(row.sealed)))
        return dict(out)

    def _key(self, connection: Connection, account: str) -> tuple[KeyId, bytes]:
        row = connection.execute(select(accounts.c.key_id).where(accounts.c.account == account)).one_or_none()
        if row is None:
            raise UnknownEvent(account)
        key_id = KeyId(bytes(row.key_id))
        secret = self._keyring.secret(key_id)
        if secret is None:
            raise KeyDestroyed(key_id)
        return key_id, secret

    @staticmethod
    def _find(connection: Connection, secret: bytes, account: str, name: str) -> Entry | None:
        here = (events.c.account == account) & (events.c.event == _place(secret, name))
        row = connection.execute(select(events).where(here)).one_or_none()
        return None if row is None else _opened(secret, account, bytes(row.event), bytes(row.sealed))

    @staticmethod
    def _write(connection: Connection, secret: bytes, account: str, entry: Entry) -> None:
        row = _sealed(secret, account, entry)
        here = (events.c.account == account) & (events.c.event == row["event"])
        connection.execute(update(events).where(here).values(sealed=row["sealed"]))


def _place(secret: bytes, name: str) -> bytes:
    """What a row is found by: a name may tell of a life, so it is not there in the clear."""
    return keccak(secret + b"event/" + name.encode())


def _bound(account: str, place: bytes) -> bytes:
    return f"events/{account}/".encode() + place


def _sealed(secret: bytes, account: str, entry: Entry) -> Mapping[str, bytes]:
    place = _place(secret, entry.name)
    value = {"name": entry.name, "event": event_value(entry.event), "withdrawn": entry.withdrawn}
    return {"event": place, "sealed": seal(secret, _bound(account, place), dump(value).encode())}


def _opened(secret: bytes, account: str, place: bytes, sealed: bytes) -> Entry:
    value = load(unseal(secret, _bound(account, place), sealed).decode())
    return Entry(value["name"], parse_event(value["event"]), value["withdrawn"])


def _only_ends(before: Event, after: Event) -> bool:
    """Whether ``after`` says no more than an end that ``before`` left open."""
    old, new = event_value(before), event_value(after)
    return set(new) - set(old) <= {"cured", "until"} and all(new.get(name) == value for name, value in old.items())
