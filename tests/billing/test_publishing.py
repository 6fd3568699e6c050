"""Words on tariff documents: what counts is two keys under one hash, whatever the books hold beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from billing.policy import NO_POLICY, NotAHand, Policy, sign
from billing.publishing import NotApproved, SameHand, TariffWord, TariffWords
from billing.store import open_database
from billing.tariffs import Tariffs, demo_documents
from contracts.client.files import FileStore
from contracts.wire.ids import Hash
from contracts.wire.typed_data import address_of
from tests.ledger.town import key_of

HANDS = ("clerk", "chief", "auditor")
OFFICE = Policy({name: address_of(key_of(name)) for name in HANDS})


@pytest.fixture
def books(tmp_path: Path) -> tuple[TariffWords, Hash, Hash]:
    engine = open_database(f"sqlite:///{tmp_path / 'billing.db'}")
    one, other, *_ = Tariffs(engine, FileStore(tmp_path / "files")).add_all(demo_documents())
    return TariffWords(engine), one, other


def word(document: Hash, by: str, key: str | None = None) -> TariffWord:
    said = TariffWord(document)
    return replace(said, hand=sign(by, key_of(key or by), said))


def test_two_keys_under_one_document_let_it_be_published_and_no_other(books: tuple[TariffWords, Hash, Hash]) -> None:
    words, document, other = books
    words.ask(word(document, "clerk"), OFFICE)
    words.ask(word(document, "clerk"), OFFICE)
    with pytest.raises(NotApproved, match="tariff-1"):
        words.require(document, "tariff-1", OFFICE)
    words.approve(word(document, "chief"), "tariff-1", OFFICE)
    words.require(document, "tariff-1", OFFICE)
    assert words.hands_of(document, OFFICE) == ["clerk", "chief"]
    with pytest.raises(NotApproved):
        words.require(other, "tariff-2", OFFICE)
    words.require(other, "tariff-2", NO_POLICY)


def test_a_word_of_one_document_does_not_stand_under_another(books: tuple[TariffWords, Hash, Hash]) -> None:
    words, document, other = books
    with pytest.raises(NotAHand, match="did not sign"):
        words.ask(replace(word(document, "clerk"), document=other), OFFICE)
    with pytest.raises(NotAHand, match="did not sign"):
        words.ask(word(document, "chief", "clerk"), OFFICE)


def test_two_names_with_one_key_are_one_hand(books: tuple[TariffWords, Hash, Hash]) -> None:
    words, document, _ = books
    office = Policy({**OFFICE.hands, "clerk at home": OFFICE.hands["clerk"]})
    words.ask(word(document, "clerk"), office)
    with pytest.raises(SameHand):
        words.approve(word(document, "clerk at home", "clerk"), "tariff-1", office)
    words.ask(word(document, "clerk at home", "clerk"), office)
    with pytest.raises(NotApproved):
        words.require(document, "tariff-1", office)


def test_the_word_of_a_hand_that_left_the_office_counts_no_more(books: tuple[TariffWords, Hash, Hash]) -> None:
    words, document, _ = books
    words.ask(word(document, "clerk"), OFFICE)
    words.approve(word(document, "chief"), "tariff-1", OFFICE)
    later = Policy({name: address for name, address in OFFICE.hands.items() if name != "clerk"})
    with pytest.raises(NotApproved):
        words.require(document, "tariff-1", later)
    words.approve(word(document, "auditor"), "tariff-1", later)
    words.require(document, "tariff-1", later)
