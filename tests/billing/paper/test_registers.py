"""Registers of banks: files as banks word them, every encoding, and files with something wrong in them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.paper.registers import (
    ENCODINGS,
    Profile,
    RegisterError,
    Row,
    debts_file_name,
    parse_profile,
    read_register,
    shipped_profiles,
    write_register,
)
from contracts.wire.ids import Period

PROFILES = shipped_profiles()
BANK = PROFILES["sberbank-payments"]
FIRST = "03-02-2026;10-15-59;8646/01;042C;5551001;702000012;ЖИТЕЛЬ 12;ДЕМОГОРОД, Д. 2, КВ. 6;012026;"
SECOND = "03-02-2026;11-00-00;8646/01;042C;5551002;702000013;ЖИТЕЛЬ 13;ДЕМОГОРОД, Д. 2, КВ. 7;012026;"
FILE = f"{FIRST}20020,47;19820,27;200,20\r\n{SECOND}1000,00;990,00;10,00\r\n=2;21020,47;20810,27;210,20\r\n"
"""Two payments as the form of the project's notes on the domain lays them out."""
TEXT = st.text("абвгдеёжзийклмнопрстуфхцчшщъыьэюяАБВ 0123456789.,-/", max_size=30).map(lambda s: " ".join(s.split()))
ROWS = st.builds(
    Row,
    account=st.text("0123456789", min_size=1, max_size=20),
    amount_kopecks=st.integers(1, 10**12),
    paid_on=st.dates(date(2000, 1, 1), date(2199, 12, 31)),
    paid_at=st.times().map(lambda t: t.replace(microsecond=0)),
    period=st.builds(Period, st.integers(2000, 2199), st.integers(1, 12)),
    operation=st.text("0123456789", min_size=1, max_size=12),
    fee_kopecks=st.integers(0, 10**6),
    texts=st.fixed_dictionaries({"branch": TEXT, "cashier": TEXT, "holder": TEXT, "address": TEXT}),
)


def whole(rows: list[Row]) -> list[Row]:
    """The rows with their sums in agreement, each its own operation, as they come back from a file."""
    out = []
    for number, row in enumerate(rows, start=1):
        texts = {name: text for name, text in row.texts.items() if text}
        fee = row.fee_kopecks or 0
        out.append(replace(row, operation=str(number), to_transfer_kopecks=row.amount_kopecks - fee, texts=texts,
                           line=number))  # fmt: skip
    return out


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_bank_s_file_is_read_in_whatever_encoding_it_came(encoding: str) -> None:
    found = read_register(FILE.encode(encoding), BANK)
    assert (found.problems, found.encoding, found.amount_kopecks) == ((), encoding, 2_102_047)
    first = found.rows[0]
    assert (first.account, first.amount_kopecks, first.fee_kopecks, first.operation) == (
        "702000012",
        2_002_047,
        20_020,
        "5551001",
    )
    assert (first.paid_on, first.paid_at, first.period) == (date(2026, 2, 3), time(10, 15, 59), Period(2026, 1))
    assert first.texts["holder"] == "ЖИТЕЛЬ 12"


def test_what_is_read_is_written_back_to_the_byte() -> None:
    for encoding in ENCODINGS:
        data = FILE.encode(encoding)
        assert write_register(read_register(data, BANK).rows, BANK, encoding) == data


@given(st.lists(ROWS, max_size=8), st.sampled_from(ENCODINGS))
def test_any_register_comes_back_as_it_went(rows: list[Row], encoding: str) -> None:
    rows = whole(rows)
    found = read_register(write_register(rows, BANK, encoding), BANK)
    assert found.problems == ()
    plain = [replace(row, texts={}) for row in found.rows]
    assert plain == [replace(row, texts={}) for row in rows]
    if found.encoding == encoding:
        assert list(found.rows) == rows


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (("20020,47;", "20020.47;"), "no sum"),
        (("20020,47;", "20020,475;"), "no sum"),
        (("20020,47;", "-20020,47;"), "not above zero"),
        (("20020,47;", "²;"), "no sum"),
        (("19820,27", "19820,26"), "do not make"),
        (("702000012", ""), "account is empty"),
        (("03-02-2026;10", "2026-02-03;10"), "date"),
        (("10-15-59", "10:15"), "time"),
        (("012026;20020", "132026;20020"), "no month"),
        ((";042C;5551001", ";5551001"), "11 columns"),
    ],
)
def test_a_bad_line_is_named_and_left_out_and_the_rest_goes_on(wrong: tuple[str, str], reason: str) -> None:
    found = read_register(FILE.replace(*wrong, 1).encode("utf-8"), BANK)
    assert [row.account for row in found.rows] == ["702000013"]
    assert (found.problems[0].line, reason in found.problems[0].reason) == (1, True), found.problems
    assert any("closing line says amount 2102047, the good lines make 100000" in p.reason for p in found.problems)


