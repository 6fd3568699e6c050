"""Electricity by zones, within and over a social norm."""

from __future__ import annotations

from fractions import Fraction

from billing.domain import formulas
from billing.domain.calendar import Span
from billing.domain.charge import ChargedLine, Input, Part
from billing.domain.household import AccountMonth
from billing.domain.norms import Consumption, metered_or_estimated
from billing.domain.numbers import half_up
from billing.domain.parts import (
    VOLUME_POINTS,
    WH_PER_KWH,
    norm_behind,
    norm_part,
    spans_of,
    tariff_on,
)
from billing.domain.tariff import Kind, Version, zone_plan
from billing.domain.usage import Method
from billing.domain.zones import SINGLE
from contracts.wire.ids import Service


def electricity(month: AccountMonth) -> ChargedLine:
    """Electricity by one, two or three zones, within and over the social norm where the tariff has one."""
    service = Service.ELECTRICITY
    spans = spans_of(month, service)
    first = tariff_on(month, service, spans[0].first)
    metered = bool(month.meters.get(service))
    plan = zone_plan(first.document, month.household.plan) if metered else SINGLE
    used = metered_or_estimated(month, service, spans, plan)
    parts: list[Part] = []
    for place, span in enumerate(spans):
        tariff = tariff_on(month, service, span.first)
        if used.method is Method.NORM and not _has_social_norm(tariff):
            parts.append(norm_part(month, service, tariff, span, used.raised))
        else:
            parts += _zone_parts(month, tariff, used, place, span)
    return ChargedLine(
        service, month.suppliers[service], used.method, used.total, "Wh", tuple(parts), used.readings, used.by_zone(),
        used.owed_back, used.estimated, used.intervals,
    )  # fmt: skip


def _has_social_norm(tariff: Version) -> bool:
    return "social_norm_per_person" in tariff.document.rates


def _zone_parts(month: AccountMonth, tariff: Version, used: Consumption, place: int, span: Span) -> list[Part]:
    rates = tariff.document.rates
    zones_wh = dict(used.quantities[place])
    if used.raised:
        zones_wh = {zone: _raised(month, wh, span) for zone, wh in zones_wh.items()}
    within = list(zones_wh.values())
    if _has_social_norm(tariff):
        persons = month.household.registered_on(span.first)
        norm = formulas.social_norm_kwh(persons, rates["social_norm_per_person"], rates["social_norm_least"])
        within = formulas.split_social_norm(norm * Fraction(span.days, month.span.days), within)
    point = VOLUME_POINTS[used.method]
    norm_inputs, norms = norm_behind(month, Service.ELECTRICITY, span) if used.method is Method.NORM else ((), ())
    multiplier = _multiplier(month, span) if used.raised else None
    if multiplier is not None:
        norm_inputs += (Input.of("K", multiplier.document.rates["single"], "1"),)
        norms += (multiplier,)
    parts = []
    for (zone, wh), inside in zip(zones_wh.items(), within, strict=True):
        bands = [(zone, inside, "V", "T")]
        if wh > inside:
            bands = [(zone, inside, "V_within", "T_within"), (f"{zone}_over", wh - inside, "V_over", "T_over")]
        for rate_name, quantity, v, t in bands:
            if quantity == 0 and any(zones_wh.values()):
                continue
            volume, rate = Fraction(quantity, WH_PER_KWH), rates[rate_name]
            inputs = (Input.of(v, volume, "kWh"), *norm_inputs, Input.of(t, rate, "RUB/kWh"))
            amount = formulas.by_meter(volume, rate)
            parts.append(Part(f"P = {v} · {t}", point, inputs, (tariff, *norms), span, amount, zone))
    return parts


def _raised(month: AccountMonth, wh: int, span: Span) -> int:
    """A norm's watt-hours with the multiplier, half up, where the charge is worked out of the volume."""
    found = _multiplier(month, span)
    return wh if found is None else half_up(wh * found.document.rates["single"])


def _multiplier(month: AccountMonth, span: Span) -> Version | None:
    return month.tariffs.find(Kind.MULTIPLIER, Service.ELECTRICITY, month.house.areas, span.first)
