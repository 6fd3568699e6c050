"""The payment document in words: the six sections of приказ Минстроя № 43/пр, and how each sum was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from billing.paper import words
from billing.paper.epd import Detail, MeterReading, PaymentDocument, ServiceRow
from billing.paper.qr import TECH_CODE, period_text, write_code
from billing.paper.sheet import Code, Section, Sheet, Table, columns, facts
from billing.paper.words import number, roubles

COMMON = ", общее имущество"
METER_DIGITS = 8
"""How much of a meter's pseudonym is printed."""
NORM_SYMBOLS = {
    "N": "Норматив потребления",
    "K": "Повышающий коэффициент",
    "q": "Норматив расхода тепла на подогрев воды",
    "V_house": "Объём по общедомовому прибору учёта",
    "V_meter": "Объём в жилых помещениях по их приборам",
    "V_norm": "Объём в жилых помещениях по нормативам",
    "V_other": "Объём в нежилых помещениях",
    "S_house": "Общая площадь помещений дома",
    "S_common": "Площадь общего имущества",
}
"""Symbols of formulas that section 4 explains; ``N_cold_water`` is the ``N`` of that service."""


def payment_sheet(document: PaymentDocument) -> Sheet:
    """The document ready to print. Raises QrError where the payee's requisites do not fit a payment code."""
    return Sheet(
        title="Платёжный документ",
        subtitle=f"для внесения платы за жилое помещение и коммунальные услуги за {words.month(document.period)}",
        lead=_lead(document),
        code=_code(document),
        sections=(
            _parties(document),
            _readings(document),
            _charges(document),
            _reference(document),
            _instalments(document),
            _recalculations(document),
            _workings(document),
        ),
        footer=f"Документ № {document.number}, сведения о платежах — на {words.day(document.printed_on)}",
    )


def payment_code(document: PaymentDocument) -> bytes:
    """The payload of the document's QR code. Raises QrError.

    ``Sum`` is all that is left to pay but penalties, which go in ``AddAmount``: principal comes first (ГК 319).
    """
    payee = document.person.payee
    penalties = max(0, min(document.penalties_kopecks, document.overall_kopecks))
    return write_code(
        {
            "Name": payee.name,
            "PersonalAcc": payee.account,
            "BankName": payee.bank,
            "BIC": payee.bic,
            "CorrespAcc": payee.correspondent,
            "PayeeINN": payee.inn,
            "KPP": payee.kpp,
            "PersAcc": document.account,
            "Purpose": f"Оплата ЖКУ по документу {document.number}, л/с {document.account}"[:160],
            "Sum": str(document.overall_kopecks - penalties),
            "AddAmount": str(penalties) if penalties else "",
            "PaymPeriod": period_text(document.period),
            "QuittId": document.number,
            "TechCode": TECH_CODE,
        }
    )


def is_payable(document: PaymentDocument) -> bool:
    """Whether anything can be paid by this document."""
    return not document.is_superseded and document.overall_kopecks > 0


def _lead(document: PaymentDocument) -> tuple[tuple[str, str], ...]:
    if document.is_superseded:
        return (("Внимание", "документ заменён исправленным, платить по нему не нужно"),)
    left = document.overall_kopecks
    to_pay = roubles(left) + " ₽" if left > 0 else "0,00 ₽ — оплачено полностью"
    return facts(
        (
            ("К оплате", to_pay),
            ("Переплата", roubles(-left) + " ₽" if left < 0 else ""),
            ("Оплатить до", words.day(document.due) + " включительно" if left > 0 else ""),
            ("Лицевой счёт", document.account),
            ("Расчётный период", words.month(document.period)),
            ("Аванс", _sum_or_nothing(document.advance_kopecks, "будет зачтён следующим документом")),
            ("Оспаривается", _sum_or_nothing(document.disputed_kopecks, "до решения не оплачивается")),
        )
    )


def _sum_or_nothing(kopecks: int, remark: str) -> str:
    return f"{roubles(kopecks)} ₽ — {remark}" if kopecks else ""


