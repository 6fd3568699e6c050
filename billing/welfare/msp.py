"""The welfare body's messages to ГИС ЖКХ (schema ``msp`` 13.1.2.1): who is helped, how much, what was paid.

Names and addresses come in as ``Recipient`` values for one message and are kept nowhere; without one, a message names
the person by the identifier that ГИС ЖКХ gave, and carries sums alone. Identifiers of transport are made of the
awards' hashes, so the same month again is the same message.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from lxml import etree

from billing.welfare.awards import Award
from billing.welfare.cases import SubsidyCase
from billing.welfare.records import Shelf
from billing.welfare.reference import Effect
from contracts.wire.ids import Period, Service

MSP = "http://dom.gosuslugi.ru/schema/integration/msp/"
BASE = "http://dom.gosuslugi.ru/schema/integration/base/"
NSI = "http://dom.gosuslugi.ru/schema/integration/nsi-base/"
PERSONS = "http://dom.gosuslugi.ru/schema/integration/individual-registry-base/"
VERSION = "11.0.0.1"
MOST_IN_ONE = 1000
_NAMESPACES = {"msp": MSP, "base": BASE, "nsi": NSI, "ind": PERSONS}
_TRANSPORT = uuid.UUID("6f0e5b2e-7f8f-5e0b-9f9a-6d7370000001")
SERVICES = {
    Service.COLD_WATER: "ColdWater",
    Service.HOT_WATER: "HotWater",
    Service.SEWAGE: "Sewerage",
    Service.ELECTRICITY: "Electricity",
    Service.GAS: "Gas",
    Service.HEATING: "Heating",
    Service.SOLID_WASTE: "Waste",
    Service.HOUSING: "Maintenance",
    Service.CAPITAL_REPAIR: "Repairs",
}


class CannotExport(ValueError):
    """A case can't be put into a message."""

    def __init__(self, case: str, reason: str) -> None:
        super().__init__(f"case {case}: {reason}")
        self.case, self.reason = case, reason


@dataclass(frozen=True, slots=True)
class DecisionCode:
    """An entry of ГИС ЖКХ's list 301 of kinds of decisions: code and identifier, as the list gives them."""

    code: str
    guid: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who is helped and where, for one message: from ``api``, never kept here. ``guid`` is ГИС ЖКХ's own name for
    the person's record where there is one already; ``house_guid`` is the house's in ФИАС."""

    guid: str | None = None
    surname: str = ""
    first_name: str = ""
    patronymic: str = ""
    snils: str = ""
    house_guid: str = ""
    apartment: str = ""
    decision: DecisionCode | None = None


def subsidies(
    shelves: Sequence[Shelf], recipients: Mapping[str, Recipient], period: Period, paid_on: date
) -> list[bytes]:
    """Messages ``importCitizenSubsidyRequest`` with a month's subsidies, at most a thousand persons each.

    ``recipients`` by account. Raises CannotExport.
    """
    entries = [_subsidy(*found, recipients, paid_on) for found in _with_awards(shelves, period, True)]
    return _messages("importCitizenSubsidy", entries)


def compensations(
    shelves: Sequence[Shelf], recipients: Mapping[str, Recipient], period: Period, paid_on: date
) -> list[bytes]:
    """Messages ``importCitizenCompensationRequest`` with a month's compensations, service by service. A person is
    named by the identifier that ГИС ЖКХ gave. Raises CannotExport."""
    entries = [_compensation(*found, recipients, paid_on) for found in _with_awards(shelves, period, False)]
    return _messages("importCitizenCompensation", entries)


# --- subsidies ---


def _subsidy(
    shelf: Shelf, awards: Sequence[Award], recipients: Mapping[str, Recipient], paid_on: date
) -> etree._Element:
    who = _recipient(shelf, recipients)
    entry = etree.Element(_msp("importCitizenSubsidy"))
    if who.guid:
        _add(entry, "CitizenSubsidyGuid", who.guid)
    else:
        _add(entry, "TransportGuid", _transport(f"overview {shelf.account} {shelf.case}"))
        entry.append(_overview(shelf, who))
    for award in awards:
        holder = etree.SubElement(entry, _msp("Calculation"))
        _add(holder, "TransportGuid", _transport(f"calculation {award.hash.hex()}"))
        sums = etree.SubElement(holder, _msp("LoadCalculation"))
        _add(sums, "PeriodDate", str(award.period))
        _add(sums, "CalculationDate", award.on.isoformat())
        _add(sums, "FamilySize", str(award.family))
        _add(sums, "ActualExpensesSum", _roubles(award.expense_kopecks))
        _sums(sums, award, "SubsidySum")
        _add(sums, "TotalSum", _roubles(award.net_kopecks))
    _payments(entry, "LoadPayment", shelf, awards, paid_on)
    return entry


def _overview(shelf: Shelf, who: Recipient) -> etree._Element:
    revision = shelf.revisions[0]
    case = revision.case
    if not isinstance(case, SubsidyCase) or who.decision is None or not who.house_guid:
        reason = "a first message needs surname, first name, the house's ФИАС identifier and the decision's code"
        raise CannotExport(shelf.case, f"{reason}; give them, or the person's identifier in ГИС ЖКХ")
    overview = etree.Element(_msp("LoadOverview"))
    for name, value in (("Surname", who.surname), ("FirstName", who.first_name), ("Patronymic", who.patronymic)):
        if value:
            etree.SubElement(overview, f"{{{PERSONS}}}{name}").text = value
    if who.snils:
        etree.SubElement(overview, f"{{{PERSONS}}}SNILS").text = who.snils
    _add(overview, "Address", who.house_guid)
    if who.apartment:
        _add(overview, "ApartmentNumber", who.apartment)
    _add(overview, "RegistrationType", "Permanent")
    _add(overview, "FromDate", _first(case.months[0]).isoformat())
    _add(overview, "ToDate", _last(case.months[-1]).isoformat())
    decision = etree.SubElement(overview, _msp("Decision"))
    _add(decision, "Number", shelf.case)
    _add(decision, "DecisionDate", case.decided.isoformat())
    code = etree.SubElement(decision, _msp("DecisionTypeCode"))
    etree.SubElement(code, f"{{{NSI}}}Code").text = who.decision.code
    etree.SubElement(code, f"{{{NSI}}}GUID").text = who.decision.guid
    return overview


# --- compensations ---


def _compensation(
    shelf: Shelf, awards: Sequence[Award], recipients: Mapping[str, Recipient], paid_on: date
) -> etree._Element:
    who = _recipient(shelf, recipients)
    if not who.guid:
        raise CannotExport(shelf.case, "a compensation names the person by the identifier in ГИС ЖКХ; give it")
    entry = etree.Element(_msp("importCitizenCompensation"))
    _add(entry, "CitizenCompensationGuid", who.guid)
    for award in awards:
        holder = etree.SubElement(entry, _msp("Calculation"))
        _add(holder, "TransportGuid", _transport(f"calculation {award.hash.hex()}"))
        sums = etree.SubElement(holder, _msp("LoadCalculations"))
        _add(sums, "PeriodFrom", _first(award.period).isoformat())
        _add(sums, "PeriodTo", _last(award.period).isoformat())
        _add(sums, "CalculationDate", award.on.isoformat())
        _add(sums, "CompensationSum", _roubles(award.net_kopecks))
        for line in award.lines:
            name = SERVICES.get(line.service)
            if name is None:
                raise CannotExport(shelf.case, f"ГИС ЖКХ has no name for {line.service.name.lower()}")
            actual = etree.SubElement(sums, _msp("Actual"))
            _add(actual, "Service", name)
            _add(actual, "FamilySize", str(award.family))
            _add(actual, "ServicePaymentSum", _roubles(line.charged_kopecks))
            _add(actual, "CompensationSum", _roubles(line.amount_kopecks))
    _payments(entry, "LoadPayments", shelf, awards, paid_on)
    return entry


# --- what both share ---


def _sums(parent: etree._Element, award: Award, name: str) -> None:
    """A month's first award is the help itself; a later one of the same month is a recalculation of it."""
    withheld = award.net_kopecks - award.amount_kopecks
    if award.number == 1:
        _add(parent, name, _roubles(award.amount_kopecks))
        if withheld:
            _add(parent, "RecalculationSum", _roubles(withheld))
    else:
        _add(parent, "RecalculationSum", _roubles(award.net_kopecks))


