"""Statements as banks send them: the real file of the project's data, every encoding, and files that are not whole."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from billing.paper.bank import (
    is_exchange,
    kopecks_of,
    parse_statement_profile,
    read_exchange,
    read_table,
    statement_profiles,
)
from billing.paper.registers import RegisterError

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "bank_1c" / "1CClientBankExchange.txt"
PLAIN = statement_profiles()["plain-statement"]


def document(number: int, kopecks: int, *, is_credit: bool = True, purpose: str = "ЖКУ") -> str:
    mine, other = ("Получатель", "Плательщик") if is_credit else ("Плательщик", "Получатель")
    return (
        f"СекцияДокумент=Платежное поручение\r\nНомер={number}\r\nДата=05.02.2026\r\n"
        f"Сумма={kopecks // 100}.{kopecks % 100:02d}\r\n{mine}Счет={'4' * 20}\r\n{other}Счет={'5' * 20}\r\n"
        f"{other}1=Сосед\r\nНазначениеПлатежа={purpose}\r\nКонецДокумента\r\n"
    )


def exchange(*documents: str, opening: str = "10.00", came: str = "0", went: str = "0", closing: str = "10.00") -> str:
    return (
        "1CClientBankExchange\r\nВерсияФормата=1.03\r\nКодировка=Windows\r\n"
        f"ДатаНачала=01.02.2026\r\nДатаКонца=28.02.2026\r\nРасчСчет={'4' * 20}\r\n"
        f"СекцияРасчСчет\r\nРасчСчет={'4' * 20}\r\nНачальныйОстаток={opening}\r\nВсегоПоступило={came}\r\n"
        f"ВсегоСписано={went}\r\nКонечныйОстаток={closing}\r\nКонецРасчСчет\r\n" + "".join(documents) + "КонецФайла\r\n"
    )


GOOD = exchange(document(1, 12_345), document(2, 300, is_credit=False), came="123.45", went="3", closing="130.45")


@pytest.mark.skipif(not REAL.exists(), reason="the project's data is not here")
def test_the_real_statement_is_read_and_told_to_be_an_excerpt() -> None:
    found = read_exchange(REAL.read_bytes())
    assert found.encoding == "utf-8"  # though the file says Windows
    assert found.account == "40702810801500116391"
    assert (found.first, found.last) == (date(2022, 4, 1), date(2022, 10, 27))
    assert [e.amount_kopecks for e in found.entries] == [-70_000, 105_298, 116_698, -1_400_000]
    assert [e.on for e in found.entries] == [date(2022, 4, 15)] * 2 + [date(2022, 4, 18)] * 2
    assert found.entries[1].counterparty == "Иванов Иван Иванович"
    opening, came, went, closing = 830_000, 268_183_146, 255_473_723, 13_539_423  # as the bank's own lines have them
    assert (found.opening_kopecks, found.credited_kopecks) == (opening, came)
    assert (found.debited_kopecks, found.closing_kopecks) == (went, closing)
    assert opening + came - went == closing
    # Its four documents are not all of the half-year's turnover: that must not pass for a whole statement.
    assert [str(came) in p.reason or str(went) in p.reason for p in found.problems] == [True, True]


@pytest.mark.parametrize("encoding", ["cp1251", "cp866", "koi8-r", "utf-8", "utf-8-sig", "utf-16"])
def test_encodings_are_found_whatever_the_file_says_of_itself(encoding: str) -> None:
    data = GOOD.encode(encoding)
    assert is_exchange(data)
    found = read_exchange(data)
    assert (found.encoding, found.problems) == (encoding.removesuffix("-sig"), ())
    assert [(e.amount_kopecks, e.counterparty) for e in found.entries] == [(12_345, "Сосед"), (-300, "Сосед")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD.replace("КонецФайла\r\n", ""), "cut off"),
        (GOOD[: GOOD.index("Номер=2")], "cut off"),
        (GOOD.replace("Поступило=123.45", "Поступило=123.46"), "do not make the closing"),
        (GOOD.replace("Сумма=123.45", "Сумма=123.44"), "some are missing"),
        (GOOD.replace("Сумма=123.45", "Сумма=12а"), "no sum in roubles"),
        (GOOD.replace("Сумма=123.45", "Сумма=-123.45"), "no sum above zero"),
        (GOOD.replace("Дата=05.02.2026", "Дата=30.02.2026"), "not of the form"),
        (GOOD.replace("ПолучательСчет=" + "4" * 20, "ПолучательСчет=" + "6" * 20), "neither to nor from"),
    ],
)
def test_what_is_wrong_is_told_and_the_rest_is_kept(text: str, told: str) -> None:
    assert told in " / ".join(p.reason for p in read_exchange(text.encode("cp1251")).problems)


def test_a_file_of_another_form_or_account_is_refused() -> None:
    with pytest.raises(RegisterError, match="does not begin with"):
        read_exchange(b"date;sum\r\n")
    with pytest.raises(RegisterError, match="444"):
        read_exchange(GOOD.encode("cp1251"), account="7" * 20)


@pytest.mark.parametrize(("text", "kopecks"), [("700", 70_000), ("1052.98", 105_298), ("0.5", 50), ("-3", -300)])
def test_sums_as_banks_write_them(text: str, kopecks: int) -> None:
    assert kopecks_of(text) == kopecks


@pytest.mark.parametrize("text", ["", "1.234", "1,5", "٣", "1.", "--1", "1e3", "+1"])
def test_what_is_no_sum_is_refused(text: str) -> None:
    with pytest.raises(RegisterError):
        kopecks_of(text)


def test_a_table_is_read_by_its_profile() -> None:
    text = (
        "дата;номер;кто;приход;расход;назначение\r\n"
        '05.02.2026;7;Сосед;"123,45";;"ЖКУ; январь"\r\n'
        "06.02.2026;8;Сосед;;3,00;возврат\r\n06.02.2026;9;Сосед;;;ничего\r\n"
    )
    found = read_table(text.encode("cp1251"), PLAIN)
    assert [(e.line, e.amount_kopecks, e.purpose) for e in found.entries] == [
        (2, 12_345, "ЖКУ; январь"),
        (3, -300, "возврат"),
    ]
    assert [(p.line, "no sum" in p.reason) for p in found.problems] == [(4, True)]
    signed = replace(PLAIN, columns=("date", "amount", "purpose"), header_lines=0, decimal_mark=".")
    assert [e.amount_kopecks for e in read_table(b"05.02.2026;-1.50;x\n", signed).entries] == [-150]


def test_profiles_need_an_act_a_date_and_a_sum() -> None:
    path = Path(__file__).parents[3] / "billing" / "paper" / "data" / "statements" / "plain-statement.json"
    value = json.loads(path.read_text(encoding="utf-8"))
    assert parse_statement_profile(value) == PLAIN
    for changed in ({"act": ""}, {"columns": ["date"]}, {"columns": ["date", "credit", "no such"]}, {"format": 2}):
        with pytest.raises(RegisterError):
            parse_statement_profile(value | changed)