def test_one_bad_row_in_ten_thousand_is_named_by_its_line() -> None:
    rows = [Row(str(n), n, date(2026, 2, 3), None, None, str(n)) for n in range(1, 10_001)]
    profile = PROFILES["plain-payments"]
    text = write_register(rows, profile).decode().replace("|7777|", "||")
    found = read_register(text.encode(), profile)
    assert len(found.rows) == 9_999
    assert found.problems[0].line == 7_777


def test_a_file_that_was_cut_off_and_one_that_goes_on_are_told() -> None:
    lines = FILE.splitlines(keepends=True)
    assert "cut off" in read_register("".join(lines[:2]).encode("cp1251"), BANK).problems[0].reason
    assert "after the closing" in read_register((FILE + lines[0]).encode("cp1251"), BANK).problems[0].reason


def test_an_operation_that_stands_twice_is_told() -> None:
    data = FILE.replace("5551002", "5551001").encode("cp1251")
    (problem,) = read_register(data, BANK).problems
    assert (problem.line, "line 1 already" in problem.reason) == (2, True)


def test_a_text_can_not_break_the_columns() -> None:
    row = Row("1", 100, texts={"holder": "А;Б\r\nВ\u2028Г 😀"})
    data = write_register([row], PROFILES["sberbank-debts"])
    assert data == "1;А Б В Г ?;1,00\r\n".encode("cp1251")
    assert read_register(data, PROFILES["sberbank-debts"]).problems == ()


def test_a_row_without_what_a_column_needs_is_refused() -> None:
    with pytest.raises(RegisterError, match="account 1: no to_transfer"):
        write_register([Row("1", 100)], BANK)
    with pytest.raises(RegisterError, match="closing"):
        write_register([Row("1", 100, operation="#1")], PROFILES["plain-payments"])


def test_a_register_of_debts_is_named_as_the_bank_s_own_example() -> None:
    """1234567890_40702810012345678912_001_1219.txt, from the bank's help for business."""
    name = debts_file_name("1234567890", "40702810012345678912", 1, Period(2019, 12))
    assert name == "1234567890_40702810012345678912_001_1219.txt"
    with pytest.raises(RegisterError):
        debts_file_name("1234567890", "40702810012345678912", 1000, Period(2019, 12))


@pytest.mark.parametrize(
    "change",
    [{"columns": ["account"]}, {"columns": ["account", "amount", "sum"]}, {"columns": ["account", "amount", "amount"]},
     {"delimiter": ";;"}, {"encoding": "cp866"}, {"decimal_mark": ";"}, {"format": 2}, {"act": ""}, {"closing": 3},
     {"closing": {"mark": "=", "columns": ["holder"]}}, {"closing": {"mark": "", "columns": ["count"]}}],
)  # fmt: skip
def test_a_profile_that_can_not_work_is_refused_by_name(change: dict[str, object]) -> None:
    value = {
        "format": 1, "name": "mine", "kind": "payments", "act": "an agreement", "encoding": "cp1251", "delimiter": ";",
        "line_end": "\n", "decimal_mark": ",", "date": "%d.%m.%Y", "time": "%H:%M", "columns": ["account", "amount"],
        "closing": None,
    }  # fmt: skip
    assert isinstance(parse_profile(value), Profile)
    with pytest.raises(RegisterError, match="mine"):
        parse_profile(json.loads(json.dumps(value | change)))
