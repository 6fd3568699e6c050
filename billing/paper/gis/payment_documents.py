"""Payment documents for ГИС ЖКХ: importPaymentDocumentRequest of hcs-bills-types."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from billing.paper.epd import Detail, MeterReading, PaymentDocument, ServiceRow
from billing.paper.gis.directory import GisDirectory
from billing.paper.gis.message import (
    Element,
    GisError,
    add,
    add_period,
    add_reference,
    guid,
    message,
    rate,
    roubles,
    to_bytes,
    transport_guid,
)
from billing.paper.person import Requisites
from billing.paper.words import number, plain_number, unit
from contracts.wire.ids import Service

VERSION = "11.2.0.16"
MOST_DOCUMENTS = 500
OKEI = {"m3": "113", "Gcal": "233", "kWh": "245"}
HOUSING = {"housing"}
METHOD_LETTERS, OTHER_METHOD = {"meter": "M", "profile": "M", "norm": "N"}, "O"
"""How the system names the way a volume was found; whatever is neither meter nor norm is O."""
VOLUME_PLACES, READING_PLACES, RATIO_PLACES, NORM_PLACES = 7, 5, 2, 6
HOUSE_METER = "V_house"
PREMISES_SYMBOLS = ("V_other", "V_norm", "V_meter", "V_boiler")
MOST_EXPLANATION, MOST_REASON = 4000, 500


def payment_documents(documents: Sequence[PaymentDocument], directory: GisDirectory) -> bytes:
    """One message for documents of one month, 500 at most. Raises GisError."""
    periods = {document.period for document in documents}
    if len(periods) != 1 or len(documents) > MOST_DOCUMENTS:
        raise GisError(
            f"a message takes 1 to {MOST_DOCUMENTS} payment documents of one month, "
            f"not {len(documents)} of {len(periods)}; split them"
        )
    root = message("bills", "importPaymentDocumentRequest", VERSION)
    # The system works sums out for itself: ours stand, for the chain has them.
    add(root, "ConfirmAmountsCorrect", "true")
    add_period(root, documents[0].period)
    payees = {document.person.payee: None for document in documents}
    for payee in payees:
        _payee(root, payee)
    for document in documents:
        _document(root, document, directory)
    return to_bytes(root)


def _payee_key(payee: Requisites) -> str:
    return transport_guid("payee", payee.bic, payee.account)


def _payee(root: Element, payee: Requisites) -> None:
    element = add(root, "PaymentInformation")
    add(element, "payments-base:BankBIK", payee.bic)
    add(element, "payments-base:operatingAccountNumber", payee.account)
    add(element, "base:TransportGUID", _payee_key(payee))


def _document(root: Element, document: PaymentDocument, directory: GisDirectory) -> None:
    if document.person.gis is None:
        raise GisError(f"account {document.account} has no GUID of ГИС ЖКХ; enter the one that the system gave")
    element = add(root, "PaymentDocument")
    add(element, "account-base:AccountGuid", guid(document.person.gis.account_guid, f"account {document.account}"))
    add(element, "bills-base:PaymentDocumentNumber", document.number)
    for reading in document.readings:
        if not reading.is_house:
            _reading(element, reading)
    capital = [row for row in document.rows if row.service == Service.CAPITAL_REPAIR.name.lower()]
    for row in document.rows:
        if row not in capital and _is_told(row):
            _charge(element, row, document, directory)
    for row in capital:
        if _is_told(row):
            _capital_repair(element, row, document, directory)
    _penalties(element, document, directory)
    _totals(element, document)
    add(element, "base:TransportGUID", transport_guid("payment document", document.key))
    add(element, "PaymentInformationKey", _payee_key(document.person.payee))


def _is_told(row: ServiceRow) -> bool:
    return bool(row.charged_kopecks or row.recalculated_kopecks or row.overall_kopecks)


def _reading(parent: Element, reading: MeterReading) -> None:
    element = add(parent, "IndividualMDReadings")
    name = reading.meter + (f"/{reading.register}" if reading.register else "")
    add(element, "MeteringDevice", name)
    if reading.previous is not None:
        add(element, "MDPreviousPeriodReadings", plain_number(reading.previous, READING_PLACES))
        add(element, "MDUnit", OKEI[reading.unit])
    for service in reading.services:
        add(element, "MDServiceCode", str(int(Service[service.upper()])))


def _charge(parent: Element, row: ServiceRow, document: PaymentDocument, directory: GisDirectory) -> None:
    charge = add(parent, "ChargeInfo")
    is_housing = row.service in HOUSING
    element = add(charge, "HousingService" if is_housing else "MunicipalService")
    _sums(element, row, directory)
    _adjustments(element, row)
    if is_housing:
        for resource, details in row.resources.items():
            _resource(element, resource, details, directory)
        return
    _instalment(element, row, document)
    _recalculation(element, row, document)
    _information(element, row, document)
    _consumption(element, row)
    if row.multiplier is not None:
        factor = add(element, "MultiplyingFactor")
        add(factor, "Ratio", plain_number(row.multiplier, RATIO_PLACES))
        add(factor, "AmountOfExcessFees", roubles(row.surcharge_kopecks))


def _sums(element: Element, row: ServiceRow, directory: GisDirectory) -> None:
    """What a service of any kind begins with (ServicePDImportType)."""
    add_reference(element, "ServiceType", directory.service(row.service))
    add(element, "Rate", rate(_one_rate(row)))
    add(element, "TotalPayable", roubles(row.payable_kopecks))
    add(element, "AccountingPeriodTotal", roubles(row.charged_kopecks))
    add(element, "CalcExplanation", explanation(row)[:MOST_EXPLANATION])
    _supplier(element, row, directory)
    _debts(element, row)


def _one_rate(row: ServiceRow) -> Fraction:
    """The schema takes one rate: of several the mean that the month came to, which the explanation takes apart."""
    if len(row.rates) == 1:
        return row.rates[0]
    if row.volume and row.rates:
        return Fraction(row.charged_kopecks, 100) / row.volume
    return Fraction(0)


def explanation(row: ServiceRow) -> str:
    """How a row was worked out, in words: each part's formula with its numbers."""
    told = []
    for detail in row.details:
        given = ", ".join(f"{symbol} = {number(value)} {unit(of)}".strip() for symbol, value, of in detail.inputs)
        told.append(f"{detail.formula} = {roubles(detail.amount_kopecks)}, где {given} ({detail.act})")
    return "; ".join(told) or "начислений нет"


