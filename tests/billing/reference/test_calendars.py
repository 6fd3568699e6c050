"""Key rates, holidays, moratoria and regions from tables: the rules of penalties read what the forms write."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from billing.debt.penalty_rules import rules_of, shipped_documents
from billing.reference.importing import Import, read_import, write_form
from billing.reference.regions import RegionsError, parse_regions
from billing.reference.titles import title_of


def read(path: Path, text: str) -> Import:
    path.write_text(text, encoding="utf-8")
    return read_import(path, [])


def test_key_rates_of_a_table_are_in_force_from_their_days(tmp_path: Path) -> None:
    found = read(
        tmp_path / "bank.csv",
        "since;percent;act\n27.10.2025;16,5;Решение от 24.10.2025\n2025-09-15;17%;Решение от 12.09.2025\n",
    )
    assert found.faults == ()
    rules = rules_of([found.documents[0].value])
    assert rules.key_rate(date(2025, 10, 26)).rate == Fraction(17, 100)
    assert rules.key_rate(date(2025, 10, 27)).rate == Fraction(165, 1000)
    title = title_of(found.documents[0].value)
    assert (title.name, title.effective_from) == ("bank", date(2025, 9, 15))
    assert title.act == "Решение от 12.09.2025; Решение от 24.10.2025"


def test_moratoria_say_whether_their_last_day_is_part_of_them(tmp_path: Path) -> None:
    text = "effective_from;last_day;to_included;act\n2022-04-01;2022-10-01;{};ПП № 497\n"
    ends = {}
    for word in ("yes", "нет"):
        (document,) = read(tmp_path / "m.csv", text.format(word)).documents
        (pause,) = rules_of([document.value]).moratoria
        ends[word] = pause.last
    assert ends == {"yes": date(2022, 10, 1), "нет": date(2022, 9, 30)}


def test_holidays_move_a_weekend(tmp_path: Path) -> None:
    text = "day;day_kind;act\n31.12.2026;выходной;ПП № 1466\n2026-12-26;working;ПП № 1466\n"
    rules = rules_of([*[d.value for d in read(tmp_path / "h.csv", text).documents]])
    assert not rules.is_working(date(2026, 12, 31))
    assert rules.is_working(date(2026, 12, 26))  # a Saturday
    assert not rules.is_working(date(2026, 12, 27))
    mixed = read(tmp_path / "h2.csv", text + "05-09;every_year;ст. 112\n")
    assert [(f.row, f.column) for f in mixed.faults] == [(4, "day_kind")]


@pytest.mark.parametrize("kind", ["key_rates", "moratoria", "holidays"])
def test_what_ships_goes_out_and_comes_back_with_the_same_rules(kind: str, tmp_path: Path) -> None:
    for value in (v for v in shipped_documents() if v["kind"] == kind):
        write_form(tmp_path / f"{value['name']}.csv", kind, [value])
        found = read_import(tmp_path / f"{value['name']}.csv", [])
        assert found.faults == ()
        mine, its = rules_of([found.documents[0].value]), rules_of([value])
        assert mine.moratoria == its.moratoria
        assert [(r.since, r.rate) for r in mine.key_rates] == [(r.since, r.rate) for r in its.key_rates]
        assert [(h.days_off, h.every_year, h.working_weekends) for h in mine.holidays] == [
            (h.days_off, h.every_year, h.working_weekends) for h in its.holidays
        ]


def test_regions_tell_the_order_in_which_a_house_looks_for_documents(tmp_path: Path) -> None:
    found = read(
        tmp_path / "regions.csv",
        "area;name;oktmo;parent;zone;act\n"
        "russia;Россия;;;Europe/Moscow;ОКТМО\n"
        "krasnoyarsk;Красноярский край;04000000;russia;Asia/Krasnoyarsk;ОКТМО\n"
        "krasnoyarsk-city;Красноярск;04701000,04701000001;krasnoyarsk;Asia/Krasnoyarsk;ОКТМО\n",
    )
    assert found.faults == ()
    regions = parse_regions(found.documents[0].value)
    assert regions.areas_of("krasnoyarsk-city") == ("krasnoyarsk-city", "krasnoyarsk", "russia")
    assert regions.area_of("04701000001") == "krasnoyarsk-city"
    bad = read(tmp_path / "r.csv", "area;name;oktmo;parent;zone;act\na;A;123;;Mars/Base;x\nb;B;;;Mars/Base;x\n")
    assert [(f.row, f.column) for f in bad.faults if f.row] == [(2, "oktmo"), (3, "zone")]
    circle = [
        {"area": a, "name": a, "oktmo": [], "parent": b, "zone": "UTC", "act": "x"} for a, b in (("a", "b"), ("b", "a"))
    ]
    with pytest.raises(RegionsError, match="part of itself"):
        parse_regions({"name": "r", "regions": circle})
