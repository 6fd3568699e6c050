"""What a statement is written as, read back by readers of others and held against the rows."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from billing.paper.bank import BankStatement, read_exchange
from billing.paper.exchange import movements_of, register_rows, summary, write_csv, write_exchange, write_xlsx
from billing.paper.reconcile import MatchedBy, reconcile
from billing.paper.registers import read_register, shipped_profiles, write_register
from contracts.wire.ids import SupplierId
from ledger.queries.supplier_views import ReceiptSource, SupplierStatement
from scripts.town.payees import PAYEE
from tests.statement.conftest import HEAT, WATER, Month

EVER = (1 << 40) - 1
ZONE = ZoneInfo("Asia/Krasnoyarsk")
MADE = datetime(2026, 2, 1, 9, 30, tzinfo=UTC)


def day_of(at: int) -> date:
    return datetime.fromtimestamp(at, ZONE).date()


def stated(month: Month, supplier: SupplierId) -> SupplierStatement:
    return month.ledger.supplier_statement(supplier, 0, month.last)


def written(month: Month, supplier: SupplierId) -> bytes:
    return write_exchange(stated(month, supplier), PAYEE, ZONE, MADE)


def test_a_1c_file_of_all_time_has_days_that_a_bank_can_read(month: Month) -> None:
    statement = month.ledger.supplier_statement(WATER, 0, EVER)
    bank = read_exchange(write_exchange(statement, PAYEE, ZONE, MADE))
    assert (bank.first, bank.last) == (day_of(statement.receipts[0].timestamp), MADE.astimezone(ZONE).date())
    earlier = datetime(2025, 12, 1, tzinfo=UTC)  # by a clock behind the chain's
    bank = read_exchange(write_exchange(statement, PAYEE, ZONE, earlier))
    assert bank.last == day_of(statement.receipts[-1].timestamp)


@pytest.mark.parametrize("supplier", [WATER, HEAT])
def test_a_1c_file_reads_back_and_reconciles_to_the_kopeck(month: Month, supplier: SupplierId) -> None:
    statement = stated(month, supplier)
    bank = read_exchange(written(month, supplier))
    assert (bank.problems, bank.encoding, bank.account) == ((), "cp1251", PAYEE.account)
    assert sum(e.amount_kopecks for e in bank.entries) == statement.turnover.money
    found = reconcile(bank, movements_of(statement.receipts), day_of)
    assert found.is_even
    assert {m.by for m in found.matches} == {MatchedBy.TRANSACTION}


def test_an_agent_s_batch_is_one_payment_order(month: Month) -> None:
    moved = [m for m in movements_of(stated(month, WATER).receipts) if m.source is ReceiptSource.AGENT]
    assert [(m.receipts, m.amount_kopecks) for m in moved] == [(21, 12_345 + sum(100 + i for i in range(20)))]


def test_each_missing_or_changed_document_is_named(month: Month) -> None:
    statement = stated(month, HEAT)
    whole = read_exchange(written(month, HEAT))
    moved = movements_of(statement.receipts)
    for place, entry in enumerate(whole.entries):
        rest = BankStatement(whole.account, whole.entries[:place] + whole.entries[place + 1 :], (), "cp1251")
        found = reconcile(rest, moved, day_of)
        assert not found.is_even
        assert [m.amount_kopecks for m in found.movements] == [entry.amount_kopecks]
        assert [m.tx_hash for m in found.movements] == [moved[place].tx_hash]


def test_a_bank_that_names_no_transaction_is_matched_by_sum_and_day(month: Month) -> None:
    text = written(month, HEAT).decode("cp1251")
    bare = "\r\n".join(line.split("; транзакция")[0] for line in text.split("\r\n"))
    found = reconcile(read_exchange(bare.encode("cp1251")), movements_of(stated(month, HEAT).receipts), day_of)
    assert found.is_even
    assert {m.by for m in found.matches} == {MatchedBy.SUM_AND_DAY}


def test_the_workbook_and_the_table_hold_the_same_sums(month: Month) -> None:
    statement = stated(month, HEAT)
    book = openpyxl.load_workbook(io.BytesIO(write_xlsx(statement, ZONE)))
    sums = {row[0].value: row[1].value for row in book["Итоги"].iter_rows()}
    assert {name: Decimal(str(sums[name])) for name, _ in summary(statement)} == {
        name: Decimal(kopecks) / 100 for name, kopecks in summary(statement)
    }
    cells = [row[2].value for row in book["Поступления"].iter_rows(min_row=2)]
    rows = list(csv.DictReader(io.StringIO(write_csv(statement, ZONE).decode("utf-8-sig")), delimiter=";"))
    told = [Decimal(row["Сумма, руб."].replace(",", ".")) for row in rows]
    assert [Decimal(str(cell)) for cell in cells] == told
    assert sum(told) == Decimal(statement.turnover.money) / 100
    assert [row["Транзакция"] for row in rows] == ["0x" + r.tx_hash.hex() for r in statement.receipts]


def test_the_summary_adds_up_as_a_person_would_add_it(month: Month) -> None:
    for supplier in (WATER, HEAT):
        lines = summary(stated(month, supplier))
        debt, advances = lines[:9], lines[9:13]
        for part in (debt, advances):
            assert sum(kopecks for _, kopecks in part[:-1]) == part[-1][1]


def test_a_bank_s_register_holds_each_receipt_of_a_bill(month: Month) -> None:
    statement = stated(month, HEAT)
    profile = shipped_profiles()["sberbank-payments"]
    found = read_register(write_register(register_rows(statement, ZONE), profile), profile)
    assert found.problems == ()
    assert found.amount_kopecks == statement.turnover.money + statement.turnover.refunded
    assert found.rows[0].paid_on is not None
    assert abs(found.rows[0].paid_on - day_of(statement.receipts[0].timestamp)) == timedelta(0)
