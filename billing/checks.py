"""What keeps an account's month from being billed: gaps in the register and in the tariffs, each with its remedy."""

from __future__ import annotations

from collections.abc import Container, Iterator

from billing.domain.household import AccountMonth
from billing.domain.tariff import Overlap
from contracts.wire.ids import Hash, Service


class Checks:
    """The checks of one run. ``passports`` are those that the Registry knows, None where none are asked for."""

    def __init__(self, passports: Container[Hash] | None = None) -> None:
        self._passports = passports
        self._overlaps: dict[tuple[str, frozenset[Service]], list[Overlap]] = {}

    def problems(self, month: AccountMonth) -> list[str]:
        """All that stands against billing this month, in words that name the record and the remedy."""
        return [*_premises(month), *_persons(month), *self._meters(month), *self._tariffs(month)]

    def _meters(self, month: AccountMonth) -> Iterator[str]:
        if self._passports is None:
            return
        for service, meters in sorted(month.meters.items()):
            for meter in meters:
                passport = meter.binding.passport
                name = f"the {service.name.lower()} meter {meter.binding.meter.hex()}"
                if passport is None:
                    yield f"{name} has no passport; bind it with the commitment of its passport"
                elif passport not in self._passports:
                    yield f"{name} has the passport 0x{passport.hex()}, which the Registry does not know; register it"

    def _tariffs(self, month: AccountMonth) -> list[str]:
        """The houses are few and the accounts many: looked up once a house."""
        name = month.house.code, frozenset(month.suppliers)
        if name not in self._overlaps:
            self._overlaps[name] = month.tariffs.overlaps(
                sorted(month.suppliers), month.house.areas, month.span, month.features
            )
        return [str(overlap) for overlap in self._overlaps[name]]


def _premises(month: AccountMonth) -> Iterator[str]:
    flat = month.household
    if flat.area_dm2 <= 0:
        yield "its area is not known; set the flat's area"
    if flat.rooms < 1:
        yield "its number of rooms is not known; set it"
    if month.house.area_dm2 <= 0:
        yield f"house {month.house.code} has no area; set the area of its flats and premises"


def _persons(month: AccountMonth) -> Iterator[str]:
    """Nobody registered is no gap: then the owners count (ПП 354, п. 56(2)). Neither is one."""
    flat = month.household
    days = {month.span.first, *(since for since, _ in flat.residents if month.span.first < since < month.span.end)}
    if any(flat.persons_on(day) < 1 for day in days):
        yield "nobody is registered and no owner is known; set the residents or the owners"
