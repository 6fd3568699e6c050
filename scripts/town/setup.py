"""What stands before the first reading: suppliers, sources, meters' passports, on the chain, by the operator's key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from contracts.client.reader import Reader
from contracts.wire.calls import encode_register_meters, encode_register_source, encode_register_supplier
from contracts.wire.ids import Hash, MeterId, Service, SourceClass, SourceId
from contracts.wire.keccak import keccak
from scripts.home import Home
from scripts.town.parties import Parties
from scripts.town.plan import House, Town, midnight

PASSPORTS_AT_ONCE = 200
_VERIFIED_YEARS = {Service.ELECTRICITY: 16, Service.COLD_WATER: 6, Service.HOT_WATER: 6}


def concentrator(house: House) -> str:
    """Name of a house's concentrator: of its key, its process and its folder."""
    return f"concentrator-{house.number}"


def sources_of(town: Town) -> list[tuple[str, SourceClass]]:
    """Every source of readings in the order of registration, with the name of its key."""
    own = [(concentrator(house), SourceClass.CONCENTRATOR) for house in town.houses]
    return [
        *own,
        ("importer", SourceClass.IMPORTER),
        ("validation", SourceClass.VALIDATION),
        ("self-report", SourceClass.SELF_REPORT),
        ("inspector", SourceClass.INSPECTOR),
    ]


def register(town: Town, home: Home, parties: Parties, reader: Reader) -> None:
    """Puts the town's suppliers, sources and meters into the Registry. Raises ActFailed."""
    for supplier in town.suppliers:
        party = f"supplier-{supplier.number}"
        account = home.address(party)
        details = Hash(keccak(supplier.name.encode()))
        data = encode_register_supplier(account, account, details)
        parties.act("operator", f"register {party}", "Registry", data)
    for name, kind in sources_of(town):
        data = encode_register_source(home.address(name), kind, 0)
        parties.act("operator", f"register source {name}", "Registry", data)
    for service, commitments, intent in _passports(town, home):
        installed = midnight(town.days[0])
        first = town.days[0]
        due = midnight(date(first.year + _VERIFIED_YEARS[service], first.month, 1))
        data = encode_register_meters(commitments, service, installed, due)
        parties.act("operator", intent, "Registry", data)
    parties.settle()
    found = reader.view("Registry", "supplierCount")
    if found < len(town.suppliers):
        raise RuntimeError(f"the Registry has {found} suppliers of {len(town.suppliers)}; see the operator's intents")


def source_ids(town: Town) -> dict[str, SourceId]:
    """Numbers of the sources: the Registry counts from 1 in the order of registration."""
    return {name: SourceId(number) for number, (name, _) in enumerate(sources_of(town), start=1)}


def passport_of(secret: bytes, meter: MeterId) -> Hash:
    """The commitment to a meter's passport under the operator's secret."""
    return Hash(keccak(secret + meter))


def _passports(town: Town, home: Home) -> list[tuple[Service, Sequence[Hash], str]]:
    """Salted commitments, many a transaction. The salt is the operator's own secret and the meter's name."""
    secret = home.key("operator-salt")
    out: list[tuple[Service, Sequence[Hash], str]] = []
    for service in (Service.ELECTRICITY, Service.COLD_WATER, Service.HOT_WATER):
        made = [passport_of(secret, meter.meter) for meter in town.meters if meter.service is service]
        for i in range(0, len(made), PASSPORTS_AT_ONCE):
            part = made[i : i + PASSPORTS_AT_ONCE]
            out.append((service, part, f"register {service.name.lower()} meters from {i}"))
    return out
