"""Forms in files as people make them: Excel's CSV, Russian columns, workbooks; and back again without a loss."""

from __future__ import annotations

import csv
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from billing.domain.tariff import parse_document
from billing.reference.faults import FileRefused
from billing.reference.importing import read_import, write_form
from billing.tariffs import demo_documents
from contracts.wire.ids import Service

HEAD = "name;kind;area;service;act;effective_from;effective_to;unit;rate;value"


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def test_a_russian_cp1251_file_with_decimal_commas_is_the_same_document_as_the_english_one(tmp_path: Path) -> None:
    russian = write(
        tmp_path / "moscow.csv",
        "Наименование;Вид;Территория;Услуга;Акт;Действует с;Действует по;Единица;Ставка;Значение\r\n"
        'water;тариф;moscow;ХВС;"Приказ № 1; от 01.06.2021";01.07.2021;31.12.2021;m3;single;43,57\r\n',
        "cp1251",
    )
    english = write(
        tmp_path / "english.csv",
        "name,kind,area,service,act,effective_from,effective_to,unit,rate,value\n"
        "water,tariff,moscow,cold_water,Приказ № 1; от 01.06.2021,2021-07-01,2022-01-01,m3,single,43.57\n",
        "utf-8-sig",
    )
    found = [read_import(path, []) for path in (russian, english)]
    assert [f.faults for f in found] == [(), ()]
    (one,), (other,) = (f.documents for f in found)
    assert one.value == other.value
    assert one.value["rates"] == {"single": "43.57"}
    assert one.value["effective_to"] == "2022-01-01"  # the last day is part of it, the document's end is not


def test_a_workbook_s_own_numbers_and_dates_come_exactly(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append([*HEAD.split(";")])
    rates = {"a": 0.1, "b": 2546.83, "c": 43.57, "d": 0.0583, "e": 7}
    for rate, value in rates.items():
        sheet.append(["heat", "tariff", "moscow", "heating", "act", date(2021, 7, 1), None, "Gcal", rate, value])
    book.save(tmp_path / "heat.xlsx")
    (document,) = read_import(tmp_path / "heat.xlsx", []).documents
    assert {k: Decimal(v) for k, v in document.value["rates"].items()} == {k: Decimal(str(v)) for k, v in rates.items()}
    assert document.value["effective_from"] == "2021-07-01"


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_what_ships_goes_out_and_comes_back_as_it_was(suffix: str, tmp_path: Path) -> None:
    documents = list(demo_documents())
    write_form(tmp_path / f"all{suffix}", "tariffs", documents)
    found = read_import(tmp_path / f"all{suffix}", [])
    assert found.faults == ()
    assert {d.value["name"]: parse_document(d.value) for d in found.documents} == {
        value["name"]: parse_document(value) for value in documents
    }


plain = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=12)
decimals = st.decimals(0, 99999, places=4, allow_nan=False).map(lambda d: format(d, "f"))


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    starts = draw(st.dates(date(2015, 1, 1), date(2030, 1, 1)))
    ends = draw(st.none() | st.dates(date(2030, 1, 2), date(2040, 1, 1)))
    value: dict[str, Any] = {
        "format": 1, "name": draw(plain.filter(lambda t: "," not in t)),
        "kind": draw(st.sampled_from(["tariff", "norm"])),
        "area": draw(plain), "service": draw(st.sampled_from(list(Service))).name.lower(), "act": draw(plain),
        "effective_from": starts.isoformat(), "effective_to": None if ends is None else ends.isoformat(), "unit": "m3",
        "rates": draw(st.dictionaries(st.sampled_from(["single", "day", "night", "day_over"]), decimals, min_size=1)),
    }  # fmt: skip
    if draw(st.booleans()):
        rooms, persons = draw(st.integers(1, 4)), draw(st.integers(1, 5))
        value["table"] = [[draw(decimals) for _ in range(persons)] for _ in range(rooms)]
    if draw(st.booleans()):
        edge = draw(st.integers(1, 23))
        value["plans"] = {"two": {"day": [[0, edge]], "night": [[edge, 24]]}}
    if draw(st.booleans()):
        value["features"] = sorted(draw(st.sets(st.sampled_from(["lift", "gas", "direct"]), min_size=1)))
    if draw(st.booleans()):
        value["season_months"] = sorted(draw(st.sets(st.integers(1, 12), min_size=1)))
    return value


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(documents(), min_size=1, max_size=3, unique_by=lambda d: d["name"]),
    suffix=st.sampled_from([".csv", ".xlsx"]),
)
def test_any_documents_survive_writing_and_reading(values: list[dict[str, Any]], suffix: str, tmp_path: Path) -> None:
    for number, value in enumerate(values):
        value["area"] = f"{value['area']}{number}"  # overlaps are another test's
    write_form(tmp_path / f"any{suffix}", "tariffs", values)
    found = read_import(tmp_path / f"any{suffix}", [])
    assert found.faults == ()
    assert [json.dumps(d.value, sort_keys=True) for d in found.documents] == [
        json.dumps(value, sort_keys=True) for value in values
    ]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("empty.csv", b"\n\n", "is empty"),
        ("other.csv", b"a;b\n1;2\n", "is no form known here"),
        ("twice.csv", b"name;name\n1;2\n", "is there twice"),
        ("broken.xlsx", b"PK not a workbook", "is no Excel workbook"),
        ("bytes.csv", b"name\x98\x81\n", "neither UTF-8 nor cp1251"),
    ],
)
def test_a_file_that_is_no_form_is_refused_by_name(name: str, data: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FileRefused, match=reason) as refused:
        read_import(tmp_path / name, [])
    assert refused.value.file == name


def test_csv_written_here_opens_in_a_csv_reader_of_another_s_making(tmp_path: Path) -> None:
    values = list(demo_documents())[:3]
    write_form(tmp_path / "out.csv", "tariffs", values)
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter=";"))
    assert {row["name"] for row in rows} == {value["name"] for value in values}
