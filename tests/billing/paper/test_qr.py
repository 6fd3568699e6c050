"""The payment code against the sample of real codes, a decoder that we did not write, and its own reader."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pytest
import typst
import zxingcpp
from hypothesis import assume, example, given
from hypothesis import strategies as st
from PIL import Image

from billing.paper.qr import (
    OPTIONAL,
    REQUIRED_BYTES,
    SEPARATORS,
    Charset,
    QrError,
    code_svg,
    parse_period,
    read_code,
    write_code,
)
from contracts.wire.ids import Period

SAMPLE = (
    "ST00012|Name=ООО «УК ЭкоГрад»|PersonalAcc=40902830202010056769|BankName=ПАО СБЕРБАНК|BIC=048073601"
    "|CorrespAcc=30102110300320000206|PayeeINN=0524967340|PersAcc=5018435412|Sum=12351|PaymPeriod=03.2026|TechCode=02"
)
"""A payload of another system, as the project's notes on the domain have it."""
FIELDS = dict(pair.split("=", 1) for pair in SAMPLE.split("|")[1:])
PAYEE = {name: FIELDS[name] for name in ("Name", "PersonalAcc", "BankName", "BIC", "CorrespAcc")}
CYRILLIC = "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдеёжзийклмнопрстуфхцчшщъыьэюя 0123456789|#;:^_~{}-.,"


def scanned(image: Image.Image) -> bytes:
    """The payload that the decoder finds in an image."""
    (found,) = zxingcpp.read_barcodes(image)
    assert found.format == zxingcpp.BarcodeFormat.QRCode
    return bytes(found.bytes)


def drawn(payload: bytes) -> Image.Image:
    """The symbol as a page would show it."""
    page = """
    #set page(width: auto, height: auto, margin: 5mm)
    #image(bytes(sys.inputs.svg), format: "svg", width: 40mm)
    """
    png = typst.compile(page.encode(), format="png", ppi=200.0, sys_inputs={"svg": code_svg(payload)})
    return Image.open(io.BytesIO(png))


def test_the_sample_is_reproduced_to_the_byte() -> None:
    assert write_code(FIELDS) == SAMPLE.encode()


def test_the_sample_is_read() -> None:
    code = read_code(SAMPLE.encode())
    assert (code.sum_kopecks, code.period, code.warnings) == (12_351, Period(2026, 3), ())
    assert code.fields == FIELDS


@pytest.mark.parametrize("charset", Charset)
def test_a_decoder_reads_the_drawn_symbol_to_the_byte(charset: Charset) -> None:
    payload = write_code({**FIELDS, "Name": "ООО УК ЭкоГрад"}, charset)
    assert scanned(drawn(payload)) == payload
    assert read_code(payload).fields["Name"] == "ООО УК ЭкоГрад"


def test_the_longest_code_of_ours_is_still_read() -> None:
    long = {"Purpose": "Щ" * 160, "PayerAddress": "Ж" * 210, "QuittId": "9" * 40}
    payload = write_code({**FIELDS, **long})
    assert scanned(drawn(payload)) == payload


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("03.2026", (2026, 3)),
        ("032026", (2026, 3)),
        ("202603", (2026, 3)),
        ("122012", (2012, 12)),
        ("201212", (2012, 12)),
    ],
)
def test_a_month_comes_in_three_forms(text: str, period: tuple[int, int]) -> None:
    assert parse_period(text) == Period(*period)


