"""Formats against values written by hand, and catalogues that say the same things."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel import Locale

import webapp
from api.problems import TABLE
from contracts.wire.ids import Service, SourceClass
from contracts.wire.leaf import Quality
from webapp.formatters import Formatter, parse_roubles
from webapp.texts import LANGUAGES, Texts, catalogue

TEMPLATES = Path(webapp.__file__).parent / "templates"
RU, EN = Formatter("ru", "Asia/Krasnoyarsk"), Formatter("en", "Asia/Krasnoyarsk")


def test_money_keeps_every_kopeck_at_any_size() -> None:
    assert RU.money(1) == "0,01\u00a0₽"
    assert RU.money(-123_456) == "\u22121\u00a0234,56\u00a0₽"
    assert EN.money(9_007_199_254_740_993) == "90,071,992,547,409.93\u00a0₽"
    assert RU.plain_roubles(100_296) == "1002,96"


@pytest.mark.parametrize("kopecks", [1, 10, 99, 100, 100_296, 2**48 - 1])
def test_a_sum_in_a_form_comes_back_as_it_went(kopecks: int) -> None:
    for language in (RU, EN):
        assert parse_roubles(language.plain_roubles(kopecks)) == kopecks
        assert (
            parse_roubles(language.money(kopecks).replace(",", "") if language is EN else language.money(kopecks))
            == kopecks
        )


@pytest.mark.parametrize("text", ["", "1,234", "1.2.3", "abc", "-1", "1e3", "١٢", ",5", "1,-5"])
def test_what_is_no_sum_is_none(text: str) -> None:
    assert parse_roubles(text) is None


def test_dates_are_local_to_the_house() -> None:
    assert RU.month("2026-01") == "январь 2026\u202fг."
    assert EN.month("2026-01") == "January 2026"
    assert RU.moment("2025-12-31T17:00:00Z").startswith("1 янв. 2026")
    assert RU.days("2026-01-01", "2026-02-01").endswith("31 янв. 2026\u202fг.")


def test_quantities_are_shown_in_the_units_people_use() -> None:
    assert (RU.quantity(114_500, "Wh"), RU.common_unit("Wh")) == ("114,5", "kWh")
    assert (EN.quantity(12_345_678, "litre"), EN.common_unit("litre")) == ("12,345.678", "m3")
    assert EN.quantity(4_500, "dm2") == "45"
    assert EN.quantity(1_762_080, "ucal") == "1.76208"
    assert EN.quantity(0, "Wh") == "0"
    assert EN.number("≈0.333333") == "≈0.333333"


def test_both_catalogues_say_the_same_things() -> None:
    plural = re.compile(r"\.(one|few|many|other)$")
    keys = [{plural.sub("", key) for key in catalogue(language)} for language in LANGUAGES]
    assert keys[0] == keys[1]
    for language in LANGUAGES:
        forms = {str(Locale(language).plural_form(n)) for n in range(200)} | {"other"}
        counted = {plural.sub("", k) for k in catalogue(language) if plural.search(k)}
        for key in counted:
            assert {f for f in ("one", "few", "many", "other") if f"{key}.{f}" in catalogue(language)} == forms, key


def test_both_catalogues_take_the_same_values() -> None:
    ru, en = catalogue("ru"), catalogue("en")
    for key in ru.keys() & en.keys():
        assert set(re.findall(r"{(\w+)}", ru[key])) == set(re.findall(r"{(\w+)}", en[key])), key


def test_every_text_a_template_names_is_there() -> None:
    named = {
        key
        for page in TEMPLATES.glob("*.html")
        for key in re.findall(r"\bt\(['\"]([a-z_.-]+[a-z])['\"]", page.read_text())
    }
    assert len(named) > 80
    assert named <= catalogue("ru").keys()


def test_everything_the_door_can_say_has_a_text() -> None:
    known = catalogue("ru")
    for problem in TABLE:
        assert f"problem.{problem.slug}.title" in known
        assert f"problem.{problem.slug}.remedy" in known
    assert {f"service.{s.name.lower()}" for s in Service} <= known.keys()
    assert {f"quality.{q.name.lower()}" for q in Quality} <= known.keys()
    assert {f"source.{s.name.lower()}" for s in SourceClass} <= known.keys()
    for state in ("open", "partial", "paid", "superseded"):
        assert f"state.{state}" in known


def test_plurals_follow_the_language() -> None:
    ru = Texts("ru")
    assert [ru.count("statement.lines", n) for n in (1, 2, 5, 21)] == ["1 строка", "2 строки", "5 строк", "21 строка"]