def _code(document: PaymentDocument) -> Code | None:
    if not is_payable(document):
        return None
    total = roubles(document.overall_kopecks)
    return Code(
        payment_code(document),
        "Оплата по QR-коду в приложении любого банка",
        f"QR-код для оплаты {total} рублей по лицевому счёту {document.account}; те же реквизиты — в разделе 1",
    )


def _parties(document: PaymentDocument) -> Section:
    person, premises, payee = document.person, document.premises, document.person.payee
    gis = person.gis
    return Section(
        "Раздел 1. Сведения о плательщике и получателе платежа",
        facts(
            (
                ("Плательщик", person.holder),
                ("Адрес помещения", person.address),
                ("Лицевой счёт", document.account),
                ("Единый лицевой счёт (ГИС ЖКХ)", gis.unified_account if gis else ""),
                ("Идентификатор ЖКУ (ГИС ЖКХ)", gis.service_id if gis else ""),
                ("Площадь помещения", f"{number(premises.area_m2)} м²"),
                ("Площадь помещений дома", f"{number(premises.house_area_m2)} м²"),
                ("Зарегистрировано", f"{premises.residents} чел."),
                ("Собственников", f"{premises.owners} чел."),
                ("Получатель платежа", payee.name),
                ("ИНН / КПП", payee.inn + (f" / {payee.kpp}" if payee.kpp else "")),
                ("Расчётный счёт", payee.account),
                ("Банк", f"{payee.bank}, БИК {payee.bic}, корр. счёт {payee.correspondent}"),
                ("Контакты", payee.contacts),
            )
        ),
        paragraphs=(
            "Получатель — платёжный агент: деньги с его специального счёта переходят поставщикам, "
            "названным в разделе 3, по строкам этого документа, до копейки.",
        ),
    )


def _readings(document: PaymentDocument) -> Section:
    title = "Раздел 2. Показания индивидуальных приборов учёта"
    own = [reading for reading in document.readings if not reading.is_house]
    if not own:
        return Section(title, paragraphs=("Показания счётчиков для этого документа не применялись.",))
    return Section(title, tables=(_counters("Показания приборов учёта, применённые в расчёте", document, own),))


def _counters(caption: str, document: PaymentDocument, readings: Sequence[MeterReading]) -> Table:
    rows = tuple(
        (
            ", ".join(words.service(service) for service in r.services),
            f"…{r.meter[-METER_DIGITS:]}" + (f", тариф {r.register}" if r.register else ""),
            number(r.previous),
            number(r.current),
            number(r.current - r.previous) if r.previous is not None else "",
            words.unit(r.unit),
            words.local_day(r.taken_at, document.zone),
            words.QUALITIES.get(r.quality, r.quality),
        )
        for r in readings
    )
    head = columns(
        ("Услуга", 3), ("Прибор учёта", 3), ("#Предыдущее", 2), ("#Текущее", 2), ("#Разность", 2), "Ед.",
        ("Снято", 2), ("Происхождение", 2),
    )  # fmt: skip
    return Table(caption, head, rows)


