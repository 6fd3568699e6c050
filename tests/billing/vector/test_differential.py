"""A city by columns is the same city by the rules, one account after another: every byte of every bill."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from billing.charges import ERASED, charge_months, credits_for
from billing.checks import Checks
from billing.documents import Title, draft_bill
from billing.domain.tariff import TariffSet
from billing.leaves import Leaf, usage_json
from billing.months import Months
from billing.vector.city import Books, bill_city
from billing.vector.stretch import City
from contracts.wire.ids import Hash
from contracts.wire.leaf import Credit
from contracts.wire.merkle import leaf_hash
from contracts.wire.sealed import unseal
from scripts.bench.city import CityBooks
from tests.billing.vector.town import MARCH, Town

TOWN = 5_000
"""Accounts of a town in the long run."""
Bill = tuple[bytes, bytes, bytes | None, tuple[Credit, ...], int]
"""Document, blob behind the commitment, usage, prepayments, revision."""


@dataclass(frozen=True, slots=True)
class Billed:
    bills: dict[str, Bill]
    problems: dict[str, str]
    houses: dict[str, object]


def city_of(books: CityBooks, drawn: random.Random) -> City:
    accounts = books.register.accounts()
    heads = tuple(books.ledger.heads_to_bill())
    tariffs: TariffSet = books.tariffs.published(books.ledger)
    prepaid = {
        account.account: [Credit(1 + drawn.randrange(5), drawn.randrange(1, 90_000), Hash(drawn.randbytes(32)))]
        for account in accounts
        if drawn.random() < 0.01
    }
    billed = frozenset(account.account for account in accounts if drawn.random() < 0.003)
    revisions = {account.account: drawn.randrange(1, 3) for account in accounts if drawn.random() < 0.02}
    return City(MARCH, heads, tariffs, billed, prepaid, revisions)


def by_columns(books: CityBooks, city: City) -> tuple[Billed, int]:
    with bill_city(Books(books.engine, books.keyring, books.ledger), city, workers=1) as found:
        leaves = list(found.leaves())
        assert [leaf.commit for leaf in leaves] == sorted(leaf.commit for leaf in leaves)
        bills = {leaf.account: opened(leaf) for leaf in leaves}
        assert len(bills) == len(leaves)
        return Billed(bills, found.problems, dict(found.houses)), sum(found.by_rules.values())


def opened(leaf: Leaf) -> Bill:
    shown = unseal(leaf.secret, leaf_hash(leaf.blob), leaf.sealed)
    return shown[64:], leaf.blob[32:], leaf.usage, leaf.credits, leaf.revision


def by_rules(books: CityBooks, city: City) -> Billed:
    accounts = [a for a in books.register.accounts() if a.is_open_in(city.period) and a.account not in city.billed]
    months = Months(books.engine, books.register, books.keyring, books.ledger)
    charges = charge_months(months.of(city.period, accounts, city.tariffs, city.heads), Checks(city.passports))
    bills: dict[str, Bill] = {}
    keys = books.keyring.secrets(account.key_id for account in accounts)
    for account in accounts:
        name, secret = account.account, keys[account.key_id]
        if secret is None:
            charges.problems[name] = ERASED
        elif name in charges.lines:
            lines, revision = charges.lines[name], city.revisions.get(name, 0)
            credits = credits_for(lines, city.prepaid.get(name, []))
            title = Title(name, city.period, revision, account.key_id, secret)
            draft = draft_bill(title, charges.months[name], lines, credits)
            bills[name] = draft.document, draft.blob[32:], usage_json(lines), tuple(credits), revision
    return Billed(bills, charges.problems, dict(charges.houses))


def compare(folder: Path, seed_: int, accounts: int) -> tuple[int, int]:
    """Bills of a random town both ways; how many there are, and how many were left to the rules."""
    folder.mkdir()
    books, drawn = CityBooks(folder), random.Random(seed_)
    Town(books, drawn).fill(accounts)
    for account in books.register.accounts():
        if drawn.random() < 0.002:
            books.keyring.destroy(account.key_id, 0, "asked for")
    city = city_of(books, drawn)
    columns, left = by_columns(books, city)
    rules = by_rules(books, city)
    for name in sorted({*columns.bills, *rules.bills}):
        assert columns.bills.get(name) == rules.bills.get(name), name
    assert columns.problems == rules.problems
    assert {k: v for k, v in columns.houses.items() if v} == {k: v for k, v in rules.houses.items() if v}
    return len(columns.bills), left


@seed(354)
@given(st.integers(0, 2**32))
@settings(
    max_examples=2,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_columns_bill_a_town_as_the_rules_do(tmp_path_factory: pytest.TempPathFactory, drawn: int) -> None:
    bills, left = compare(tmp_path_factory.mktemp("towns") / "town", drawn, 400)
    assert bills > 350
    assert left < 0.7 * bills  # a town of oddities; most of a plain city goes by columns


@pytest.fixture(scope="module")
def two_at_once() -> Iterator[Executor]:
    with ProcessPoolExecutor(2, get_context("spawn")) as made:
        yield made


@pytest.mark.slow
@seed(354)
@given(st.tuples(st.integers(0, 2**32), st.integers(0, 2**32)))
@settings(
    max_examples=10,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_columns_bill_a_hundred_thousand_accounts_as_the_rules_do(
    tmp_path_factory: pytest.TempPathFactory, two_at_once: Executor, drawn: tuple[int, int]
) -> None:
    """Twenty towns of five thousand: some of any kind of account there is, a thousand times over."""
    folder = tmp_path_factory.mktemp("towns")
    folders = [folder / str(place) for place in range(2)]
    bills = sum(found for found, _ in two_at_once.map(compare, folders, drawn, [TOWN, TOWN]))
    assert bills > 0.9 * 2 * TOWN
    shutil.rmtree(folder)
