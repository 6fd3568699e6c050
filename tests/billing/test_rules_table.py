"""docs/billing-rules.md: every formula that the engine prints stands there, with tests that are there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from billing.domain.charge import RULES_ACT
from billing.domain.services import charge_account
from tests.billing.cases import cases

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "billing-rules.md"
RULES = ROOT / "billing" / "domain"
REFERENCE = re.compile(r"ф\. \d|п\. \d|ПП РФ .*(п\.|приложение) |ЖК РФ")
ROW = re.compile(r"\| `([^`]+)` \|[^|]*\|([^|]*)\|([^|]*)\|")
TEST = re.compile(r"`(\w+\.py)::(\w+)`")


def rows() -> dict[str, tuple[list[tuple[str, str]], str]]:
    """What is printed, its tests, its source."""
    found = (ROW.match(line) for line in TABLE.read_text(encoding="utf-8").splitlines())
    return {row.group(1): (TEST.findall(row.group(2)), row.group(3)) for row in found if row}


def written(tree: ast.AST) -> Iterator[str]:
    """References to acts among the texts of a program, without what is only said about it."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in said:
            continue
        if REFERENCE.match(node.value):
            yield node.value


def printable() -> set[str]:
    """What the rules can print as the point behind a part."""
    texts = {text for path in RULES.glob("*.py") for text in written(ast.parse(path.read_text(encoding="utf-8")))}
    return texts - {RULES_ACT}


@cache
def names_in(file: str) -> set[str]:
    tree = ast.parse((Path(__file__).parent / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_formula_that_can_be_printed_stands_in_the_table_and_no_other() -> None:
    assert set(rows()) == printable()
    assert len(printable()) > 25


@pytest.mark.parametrize("printed", sorted(rows()))
def test_a_formula_has_tests_that_are_there_and_a_source(printed: str) -> None:
    tests, source = rows()[printed]
    assert tests
    for file, name in tests:
        assert name in names_in(file), f"{file}::{name}"
    assert source.strip().split(":")[0].split(" ")[0] in ("published", "act", "reduced", "own")


def test_no_formula_stands_on_our_own_sums_alone() -> None:
    """But for a remainder that is carried on, which is no formula."""
    own = [printed for printed, (_, source) in rows().items() if source.strip().startswith("own")]
    assert [printed.endswith("остаток перерасчёта прошлых месяцев") for printed in own] == [True]


def test_what_months_of_every_kind_print_is_what_the_table_names() -> None:
    """By running: each part's point is made of names of the table, and of the acts of events."""
    named = sorted(rows(), key=len, reverse=True)
    seen = set()
    for name, month in cases():
        for line in charge_account(month):
            for part in line.parts:
                known = [one for one in named if one in part.point]
                assert known, (name, part.point)
                seen.add(known[0])
    assert len(seen) > 10
