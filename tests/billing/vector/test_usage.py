"""Differences of counters by columns against the rule for one meter: the same where they are plain, and never plain
where the rule finds something else."""

from __future__ import annotations

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.calendar import span_of
from billing.domain.usage import DecreasingRegister, register_usage
from billing.domain.zones import SINGLE, Buckets
from billing.vector.usage import Slots, differences
from contracts.wire.ids import MeterId, Service
from contracts.wire.leaf import Quality
from ledger.queries.bulk import PlainRegisters
from tests.billing.builders import ZONE, counters, meter_id, register

SPAN = span_of(date(2026, 1, 1), date(2026, 2, 1), ZONE)
BUCKETS = Buckets((SPAN,), SINGLE, ZONE)
moments = st.sampled_from(
    [SPAN.start_ts + days * 86_400 + seconds for days in (-40, -6, 0, 9, 31, 33) for seconds in (-1, 0, 1)]
)
rows = st.lists(
    st.tuples(moments, st.integers(0, 60), st.sampled_from([Quality.MEASURED, Quality.IMPORTED, Quality.MISSING])),
    max_size=6,
    unique_by=lambda row: row[0],
)


@given(st.lists(st.tuples(rows, st.sampled_from([0, SPAN.start_ts - 86_400 * 7])), min_size=1, max_size=5))
def test_plain_differences_are_those_of_the_rule(meters: list[tuple[list[tuple[int, int, Quality]], int]]) -> None:
    slots = Slots()
    plain: list[tuple[MeterId, int, int, int, int, int, int]] = []
    for number, (told, since) in enumerate(meters):
        slots.add((meter_id(number), 0), (since, None), (SPAN.start_ts, SPAN.end_ts))
        for leaf, (at, value, good) in enumerate(told):
            plain.append((meter_id(number), 0, at, value, int(good), 0, leaf))
    columns = [np.array([row[place] for row in plain], dtype=np.int64) for place in range(1, 7)]
    found = differences(slots, PlainRegisters([row[0] for row in plain], *columns))
    for number, (told, since) in enumerate(meters):
        registers = [
            register(at, value, meter=number, quality=good, leaf=leaf)
            for leaf, (at, value, good) in enumerate(told)
            if at >= since
        ]
        try:
            usage = register_usage(counters(Service.COLD_WATER, registers, meter=number, since=since), BUCKETS)
        except DecreasingRegister:
            assert not found.is_plain[number]
            continue
        if found.is_plain[number]:
            assert usage is not None
            assert found.difference[number] == usage.total
            ends = [found.leaf[found.first[number]], found.leaf[found.last[number]]]
            assert ends == [reading.leaf for reading in usage.readings]
        elif usage is not None:
            assert len(usage.readings) < 2 or usage.readings[0].at > SPAN.start_ts
