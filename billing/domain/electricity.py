"""Electricity by zones, and by the steps of a month's use: the social norm, or the federal tiers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from billing.domain import formulas
from billing.domain.calendar import Span
from billing.domain.charge import ChargedLine, Input, Part
from billing.domain.household import AccountMonth
from billing.domain.norms import Consumption, Mode, metered_or_estimated
from billing.domain.parts import (
    WH_PER_KWH,
    Volume,
    norm_part,
    point_of,
    spans_of,
    tariff_on,
    volume_of,
)
from billing.domain.tariff import Document, Version, zone_plan
from billing.domain.usage import Method
from billing.domain.zones import SINGLE
from contracts.wire.ids import Service


@dataclass(frozen=True, slots=True)
class Band:
    """A step of a month's use: what is added to a zone's name for its rate, to a symbol for its place in a formula,
    and how many kWh of the month belong to it; None: all the rest."""

    rate: str
    symbol: str
    width_kwh: Fraction | None


def electricity(month: AccountMonth) -> ChargedLine:
    """Electricity by one, two or three zones, within and over the social norm or the tiers where the tariff has any."""
    service = Service.ELECTRICITY
    spans = spans_of(month, service)
    first = tariff_on(month, service, spans[0].first)
    metered = bool(month.meters.get(service))
    plan = zone_plan(first.document, month.household.plan) if metered else SINGLE
    used = metered_or_estimated(month, service, spans, plan)
    parts: list[Part] = []
    for place, span in enumerate(spans):
        tariff = tariff_on(month, service, span.first)
        if used.modes[place].method is Method.NORM and not has_bands(tariff.document):
            parts.append(norm_part(month, service, tariff, span, used.modes[place]))
        else:
            parts += _zone_parts(month, tariff, used, place, span)
    return ChargedLine(
        service, month.suppliers[service], used.method, used.total, "Wh", tuple(parts), used.readings, used.by_zone(),
        used.owed_back, used.estimated, used.intervals,
    )  # fmt: skip


def has_bands(document: Document) -> bool:
    """Whether a tariff knows a social norm or tiers."""
    return "social_norm_per_person" in document.rates or "tier_1_ceiling" in document.rates


def bands_of(month: AccountMonth, document: Document, span: Span, mode: Mode) -> tuple[Band, ...]:
    """The steps of a span: a social norm and what is over it, or the tiers by their ceilings (kWh a month), each by
    its days; one step where the tariff has none."""
    rates, share = document.rates, Fraction(span.days, month.span.days)
    if "social_norm_per_person" in rates:
        persons = month.household.registered_on(span.first)
        norm = formulas.social_norm_kwh(persons, rates["social_norm_per_person"], rates["social_norm_least"])
        if not persons:
            norm = rates.get("social_norm_if_nobody", norm)
        if mode.tampered:
            norm = rates.get("social_norm_if_tampered", norm)
        return Band("", "_within", norm * share), Band("_over", "_over", None)
    if "tier_1_ceiling" in rates:
        first, second = rates["tier_1_ceiling"], rates["tier_2_ceiling"]
        return (
            Band("", "_1", first * share),
            Band("_tier_2", "_2", (second - first) * share),
            Band("_tier_3", "_3", None),
        )
    return (Band("", "", None),)


def over_bands(bands: tuple[Band, ...], zones_wh: Mapping[str, int]) -> list[tuple[Band, dict[str, int]]]:
    """The watt-hours of each zone in each step, from the first: in proportion to what the zones have left."""
    left = list(zones_wh.values())
    out = []
    for band in bands:
        taken = list(left) if band.width_kwh is None else formulas.split_social_norm(band.width_kwh, left)
        left = [have - part for have, part in zip(left, taken, strict=True)]
        out.append((band, dict(zip(zones_wh, taken, strict=True))))
    return out


def _zone_parts(month: AccountMonth, tariff: Version, used: Consumption, place: int, span: Span) -> list[Part]:
    mode = used.modes[place]
    volumes = {
        zone: volume_of(month, Service.ELECTRICITY, used, place, span, zone=zone) for zone in used.quantities[place]
    }
    zones_wh = {zone: int(volume.value * WH_PER_KWH) for zone, volume in volumes.items()}
    bands = bands_of(month, tariff.document, span, mode)
    found = over_bands(bands, zones_wh)
    parts = []
    for zone, volume in volumes.items():
        for band, taken in found:
            if taken[zone] == 0 and (band is not bands[0] or any(zones_wh.values())):
                continue
            is_whole = taken[zone] == zones_wh[zone] and band is bands[0]
            parts.append(
                _band_part(tariff, volume, (zone, band), None if is_whole else taken[zone], span=span, mode=mode)
            )
    return parts


def _band_part(
    tariff: Version, volume: Volume, place: tuple[str, Band], taken_wh: int | None, *, span: Span, mode: Mode
) -> Part:
    """One zone and step; ``taken_wh`` is None where the zone's whole volume is within the first step."""
    zone, band = place
    rate = tariff.document.rates[zone + band.rate]
    k, times, raised = volume.multiplier_of()
    symbol, t, inputs, value = "V", "T", volume.inputs, volume.value
    if taken_wh is not None:
        value = Fraction(taken_wh, WH_PER_KWH)
        symbol, t = f"V{band.symbol}", f"T{band.symbol}"
        width = () if band.width_kwh is None else (Input.of("L", band.width_kwh, "kWh"),)
        inputs = (Input.of(symbol, value, "kWh", readings=volume.inputs[0].readings), *volume.inputs, *width)
    return Part(
        f"P = {symbol}{times} · {t}",
        point_of(mode),
        (*inputs, *raised, Input.of(t, rate, "RUB/kWh")),
        (tariff, *volume.versions),
        span,
        formulas.by_meter(value * k, rate),
        zone,
        volume.surcharge_of(value * k * rate, k),
    )