def _supplier(element: Element, row: ServiceRow, directory: GisDirectory) -> None:
    found = directory.suppliers.get(row.supplier)
    if found is not None:
        add(element, "orgPPAGUID", guid(found, f"supplier {row.supplier}"))


def _debts(element: Element, row: ServiceRow) -> None:
    add(element, "DebtPreviousPeriodsOrAdvanceBillingPeriod", roubles(row.arrears_kopecks))
    if row.penalties_kopecks:
        add(element, "Penalties", roubles(row.penalties_kopecks))
    if row.court_costs_kopecks:
        add(element, "CourtCosts", roubles(row.court_costs_kopecks))
    add(element, "TotalPayableOverall", roubles(row.overall_kopecks))


def _adjustments(element: Element, row: ServiceRow) -> None:
    if row.recalculated_kopecks or row.granted_kopecks:
        charge = add(element, "ServiceCharge")
        add(charge, "MoneyRecalculation", roubles(row.recalculated_kopecks))
        add(charge, "MoneyDiscount", roubles(row.granted_kopecks))


def _instalment(element: Element, row: ServiceRow, document: PaymentDocument) -> None:
    found = next((i for i in document.instalments if i.service == row.service), None)
    if found is not None:
        piece = add(element, "PiecemealPayment")
        add(piece, "paymentPeriodPiecemealPaymentSum", roubles(found.current_kopecks))
        add(piece, "pastPaymentPeriodPiecemealPaymentSum", roubles(found.past_kopecks))
        add(piece, "piecemealPaymentPercentRub", roubles(found.interest_kopecks))
        add(piece, "piecemealPaymentPercent", plain_number(found.interest_percent, 2))
        add(piece, "piecemealPaymentSum", roubles(found.total_kopecks))


def _recalculation(element: Element, row: ServiceRow, document: PaymentDocument) -> None:
    """The schema takes one reason a service: of several the reasons together and their sum."""
    found = [r for r in document.recalculations if r.service == row.service]
    if found and row.recalculated_kopecks:
        again = add(element, "PaymentRecalculation")
        add(again, "recalculationReason", "; ".join(dict.fromkeys(r.reason for r in found))[:MOST_REASON])
        add(again, "sum", roubles(row.recalculated_kopecks))


def _consumption(element: Element, row: ServiceRow) -> None:
    if row.volume is None:
        return
    consumption = add(element, "Consumption")
    own = {"type": "I", "determiningMethod": METHOD_LETTERS.get(row.method, OTHER_METHOD)}
    add(consumption, "Volume", plain_number(row.volume, VOLUME_PLACES), own)
    if row.common_volume is not None:
        _common_volume(consumption, row.common_volume, [d for d in row.details if d.is_common])


def _common_volume(consumption: Element, volume: Fraction, details: Sequence[Detail]) -> None:
    """A volume for the common property: by the house meter where its counter is among the inputs."""
    metered = any(symbol == HOUSE_METER for detail in details for symbol, _, _ in detail.inputs)
    method = "M" if metered else "N"
    add(consumption, "Volume", plain_number(volume, VOLUME_PLACES), {"type": "O", "determiningMethod": method})


def _information(element: Element, row: ServiceRow, document: PaymentDocument) -> None:
    """Section 4: the counters, and what of the house's volume is the premises' and what the common property's."""
    given = {symbol: value for d in row.details if d.is_common for symbol, value, _ in d.inputs}
    premises = sum((given[name] for name in PREMISES_SYMBOLS if name in given), Fraction(0))
    house = given.get(HOUSE_METER)
    told = (
        ("individualConsumptionCurrentValue", _counter(row, document, of_house=False)),
        ("houseOverallNeedsCurrentValue", _counter(row, document, of_house=True)),
        ("houseTotalIndividualConsumption", None if house is None else premises),
        ("houseTotalHouseOverallNeeds", None if house is None else house - premises),
        ("houseOverallNeedsNorm", given.get("N")),
        ("individualConsumptionNorm", _norm(row)),
    )
    known = [(name, value) for name, value in told if value is not None]
    if known:
        information = add(element, "ServiceInformation")
        for name, value in known:
            add(information, name, plain_number(value, NORM_PLACES))


