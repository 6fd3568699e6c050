"""The paper receipt: read back by a QR reader that we did not write, and by a PDF reader."""

from __future__ import annotations

import io
from pathlib import Path

import pypdf
import pytest
import zxingcpp
from PIL import Image

from billing.paper.render import images
from contracts.wire.capsule import parse_capsule
from contracts.wire.capsule_check import verify_capsule
from scripts.capsule.mark import Mark, OtherBill
from scripts.capsule.receipt import receipt_sheet
from scripts.cli.main import cli
from tests.capsule.story import Told


def test_the_qr_scans_to_the_mark_of_its_own_capsule(told: Told) -> None:
    capsule = parse_capsule(told.capsules["helped"])
    sheet = receipt_sheet(capsule, verify_capsule(told.capsules["helped"], told.trust))
    (found,) = [code for page in images(sheet) for code in zxingcpp.read_barcodes(Image.open(io.BytesIO(page)))]
    scanned = Mark.parse(found.text)
    scanned.check(capsule)
    with pytest.raises(OtherBill):
        scanned.check(parse_capsule(told.capsules["paid"]))


def test_verify_prints_a_receipt_that_says_what_was_proved(told: Told, tmp_path: Path) -> None:
    files = {"trust": told.trust.encode(), "capsule": told.capsules["helped"]}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    paper = tmp_path / "receipt.pdf"
    arguments = ["verify", str(tmp_path / "capsule"), "--trust", str(tmp_path / "trust"), "--paper", str(paper)]
    cli(arguments, standalone_mode=False)
    said = " ".join(" ".join(page.extract_text() for page in pypdf.PdfReader(paper).pages).split())
    for expected in (f"Счёт {told.keys['helped']}", "оплачен полностью", "60,00", "38,00", "15,00", "7,00", "20,00"):
        assert expected in said, expected
