"""A supplier's statement against the contracts' own words, against the bills' open sums, and cut at any moment."""

from __future__ import annotations

import pytest

from contracts.wire.ids import SupplierId
from contracts.wire.leaf import BillKind
from ledger.queries.supplier_books import RunFileMissing
from ledger.queries.supplier_views import ReceiptSource, Turnover
from tests.ledger.indexed import Indexed
from tests.ledger.town import Draft
from tests.statement.conftest import HEAT, WATER, Month

EVER = (1 << 40) - 1


def test_water_s_sums_are_those_worked_by_hand(month: Month) -> None:
    found = month.ledger.supplier_statement(WATER, 0, EVER)
    batch = sum(100 + i for i in range(20)) + 12_345
    charged = 1_000 + 5 * 12_345 + sum(100 + i for i in range(20)) + 900
    partial = (5_000 * 12_345 * 2 + 13_023) // (2 * 13_023)  # 5 000 over 12 345 and 678, the larger remainder up
    assert found.turnover == Turnover(
        charged=charged, replaced=12_345, payer=12_345 + 300 + partial, agent=batch, netted=700, prepaid=700
    )
    assert found.closing_debt_kopecks == 12_345 + (12_345 - partial) + 900
    assert found.closing_advances_kopecks == 0


def test_heat_s_refund_and_grant_are_told_apart(month: Month) -> None:
    found = month.ledger.supplier_statement(HEAT, 0, EVER)
    assert (found.turnover.welfare, found.turnover.refunded) == (1_500, 2_000)
    assert {r.source for r in found.receipts} == {
        ReceiptSource.PAYER, ReceiptSource.AGENT, ReceiptSource.WELFARE, ReceiptSource.REFUND
    }  # fmt: skip


@pytest.mark.parametrize("supplier", [WATER, HEAT])
def test_money_is_the_token_s_balance(month: Month, supplier: SupplierId) -> None:
    found = month.ledger.supplier_statement(supplier, 0, EVER)
    balance = month.town.reader.view("Rouble", "balanceOf", found.payouts[-1].wallet)
    gifts = 77 if supplier == HEAT else 0  # a plain transfer is no receipt
    assert found.turnover.money == balance - gifts


@pytest.mark.parametrize("supplier", [WATER, HEAT])
def test_closing_debt_is_what_the_bills_have_open(month: Month, supplier: SupplierId) -> None:
    found = month.ledger.supplier_statement(supplier, 0, EVER)
    views = [view for run in month.ledger.runs() for view in month.ledger.bills_of_run(run.run)]
    open_kopecks = sum(
        line.open_kopecks for v in views if v.kind is not BillKind.CREDIT_NOTE for line in v.lines
        if line.supplier == supplier
    )  # fmt: skip
    assert found.closing_debt_kopecks == open_kopecks


@pytest.mark.parametrize("supplier", [WATER, HEAT])
def test_two_halves_make_the_whole_wherever_it_is_cut(month: Month, supplier: SupplierId) -> None:
    whole = month.ledger.supplier_statement(supplier, 0, EVER)
    for cut in sorted({r.timestamp for r in whole.receipts} | {r.timestamp for r in whole.runs}):
        before = month.ledger.supplier_statement(supplier, 0, cut - 1)
        after = month.ledger.supplier_statement(supplier, cut, EVER)
        assert after.opening == before.turnover
        assert before.opening == Turnover()
        assert before.closing_debt_kopecks == after.opening_debt_kopecks
        assert after.closing_debt_kopecks == whole.closing_debt_kopecks
        assert after.closing_advances_kopecks == whole.closing_advances_kopecks
        assert before.receipts + after.receipts == whole.receipts
        assert before.runs + after.runs == whole.runs


def test_a_run_whose_file_is_withheld_stops_the_statement(month: Month) -> None:
    town = month.town
    snapshot = town.rpc.call("evm_snapshot")
    served, town.files = town.files, type(town.files)(month.folder / "withheld")
    try:
        run = town.post_run([Draft("hidden", ((1, 10),))], month.key)
        town.finalise()
        town.files = served
        (month.folder / "second").mkdir()
        ledger = Indexed(town, month.folder / "second").sync()
        with pytest.raises(RunFileMissing) as caught:
            ledger.supplier_statement(WATER, 0, EVER)
        assert caught.value.run == run.run
        assert ledger.supplier_statement(HEAT, 0, EVER).turnover.charged > 0
    finally:
        town.files = served
        town.rpc.call("evm_revert", snapshot)
