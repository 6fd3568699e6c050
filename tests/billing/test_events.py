"""Events of accounts: read from what clerks write, kept sealed, put once, withdrawn by an act, gone with the key."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from billing.accounts import Accounts, NewAccount
from billing.domain.events import (
    KINDS,
    Absence,
    EventError,
    MeterOutage,
    Ownership,
    PoorQuality,
    Tampering,
    event_value,
    parse_event,
)
from billing.domain.household import House, Household
from billing.erase import erase
from billing.events import EventBook, EventDiffers, UnknownEvent
from billing.requests import CorrectionRequest, RunRequest
from billing.schema import events
from billing.store import open_database
from contracts.client.files import FileStore
from contracts.client.keyring import KeyDestroyed, KeyRing
from contracts.wire.files import Erasure
from contracts.wire.ids import Hash, Period, Service
from contracts.wire.leaf import BillKind
from tests.billing.cases import cases
from tests.billing.stage import Stage

AWAY = Absence(
    act="application 12", departed=date(2026, 1, 5), returned=date(2026, 1, 18), persons=1, filed=date(2026, 1, 20)
)
BROKEN = MeterOutage(act="act 3", service=Service.COLD_WATER, since=date(2026, 1, 12))


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_database(f"sqlite:///{tmp_path / 'billing.db'}")


@pytest.fixture
def keyring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "keyring.db")


@pytest.fixture
def book(engine: Engine, keyring: KeyRing) -> EventBook:
    register = Accounts(engine, keyring)
    register.add_house(House("house-1", "Asia/Krasnoyarsk", ("krasnoyarsk",), 10_000))
    flat = Household(5000, 2, 1, ((date(2020, 1, 1), 2),))
    register.open_accounts([NewAccount(name, "house-1", flat) for name in ("1", "2")])
    return EventBook(engine, keyring)


# --- as clerks write them --------------------------------------------------------------------------------------------


def test_every_event_of_every_case_is_read_back_as_it_was() -> None:
    seen = set()
    for _, month in cases():
        for found in month.events:
            value = json.loads(json.dumps(event_value(found)))
            assert parse_event(value) == found
            seen.add(value["kind"])
    assert seen == set(KINDS)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"kind": "holiday", "act": "1"}, "no such kind"),
        ({"kind": "ownership", "act": "", "since": "2026-01-01", "owned": True}, "act is missing"),
        ({"kind": "ownership", "act": "1", "since": "2026-01-01"}, "missing fields owned; it has"),
        ({"kind": "ownership", "act": "1", "since": "2026-01-01", "owned": 1}, "not of the type bool"),
        ({"kind": "ownership", "act": "1", "since": "the first", "owned": True}, "the field since: "),
        ({"kind": "ownership", "act": "1", "since": "2026-01-01", "owned": True, "by": "whom"}, "unknown fields by"),
        ({"kind": "meter_outage", "act": "1", "service": "tea", "since": "2026-01-01"}, "the field service: .*TEA"),
        ({"kind": "meter_outage", "act": "1", "service": "gas", "since": "2026-01-02", "until": "2026-01-01"}, "ends"),
        ({"kind": "interruption", "act": "1", "service": "gas", "start": 5, "end": 5}, "before it begins"),
        ({"kind": "poor_quality", "act": "1", "service": "gas", "measure": "temperature", "start": 5, "end": 6},
         "measured_tenths"),
        ({"kind": "tampering", "act": "1", "service": "gas", "since": "2026-01-02", "found": "2026-01-01"},
         "run backwards"),
        ({**event_value(AWAY), "persons": 0}, "nobody was away"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(value: dict[str, object], reason: str) -> None:
    with pytest.raises(EventError, match=reason):
        parse_event(value)


WORDS = st.one_of(st.sampled_from([*KINDS, "2026-01-01", ""]), st.integers(), st.booleans(), st.none())


@given(st.dictionaries(st.sampled_from(["kind", "act", "since", "owned", "service", "x"]), WORDS))
def test_no_words_of_a_clerk_raise_anything_else(value: dict[str, object]) -> None:
    """Nothing but a refusal that names the kind; the rare event that can be is read back."""
    with suppress(EventError):
        found = parse_event(value)
        assert parse_event(event_value(found)) == found


# --- the book --------------------------------------------------------------------------------------------------------


def test_the_same_again_changes_nothing_and_other_words_are_refused(book: EventBook) -> None:
    assert book.put("1", "leave", AWAY)
    assert not book.put("1", "leave", AWAY)
    assert book.standing() == {"1": (AWAY,)}
    with pytest.raises(EventDiffers, match=r"account 1.*'leave'"):
        book.put("1", "leave", BROKEN)
    assert book.put("2", "leave", BROKEN)  # a name is an account's own


def test_an_end_that_was_open_may_be_added_once(book: EventBook) -> None:
    sealed = Tampering(act="act 4", service=Service.GAS, since=date(2026, 1, 1), found=date(2026, 1, 9))
    ended = replace(sealed, cured=date(2026, 1, 20))
    for name, first, then in (
        ("magnet", sealed, ended),
        ("broken", BROKEN, replace(BROKEN, until=date(2026, 2, 1))),
    ):
        assert book.put("1", name, first)
        assert book.put("1", name, then)
        assert not book.put("1", name, then)
        with pytest.raises(EventDiffers):
            book.put("1", name, first)
    moved = replace(BROKEN, since=date(2026, 1, 1), until=date(2026, 2, 1))
    with pytest.raises(EventDiffers):
        book.put("1", "broken", moved)


def test_what_was_withdrawn_stays_in_the_book_and_no_longer_counts(book: EventBook) -> None:
    book.put("1", "leave", AWAY)
    assert book.withdraw("1", "leave", "act 5")
    assert not book.withdraw("1", "leave", "act 6")
    assert book.standing() == {"1": ()}
    (entry,) = book.entries("1")
    assert (entry.event, entry.withdrawn) == (AWAY, "act 5")
    with pytest.raises(UnknownEvent, match="kopeck event list 1"):
        book.withdraw("1", "other", "act 5")
    with pytest.raises(UnknownEvent, match="no account '9'"):
        book.put("9", "leave", AWAY)


def test_nothing_of_an_event_is_in_the_clear_and_it_goes_with_the_key(
    book: EventBook, engine: Engine, keyring: KeyRing, tmp_path: Path
) -> None:
    book.put("1", "stay in hospital", AWAY)
    book.put("2", "stay in hospital", AWAY)
    rows = engine.connect().execute(select(events)).all()
    assert rows[0].event != rows[1].event
    for row in rows:
        assert b"hospital" not in bytes(row.sealed) + bytes(row.event)
        assert b"absence" not in bytes(row.sealed)
    key = Accounts(engine, keyring).account("1").key_id
    keyring.destroy(key, at=0, act="application 9")
    assert book.standing() == {"2": (AWAY,)}
    assert book.entries("1") == []
    with pytest.raises(KeyDestroyed):
        book.put("1", "another", AWAY)
    done = erase(engine, FileStore(tmp_path / "files"), "1", key, _never_asked, at=0)
    assert done["events"] == 1
    assert [row.account for row in engine.connect().execute(select(events))] == ["2"]


def _never_asked(leaf: Hash) -> Erasure:
    raise AssertionError(f"there is no leaf to sign for, and {leaf.hex()} was asked")


# --- on bills --------------------------------------------------------------------------------------------------------


def test_an_interruption_told_late_becomes_a_note(stage: Stage) -> None:
    """The bill stands; the correction takes off what the event says, and explains it."""
    stage.open(2)
    january = Period(2026, 1)
    stage.work(stage.ask("run", RunRequest(january)))
    before = stage.bill("1", january)
    span = next(month for name, month in cases() if name == "by norm").span
    book = EventBook(stage.office.register._engine, stage.town.keys)
    spoilt = PoorQuality(act="act 8", service=Service.COLD_WATER, measure="composition", start=span.start_ts,
                         end=span.start_ts + 3 * 86_400)  # fmt: skip
    assert book.put("1", "brown water", spoilt)
    assert book.put("2", "the city's", Ownership(act="order 1", since=date(2020, 1, 1), owned=False))
    (item,) = stage.work(stage.ask("correction", CorrectionRequest(january, ("1", "2"), "act 8")))
    assert item.reason is None
    stored = {account: stage.office.runs.of_account(account, january)[-1][1] for account in ("1", "2")}
    lines = {account: json.loads(bill.document)["lines"] for account, bill in stored.items()}
    (cold,) = (line for line in lines["1"] if line["service"] == "cold_water")
    charge, less = cold["parts"]
    assert less["kind"] == "recalculation"
    assert less["amount_kopecks"] == -round(charge["amount_kopecks"] * 3 / 31)
    assert "act 8" in less["act"]
    assert not [line for line in lines["2"] if line["service"] == "capital_repair"]
    assert stored["1"].kind is BillKind.BILL  # nothing had been paid: the bill is replaced
    assert sum(line.charged_kopecks for line in stage.bill("1", january).lines) < before.charged_kopecks
