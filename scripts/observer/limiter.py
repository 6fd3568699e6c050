"""How much one client may ask: a bucket of calls that fills at a steady rate."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

_CLIENTS = 10_000
"""Clients that are remembered; past that the one longest silent is forgotten, and its bucket is full again."""


class Limiter:
    """Buckets by client. One event loop at a time."""

    def __init__(self, calls_per_s: int, burst_calls: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = calls_per_s
        self._burst = burst_calls
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, client: str, calls: int) -> int:
        """Takes ``calls`` out of a client's bucket and gives 0; or takes nothing and gives the seconds to wait."""
        now = self._clock()
        left, since = self._buckets.pop(client, (float(self._burst), now))
        left = min(self._burst, left + (now - since) * self._rate)
        wanted = min(calls, self._burst)  # what is larger than the bucket may come out of a full one
        is_enough = left >= wanted
        self._buckets[client] = (left - wanted if is_enough else left, now)
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        return 0 if is_enough else max(1, math.ceil((wanted - left) / self._rate))
