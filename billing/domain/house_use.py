"""What a whole house used of one resource in a month, and what of it its premises account for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from billing.domain.readings import ReadingUsed
from contracts.wire.ids import Service


@dataclass(frozen=True, slots=True)
class HouseUse:
    """A house's month of one resource, in base units (Wh, litre, 10⁻⁶ Gcal); areas in hundredths of m².

    The symbols are those of ПП 354, приложение 2: ``volume`` is V^Д, None where no house meter told it; ``others`` the
    non-dwelling premises; ``by_norm`` and ``by_meter`` the dwellings; ``boiler`` what an in-house boiler took;
    ``area_dm2`` S^об, ``common_area_dm2`` S^ои. ``carried`` is a negative result of earlier months, never above zero.
    ``fuels`` are the resources that an in-house boiler burnt to make this one; ``past`` the house's earlier months by
    the number of their period, ``last_year`` its whole last calendar year where no month of ours tells it. ``norm`` is
    what common property may use, N^одн · S^ои; ``estimated``: the volume is the mean of earlier months. ``unknown``
    names the accounts whose use could not be worked out, and why: then no sum here may be charged by.
    """

    service: Service
    area_dm2: int
    common_area_dm2: int = 0
    volume: int | None = None
    readings: tuple[ReadingUsed, ...] = ()
    others: int = 0
    by_norm: int = 0
    by_meter: int = 0
    boiler: int = 0
    carried: int = 0
    dwellings_dm2: int = 0
    metered_dm2: int = 0
    persons: int = 0
    fuels: Mapping[Service, int] = field(default_factory=dict)
    past: Mapping[int, HouseUse] = field(default_factory=dict)
    last_year: int | None = None
    norm: int | None = None
    estimated: bool = False
    unknown: Mapping[str, str] = field(default_factory=dict)

    @property
    def premises(self) -> int:
        """What all premises used by themselves."""
        return self.others + self.by_norm + self.by_meter

    @property
    def common(self) -> int | None:
        """What is left for the common property, less what earlier months are owed; None without a house meter."""
        return None if self.volume is None else self.volume - self.premises - self.boiler + self.carried

    @property
    def above_norm(self) -> int:
        """What the common property used beyond its norm; nothing where either is not known."""
        return max((self.common or 0) - self.norm, 0) if self.norm is not None else 0