def _counter(row: ServiceRow, document: PaymentDocument, *, of_house: bool) -> Fraction | None:
    """The counter of a service's one register; None where there are several: the schema takes one."""
    found = [r.current for r in document.readings if row.service == r.services[0] and r.is_house is of_house]
    return found[0] if len(found) == 1 else None


def _norm(row: ServiceRow) -> Fraction | None:
    own = (detail for detail in row.details if not detail.is_common)
    return next((value for d in own for symbol, value, _ in d.inputs if symbol == "N"), None)


def _resource(element: Element, resource: str, details: Sequence[Detail], directory: GisDirectory) -> None:
    """What a housing line charges for one resource of the common property (КР на СОИ)."""
    child = add(element, "MunicipalResource")
    add_reference(child, "ServiceType", directory.resource(resource))
    volumes = [d.volume for d in details if d.volume is not None and d.unit == details[0].unit]
    if volumes:
        _common_volume(add(child, "Consumption"), sum(volumes, Fraction(0)), details)
    rates = list(dict.fromkeys(d.rate for d in details if d.rate is not None))
    if len(rates) == 1:
        add(child, "Rate", rate(rates[0]))
    charged = sum(d.amount_kopecks for d in details if not d.is_recalculation)
    again = sum(d.amount_kopecks for d in details if d.is_recalculation)
    add(child, "AccountingPeriodTotal", roubles(charged))
    if again:
        add(add(child, "ServiceCharge"), "MoneyRecalculation", roubles(again))
    add(child, "TotalPayable", roubles(charged + again))


def _capital_repair(parent: Element, row: ServiceRow, document: PaymentDocument, directory: GisDirectory) -> None:
    element = add(parent, "CapitalRepairCharge")
    add(element, "Contribution", plain_money(_one_rate(row)))
    add(element, "AccountingPeriodTotal", roubles(row.charged_kopecks))
    if row.recalculated_kopecks:
        add(element, "MoneyRecalculation", roubles(row.recalculated_kopecks))
    if row.granted_kopecks:
        add(element, "MoneyDiscount", roubles(row.granted_kopecks))
    add(element, "TotalPayable", roubles(row.payable_kopecks))
    _debts(element, row)
    _supplier(element, row, directory)
    add(element, "CalcExplanation", explanation(row)[:2000])
    _recalculation(element, row, document)


def plain_money(value: Fraction) -> str:
    """An exact sum in roubles that has whole kopecks, e.g. a contribution a m². Raises GisError."""
    kopecks = value * 100
    if kopecks.denominator != 1:
        raise GisError(f"the contribution {value} has no whole kopecks; the schema takes two decimals")
    return roubles(kopecks.numerator)


def _penalties(element: Element, document: PaymentDocument, directory: GisDirectory) -> None:
    """Penalties of services that this month does not charge; those of its own rows stand in their rows."""
    for owed in document.other:
        total = owed.penalties_kopecks + owed.court_costs_kopecks
        if not total:
            continue
        if directory.penalties is None:
            raise GisError("the directory of ГИС ЖКХ has no entry for penalties (НСИ 329); add its code and GUID")
        child = add(element, "PenaltiesAndCourtCosts")
        add_reference(child, "ServiceType", directory.penalties)
        add(child, "Cause", f"Пени и судебные расходы: {owed.service or 'прочее'}")
        add(child, "TotalPayable", roubles(total))


def _totals(element: Element, document: PaymentDocument) -> None:
    rows = [row for row in document.rows if _is_told(row)]
    add(element, "TotalPayableByChargeInfo", roubles(sum(row.payable_kopecks for row in rows)))
    add(element, "TotalPayableOverallByChargeInfo", roubles(sum(row.overall_kopecks for row in rows)))
    add(element, "DebtPreviousPeriods", roubles(max(0, document.arrears_kopecks)))
    add(element, "AdvanceBllingPeriod", roubles(max(0, -document.arrears_kopecks)))
    if document.instalments:
        add(element, "totalPiecemealPaymentSum", roubles(sum(i.total_kopecks for i in document.instalments)))
    add(element, "PaymentsTaken", str(document.printed_on.day))
    add(element, "TotalPayableByPDWithDebtAndAdvance", roubles(document.overall_kopecks))
    add(element, "TotalPayableByPD", roubles(sum(row.payable_kopecks for row in rows)))
    paid = sum(row.paid_kopecks for row in rows)
    if paid:
        add(element, "PaidCash", roubles(paid))
    if document.limit_index_percent is not None:
        add(element, "LimitIndex", plain_number(document.limit_index_percent, 2))
    granted = sum(row.granted_kopecks for row in rows)
    if granted:
        add(element, "SubsidiesCompensationSocialSupport", roubles(granted))