def _charges(document: PaymentDocument) -> Section:
    shown = [row for row in document.rows if row.charged_kopecks or row.overall_kopecks or row.recalculated_kopecks]
    rows = [cells for row in shown for cells in (_charge_cells(row, document), *_resource_cells(row))]
    rows += [
        (
            words.service(o.service) or "Прочее", document.person.supplier_name(o.supplier), *[""] * 10,
            roubles(o.arrears_kopecks), _if_any(o.penalties_kopecks + o.court_costs_kopecks),
            roubles(o.total_kopecks),
        )
        for o in document.other
    ]  # fmt: skip
    head = columns(
        ("Услуга", 5), ("Поставщик", 4), ("Ед.", 2), ("#Объём", 3), ("#Общедомовой", 3), ("Способ", 3),
        ("#Тариф, ₽", 3), ("#Начислено, ₽", 4), ("#в т.ч. повыш. коэф., ₽", 4), ("#Перерасчёт, ₽", 3),
        ("#Льготы, ₽", 3), ("#Оплачено, ₽", 4), ("#Долг, ₽", 4), ("#Пени и расходы, ₽", 3), ("#К оплате, ₽", 4),
    )  # fmt: skip
    totals = (
        sum(row.charged_kopecks for row in shown),
        sum(row.surcharge_kopecks for row in shown),
        sum(row.recalculated_kopecks for row in shown),
        sum(row.granted_kopecks for row in shown),
        sum(row.paid_kopecks for row in shown),
        document.arrears_kopecks,
        sum(row.penalties_kopecks + row.court_costs_kopecks for row in shown)
        + sum(o.penalties_kopecks + o.court_costs_kopecks for o in document.other),
        document.overall_kopecks,
    )
    total = ("Итого", *[""] * 6, *(roubles(kopecks) for kopecks in totals))
    notes = ["Долг — неоплаченное по прежним документам; пени показаны отдельно и в долг не входят."]
    if any(row.surcharge_kopecks for row in shown):
        notes.append("Повышающий коэффициент уже учтён в начислении и второй раз не прибавляется.")
    return Section(
        "Раздел 3. Расчёт размера платы",
        paragraphs=tuple(notes),
        tables=(Table("Начисления по услугам", head, tuple(rows), total),),
    )


def _charge_cells(row: ServiceRow, document: PaymentDocument) -> tuple[str, ...]:
    multiplier = f" (× {number(row.multiplier)})" if row.multiplier is not None else ""
    return (
        words.service(row.service),
        document.person.supplier_name(row.supplier),
        words.unit(row.unit),
        number(row.volume),
        number(row.common_volume),
        words.METHODS.get(row.method, row.method),
        "; ".join(number(rate) for rate in row.rates),
        roubles(row.charged_kopecks),
        roubles(row.surcharge_kopecks) + multiplier if row.surcharge_kopecks else "",
        _if_any(row.recalculated_kopecks),
        _if_any(row.granted_kopecks),
        _if_any(row.paid_kopecks),
        _if_any(row.arrears_kopecks),
        _if_any(row.penalties_kopecks + row.court_costs_kopecks),
        roubles(row.overall_kopecks),
    )


def _resource_cells(row: ServiceRow) -> Iterator[tuple[str, ...]]:
    """What a housing line charges for common use, resource by resource: its sum is within the line's."""
    for resource, details in row.resources.items():
        volumes = [d.volume for d in details if d.volume is not None and d.unit == details[0].unit]
        rates = dict.fromkeys(d.rate for d in details if d.rate is not None)
        charged = sum(d.amount_kopecks for d in details if not d.is_recalculation)
        yield (
            f"— в том числе на общее имущество: {words.service(resource).lower()}", "", words.unit(details[0].unit),
            "", number(sum(volumes, Fraction(0))), "", "; ".join(number(rate) for rate in rates),
            f"({roubles(charged)})", *[""] * 7,
        )  # fmt: skip


def _if_any(kopecks: int) -> str:
    """A sum, nothing where it is none: a table full of zeros hides what there is."""
    return roubles(kopecks) if kopecks else ""


def _reference(document: PaymentDocument) -> Section:
    found = {
        (
            words.service(detail.resource or row.service) + (COMMON if detail.is_common else ""),
            label,
            f"{number(value)} {words.unit(unit)}".strip(),
        )
        for row in document.rows
        for detail in row.details
        for symbol, value, unit in detail.inputs
        if (label := _norm_label(symbol))
    }
    tables = []
    house = [reading for reading in document.readings if reading.is_house]
    if house:
        tables.append(_counters("Показания общедомовых приборов учёта", document, house))
    if found:
        head = columns(("Услуга", 2), ("Показатель", 3), ("Значение", 2))
        tables.append(Table("Нормативы и объёмы по дому", head, tuple(sorted(found))))
    if document.tariffs:
        head = columns(("Тариф или норматив", 2), ("Правовой акт", 4))
        tables.append(Table("Применённые тарифы и нормативы", head, document.tariffs))
    index = document.limit_index_percent
    return Section(
        "Раздел 4. Справочная информация",
        facts((("Предельный индекс роста платы", f"{number(index)} %" if index is not None else ""),)),
        tables=tuple(tables),
    )


