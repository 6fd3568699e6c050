"""The payment document: its sums against the worked cases and the ledger, its pages against what a reader can check."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
import typst
import zxingcpp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html
from PIL import Image
from pypdf import PdfReader

from billing.paper import render
from billing.paper.assemble import payment_document
from billing.paper.epd import Instalment, NotABill, Owed, PaymentDocument, Recalculation, ServiceRow
from billing.paper.epd_sheet import payment_code, payment_sheet
from billing.paper.qr import read_code
from contracts.wire.ids import BillState, Period, Service
from tests.billing.builders import household, month_of
from tests.billing.paper.scene import KEY, PERSON, by_norm, document_of, epd, metered_month, named, view_of

MADE = datetime(2026, 2, 3, 12, tzinfo=UTC)
NASTY = [
    '#panic("x")',
    "<script>alert(1)</script>",
    "\"&amp; '$x$ *b* _i_ @ref `raw` \\ [c] {d}",
    "Ы" * 160,
    "😀 \u202e x",
]


def row_of(document: PaymentDocument, service: str) -> ServiceRow:
    return next(row for row in document.rows if row.service == service)


def pages(document: PaymentDocument) -> PdfReader:
    return PdfReader(io.BytesIO(render.pdf(payment_sheet(document), MADE)))


def text_of(document: PaymentDocument) -> str:
    """The PDF's text with its line breaks and soft hyphens undone."""
    text = "\n".join(page.extract_text() for page in pages(document).pages)
    return re.sub(r"\s+", " ", text.replace("\u00ad\n", "").replace("\u200b", ""))


def structure(node: Any) -> Iterator[str]:
    """The roles of a PDF's structure tree."""
    node = node.get_object()
    if isinstance(node, dict):
        if "/S" in node:
            yield node["/S"]
        node = node.get("/K", [])
        node = node if isinstance(node, list) else [node]
    for child in node if isinstance(node, list) else []:
        if not isinstance(child, int):
            yield from structure(child)


# --- sums ---


def test_the_worked_case_of_a_metered_flat() -> None:
    """Moscow's tariffs of 07.2021, seven and four m³: the sums of the project's notes on the domain."""
    document = epd()
    sums = {row.service: row.charged_kopecks for row in document.rows}
    assert (sums["cold_water"], sums["hot_water"], sums["sewage"]) == (304_99, 846_68, 352_22)
    cold = row_of(document, "cold_water")
    assert (cold.volume, cold.unit, cold.rates, cold.method) == (Fraction(7), "m3", (Fraction("43.57"),), "meter")
    assert cold.details[0].volume == 7


def test_the_raising_coefficient_is_told_apart_and_not_added_twice() -> None:
    """n = 2, N = 6.935, K = 3: 1812.95 of which the coefficient makes 1208.63."""
    cold = row_of(epd(by_norm()), "cold_water")
    assert (cold.charged_kopecks, cold.surcharge_kopecks, cold.multiplier) == (1812_95, 1208_63, 3)
    assert cold.details[0].volume == cold.volume == Fraction("13.87")
    assert cold.payable_kopecks == cold.charged_kopecks


def test_what_is_left_to_pay_is_what_the_ledger_has_open() -> None:
    moved = {0: {"paid": 100_00, "granted": 50_00}, 1: {"netted": 46_68}, 2: {"written_off": 52_22}}
    document = epd(moved=moved)
    view = view_of(document_of(metered_month()), moved=moved)
    assert document.overall_kopecks == view.open_kopecks
    assert row_of(document, "sewage").recalculated_kopecks == -52_22
    assert row_of(document, "cold_water").payable_kopecks == 304_99 - 50_00


def test_debts_stand_beside_their_services_and_those_of_others_apart() -> None:
    owed = (Owed("cold_water", 1, 1000, 70, 5), Owed("gas", 9, 200), Owed("", 2, 30))
    document = epd(owed=owed)
    cold = row_of(document, "cold_water")
    assert (cold.arrears_kopecks, cold.penalties_kopecks, cold.court_costs_kopecks) == (1000, 70, 5)
    assert document.other == (Owed("gas", 9, 200), Owed("", 2, 30))
    assert document.overall_kopecks == epd().overall_kopecks + 1305
    assert (document.arrears_kopecks, document.penalties_kopecks) == (1230, 70)


def test_a_recalculation_is_told_apart_with_its_ground() -> None:
    document = document_of(metered_month())
    line = document["lines"][0]
    again = {**line["parts"][0], "kind": "recalculation", "act": "ПП РФ № 354, п. 91", "amount_kopecks": -100_00}
    line["parts"].append(again)
    line["amount_kopecks"] -= 100_00
    made = payment_document(view_of(document), document, PERSON, printed_on=MADE.date(), due=MADE.date())
    assert (made.rows[0].charged_kopecks, made.rows[0].recalculated_kopecks) == (304_99, -100_00)
    assert [(r.service, r.amount_kopecks) for r in made.recalculations] == [("cold_water", -100_00)]
    assert "п. 91" in made.recalculations[0].reason


