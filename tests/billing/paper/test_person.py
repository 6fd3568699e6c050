"""Check digits against requisites that anyone can look up, and against their own single-digit errors."""

from __future__ import annotations

import pytest

from billing.paper.person import (
    BadRequisites,
    Requisites,
    account_is_valid,
    correspondent_is_valid,
    inn_is_valid,
)

DEMO = Requisites(
    name="Платёжный агент Демогорода",
    inn="0000000018",
    account="40821810400000000001",
    bank="Банк Демогорода",
    bic="049999999",
    correspondent="30101810300000000999",
)


def test_the_requisites_of_a_public_bank_are_valid() -> None:
    """ПАО Сбербанк, as its site and the Bank of Russia's directory publish them."""
    assert inn_is_valid("7707083893")
    assert correspondent_is_valid("30101810400000000225", "044525225")


def test_an_inn_of_twelve_digits_has_two_check_digits() -> None:
    """The number that public descriptions of the algorithm take for their example."""
    assert inn_is_valid("500100732259")
    assert not inn_is_valid("500100732258")


@pytest.mark.parametrize("place", range(20))
def test_a_wrong_digit_of_an_account_is_noticed(place: int) -> None:
    for account, valid, bic in (
        (DEMO.account, account_is_valid, DEMO.bic),
        ("30101810400000000225", correspondent_is_valid, "044525225"),
    ):
        changed = account[:place] + str((int(account[place]) + 1) % 10) + account[place + 1 :]
        assert valid(account, bic)
        assert not valid(changed, bic)


@pytest.mark.parametrize(
    "change",
    [{"inn": "0000000019"}, {"bic": "04999999"}, {"account": "40821810400000000002"}, {"correspondent": "3" * 20},
     {"kpp": "12"}, {"name": " "}, {"bank": ""}],
)  # fmt: skip
def test_wrong_requisites_name_the_field_and_the_remedy(change: dict[str, str]) -> None:
    fields = {name: getattr(DEMO, name) for name in DEMO.__slots__}
    with pytest.raises(BadRequisites, match=next(iter(change))) as caught:
        Requisites(**{**fields, **change})
    assert "directory of payees" in str(caught.value)
