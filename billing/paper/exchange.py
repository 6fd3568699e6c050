"""A supplier's receipts for its accounting program: 1CClientBankExchange, a table as CSV, a workbook.

A 1C document is one transaction of the chain: what an agent's batch brought is one payment order, as the bank would
book it. The purpose names the transaction, so that a bank's answer can be matched without guessing. Nettings move no
money and have no document. Everything is final: the statement is made of nothing else.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from billing.paper.bank import DAY, MARK
from billing.paper.person import Requisites
from billing.paper.registers import Row
from contracts.wire.ids import Address, Hash, address_text
from ledger.queries.supplier_views import ReceiptSource, SupplierReceipt, SupplierStatement

SOURCES: Mapping[ReceiptSource, str] = {
    ReceiptSource.PAYER: "плательщик",
    ReceiptSource.AGENT: "платёжный агент",
    ReceiptSource.WELFARE: "мера поддержки",
    ReceiptSource.PREPAYMENT: "аванс",
    ReceiptSource.NETTED: "зачёт аванса",
    ReceiptSource.REFUND: "возврат",
}
HEADINGS = (
    "Дата и время", "Источник", "Сумма, руб.", "Счёт", "Строка", "Контрагент", "Блок", "Хеш блока", "Транзакция",
    "Номер события",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Movement:
    """What one transaction brought a supplier from one party, or (below zero) took from it."""

    at: int
    tx_hash: Hash
    source: ReceiptSource
    counterparty: Address
    amount_kopecks: int
    receipts: int


def movements_of(receipts: Sequence[SupplierReceipt]) -> list[Movement]:
    """Receipts that moved money, put together by transaction, source and party; in chain order."""
    found: dict[tuple[Hash, ReceiptSource, Address], list[SupplierReceipt]] = {}
    for receipt in receipts:
        if receipt.source is not ReceiptSource.NETTED:
            found.setdefault((receipt.tx_hash, receipt.source, receipt.counterparty), []).append(receipt)
    return [
        Movement(rows[0].timestamp, tx, source, party, sum(row.amount_kopecks for row in rows), len(rows))
        for (tx, source, party), rows in found.items()
    ]


# --- 1CClientBankExchange ---


def write_exchange(statement: SupplierStatement, own: Requisites, zone: tzinfo, made: datetime) -> bytes:
    """The movements as a bank's statement, cp1251: totals are the statement's own (opening and closing balances are
    the bank's to tell, and left out)."""
    moved = movements_of(statement.receipts)
    first, last = (datetime.fromtimestamp(at, zone).date() for at in _bounds(statement, moved, made))
    came = sum(m.amount_kopecks for m in moved if m.amount_kopecks > 0)
    went = -sum(m.amount_kopecks for m in moved if m.amount_kopecks < 0)
    days = [f"ДатаНачала={first.strftime(DAY)}", f"ДатаКонца={last.strftime(DAY)}", f"РасчСчет={own.account}"]
    lines = [
        MARK,
        "ВерсияФормата=1.03",
        "Кодировка=Windows",
        "Отправитель=Kopeck",
        "Получатель=",
        f"ДатаСоздания={made.strftime(DAY)}",
        f"ВремяСоздания={made.strftime('%H:%M:%S')}",
        *days,
        "СекцияРасчСчет",
        *days,
        f"ВсегоПоступило={_roubles(came)}",
        f"ВсегоСписано={_roubles(went)}",
        "КонецРасчСчет",
    ]
    for number, movement in enumerate(moved, start=1):
        lines += _document(number, movement, own, datetime.fromtimestamp(movement.at, zone).date())
    lines.append("КонецФайла")
    return "".join(line + "\r\n" for line in lines).encode("cp1251", errors="replace")


def _bounds(statement: SupplierStatement, moved: list[Movement], made: datetime) -> tuple[int, int]:
    """The moments that a file's dates stand for; one of all time begins with the first movement and ends as it is
    made, or with the last movement where the chain's clock is ahead."""
    now = int(made.timestamp())
    first = statement.first or (moved[0].at if moved else now)
    return first, max(first, min(statement.last, max([now, *(movement.at for movement in moved)])))


def _document(number: int, movement: Movement, own: Requisites, on: date) -> Iterator[str]:
    came = movement.amount_kopecks > 0
    mine, other, moved = (
        ("Получатель", "Плательщик", "ДатаПоступило") if came else ("Плательщик", "Получатель", "ДатаСписано")
    )
    yield "СекцияДокумент=Платежное поручение"
    yield f"Номер={number}"
    yield f"Дата={on.strftime(DAY)}"
    yield f"Сумма={_roubles(abs(movement.amount_kopecks))}"
    yield f"{moved}={on.strftime(DAY)}"
    yield f"{other}1=Кошелёк {address_text(movement.counterparty)}"
    yield f"{mine}Счет={own.account}"
    yield f"{mine}ИНН={own.inn}"
    yield f"{mine}1={own.name}"
    yield f"{mine}РасчСчет={own.account}"
    yield f"{mine}Банк1={own.bank}"
    yield f"{mine}БИК={own.bic}"
    yield f"{mine}Корсчет={own.correspondent}"
    yield f"{mine}КПП={own.kpp}"
    yield "ВидОплаты=01"
    what = SOURCES[movement.source]
    yield f"НазначениеПлатежа=ЖКУ, {what}, квитанций {movement.receipts}; транзакция 0x{movement.tx_hash.hex()}"
    yield "КонецДокумента"


def _roubles(kopecks: int) -> str:
    return f"{kopecks // 100}.{kopecks % 100:02d}"


# --- tables ---


def register_rows(statement: SupplierStatement, zone: tzinfo) -> list[Row]:
    """Receipts of bills as rows of a bank's register. The bill's number stands for the account: whose it is, billing
    alone knows. Refunds, nettings and prepayments are no payments of a bill."""
    rows = []
    for receipt in statement.receipts:
        if receipt.bill is None or receipt.source in (ReceiptSource.NETTED, ReceiptSource.REFUND):
            continue
        at = datetime.fromtimestamp(receipt.timestamp, zone)
        place = f"{receipt.block_number}-{receipt.log_index}-{receipt.line}"
        rows.append(
            Row(
                str(receipt.bill),
                receipt.amount_kopecks,
                at.date(),
                at.time(),
                operation=place,
                to_transfer_kopecks=receipt.amount_kopecks,
                fee_kopecks=0,
                texts={"service": SOURCES[receipt.source]},
            )
        )
    return rows


def write_csv(statement: SupplierStatement, zone: tzinfo) -> bytes:
    """The receipts as a table for spreadsheets: UTF-8 with a mark, semicolons, decimal commas."""
    text = io.StringIO()
    out = csv.writer(text, delimiter=";", lineterminator="\r\n")
    out.writerow(HEADINGS)
    for cells in _table(statement, zone):
        out.writerow([_comma(cell) if i == 2 else cell for i, cell in enumerate(cells)])
    return ("\ufeff" + text.getvalue()).encode()


def write_xlsx(statement: SupplierStatement, zone: tzinfo) -> bytes:
    """The statement as a workbook: sums on one sheet, receipts on the other; sums are numbers with two places."""
    book = Workbook(write_only=True)
    sums = book.create_sheet("Итоги")
    for name, kopecks in summary(statement):
        sums.append([name, _cell(sums, kopecks)])
    sheet = book.create_sheet("Поступления")
    sheet.append(list(HEADINGS))
    for cells in _table(statement, zone):
        sheet.append([*cells[:2], _cell(sheet, int(str(cells[2]))), *cells[3:]])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def summary(statement: SupplierStatement) -> list[tuple[str, int]]:
    """The sums of a statement by their names, in kopecks: each line is what a person checks by adding up."""
    turned = statement.turnover
    return [
        ("Долг потребителей на начало", statement.opening_debt_kopecks),
        ("Начислено", turned.charged),
        ("Снято заменой счетов", -turned.replaced),
        ("Поступило от плательщиков", -turned.payer),
        ("Поступило от агентов", -turned.agent),
        ("Поступило мер поддержки", -turned.welfare),
        ("Зачтено авансов", -turned.netted),
        ("Возвращено", turned.refunded),
        ("Долг потребителей на конец", statement.closing_debt_kopecks),
        ("Авансы на начало", statement.opening_advances_kopecks),
        ("Получено авансов", turned.prepaid),
        ("Зачтено авансов из полученных", -turned.netted),
        ("Авансы на конец", statement.closing_advances_kopecks),
        ("Пришло денег за вычетом возвратов", turned.money),
    ]


def _table(statement: SupplierStatement, zone: tzinfo) -> Iterator[list[object]]:
    for row in statement.receipts:
        yield [
            datetime.fromtimestamp(row.timestamp, zone).strftime("%d.%m.%Y %H:%M:%S"),
            SOURCES[row.source],
            row.amount_kopecks,
            "" if row.bill is None else str(row.bill),
            "" if row.line is None else row.line,
            address_text(row.counterparty),
            row.block_number,
            "0x" + row.block_hash.hex(),
            "0x" + row.tx_hash.hex(),
            row.log_index,
        ]


def _comma(kopecks: object) -> str:
    value = int(str(kopecks))
    sign = "-" if value < 0 else ""
    return f"{sign}{_roubles(abs(value)).replace('.', ',')}"


def _cell(sheet: Any, kopecks: int) -> Any:
    """A cell of roubles: two places, never binary."""
    cell = WriteOnlyCell(sheet, Decimal(kopecks).scaleb(-2))  # type: ignore[arg-type]  # it takes them as they are
    cell.number_format = "#,##0.00"
    return cell
