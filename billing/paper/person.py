"""Who a document is for and whom it pays: values that the API passes to have a document printed. Nobody stores them.

Bank requisites carry check digits; a value that breaks them never gets onto paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

INN_WEIGHTS = {
    10: ((2, 4, 10, 3, 5, 9, 4, 6, 8),),
    12: ((7, 2, 4, 10, 3, 5, 9, 4, 6, 8), (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)),
}
ACCOUNT_WEIGHTS = (7, 1, 3)
ACCOUNT_DIGITS = 20
BIC_DIGITS = 9
KPP_CHARACTERS = 9


class BadRequisites(ValueError):
    """A requisite is not of its form or its check digit is wrong; names the payee and the field."""

    def __init__(self, name: str, field: str, reason: str) -> None:
        super().__init__(f"requisites of {name}: {field} {reason}; correct it in the directory of payees")
        self.name, self.field, self.reason = name, field, reason


@dataclass(frozen=True, slots=True)
class Requisites:
    """Where money for a payee goes. Raises BadRequisites.

    The check digits: of the INN by the Tax Service's weights, of the two accounts by the weights 7, 1, 3 over the
    bank's number and the account (Порядок расчета контрольного ключа, ЦБ РФ 08.09.1997 № 515).
    """

    name: str
    inn: str
    account: str
    bank: str
    bic: str
    correspondent: str
    kpp: str = ""
    contacts: str = ""

    def __post_init__(self) -> None:
        for name, value in (("name", self.name), ("bank", self.bank)):
            if not value.strip():
                self._refuse(name, "is empty")
        if not inn_is_valid(self.inn):
            self._refuse("inn", f"{self.inn!r} is not 10 or 12 digits with their check digits")
        if self.kpp and not (len(self.kpp) == KPP_CHARACTERS and self.kpp.isascii() and self.kpp.isdigit()):
            self._refuse("kpp", f"{self.kpp!r} is not {KPP_CHARACTERS} digits")
        if not _digits(self.bic, BIC_DIGITS):
            self._refuse("bic", f"{self.bic!r} is not {BIC_DIGITS} digits")
        if not account_is_valid(self.account, self.bic):
            self._refuse("account", f"{self.account!r} is not an account in bank {self.bic}: its check digit is wrong")
        if not correspondent_is_valid(self.correspondent, self.bic):
            self._refuse("correspondent", f"{self.correspondent!r} is not an account of bank {self.bic}")

    def _refuse(self, field: str, reason: str) -> None:
        raise BadRequisites(self.name or "a payee without a name", field, reason)


@dataclass(frozen=True, slots=True)
class GisNumbers:
    """How ГИС ЖКХ knows an account: its GUID, the unified account (ЕЛС, 10 characters), the service id (ИЖКУ, 13)."""

    account_guid: str
    unified_account: str = ""
    service_id: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Who the document is addressed to, as the people store knows them, and whom to pay.

    ``suppliers`` are the names of suppliers by number, ``payee`` whose requisites the QR code carries.
    """

    holder: str
    address: str
    payee: Requisites
    suppliers: Mapping[int, str] = field(default_factory=dict)
    gis: GisNumbers | None = None

    def supplier_name(self, supplier: int) -> str:
        """A supplier's name, or its number where the directory does not have it."""
        return self.suppliers.get(supplier, f"поставщик № {supplier}")


def inn_is_valid(inn: str) -> bool:
    """Whether an INN of 10 or 12 digits carries its check digits."""
    if len(inn) not in INN_WEIGHTS or not _digits(inn, len(inn)):
        return False
    numbers = [int(digit) for digit in inn]
    rows = INN_WEIGHTS[len(inn)]
    return all(
        sum(weight * number for weight, number in zip(row, numbers, strict=False)) % 11 % 10 == numbers[len(row)]
        for row in rows
    )


def account_is_valid(account: str, bic: str) -> bool:
    """Whether a client's account carries the check digit that the last three digits of the BIC ask for."""
    return _digits(account, ACCOUNT_DIGITS) and _digits(bic, BIC_DIGITS) and _key(bic[-3:] + account) == 0


def correspondent_is_valid(account: str, bic: str) -> bool:
    """The same for the bank's own account at the Bank of Russia: it is keyed by the BIC's fifth and sixth digits."""
    return _digits(account, ACCOUNT_DIGITS) and _digits(bic, BIC_DIGITS) and _key("0" + bic[4:6] + account) == 0


def _key(digits: str) -> int:
    return sum(int(digit) * ACCOUNT_WEIGHTS[place % 3] % 10 for place, digit in enumerate(digits)) % 10


def _digits(text: str, count: int) -> bool:
    return len(text) == count and text.isascii() and text.isdigit()
