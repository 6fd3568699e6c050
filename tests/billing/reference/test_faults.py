"""One bad row in ten thousand: named with its column, value and remedy; nothing is kept, or all the rest on demand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from billing.reference.importing import read_import, write_refused

HEAD = "name;kind;area;service;act;effective_from;effective_to;unit;rate;value;features;replaces"
GOOD = 10_000


def row(number: int, **changes: str) -> str:
    cells = {
        "name": f"water-{number}", "kind": "tariff", "area": f"area-{number}", "service": "cold_water", "act": "act",
        "effective_from": "2026-01-01", "effective_to": "", "unit": "m3", "rate": "single", "value": "43,57",
        "features": "", "replaces": "", **changes,
    }  # fmt: skip
    return ";".join(cells[column] for column in HEAD.split(";"))


def file(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
    return path


def document(name: str, **changes: Any) -> dict[str, Any]:
    value = {
        "format": 1, "name": name, "kind": "tariff", "area": "a", "service": "cold_water", "act": "act", "unit": "m3",
        "effective_from": "2026-01-01", "effective_to": None, "rates": {"single": "1"},
    }  # fmt: skip
    return {**value, **changes}


def test_one_bad_row_in_ten_thousand_is_named_and_the_rest_stands(tmp_path: Path) -> None:
    rows = [row(i) for i in range(GOOD)]
    rows[7_000] = row(7_000, value="43.57 руб")
    found = read_import(file(tmp_path / "big.csv", *rows), [])
    (fault,) = found.faults
    assert (fault.row, fault.column, fault.value) == (7_002, "value", "43.57 руб")
    assert "without a unit" in fault.remedy
    assert len(found.documents) == GOOD - 1
    write_refused(tmp_path / "refused.csv", found)
    again = read_import(tmp_path / "refused.csv", [])
    assert (again.faults[0].row, again.faults[0].column) == (2, "value")  # the row as it came, to be mended there
    mended = (tmp_path / "refused.csv").read_text(encoding="utf-8-sig").replace("43.57 руб;", "43.57;", 1)
    (tmp_path / "mended.csv").write_text(mended, encoding="utf-8")
    (document_,) = read_import(tmp_path / "mended.csv", [d.value for d in found.documents]).documents
    assert document_.value["rates"] == {"single": "43.57"}


@pytest.mark.parametrize(
    ("changes", "column", "words"),
    [
        ({"service": "холод"}, "service", "cold_water"),
        ({"kind": "price"}, "kind", "tariff"),
        ({"act": ""}, "act", "fill it in"),
        ({"effective_from": "2026-13-01"}, "effective_from", "2026-10-01"),
        ({"effective_to": "2025-01-01"}, "effective_to", "later day"),
        ({"value": "-1"}, "value", "from zero"),
        ({"value": "43.570000000000007"}, "value", "as the act has it"),
        ({"rate": ""}, "rate", "fill in rate"),
        ({"replaces": "nobody"}, "replaces", "name one that is"),
        ({"name": "a,b"}, "name", "without commas"),
    ],
)
def test_each_fault_names_its_column_and_a_remedy(
    changes: dict[str, str], column: str, words: str, tmp_path: Path
) -> None:
    found = read_import(file(tmp_path / "one.csv", row(1, **changes)), [])
    (fault,) = found.faults
    assert (fault.row, fault.column, found.documents) == (2, column, ())
    assert words in fault.remedy


def test_a_document_with_a_bad_row_is_refused_with_all_its_rows(tmp_path: Path) -> None:
    rows = [row(1), row(1, rate="night", value="no"), row(2)]
    found = read_import(file(tmp_path / "two.csv", *rows), [])
    assert [fault.row for fault in found.faults] == [2, 3]
    assert [d.value["name"] for d in found.documents] == ["water-2"]


def test_rows_of_one_document_must_not_say_different_things_of_it(tmp_path: Path) -> None:
    found = read_import(file(tmp_path / "two.csv", row(1), row(1, rate="night", unit="l")), [])
    assert [(f.row, f.column) for f in found.faults] == [(2, "name"), (3, "unit")]


# --- overlaps ---


@pytest.mark.parametrize(
    ("changes", "overlaps"),
    [
        ({}, True),
        ({"effective_from": "2026-10-01"}, True),
        ({"effective_from": "2025-01-01", "effective_to": "2026-01-02"}, True),
        ({"effective_from": "2025-01-01", "effective_to": "2026-01-01"}, False),
        ({"area": "b"}, False),
        ({"service": "sewage"}, False),
        ({"kind": "norm"}, False),
        ({"features": "lift"}, False),
        ({"effective_from": "2026-10-01", "replaces": "first"}, False),
    ],
)
def test_an_overlap_is_refused_unless_it_says_what_it_replaces(
    changes: dict[str, str], overlaps: bool, tmp_path: Path
) -> None:
    found = read_import(file(tmp_path / "new.csv", row(1, **{"area": "a", **changes})), [document("first")])
    assert [f.column for f in found.faults] == (["effective_from"] if overlaps else [])
    if overlaps:
        assert "first" in found.faults[0].reason
        assert "replaces" in found.faults[0].remedy


def test_two_rows_of_one_file_overlap_too(tmp_path: Path) -> None:
    found = read_import(file(tmp_path / "new.csv", row(1, area="a"), row(2, area="a")), [])
    assert [f.row for f in found.faults] == [3]


def test_what_a_whole_file_replaces_can_be_said_beside_it(tmp_path: Path) -> None:
    path = file(tmp_path / "new.csv", row(1, area="a", effective_from="2026-10-01"), row(2))
    found = read_import(path, [document("first")], replaces=["first"])
    assert found.faults == ()
    assert [d.value.get("replaces") for d in found.documents] == [["first"], None]


def test_the_same_file_again_is_nothing_new_and_another_under_its_name_is_refused(tmp_path: Path) -> None:
    first = read_import(file(tmp_path / "a.csv", row(1)), [])
    kept = [d.value for d in first.documents]
    assert read_import(tmp_path / "a.csv", kept).faults == ()
    (fault,) = read_import(file(tmp_path / "a.csv", row(1, value="44")), kept).faults
    assert (fault.column, fault.value) == ("name", "water-1")
