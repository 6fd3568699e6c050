"""Meters' days to the concentrators: each house's readings are left for its own process, which signs and sends them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from contracts.wire.ids import SourceId
from contracts.wire.leaf import Profile, RegisterReading
from oracle.concentrator import spool_readings
from scripts.home import Home
from scripts.processes import Spec, Supervisor
from scripts.town.plan import House, Town
from scripts.town.readings import HouseDay, house_days
from scripts.town.services import Ports
from scripts.town.setup import concentrator


class Feed:
    """Every house's days, given out month by month in order."""

    def __init__(self, town: Town, home: Home) -> None:
        self._home = home
        self._days: dict[str, Iterator[HouseDay]] = {
            concentrator(house): house_days(town, house) for house in town.houses
        }
        self.leaves: dict[str, int] = dict.fromkeys(self._days, 0)

    def month(self, days: int, done: Callable[[int], None] = lambda _count: None) -> int:
        """Leaves the next ``days`` days of every house; returns how many batches that makes."""
        count = 0
        for _ in range(days):
            for name, left in self._days.items():
                day = next(left)
                records = [record for record in day.records if isinstance(record, Profile | RegisterReading)]
                spool_readings(self._home.root / name / "spool", day.day.isoformat(), records)
                self.leaves[name] += len(records)
                count += 1
                done(count)
        return count


def concentrator_spec(house: House, source: SourceId, home: Home, ports: Ports) -> Spec:
    """How to start a house's concentrator."""
    name = concentrator(house)
    argv = (sys.executable, "-m", "oracle.concentrator", "--home", str(home.root), "--name", name)
    return Spec(name, (*argv, "--oracle", ports.oracle_url, "--source", str(int(source))))


def stop_concentrators(town: Town, supervisor: Supervisor) -> None:
    """Ends the concentrators once all is sent."""
    for house in town.houses:
        supervisor.stop(concentrator(house))