def test_a_recalculation_above_the_charge_leaves_a_rest_for_later_months() -> None:
    document = document_of(metered_month())
    line = document["lines"][0]
    line["parts"].append({**line["parts"][0], "kind": "recalculation", "amount_kopecks": -400_00})
    line |= {"amount_kopecks": 0, "carried_over_kopecks": 95_01}
    made = payment_document(view_of(document), document, PERSON, printed_on=MADE.date(), due=MADE.date())
    assert made.rows[0].payable_kopecks == 0
    assert sum(r.amount_kopecks for r in made.recalculations) == made.rows[0].recalculated_kopecks == -304_99


def test_readings_of_a_water_meter_stand_once_for_both_services() -> None:
    readings = epd().readings
    assert [r.services for r in readings[:2]] == [("cold_water", "sewage"), ("hot_water", "sewage")]
    assert (readings[0].previous, readings[0].current, readings[0].unit) == (100, 107, "m3")
    assert [(r.register, r.current) for r in readings[2:]] == [(1, 1160), (2, 460)]


def test_residents_are_those_of_the_month() -> None:
    flat = household(residents=((MADE.date().replace(year=2020), 2), (MADE.date(), 5)))
    assert epd(month_of(flat=flat)).premises.residents == 2


def test_a_note_has_no_payment_document() -> None:
    document = {**document_of(metered_month()), "kind": "credit_note"}
    with pytest.raises(NotABill, match="later month"):
        payment_document(view_of(document), document, PERSON, printed_on=MADE.date(), due=MADE.date())


@given(st.lists(st.integers(0, 10**7), min_size=5, max_size=5), st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_columns_add_up_whatever_moved(owed: list[int], data: st.DataObject) -> None:
    document = document_of(metered_month())
    lines = [row for row in document["lines"] if row["line"] is not None]
    moved = {}
    for row in lines:
        cuts = sorted(data.draw(st.lists(st.integers(0, row["amount_kopecks"]), min_size=4, max_size=4)))
        moved[row["line"]] = dict(zip(("paid", "granted", "netted"), (b - a for a, b in pairwise(cuts)), strict=True))
    debts = (Owed("cold_water", 1, *owed[:3]), Owed("gas", 9, *owed[3:]))
    made = epd(moved=moved, owed=debts)
    assert made.overall_kopecks == view_of(document, moved=moved).open_kopecks + sum(owed)
    for row in made.rows:
        sums = row.charged_kopecks + row.recalculated_kopecks - row.granted_kopecks - row.paid_kopecks
        extra = row.arrears_kopecks + row.penalties_kopecks + row.court_costs_kopecks
        assert row.overall_kopecks == sums + extra


# --- the code ---


def test_the_code_asks_for_what_is_left_with_penalties_apart() -> None:
    document = epd(owed=(Owed("cold_water", 1, 1000, 70),))
    code = read_code(payment_code(document))
    assert code.sum_kopecks == document.overall_kopecks - 70
    assert (code.fields["AddAmount"], code.fields["PersAcc"], code.period) == ("70", "17", Period(2026, 1))
    assert code.fields["PayeeINN"] == PERSON.payee.inn
    assert code.warnings == ()


def test_the_printed_page_is_scanned_and_says_what_the_document_says() -> None:
    document = epd(owed=(Owed("cold_water", 1, 1000, 70),))
    page = Image.open(io.BytesIO(render.images(payment_sheet(document), 150)[0]))
    (found,) = zxingcpp.read_barcodes(page)
    assert bytes(found.bytes) == payment_code(document)


def test_the_html_page_holds_the_same_code() -> None:
    document = epd()
    svg = re.search(r"<svg.*?</svg>", render.html(payment_sheet(document)), re.S)
    assert svg is not None
    page = b'#set page(width: auto, height: auto)\n#image(bytes(sys.inputs.svg), format: "svg", width: 60mm)'
    png = typst.compile(page, format="png", sys_inputs={"svg": svg[0]})
    (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(png)))
    assert bytes(found.bytes) == payment_code(document)


@pytest.mark.parametrize("paid", ["paid", "superseded"])
def test_nothing_left_to_pay_means_no_code(paid: str) -> None:
    document = document_of(metered_month())
    whole = {row["line"]: {"paid": row["amount_kopecks"]} for row in document["lines"]}
    made = epd(moved=whole, state=BillState.PAID) if paid == "paid" else epd(state=BillState.SUPERSEDED)
    sheet = payment_sheet(made)
    assert sheet.code is None
    words = "оплачено полностью" if paid == "paid" else "заменён исправленным"
    assert words in text_of(made)
    assert words in render.html(sheet)


