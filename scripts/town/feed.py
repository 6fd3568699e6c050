"""Meters' days to the concentrators: each house's readings are left for its own process, which signs and sends them.

A concentrator gathers a few days into a batch, as those on a slow link do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from contracts.wire.ids import SourceId
from contracts.wire.leaf import Profile, RegisterReading
from oracle.concentrator import spool_readings
from scripts.home import Home
from scripts.processes import Spec, Supervisor
from scripts.town.plan import House, Town
from scripts.town.readings import HouseDay, house_days
from scripts.town.services import Ports
from scripts.town.setup import concentrator

DAYS_A_BATCH = 3


class Feed:
    """Every house's days, given out in order."""

    def __init__(self, town: Town, home: Home) -> None:
        self._home = home
        self._days: dict[str, Iterator[HouseDay]] = {
            concentrator(house): house_days(town, house) for house in town.houses
        }

    def send(self, done: Callable[[int], None] = lambda _count: None) -> int:
        """Leaves all days of every house, house by house a few days at a time; returns how many batches that makes."""
        batches = 0
        more = True
        while more:
            more = False
            for name, left in self._days.items():
                days = list(islice(left, DAYS_A_BATCH))
                if days:
                    more = True
                    batches += 1
                    self._spool(name, days)
                    done(batches)
        return batches

    def _spool(self, name: str, days: Sequence[HouseDay]) -> None:
        records = [r for day in days for r in day.records if isinstance(r, Profile | RegisterReading)]
        spool_readings(self._home.root / name / "spool", days[0].day.isoformat(), records)


def concentrator_spec(house: House, source: SourceId, home: Home, ports: Ports) -> Spec:
    """How to start a house's concentrator."""
    name = concentrator(house)
    argv = (sys.executable, "-m", "oracle.concentrator", "--home", str(home.root), "--name", name)
    return Spec(name, (*argv, "--oracle", ports.oracle_url, "--source", str(int(source))))


def stop_concentrators(town: Town, supervisor: Supervisor) -> None:
    """Ends the concentrators once all is sent."""
    for house in town.houses:
        supervisor.stop(concentrator(house))