def _norm_label(symbol: str) -> str:
    """What section 4 calls a symbol; nothing where it has no place there."""
    name, _, service = symbol.partition("_")
    if service in words.SERVICES and name in NORM_SYMBOLS:
        return f"{NORM_SYMBOLS[name]}: {words.service(service).lower()}"
    return NORM_SYMBOLS.get(symbol, "")


def _instalments(document: PaymentDocument) -> Section:
    title = "Раздел 5. Расчёт суммы к оплате с учётом рассрочки"
    if not (document.instalments or document.agreed):
        return Section(title, paragraphs=("Рассрочка не предоставлена.",))
    tables = []
    if document.agreed:
        head = columns(("Внести не позднее", 2), ("Основание", 5), ("#Сумма, ₽", 2))
        rows = tuple((words.day(a.by), a.act, roubles(a.amount_kopecks)) for a in document.agreed)
        tables.append(Table("Платежи по соглашениям о рассрочке в этом месяце", head, rows))
    if document.instalments:
        tables.append(_by_service(document))
    return Section(title, tables=tuple(tables))


def _by_service(document: PaymentDocument) -> Table:
    rows = tuple(
        (
            words.service(i.service), roubles(i.current_kopecks), roubles(i.past_kopecks),
            f"{number(i.interest_percent)} %", roubles(i.interest_kopecks), roubles(i.total_kopecks),
        )
        for i in document.instalments
    )  # fmt: skip
    head = columns(
        ("Услуга", 3), ("#За этот период, ₽", 2), ("#За прошлые периоды, ₽", 2), ("#Процент годовых", 2),
        ("#Проценты, ₽", 2), ("#К оплате, ₽", 2),
    )  # fmt: skip
    total = roubles(sum(i.total_kopecks for i in document.instalments))
    return Table("Рассрочка по услугам", head, rows, ("Итого", "", "", "", "", total))


def _recalculations(document: PaymentDocument) -> Section:
    title = "Раздел 6. Сведения о перерасчётах"
    if not document.recalculations:
        return Section(title, paragraphs=("Перерасчётов не было.",))
    head = columns(("Услуга", 2), ("Основание", 5), ("#Доначислено +, уменьшено −, ₽", 2))
    rows = tuple((words.service(r.service), r.reason, roubles(r.amount_kopecks)) for r in document.recalculations)
    return Section(title, tables=(Table("Перерасчёты", head, rows),))


def _workings(document: PaymentDocument) -> Section:
    rows = tuple(
        (
            words.service(row.service) + _about(detail),
            words.days(detail.first, detail.end),
            detail.formula,
            "; ".join(
                f"{symbol} = {words.exact_number(value)} {words.unit(unit)}".strip()
                for symbol, value, unit in detail.inputs
            ),
            detail.act,
            roubles(detail.amount_kopecks),
        )
        for row in document.rows
        for detail in row.details
    )
    head = columns(
        ("Услуга", 3), ("Дни", 2), ("Формула", 3), ("Исходные данные", 5), ("Основание", 4), ("#Сумма, ₽", 2)
    )
    note = "Каждая сумма округлена до копейки один раз, половина — вверх. Запись вида 3/31 в данных — точная дробь."
    return Section("Как посчитана каждая сумма", paragraphs=(note,), tables=(Table("Порядок расчёта", head, rows),))


def _about(detail: Detail) -> str:
    told = (
        words.ZONES.get(detail.zone, detail.zone),
        "перерасчёт" if detail.is_recalculation else "",
        "общее имущество" if detail.is_common else "",
        words.service(detail.resource).lower() if detail.resource else "",
    )
    said = ", ".join(filter(None, told))
    return f" ({said})" if said else ""
