"""The receipt on paper: what a capsule proves, in words, and the QR that says which capsule belongs to it."""

from __future__ import annotations

from datetime import UTC, datetime

from billing.paper import words
from billing.paper.render import pdf
from billing.paper.sheet import Code, Section, Sheet, Table, columns
from contracts.wire.capsule import Capsule
from contracts.wire.capsule_check import ProvenLine, Verdict
from contracts.wire.ids import BillState, address_text
from scripts.capsule.mark import Mark

_STATES = {
    BillState.OPEN: "не оплачен",
    BillState.PARTIAL: "оплачен частично",
    BillState.PAID: "оплачен полностью",
    BillState.SUPERSEDED: "заменён другим счётом",
}


def receipt_pdf(capsule: Capsule, verdict: Verdict) -> bytes:
    """The receipt of a verified capsule, dated by its last payment (by the epoch where there is none)."""
    moment = max((payment.timestamp for payment in verdict.payments), default=0)
    return pdf(receipt_sheet(capsule, verdict), datetime.fromtimestamp(moment, UTC))


def receipt_sheet(capsule: Capsule, verdict: Verdict) -> Sheet:
    """The same as a sheet; moments are UTC."""
    mark = Mark.of(capsule)
    paid = sum(payment.amount_kopecks for payment in verdict.payments)
    return Sheet(
        "Квитанция об оплате",
        f"Счёт {verdict.key} за {words.month(verdict.period)}: {_STATES[verdict.state]}",
        (_lines(verdict), _payments(verdict), _proof(verdict)),
        (("Оплачено", f"{words.roubles(paid)} ₽"),),
        Code(
            mark.text.encode(),
            "Метка счёта: по ней сверяют, что капсула — от этой квитанции. Это не код для оплаты.",
            f"Метка счёта {verdict.key} для проверки капсулы; не код для оплаты",
        ),
        footer=f"счёт {verdict.key}, блок {verdict.checkpoint.height}",
        is_landscape=False,
    )


def _lines(verdict: Verdict) -> Section:
    titles = columns(
        "Поставщик", "#Начислено", "#Оплачено", "#Льготы", "#Из аванса", "#Списано", "#Возвращено", "#Осталось"
    )
    rows = tuple((f"№ {line.supplier}", *map(words.roubles, _sums(line, verdict.state))) for line in verdict.lines)
    columned = zip(*(_sums(line, verdict.state) for line in verdict.lines), strict=True)
    total = ("Всего", *(words.roubles(sum(column)) for column in columned))
    return Section("Куда ушли деньги", tables=(Table("По поставщикам, ₽", titles, rows, total),))


def _sums(line: ProvenLine, state: BillState) -> tuple[int, ...]:
    """In kopecks; nothing is left to pay on a bill that was paid or replaced."""
    left = 0 if state in (BillState.PAID, BillState.SUPERSEDED) else line.open_kopecks
    return (
        line.charged_kopecks,
        line.paid_kopecks,
        line.granted_kopecks,
        line.netted_kopecks,
        line.written_off_kopecks,
        line.refunded_kopecks,
        left,
    )


def _payments(verdict: Verdict) -> Section:
    if not verdict.payments:
        return Section("Платежи", paragraphs=("Платежей в капсуле нет.",))
    rows = tuple(
        (
            datetime.fromtimestamp(payment.timestamp, UTC).strftime("%d.%m.%Y %H:%M"),
            f"{payment.block_number}, {payment.transaction}",
            words.roubles(payment.amount_kopecks),
        )
        for payment in verdict.payments
    )
    titles = columns(("Когда (UTC)", 2), ("Блок, место в нём", 2), ("#Сумма, ₽", 1))
    return Section("Платежи", tables=(Table("Платежи, которые доказывает капсула", titles, rows),))


def _proof(verdict: Verdict) -> Section:
    point = verdict.checkpoint
    signed = ", ".join(address_text(observer) for observer in verdict.observers)
    return Section(
        "Как проверить",
        (
            ("Контрольная точка", f"блок {point.height}, сеть {point.chain_id}"),
            ("Подписали наблюдатели", signed),
        ),
        (
            "Капсула — файл, в котором этот счёт, его доказательства и подписи наблюдателей. Она проверяется без сети: "
            "на странице «Проверка капсулы счёта» или командой kopeck verify. Сама квитанция ничего не доказывает.",
        ),
    )
