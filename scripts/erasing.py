"""Erases one account everywhere in a home: the key first, then each party's copies, in steps that may be repeated.

Every step finds for itself what is left to do, so a kill at any moment costs nothing but another call. The time and
the act are those under which the key was destroyed the first time.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

import api.store
import billing.erase
import billing.store
import ledger.erase
import ledger.store
import oracle.erase
import oracle.main
import oracle.schema
from api.forget import forget_account
from api.people import People
from billing.accounts import Accounts, UnknownAccount
from contracts.client.erasing import erase_in_files, fold_log
from contracts.client.files import FileStore, FirstOf
from contracts.client.keyring import KeyRing
from contracts.wire.erasure import sign_erasure
from contracts.wire.files import Erasure, parse_file
from contracts.wire.ids import Hash, KeyId
from oracle.outbox import Outbox
from scripts.home import Home

_ROUNDS = 3


@dataclass
class Erased:
    """What was done: under which key, since when and under which act, and what went where."""

    account: str
    key: KeyId
    at: int
    act: str
    is_repeated: bool
    gone: dict[str, Counter[str]] = field(default_factory=dict)
    waiting: tuple[str, ...] = ()

    def add(self, party: str, done: Counter[str]) -> None:
        """So much more is gone from a party's keeping."""
        self.gone[party] = self.gone.get(party, Counter()) + done


def erase_account(home: Home, account: str, act: str, now: Callable[[], int]) -> Erased:
    """Destroys the account's key and takes out what it had sealed; ``now`` is the chain's time, asked for once.

    Raises UnknownAccount; FileError for a damaged file, which its keeper mends before this is called again.
    """
    ring = KeyRing(home.root / "keyring.db")
    books = billing.store.open_database(billing.store.database_url(home.root))
    key = key_of(books, ring, account)
    before = ring.destroyed(key)
    ring.destroy(key, *(before or (now(), act)))
    at, ordered = ring.destroyed(key) or (0, act)
    found = Erased(account, key, at, ordered, before is not None)

    def sign(leaf: Hash) -> Erasure:
        return sign_erasure(home.key("operator"), leaf, key, at, ordered)

    readings = oracle.schema.open_database(oracle.main.database_url(home.root))
    facts = ledger.store.open_database(ledger.store.database_url(home.root))
    stores = {name: FileStore(home.root / name / "files") for name in ("oracle", "billing", "ledger", "archive")}
    served = FirstOf([stores["oracle"], stores["billing"]])
    for _ in range(_ROUNDS):  # a service that began a file before the key was gone may end it after the first look
        found.add("oracle", oracle.erase.erase(readings, stores["oracle"], ring, key, sign))
        found.add("billing", billing.erase.erase(books, stores["billing"], account, key, sign, at=at))
        found.add("archive", erase_in_files(stores["archive"], ["readings"], key, sign))
        read_again = ledger.erase.erase(facts, stores["ledger"], served, ring)
        found.add("ledger", Counter(named.kind for named in read_again.done))
        found.waiting = tuple(f"{named.kind}/0x{named.root.hex()}" for named in read_again.waiting)
        if not found.waiting and not read_again.done:
            break
    found.add("outboxes", _forget_sent(home, stores["oracle"], key))
    people = api.store.open_database(api.store.database_url(home.root))
    logins = forget_account(people, account)
    found.add("api", Counter(logins=len(logins)))
    _forget_shown(home.root / "api" / "demo-logins.json", people)
    for engine in (readings, books, facts, people):
        fold_log(engine)
    return found


def key_of(books: Engine, ring: KeyRing, account: str) -> KeyId:
    """The account's key. Raises UnknownAccount."""
    found = Accounts(books, ring).accounts([account])
    if not found:
        raise UnknownAccount(account)
    return found[0].key_id


def _forget_sent(home: Home, readings: FileStore, key: KeyId) -> Counter[str]:
    """Sources keep leaves until the chain holds them; those of files that were erased just now need no keeping."""
    done: Counter[str] = Counter()
    roots = {name for name in readings.names("readings") if _was_erased(readings, name, key)}
    for path in sorted(home.root.glob("*/outbox.db")):
        done["batches"] += Outbox.forget_in(path, roots)
    return +done


def _was_erased(readings: FileStore, name: Hash, key: KeyId) -> bool:
    data = readings.get("readings", name)
    if data is None or key.hex().encode() not in data:
        return False
    return any(line.erased is not None and line.erased.key == key for line in parse_file(data)[1])


def _forget_shown(path: Path, people: Engine) -> None:
    """The demo's page of logins shows those that exist."""
    if not path.exists():
        return
    known = People(people)
    shown = json.loads(path.read_text())
    left = [row for row in shown if known.knows(row["login"])]
    if left != shown:
        aside = path.with_suffix(".new")
        aside.write_text(json.dumps(left, ensure_ascii=False) + "\n")
        aside.replace(path)
