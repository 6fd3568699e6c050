"""Meter values for ГИС ЖКХ: importMeteringDeviceValuesRequest of hcs-device-metering-types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from fractions import Fraction
from itertools import groupby
from zoneinfo import ZoneInfo

from billing.paper.epd import MeterReading, PaymentDocument
from billing.paper.gis.directory import GisDirectory
from billing.paper.gis.message import (
    Element,
    GisError,
    add,
    add_reference,
    day,
    guid,
    message,
    to_bytes,
    transport_guid,
)
from billing.paper.words import plain_number
from contracts.wire.ids import Period

VERSION = "10.0.1.1"
MOST_DEVICES = 1000
VALUE_PLACES = 7
MOST_TARIFFS = 3
ELECTRICITY = "electricity"
CONTROLLED = "inspector"


class Occasion(StrEnum):
    """Why a value was taken."""

    CURRENT = "CurrentValue"
    CONTROL = "ControlValue"


@dataclass(frozen=True, slots=True)
class DeviceValue:
    """A device's counters on a day: one, or one a tariff zone in order. ``period``: the month they are sent for.

    ``is_volume``: what was used within the period instead of a counter (a device that tells volumes).
    """

    device: str
    service: str
    taken_on: date
    period: Period
    values: tuple[Fraction, ...]
    occasion: Occasion = Occasion.CURRENT
    is_volume: bool = False


@dataclass(frozen=True, slots=True)
class Verification:
    """A device's planned verification: its days, when it was sealed again, and its counters before and after."""

    device: str
    service: str
    first: date
    last: date
    sealed_on: date
    before: tuple[Fraction, ...]
    after: tuple[Fraction, ...]


def device_values(document: PaymentDocument, devices: Mapping[str, str]) -> Iterator[DeviceValue]:
    """The values behind a payment document; ``devices`` are the GUIDs that the system gave to meters.

    Raises GisError.
    """
    for meter, found in groupby(document.readings, key=lambda reading: reading.meter):
        readings = sorted(found, key=lambda reading: reading.register)
        if meter not in devices:
            raise GisError(f"meter {meter} has no GUID of ГИС ЖКХ; enter the one that the system gave")
        yield DeviceValue(
            devices[meter],
            readings[0].services[0],
            _local_day(readings, document.zone),
            document.period,
            tuple(reading.current for reading in readings),
            Occasion.CONTROL if all(r.quality == CONTROLLED for r in readings) else Occasion.CURRENT,
        )


def _local_day(readings: Sequence[MeterReading], zone: str) -> date:
    moment = max(reading.taken_at for reading in readings)
    return datetime.fromtimestamp(moment, UTC).astimezone(ZoneInfo(zone)).date()


def meter_values(
    values: Iterable[DeviceValue], directory: GisDirectory, verified: Iterable[Verification] = (), house: str = ""
) -> bytes:
    """One message; ``house`` is the FIAS GUID of a house where all devices are in one. Raises GisError."""
    given: list[DeviceValue | Verification] = [*values, *verified]
    if not 1 <= len(given) <= MOST_DEVICES:
        raise GisError(f"a message takes the values of 1 to {MOST_DEVICES} devices, not {len(given)}; split them")
    root = message("device-metering", "importMeteringDeviceValuesRequest", VERSION)
    if house:
        add(root, "FIASHouseGuid", guid(house, "the house"))
    for value in given:
        element = add(root, "MeteringDevicesValues")
        add(element, "MeteringDeviceRootGUID", guid(value.device, f"meter {value.device}"))
        if isinstance(value, Verification):
            _verification(add(element, _kind(value.service, False)), value, directory)
        else:
            _value(add(element, _kind(value.service, value.is_volume)), value, directory)
    return to_bytes(root)


def _kind(service: str, is_volume: bool) -> str:
    if is_volume:
        return "VolumeDeviceValue"
    return "ElectricDeviceValue" if service == ELECTRICITY else "OneRateDeviceValue"


def _value(parent: Element, value: DeviceValue, directory: GisDirectory) -> None:
    element = add(parent, value.occasion.value)
    _numbers(element, value.service, value.values, value.is_volume, directory)
    add(element, "DateValue", day(value.taken_on))
    names = value.device, value.service, value.period, value.taken_on, value.occasion, value.is_volume
    add(element, "base:TransportGUID", transport_guid("meter value", *names))
    if value.occasion is Occasion.CURRENT:
        period = add(element, "Period")
        add(period, "base:Year", str(value.period.year))
        add(period, "base:Month", str(value.period.month))


def _verification(parent: Element, value: Verification, directory: GisDirectory) -> None:
    element = add(parent, "VerificationValue")
    add(element, "StartDateValue", day(value.first))
    add(element, "EndDateValue", day(value.last))
    add(element, "SealDate", day(value.sealed_on))
    _numbers(add(element, "StartValue"), value.service, value.before, False, directory)
    _numbers(add(element, "EndValue"), value.service, value.after, False, directory)
    add(element, "PlannedVerification", "true")
    add(element, "base:TransportGUID", transport_guid("verification", value.device, value.service, value.first))


def _numbers(
    element: Element, service: str, values: Sequence[Fraction], is_volume: bool, directory: GisDirectory
) -> None:
    """Counters or volumes: electricity and volumes by tariff zone, other counters one alone. Raises GisError."""
    by_zone = is_volume or service == ELECTRICITY
    if not 1 <= len(values) <= (MOST_TARIFFS if by_zone else 1) or min(values) < 0:
        raise GisError(f"{service} takes {'one to three values' if by_zone else 'one value'}, none below nothing")
    if is_volume or service != ELECTRICITY:
        add_reference(element, "metering-device-base:MunicipalResource", directory.resource(service))
    for place, value in enumerate(values, start=1):
        name = f"MeteringValueT{place}" if by_zone else "MeteringValue"
        add(element, "metering-device-base:" + name, plain_number(value, VALUE_PLACES))
