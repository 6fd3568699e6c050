"""Papers about debts: the notice before a restriction, and the claim pack with its calculation row by row.

The words follow ПП 354, п. 119 (what a notice must say) and ст. 124, 131 ГПК РФ (what an application names); who is
addressed comes from the caller and is printed, not kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from billing.debt.balance import LineDebt, Move, Turnover
from billing.debt.books import Overdue
from billing.debt.claim import PENALTY_FORMULA, Claim
from billing.debt.penalty import Row
from billing.debt.work import Done, ServiceDebt, Step
from billing.debt.work_rules import WorkRule
from billing.domain.numbers import half_up
from billing.paper import words
from billing.paper.person import Person
from billing.paper.sheet import Section, Sheet, Table, columns, facts
from contracts.wire.ids import Service

STEPS = {
    Step.REMINDER: "напоминание",
    Step.NOTICE: "предупреждение (уведомление)",
    Step.DELIVERED: "вручение предупреждения",
    Step.RESTRICTION: "ограничение услуги",
    Step.SUSPENSION: "приостановление услуги",
    Step.RESUMPTION: "возобновление услуги",
    Step.CLAIM: "заявление в суд",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """What a notice says: the debt, the order in force, and whether supply is restricted before it is suspended."""

    account: str
    debt: ServiceDebt
    rule: WorkRule
    on: date
    can_restrict: bool
    may_suspend: bool


def reminder_sheet(account: str, debt: ServiceDebt, on: date, person: Person) -> Sheet:
    """A reminder that a payment is late: no threat, no law, only the sum and whom to pay."""
    return Sheet(
        "Напоминание о просроченной оплате",
        f"лицевой счёт {account}, {words.day(on)}",
        (_parties(account, debt, person, on), Section("Если вы уже оплатили", paragraphs=(_PAID,))),
        (("Просрочено", f"{words.roubles(debt.overdue_kopecks)} ₽"),),
        is_landscape=False,
    )


def notice_sheet(notice: Notice, person: Person) -> Sheet:
    """The notice of ПП 354, п. 119 «а»: so many days from its delivery, then restriction and suspension."""
    rule, debt = notice.rule, notice.debt
    name = words.service(debt.service.name.lower())
    norm = debt.norm_kopecks or 0
    ground = Section(
        "Основание",
        facts(
            [
                ("Услуга", name),
                ("Задолженность на дату предупреждения", f"{words.roubles(debt.overdue_kopecks)} ₽"),
                ("Самый ранний срок оплаты, который прошёл", words.day(debt.oldest_due)),
                ("Месячный размер платы по нормативу", f"{words.roubles(norm)} ₽"),
                (
                    "Порог неполной оплаты",
                    f"{words.number(rule.months_at_norm)} × {words.roubles(norm)} = "
                    f"{words.roubles(half_up(norm * rule.months_at_norm))} ₽",
                ),
                ("Правовое основание", rule.act),
            ]
        ),
    )
    return Sheet(
        "Предупреждение (уведомление) об ограничении или приостановлении коммунальной услуги",
        f"лицевой счёт {notice.account}, {words.day(notice.on)}",
        (
            _parties(notice.account, debt, person, notice.on),
            ground,
            Section("Что будет дальше", paragraphs=_consequences(notice, name)),
            Section("Что вы можете сделать", paragraphs=(_AGREE, _DISPUTE, _PAID)),
        ),
        (
            ("К оплате", f"{words.roubles(debt.overdue_kopecks)} ₽"),
            ("Срок", f"{rule.notice_days} дней со дня вручения"),
        ),
        is_landscape=False,
    )


_PAID = (
    "Если оплата прошла раньше, чем дошло это письмо, делать ничего не нужно: каждый рубль виден в выписке "
    "по лицевому счёту вместе с получателем."
)
_AGREE = "Заключить соглашение о рассрочке: пока оно исполняется, услугу не ограничивают."
_DISPUTE = "Оспорить начисление: спорная строка ждёт решения, и долгом для ограничения она не считается."


def _consequences(notice: Notice, name: str) -> tuple[str, ...]:
    rule = notice.rule
    first = f"Если задолженность не будет погашена в течение {rule.notice_days} дней со дня вручения, "
    lines = []
    if notice.can_restrict:
        lines.append(first + f"предоставление услуги «{name}» может быть ограничено (п. 119 «б»).")
        if notice.may_suspend:
            lines.append(
                f"Если и после {rule.restriction_days} дней ограничения долг не погашен, услуга может быть "
                "приостановлена (п. 119 «в»)."
            )
    elif notice.may_suspend:
        lines.append(
            first + f"предоставление услуги «{name}» может быть приостановлено: ограничить её нет технической "
            "возможности (п. 119 «в»)."
        )
    lines.append(f"После погашения или соглашения услугу возобновят в течение {rule.resume_days} дней (п. 120).")
    return tuple(lines)


def _parties(account: str, debt: ServiceDebt, person: Person, on: date) -> Section:
    return Section(
        "Кому и от кого",
        facts(
            [
                ("Потребитель", person.holder),
                ("Адрес", person.address),
                ("Лицевой счёт", account),
                ("Исполнитель", person.supplier_name(int(debt.supplier))),
                ("Получатель платежа", person.payee.name),
                ("ИНН", person.payee.inn),
                ("Счёт", person.payee.account),
                ("Банк", f"{person.payee.bank}, БИК {person.payee.bic}"),
                ("Дата", words.day(on)),
            ]
        ),
    )


# --- claim ---


def claim_sheet(claim: Claim, person: Person) -> Sheet:
    """The pack for a court: the demand, the debt by months, the penalty row by row, what was sent, the extract."""
    first, last = claim.periods
    span = words.month(first) if first == last else f"{words.month(first)} — {words.month(last)}"
    return Sheet(
        "Расчёт задолженности и пеней к заявлению о " + ("выдаче судебного приказа" if claim.by_order else "взыскании"),
        f"лицевой счёт {claim.account}, {span}; на {words.day(claim.at)}",
        (
            _demand(claim, person),
            Section("Основной долг", tables=(_debt_table(claim),)),
            Section("Пени", paragraphs=_penalty_words(claim), tables=tuple(_penalty_table(o) for o in claim.overdue)),
            Section("Что направлялось должнику", tables=(_journal_table(claim),)) if claim.notices else _nothing_sent(),
            Section("Выписка по лицевому счёту", tables=(_extract_table(claim),)),
        ),
        (("Заявлено", f"{words.roubles(claim.claimed_kopecks)} ₽"),),
        footer=f"лицевой счёт {claim.account}, расчёт на {words.day(claim.at)}",
    )


def _demand(claim: Claim, person: Person) -> Section:
    return Section(
        "Требование",
        facts(
            [
                ("Взыскатель", person.supplier_name(int(claim.supplier))),
                ("Должник", person.holder),
                ("Адрес", person.address),
                ("Основной долг", f"{words.roubles(claim.principal_kopecks)} ₽"),
                ("Пени", f"{words.roubles(claim.penalty_kopecks)} ₽"),
                ("Цена требования", f"{words.roubles(claim.claimed_kopecks)} ₽"),
                ("Государственная пошлина", f"{words.roubles(claim.fee_kopecks)} ₽ ({claim.fees.act})"),
                ("Порядок", "судебный приказ" if claim.by_order else "иск"),
            ]
        ),
    )


def _debt_table(claim: Claim) -> Table:
    return Table(
        "Начислено, поступило и не оплачено, ₽",
        columns("Период", ("Услуга", 2), "Документ", "Срок оплаты", "#Начислено", "#Поступило", "#Не оплачено"),
        tuple(_debt_cells(debt) for debt in claim.debts),
        ("Всего", "", "", "", "", "", words.roubles(claim.principal_kopecks)),
    )


def _debt_cells(debt: LineDebt) -> tuple[str, ...]:
    came = sum(paid.amount_kopecks for paid in debt.payments)
    return (
        words.month(debt.period),
        _name(debt.service),
        f"{debt.leaf}, строка {debt.line + 1}",
        words.day(debt.due),
        words.roubles(debt.principal_kopecks),
        words.roubles(came),
        words.roubles(debt.open_kopecks),
    )


def _penalty_words(claim: Claim) -> tuple[str, ...]:
    said = [
        f"{PENALTY_FORMULA}: S — неоплаченный остаток, n — число дней, r — годовая ставка, f — доля ставки за день. "
        "Каждая строка округлена до копейки один раз."
    ]
    if claim.penalties_paid_kopecks:
        said.append(f"Из пеней оплачено {words.roubles(claim.penalties_paid_kopecks)} ₽, они вычтены из требования.")
    return tuple(said)


def _penalty_table(late: Overdue) -> Table:
    debt = late.debt
    return Table(
        f"{words.month(debt.period)}, {_name(debt.service)}, срок оплаты {words.day(debt.due)}",
        columns("С", "По", "#n", "#S, ₽", "#r", "#f", "#P, ₽", ("Основание", 3)),
        tuple(_penalty_cells(row) for row in late.table.rows),
        ("Итого", "", "", "", "", "", words.roubles(late.table.amount_kopecks), ""),
    )


def _penalty_cells(row: Row) -> tuple[str, ...]:
    reason = row.pause.act if row.pause else ("" if row.fraction else "льготный период") or row.rate_act
    return (
        words.day(row.first),
        words.day(row.last),
        str(row.days),
        words.roubles(row.balance_kopecks),
        f"{words.number(row.rate * 100)} %",
        f"{row.fraction.numerator}/{row.fraction.denominator}" if row.fraction else "0",
        words.roubles(row.amount_kopecks),
        reason,
    )


def _journal_table(claim: Claim) -> Table:
    return Table(
        "Журнал работы с долгом",
        columns("№", "Дата", ("Действие", 2), ("Услуга", 2), "#Сумма, ₽", "Способ", ("Подтверждение", 2)),
        tuple(_journal_cells(done) for done in claim.notices),
    )


def _journal_cells(done: Done) -> tuple[str, ...]:
    about = f" № {done.about}" if done.about is not None else ""
    return (
        str(done.number),
        words.day(done.day),
        STEPS[done.step] + about,
        _name(done.service),
        words.roubles(done.amount_kopecks),
        done.channel,
        done.proof,
    )


def _nothing_sent() -> Section:
    return Section("Что направлялось должнику", paragraphs=("В журнале нет записей об этом долге.",))


def _extract_table(claim: Claim) -> Table:
    return Table(
        "Обороты по месяцам, ₽",
        columns(
            "Месяц",
            ("Услуга", 2),
            "#На начало",
            "#Начислено",
            "#Перерасчёт",
            "#Льготы",
            "#Оплачено",
            "#На конец",
            "#Пени",
        ),
        tuple(_extract_cells(row) for row in claim.extract),
    )


def _extract_cells(row: Turnover) -> tuple[str, ...]:
    paid = row.of(Move.PAID) + row.of(Move.NETTED) - row.of(Move.REFUNDED)
    sums = (row.opening, row.of(Move.CHARGED), row.of(Move.RECALCULATED), row.of(Move.GRANTED), paid, row.closing)
    return words.month(row.month), _name(row.service), *(words.roubles(s) for s in sums), words.roubles(row.penalties)


def _name(service: Service | None) -> str:
    return "" if service is None else words.service(service.name.lower())
