"""Messages of ГИС ЖКХ's tariff service: made by its own schema, read into documents; hostile XML is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from lxml import etree

from billing.domain.tariff import parse_document
from billing.reference.faults import FileRefused
from billing.reference.gis import GisMap
from billing.reference.importing import read_import
from billing.tariffs import demo_documents

SCHEMAS = Path(__file__).parents[4] / "shared" / "data" / "gis_gkh_xsd" / "wsdl_xsd_14.4.0.1"
GUID = "11111111-2222-3333-4444-55555555555{}"
NSI = f"<nsi:Code>{{}}</nsi:Code><nsi:GUID>{GUID.format(0)}</nsi:GUID>"
SPACES = (
    'xmlns="http://dom.gosuslugi.ru/schema/integration/tariff/" '
    'xmlns:base="http://dom.gosuslugi.ru/schema/integration/base/" '
    'xmlns:nsi="http://dom.gosuslugi.ru/schema/integration/nsi-base/"'
)
CODES = GisMap.from_json(
    {
        "areas": {"04701000": "krasnoyarsk", "45000000": "moscow"},
        "acts": {GUID.format(1): "Приказ № 1-п от 20.12.2025"},
        "tariff_types": {"1": "cold_water", "4": "electricity"},
        "components": {"1": "single"},
        "criteria": [
            {"criterion": "7", "value": "true", "feature": "electric_stove"},
            {"criterion": "9", "value": "2", "rate": "single_over"},
        ],
    }
)


def common(name: str, oktmo: str = "04701000", ends: str = "2026-09-30") -> str:
    return (
        f"<Name>{name}</Name><ActGUID>{GUID.format(1)}</ActGUID>"
        f"<OKTMO><base:code>{oktmo}</base:code></OKTMO><DateFrom>2026-01-01</DateFrom>"
        + (f"<DateTo>{ends}</DateTo>" if ends else "")
    )


def price(number: str, unit: str = "113", criteria: str = "<DifferentiationNotSet>true</DifferentiationNotSet>") -> str:
    return (
        f"<Price><TariffStructure>{NSI.format(1)}</TariffStructure><Description>одноставочный</Description>"
        f"<Price>{number}</Price><Unit>{unit}</Unit>{criteria}</Price>"
    )


def message(*tariffs: str) -> str:
    body = "".join(
        f"<importMunicipalResourceTariff><TransportGUID>{GUID.format(i)}</TransportGUID>"
        f"<LoadMunicipalResourceTariff>{tariff}</LoadMunicipalResourceTariff></importMunicipalResourceTariff>"
        for i, tariff in enumerate(tariffs)
    )
    return (
        f'<importMunicipalResourceTariffRequest {SPACES} base:version="13.2.0.1">{body}'
        "</importMunicipalResourceTariffRequest>"
    )


def resource(prices: str, kind: str = "1", **changes: Any) -> str:
    return common("Питьевая вода", **changes) + (
        f"<TariffType>{NSI.format(kind)}</TariffType>{prices}<AllOrganization>true</AllOrganization>"
    )


def social(number: str, unit: str = "245") -> str:
    norm = common("Социальная норма", ends="") + (
        f"<Price>{number}</Price><Unit>{unit}</Unit><DifferentiationNotSet>true</DifferentiationNotSet>"
        "<CoefficientsNotSet>true</CoefficientsNotSet>"
    )
    return (
        f'<importSocialNormsRequest {SPACES} base:version="11.14.0.5"><importSocialNorm>'
        f"<TransportGUID>{GUID.format(1)}</TransportGUID><LoadSocialNorm>{norm}</LoadSocialNorm>"
        "</importSocialNorm></importSocialNormsRequest>"
    )


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


STOVE = (
    "<Differentiation><DifferentiationCode>7</DifferentiationCode><ValueBoolean>true</ValueBoolean></Differentiation>"
)


@pytest.mark.skipif(not SCHEMAS.exists(), reason="the schemas of ГИС ЖКХ are not here")
def test_the_messages_of_these_tests_are_those_of_the_schema() -> None:
    schema = etree.XMLSchema(etree.parse(str(SCHEMAS / "tariff" / "hcs-tariff-types.xsd")))
    for text in (message(resource(price("43.57"))), message(resource(price("5.1", "245", STOVE), "4")), social("75")):
        schema.assertValid(etree.fromstring(text))


def test_a_tariff_becomes_a_document_with_its_act_and_its_last_day_in_it(tmp_path: Path) -> None:
    found = read_import(write(tmp_path / "t.xml", message(resource(price("43.57")))), [], CODES)
    assert found.faults == ()
    (document,) = (parse_document(d.value) for d in found.documents)
    assert (document.area, document.service.name, document.unit) == ("krasnoyarsk", "COLD_WATER", "m3")
    assert document.act == "Приказ № 1-п от 20.12.2025; Питьевая вода"
    assert (str(document.effective_from), str(document.effective_to)) == ("2026-01-01", "2026-10-01")
    assert found.documents[0].value["rates"] == {"single": "43.57"}


def test_prices_by_criteria_become_documents_by_feature_and_rates_by_name(tmp_path: Path) -> None:
    over = (
        "<Differentiation><DifferentiationCode>9</DifferentiationCode><ValueInteger>2</ValueInteger></Differentiation>"
    )
    prices = price("3.25", "245") + price("5.23", "245", over) + price("2.27", "245", STOVE)
    found = read_import(write(tmp_path / "t.xml", message(resource(prices, "4"))), [], CODES)
    assert found.faults == ()
    by_feature = {tuple(d.value.get("features", [])): d.value["rates"] for d in found.documents}
    assert by_feature == {(): {"single": "3.25", "single_over": "5.23"}, ("electric_stove",): {"single": "2.27"}}


@pytest.mark.parametrize(
    ("tariff", "column", "value"),
    [
        (resource(price("43.57"), oktmo="99000000"), "OKTMO/code", "99000000"),
        (resource(price("43.57"), "77"), "TariffType/Code", "77"),
        (resource(price("43.57", "999")), "Price/Unit", "999"),
        (resource(price("43.57", "113", STOVE.replace(">7<", ">8<"))), "Differentiation", "8=true"),
    ],
)
def test_a_code_that_the_map_lacks_is_named(tariff: str, column: str, value: str, tmp_path: Path) -> None:
    good = resource(price("1"), oktmo="45000000")
    found = read_import(write(tmp_path / "t.xml", message(tariff, good)), [], CODES)
    assert [(f.column, f.value) for f in found.faults] == [(column, value)]
    assert [d.value["area"] for d in found.documents] == ["moscow"]


@pytest.mark.parametrize(("number", "unit"), [("75", "245"), ("75000", "243")])
def test_a_social_norm_becomes_a_new_version_of_its_tariff(number: str, unit: str, tmp_path: Path) -> None:
    (tariff,) = (v for v in demo_documents() if v["name"] == "krasnoyarsk-electricity-2022-12")
    bare = {**tariff, "rates": {k: v for k, v in tariff["rates"].items() if not k.startswith("social_norm")}}
    found = read_import(write(tmp_path / "n.xml", social(number, unit)), [bare], CODES)
    assert found.faults == ()
    document = parse_document(found.documents[0].value)
    assert document.rates["social_norm_per_person"] == 75
    assert document.rates["single_over"] == parse_document(tariff).rates["single_over"]
    assert (document.replaces, str(document.effective_from)) == (frozenset({tariff["name"]}), "2026-01-01")
    (fault,) = read_import(tmp_path / "n.xml", [], CODES).faults
    assert fault.remedy == "import the tariff first"


def test_a_cancelled_tariff_is_no_tariff(tmp_path: Path) -> None:
    body = f"<TariffGUID>{GUID.format(1)}</TariffGUID><Status>Canceled</Status><CancelReason>x</CancelReason>"
    text = (
        f"<getStateResult {SPACES}><exportMunicipalResourceTariffResult>{body}<MunicipalResourceTariff>"
        f"{resource(price('1'))}</MunicipalResourceTariff></exportMunicipalResourceTariffResult></getStateResult>"
    )
    found = read_import(write(tmp_path / "t.xml", text), [], CODES)
    assert found.documents == ()
    assert found.faults[0].value == GUID.format(1)


# --- hostile ---


@contextmanager
def counting_server() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_entities_and_outside_files_are_refused_and_nothing_is_fetched(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret.txt", "the secret")
    tariff = message(resource(price("1"))).replace("Питьевая вода", "&x;")
    with counting_server() as (url, asked):
        for definition in (
            f'<!DOCTYPE r [<!ENTITY x SYSTEM "{secret.as_uri()}">]>',
            f'<!DOCTYPE r SYSTEM "{url}/r.dtd" [<!ENTITY x "1">]>',
            '<!DOCTYPE r [<!ENTITY a "lol"><!ENTITY x "&a;&a;&a;&a;&a;">]>',
        ):
            with pytest.raises(FileRefused, match="document type"):
                read_import(write(tmp_path / "evil.xml", definition + tariff), [], CODES)
        assert asked == []


@pytest.mark.parametrize(("text", "words"), [("<a", "is no XML"), ("<a/>", "holds no tariff")])
def test_what_is_no_message_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match=words):
        read_import(write(tmp_path / "x.xml", text), [], CODES)
