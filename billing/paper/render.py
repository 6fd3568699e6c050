"""A sheet as a PDF (tagged, PDF/UA-1), as a page image, and as an HTML page without scripts."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from threading import Lock

import typst
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from billing.paper.qr import code_svg
from billing.paper.sheet import Sheet

TEMPLATES = Path(__file__).parent / "templates"
STYLE = (TEMPLATES / "sheet.css").read_text(encoding="utf-8")
STYLE_SOURCE = "'sha256-" + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode() + "'"
"""How a Content-Security-Policy names the one style of the HTML page."""
PRINTABLE = (range(0x20, 0x7F), range(0xA0, 0x180), range(0x400, 0x460), range(0x490, 0x500))
"""Characters that the embedded fonts draw: Latin with its European letters, Cyrillic with those of other languages."""
SIGNS = frozenset("−–—…‘’‚“”„•′″№₽™≈≠≤≥×÷·³²⁻⁰¹⁴⁵⁶⁷⁸⁹→ΔΣµ")
UNKNOWN = "?"
_compiling = Lock()
"""One compiler serves the process; it keeps its fonts and its parsed template between documents."""


def pdf(sheet: Sheet, made_at: datetime) -> bytes:
    """The sheet as a tagged PDF by PDF/UA-1. The same sheet made at the same moment gives the same bytes."""
    with _compiling:
        found = _compiler().compile(
            format="pdf", sys_inputs=_inputs(sheet), pdf_standards=["ua-1"], timestamp=made_at.astimezone(UTC)
        )
    assert isinstance(found, bytes)
    return found


def images(sheet: Sheet, pixels_per_inch: int = 144) -> list[bytes]:
    """The pages of the same document as PNG."""
    with _compiling:
        found = _compiler().compile(format="png", sys_inputs=_inputs(sheet), ppi=pixels_per_inch)
    return found if isinstance(found, list) else [found] if found else []


def html(sheet: Sheet) -> str:
    """The sheet as one HTML page that needs nothing else."""
    code = Markup(code_svg(sheet.code.payload)) if sheet.code else ""
    return _pages().get_template("sheet.html").render(sheet=sheet, style=Markup(STYLE), code=code)


@cache
def _compiler() -> typst.Compiler:
    return typst.Compiler(TEMPLATES / "sheet.typ", root=TEMPLATES, ignore_system_fonts=True)


@cache
def _pages() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _inputs(sheet: Sheet) -> dict[str, str]:
    value = asdict(sheet)
    if sheet.code is not None:
        value["code"].pop("payload")
    inputs = {"sheet": json.dumps(_drawable(value), ensure_ascii=False)}
    return inputs | ({"code": code_svg(sheet.code.payload)} if sheet.code else {})


def _drawable(value: object) -> object:
    """The same with every character that no embedded font has replaced: a missing glyph is no accessible text."""
    if isinstance(value, str):
        return "".join(c if c in SIGNS or any(ord(c) in r for r in PRINTABLE) else UNKNOWN for c in value)
    if isinstance(value, dict):
        return {key: _drawable(held) for key, held in value.items()}
    return [_drawable(held) for held in value] if isinstance(value, list | tuple) else value