def _payments(entry: etree._Element, name: str, shelf: Shelf, awards: Sequence[Award], paid_on: date) -> None:
    """Money that went to the person, and what the person gave back in that month; what nets the bill is neither."""
    paid = [
        (f"payment {award.hash.hex()}", "Payment", paid_on, award.net_kopecks)
        for award in awards
        if award.effect is Effect.PERSON and award.net_kopecks
    ]
    paid += [
        (f"refund {shelf.account} {shelf.case} {place}", "Refund", repayment.on, repayment.amount_kopecks)
        for place, repayment in enumerate(shelf.repayments)
        if Period(repayment.on.year, repayment.on.month) == awards[0].period
    ]
    for transport, kind, day, kopecks in paid:
        holder = etree.SubElement(entry, _msp("Payment"))
        _add(holder, "TransportGuid", _transport(transport))
        payment = etree.SubElement(holder, _msp(name))
        _add(payment, "PaymentType", kind)
        _add(payment, "PaymentDate", day.isoformat())
        _add(payment, "PaymentSum", _roubles(kopecks))


def _messages(name: str, entries: Sequence[etree._Element]) -> list[bytes]:
    out = []
    for start in range(0, len(entries), MOST_IN_ONE):
        request = etree.Element(_msp(f"{name}Request"), nsmap=_NAMESPACES)
        request.set(f"{{{BASE}}}version", VERSION)
        request.extend(entries[start : start + MOST_IN_ONE])
        out.append(etree.tostring(request, xml_declaration=True, encoding="UTF-8", pretty_print=True))
    return out


def _with_awards(shelves: Sequence[Shelf], period: Period, is_subsidy: bool) -> Iterator[tuple[Shelf, list[Award]]]:
    for shelf in shelves:
        awards = [award for award in shelf.awards if award.period == period]
        if awards and isinstance(shelf.revisions[0].case, SubsidyCase) is is_subsidy:
            yield shelf, awards


def _recipient(shelf: Shelf, recipients: Mapping[str, Recipient]) -> Recipient:
    if shelf.account not in recipients:
        raise CannotExport(shelf.case, f"nobody was named for account {shelf.account}; add it to the recipients")
    return recipients[shelf.account]


def _transport(name: str) -> str:
    return str(uuid.uuid5(_TRANSPORT, name))


def _add(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, _msp(name)).text = text


def _msp(name: str) -> str:
    return f"{{{MSP}}}{name}"


def _roubles(kopecks: int) -> str:
    sign = "-" if kopecks < 0 else ""
    return f"{sign}{abs(kopecks) // 100}.{abs(kopecks) % 100:02d}"


def _first(period: Period) -> date:
    return date(period.year, period.month, 1)


def _last(period: Period) -> date:
    return _first(period.next()) - timedelta(days=1)