# --- the pages ---


def test_the_pdf_is_tagged_russian_and_titled() -> None:
    reader = pages(epd(by_norm()))
    catalogue = reader.trailer["/Root"]
    assert catalogue["/MarkInfo"]["/Marked"]
    assert catalogue["/Lang"].startswith("ru")
    assert catalogue["/ViewerPreferences"]["/DisplayDocTitle"]
    assert "pdfuaid:part" in reader.trailer["/Root"]["/Metadata"].get_data().decode()
    assert "январь 2026" in str(reader.metadata.title if reader.metadata else "")
    roles = [role for role in structure(catalogue["/StructTreeRoot"]) if role in ("/TH", "/Table", "/H1", "/Figure")]
    assert roles.count("/Table") == 4
    assert roles.count("/TH") == 15 + 3 + 2 + 6
    assert (roles.count("/H1"), roles.count("/Figure")) == (1, 1)


def test_both_pages_say_the_six_sections_and_every_sum() -> None:
    document = epd(
        by_norm(),
        owed=(Owed("gas", 9, 123_45),),
        noted=(Recalculation("heating", "Счёт 3-1: акт проверки", -77_70),),
        instalments=(Instalment("heating", 1000_00, 500_00, 3_21, Fraction("7.5")),),
    )
    page = lxml_html.fromstring(render.html(payment_sheet(document))).text_content()
    for text in (text_of(document), re.sub(r"\s+", " ", page)):
        for number in range(1, 7):
            assert f"Раздел {number}." in text
        for told in ("1 812,95", "1 208,63 (× 3)", "123,45", "−77,70", "акт проверки", "7,5 %", "1 503,21",
                     "40821810400000000001", "P = n · N · K · T", "ф. 4(1)"):  # fmt: skip
            assert told in text.replace("\u00a0", " "), told


def test_the_same_document_at_the_same_moment_is_the_same_bytes() -> None:
    sheet = payment_sheet(epd())
    assert render.pdf(sheet, MADE) == render.pdf(sheet, MADE)


def test_the_html_is_whole_and_needs_no_script() -> None:
    page = render.html(payment_sheet(epd(by_norm())))
    tree = lxml_html.fromstring(page)
    assert tree.get("lang") == "ru"
    assert not tree.xpath("//script | //@src | //link")
    tables = tree.xpath("//table")
    assert len(tables) == 4
    assert all(t.xpath("./caption") and t.xpath(".//thead//th[@scope='col']") for t in tables)
    assert all(row.xpath("./th[@scope='row']") for row in tree.xpath("//tbody/tr"))
    assert tree.xpath("//*[@role='img' and string-length(@aria-label) > 20]")


@pytest.mark.parametrize("name", NASTY)
def test_a_name_is_printed_as_it_is_and_never_read_as_markup(name: str) -> None:
    person = named(holder=name, address=name, suppliers={1: name})
    document = epd(person=person)
    tree = lxml_html.fromstring(render.html(payment_sheet(document)))
    assert not tree.xpath("//script")
    assert name in tree.text_content()
    printed = text_of(document).replace(" ", "")
    drawable = "".join(c for c in name if ord(c) < 0x2000).replace(" ", "")
    assert drawable in printed.replace("-", "") or drawable in printed


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
@settings(max_examples=60, deadline=None)
def test_no_name_breaks_the_pdf(name: str) -> None:
    assert render.pdf(payment_sheet(epd_named(name)), MADE).startswith(b"%PDF-")


def epd_named(name: str) -> PaymentDocument:
    document = document_of(month_of(flat=household(), suppliers={Service.CAPITAL_REPAIR: 5}))
    person = named(holder=name, address=name)
    return payment_document(view_of(document), document, person, printed_on=MADE.date(), due=MADE.date())


def test_every_character_that_counts_as_printable_has_a_glyph() -> None:
    """PDF/UA refuses a document with one missing: so all of them, printed at once, are a test of all."""
    everything = [chr(code) for span in render.PRINTABLE for code in span] + sorted(render.SIGNS)
    render.pdf(payment_sheet(epd_named(" ".join(everything))), MADE)


def test_one_process_prints_many_and_each_within_a_second() -> None:
    """Measured by the processor's clock, so that a busy machine fails nothing."""
    sheets = [payment_sheet(epd_named(f"Житель {number}")) for number in range(12)]
    began = time.process_time()
    made = [render.pdf(sheet, MADE) for sheet in sheets]
    assert (time.process_time() - began) / len(sheets) < 1
    assert len(set(made)) == len(sheets), "one compiler serves all, and keeps nothing of the one before"


def test_the_number_of_the_document_is_the_bills() -> None:
    assert epd().number == str(KEY)
