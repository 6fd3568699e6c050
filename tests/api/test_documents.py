"""A bill's documents at the door: who gets them, what they say, and what is said where they can't be made."""

from __future__ import annotations

import io
import json
import re

import pytest
import typst
import zxingcpp
from fastapi.testclient import TestClient
from lxml import etree
from PIL import Image
from pypdf import PdfReader

from api.forget import forget_account
from billing.paper.gis.directory import FORMAT
from billing.paper.person import GisNumbers
from billing.paper.qr import ScannedCode, read_code
from contracts.wire.ids import Period, Service
from tests.api.conftest import LogIn
from tests.api.town import Town
from tests.api.town_ledger import ACCOUNT, MINE
from tests.api.town_prints import REQUISITES

GUID = "11111111-2222-4333-8444-555555555555"


def text_of(pdf: bytes) -> str:
    pages = PdfReader(io.BytesIO(pdf)).pages
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in pages).replace("\u00ad\n", ""))


def test_the_pdf_says_who_pays_whom_and_how_much(town: Town, resident: TestClient) -> None:
    town.owe(Service.COLD_WATER, 2, 5_000)
    answer = resident.get("/v1/bills/1-0/document.pdf")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'inline; filename="kopeck-bill-1-0.pdf"'
    text = text_of(answer.content)
    for told in (
        "ул. Примерная, д. 1, кв. 12",
        "Житель 12",
        REQUISITES.account,
        "Горэнергосбыт",
        "Водоканал",
        "50,00",
        "1 052,96",
    ):  # 372.13 − 100.00 + 604.32 + 126.51 + 50.00
        assert told in text.replace("\u00a0", " "), told


def test_the_page_carries_a_code_for_what_is_open_and_a_policy_for_its_one_style(resident: TestClient) -> None:
    answer = resident.get("/v1/bills/1-0/document.html")
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "style-src 'sha256-" in policy
    assert "default-src 'none'" in policy
    assert resident.get("/v1/bills/1-0").headers["content-security-policy"] != policy
    drawn = re.search(r"<svg.*?</svg>", answer.text, re.S)
    assert drawn is not None
    assert scanned(drawn[0]).sum_kopecks == 37_213 - 10_000 + 60_432 + 12_651


def scanned(svg: str) -> ScannedCode:
    page = b'#set page(width: auto, height: auto)\n#image(bytes(sys.inputs.svg), format: "svg", width: 60mm)'
    image = Image.open(io.BytesIO(typst.compile(page, format="png", sys_inputs={"svg": svg})))
    (found,) = zxingcpp.read_barcodes(image)
    code = read_code(bytes(found.bytes))
    assert (code.fields["PersAcc"], code.fields["PayeeINN"], code.period) == (ACCOUNT, REQUISITES.inn, Period(2026, 1))
    return code


def test_a_paid_bill_has_no_code(resident: TestClient) -> None:
    assert "<svg" not in resident.get("/v1/bills/1-1/document.html").text


def test_the_regulator_reads_the_document_without_the_name(log_in: LogIn) -> None:
    answer = log_in("regulator").get("/v1/bills/1-0/document.html")
    assert answer.status_code == 200
    assert "Примерная" not in answer.text
    assert "Житель 12" not in answer.text


@pytest.mark.parametrize("path", ["document.pdf", "document.html", "gis.xml"])
def test_documents_are_shown_to_those_who_may_see_the_bill(
    anonymous: TestClient, resident: TestClient, log_in: LogIn, path: str
) -> None:
    assert anonymous.get(f"/v1/bills/1-0/{path}").status_code == 401
    for client, bill in (
        (log_in("resident13"), "1-0"),
        (log_in("supplier1"), "1-0"),
        (resident, "2-0"),
        (resident, "x"),
    ):
        answer = client.get(f"/v1/bills/{bill}/{path}")
        assert (answer.status_code, answer.json()["title"]) == (404, "There is no such record")


@pytest.mark.parametrize("path", ["document.pdf", "document.html", "gis.xml"])
def test_what_was_erased_can_not_be_printed_and_says_so(town: Town, resident: TestClient, path: str) -> None:
    town.prints.erased.add(MINE)
    answer = resident.get(f"/v1/bills/1-0/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert "key was destroyed" in answer.json()["detail"]
    assert answer.json()["remedy"]


def test_the_message_to_the_system_names_the_account_and_no_person(town: Town, resident: TestClient) -> None:
    refused = resident.get("/v1/bills/1-0/gis.xml")
    assert (refused.status_code, "no directory" in refused.json()["detail"]) == (409, True)
    services = {name: {"code": "1", "guid": GUID} for name in ("electricity", "cold_water", "solid_waste")}
    town.directory.write_text(json.dumps({"format": FORMAT, "services": services}))
    refused = resident.get("/v1/bills/1-0/gis.xml")
    assert (refused.status_code, "10000012 has no GUID" in refused.json()["detail"]) == (409, True)
    town.payees.set_gis_numbers(ACCOUNT, GisNumbers(GUID, "70AA123456", "70AA123456-01"))
    answer = resident.get("/v1/bills/1-0/gis.xml")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/xml")
    root = etree.fromstring(answer.content)
    assert etree.QName(root).localname == "importPaymentDocumentRequest"
    assert "Житель" not in answer.text
    assert GUID in answer.text


def test_an_account_that_is_forgotten_leaves_no_number_of_the_system(town: Town) -> None:
    town.payees.set_gis_numbers(ACCOUNT, GisNumbers(GUID))
    assert town.payees.gis_numbers(ACCOUNT) == GisNumbers(GUID)
    forget_account(town.payees._engine, ACCOUNT)
    assert town.payees.gis_numbers(ACCOUNT) is None
