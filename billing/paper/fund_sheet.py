"""The capital-repair fund's statement to an owner: the house's months and works, and the owner's own share."""

from __future__ import annotations

from billing.fund import FundEntry, FundKind, FundMonth, FundStatement
from billing.paper import words
from billing.paper.person import Person
from billing.paper.sheet import Section, Sheet, Table, columns, facts

KINDS = {
    FundKind.OPENING: "остаток на начало",
    FundKind.INTEREST: "проценты банка",
    FundKind.ACCEPTED: "работы приняты",
    FundKind.SPENT: "работы оплачены",
}


def fund_sheet(statement: FundStatement, account: str, person: Person) -> Sheet:
    """The statement for the owner of ``account``. Raises LookupError where the account is of another house."""
    first, last = statement.first, statement.last
    span = words.month(first) if first == last else f"{words.month(first)} — {words.month(last)}"
    return Sheet(
        "Выписка о фонде капитального ремонта дома",
        f"{person.address}; {span}",
        (_owner(statement, account, person), _house(statement), _works(statement)),
        (("Остаток фонда", f"{words.roubles(statement.closing)} ₽"),),
        footer=f"дом {statement.house}, {span}",
    )


def _owner(statement: FundStatement, account: str, person: Person) -> Section:
    share = statement.share(account)
    owed = f"{words.roubles(share.owed)} ₽" if share.owed >= 0 else f"переплата {words.roubles(-share.owed)} ₽"
    return Section(
        "Ваша доля",
        facts(
            [
                ("Собственник", person.holder),
                ("Лицевой счёт", account),
                ("Начислено взносов", f"{words.roubles(share.charged)} ₽"),
                ("Уплачено взносов", f"{words.roubles(share.received)} ₽"),
                ("Задолженность", owed),
                ("Получатель взносов", person.payee.name),
            ]
        ),
    )


def _house(statement: FundStatement) -> Section:
    shown = facts(
        [
            ("Начислено собственникам за всё время", f"{words.roubles(statement.charged)} ₽"),
            ("Уплачено ими", f"{words.roubles(statement.received)} ₽"),
            ("Задолженность перед подрядчиками", f"{words.roubles(statement.owed_to_contractors)} ₽"),
        ]
    )
    table = Table(
        "Движение средств по месяцам, ₽",
        columns(
            "Месяц", "#На начало", "#Начислено", "#Взносы", "#Пени", "#Остаток принят", "#Проценты", "#Принято работ",
            "#Оплачено работ", "#На конец",
        ),
        tuple(_cells(month) for month in statement.months),
    )  # fmt: skip
    note = (
        "Начисленное и принятые работы показаны для сведения: остаток складывается из поступивших взносов, пеней, "
        "процентов и принятого остатка за вычетом оплаченных работ. Взносы и пени — по платежам, которые видны в "
        "реестре; остальное — по документам."
    )
    return Section("Фонд дома", shown, (note,), (table,))


def _cells(month: FundMonth) -> tuple[str, ...]:
    sums = (
        month.opening, month.charged, month.received, month.penalties, month.entered, month.interest, month.accepted,
        month.spent, month.closing,
    )  # fmt: skip
    return (words.month(month.month), *(words.roubles(each) for each in sums))


def _works(statement: FundStatement) -> Section:
    if not statement.works:
        return Section("Работы", paragraphs=("Работ за счёт фонда ещё не было.",))
    table = Table(
        "Работы за счёт фонда за всё время",
        columns("Дата", "Запись", ("Работа", 3), ("Подрядчик", 2), ("Документ", 2), "#Сумма, ₽"),
        tuple(_work_cells(work) for work in statement.works),
    )
    return Section("Работы", tables=(table,))


def _work_cells(work: FundEntry) -> tuple[str, ...]:
    kind, amount = KINDS[work.kind], words.roubles(work.amount_kopecks)
    return words.day(work.day), kind, work.what, work.contractor, work.document, amount