@pytest.mark.parametrize("text", ["13.2026", "2026", "03/2026", "0.32026x", "000000", "٠٣٢٠٢٦", "3.2026"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(QrError, match="PaymPeriod"):
        parse_period(text)


def test_keys_are_matched_whatever_their_case() -> None:
    code = read_code(SAMPLE.replace("PersonalAcc", "PERSONALACC").replace("Sum=", "sum=").encode())
    assert code.fields == FIELDS


def test_a_code_that_says_windows_and_is_utf_8_is_read_and_told() -> None:
    code = read_code(SAMPLE.replace("ST00012", "ST00011").encode())
    assert (code.declared, code.charset) == (Charset.CP1251, Charset.UTF_8)
    assert code.fields["Name"] == "ООО «УК ЭкоГрад»"
    assert code.warnings == ("says cp1251, is utf-8",)


def test_a_code_that_says_utf_8_and_is_windows_is_read_and_told() -> None:
    code = read_code(SAMPLE.encode("cp1251"))
    assert (code.charset, code.fields["Name"]) == (Charset.CP1251, "ООО «УК ЭкоГрад»")


def test_a_reader_tells_what_is_missing_and_what_it_passes_over() -> None:
    code = read_code("ST00012|Name=А||Sum=1|Sum=2|lost|own=x=y".encode())
    assert code.fields == {"Name": "А", "Sum": "1", "own": "x=y"}
    assert any("BIC is missing" in w for w in code.warnings)
    assert any("Sum comes twice" in w for w in code.warnings)
    assert any("'lost' has no value" in w for w in code.warnings)


@pytest.mark.parametrize("payload", [b"", b"ST0001", b"ST00012", b"ST00014|Name=A", b"https://example.org/?a=1"])
def test_what_is_no_payment_code_is_refused(payload: bytes) -> None:
    with pytest.raises(QrError):
        read_code(payload)


def test_a_value_with_the_separator_takes_the_next_one() -> None:
    code = write_code({**PAYEE, "Name": "А|Б#В", "Sum": "100"})
    assert code.startswith("ST00012;Name=А|Б#В;PersonalAcc=".encode())
    assert read_code(code).fields["Name"] == "А|Б#В"


def test_values_that_use_up_the_separators_are_refused() -> None:
    with pytest.raises(QrError, match="every separator"):
        write_code({**PAYEE, "Purpose": SEPARATORS})


def test_required_fields_that_only_windows_can_hold_go_in_windows() -> None:
    """160 Cyrillic letters are 320 bytes of UTF-8 and 160 of windows-1251."""
    code = write_code({**PAYEE, "Name": "Щ" * 150})
    assert code.startswith(b"ST00011|")
    required = code[: code.index(b"|PayeeINN")] if b"|PayeeINN" in code else code
    assert len(required) <= REQUIRED_BYTES
    with pytest.raises(QrError, match="300"):
        write_code({**PAYEE, "Name": "Щ" * 150}, Charset.UTF_8)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"Name": ""}, "Name"),
        ({"Name": "Щ" * 161}, "Name"),
        ({"BankName": "Щ" * 46}, "BankName"),
        ({"PersonalAcc": "4" * 19}, "PersonalAcc"),
        ({"BIC": "04807360"}, "BIC"),
        ({"CorrespAcc": ""}, "CorrespAcc"),
        ({"Sum": "123.51"}, "Sum"),
        ({"Purpose": "Щ" * 161}, "Purpose"),
        ({"Purpose": "a\nb"}, "Purpose"),
        ({"PaymPeriod": "2026"}, "PaymPeriod"),
        ({"Unknown": "1"}, "Unknown"),
    ],
)
def test_a_field_out_of_its_bounds_is_named(change: Mapping[str, str], name: str) -> None:
    with pytest.raises(QrError, match=name):
        write_code({**FIELDS, **change})


def values(alphabet: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, str]]:
    """Optional fields with any values their lengths allow."""
    texts = {
        name: st.text(alphabet, min_size=1, max_size=min(longest, 40)).filter(str.isprintable)
        for name, longest in OPTIONAL.items()
        if name not in ("Sum", "AddAmount", "PaymPeriod")
    }
    return st.fixed_dictionaries({}, optional={**texts, "Sum": st.integers(0, 10**15).map(str)})


@given(values(st.characters(exclude_categories=["Cs", "Cc"])), st.text("АБ|#; =«»🏠", min_size=1, max_size=60))
@example({"Purpose": "a=b|c=d"}, "|")
def test_what_is_written_is_read_back(more: dict[str, str], name: str) -> None:
    fields = {**PAYEE, "Name": name, **more}
    assume(set(SEPARATORS) - set("".join(fields.values())))
    code = read_code(write_code(fields))
    assert dict(code.fields) == fields
    assert code.charset is code.declared


@given(values(st.sampled_from(CYRILLIC)), st.sampled_from(list(Charset)))
def test_what_is_written_is_read_back_in_each_charset(more: dict[str, str], charset: Charset) -> None:
    fields = {**PAYEE, "Name": "Водоканал", **more}
    code = read_code(write_code(fields, charset))
    assert (dict(code.fields), code.charset) == (fields, charset)
