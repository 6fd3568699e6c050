"""A house's heat over its premises where flats have meters (ПП 354, п. 42(1), прил. 2 ф. 3 as ПП № 1708 made it).

A premises without a meter counts with the metered ones' mean by area; what the house's meter shows beyond all of them
is everybody's by area. Volumes are 10⁻⁶ Gcal, areas hundredths of m², exact.
"""

from __future__ import annotations

from fractions import Fraction

from billing.domain.house_use import HouseUse
from billing.domain.household import AccountMonth
from billing.domain.parts import spans_of
from billing.domain.rules import average_limits
from billing.domain.usage import Usage, average_usage, metered_usage
from billing.domain.zones import SINGLE, Buckets
from contracts.wire.ids import Service


def own_heat(month: AccountMonth) -> Usage | None:
    """What the flat's own heat meters told, else the mean of the months before (п. 59); None where nothing can tell.

    Raises DecreasingRegister, and NoTariff where it comes to a mean and no rule bounds it.
    """
    meters = month.meters.get(Service.HEATING, ())
    if not meters:
        return None
    buckets = Buckets(spans_of(month, Service.HEATING), SINGLE, month.house.zone)
    told = metered_usage(meters, buckets)
    if told is not None:
        return told
    counted = [past for past in month.history.get(Service.HEATING, ()) if past.by_zone]
    return average_usage(counted, buckets, average_limits(month, Service.HEATING)) if counted else None


def heat_by_area(use: HouseUse, area_dm2: int) -> Fraction:
    """ΣV / ΣS of the metered flats times an area: what a premises without a meter counts with."""
    return Fraction(use.by_meter * area_dm2, use.metered_dm2) if use.metered_dm2 else Fraction(0)


def heat_of_premises(use: HouseUse) -> Fraction:
    """ΣV over all premises. Those that are no dwellings count by area, unless the house's books tell their volume."""
    return use.by_meter + use.others + heat_by_area(use, _unmetered_dm2(use))


def is_all_metered(use: HouseUse) -> bool:
    """Whether every premises is told by a meter of its own or by the house's books: F3(3) and F3(4), else F3 and
    F3(2) (ПП 354, п. 42(1))."""
    return use.metered_dm2 > 0 and not _unmetered_dm2(use)


def _unmetered_dm2(use: HouseUse) -> int:
    return max((use.dwellings_dm2 if use.others else use.area_dm2) - use.metered_dm2, 0)


def heat_of(use: HouseUse, area_dm2: int, own: int | None) -> Fraction:
    """F3: V_i + S_i · (V^Д − ΣV) / S^об of one premises, never below nothing; ``own`` is what its meter told."""
    volume = Fraction(use.volume or 0)
    if not use.metered_dm2:
        return volume * area_dm2 / use.area_dm2
    mine = heat_by_area(use, area_dm2) if own is None else Fraction(own)
    return max(mine + area_dm2 * (volume - heat_of_premises(use)) / use.area_dm2, Fraction(0))
