"""Documents of help: read strictly, found by area and day, never two at once."""

from __future__ import annotations

from datetime import date

import pytest

from billing.welfare.library import shipped
from billing.welfare.reference import AreaNorm, BadSheet, Book, NoSheet, OverlappingSheets, Subsistence, parse_sheet
from tests.billing.welfare.sheets import share_limit, sheet, subsistence

GOOD = {
    "name": "minimum", "kind": "subsistence", "area": "here", "act": "act 1", "effective_from": "2026-01-01",
    "effective_to": "2027-01-01", "checked": True, "roubles": {"anyone": "18939"},
}  # fmt: skip


def test_every_shipped_document_is_one() -> None:
    names = [parse_sheet(value).name for value in shipped()]
    assert len(names) == len(set(names))
    assert names


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"act": ""}, "act is missing"),
        ({"effective_to": "2025-01-01"}, "before it begins"),
        ({"roubles": {"anyone": 18939}}, "text"),
        ({"roubles": {"anyone": "0"}}, "above zero"),
        ({"kind": "tariff"}, "tariff"),
        ({"checked": "yes"}, "true or false"),
    ],
)
def test_a_document_that_is_none_names_itself_and_the_fault(change: dict[str, object], says: str) -> None:
    with pytest.raises(BadSheet, match=f"minimum.*{says}"):
        parse_sheet({**GOOD, **change})


def test_a_missing_field_is_named() -> None:
    with pytest.raises(BadSheet, match="area"):
        parse_sheet({key: value for key, value in GOOD.items() if key != "area"})


@pytest.mark.parametrize("bands", [[("2", "0.1"), ("1", "0.2"), (None, "0.22")], [(None, "0.22"), (None, "0.22")]])
def test_bands_of_the_share_go_up(bands: list[tuple[str | None, str]]) -> None:
    with pytest.raises(BadSheet):
        share_limit(*bands)


def test_the_first_area_that_has_one_holds_and_the_latest_of_it() -> None:
    early, late = subsistence("1", effective_from="2020-01-01"), subsistence("2", effective_from="2021-01-01")
    book = Book([early, late, subsistence("3", "russia")])
    found = book.require(Subsistence, ("nowhere", "here", "russia"), date(2022, 1, 1))
    assert found[0] == late
    assert book.require(Subsistence, ("here",), date(2020, 6, 1))[0] == early


def test_two_of_the_same_day_are_refused_by_name() -> None:
    book = Book([subsistence("1"), subsistence("2")])
    with pytest.raises(OverlappingSheets, match="subsistence 1 here and subsistence 2 here"):
        book.require(Subsistence, ("here",), date(2022, 1, 1))


def test_where_nothing_holds_it_says_what_to_add() -> None:
    ended = sheet("norm", "area-norm", household_m2=["33"], effective_to="2020-01-01")
    with pytest.raises(NoSheet, match="area-norm in here on 2022-01-01; add"):
        Book([ended]).require(AreaNorm, ("here",), date(2022, 1, 1))
