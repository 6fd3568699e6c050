"""How much was used in a month: by counters, by profiles, by the mean of the months before, or not known.

Quantities are whole numbers of the base unit (Wh, litre, 10⁻⁶ Gcal), one for each *bucket*: a part of the month in
which no tariff changed, and a zone of the day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from billing.domain.calendar import Span
from billing.domain.readings import UNUSABLE, MeterBinding, MeterKind, MeterMonth, ProfileRow, ReadingUsed, RegisterRow
from billing.domain.zones import Buckets, bucket_counts, bucket_index, bucket_index_of_days, bucket_sums
from contracts.wire.ids import MeterId
from contracts.wire.leaf import Quality, ReadingFlags
from contracts.wire.units import div_half_up, split_largest_remainder

DAY_S = 86_400


class Method(StrEnum):
    """How a quantity came to be."""

    METER = "meter"
    PROFILE = "profile"
    AVERAGE = "average"
    NORM = "norm"
    AREA = "area"


class DecreasingRegister(ValueError):
    """A counter went down with no rollover and no replacement behind it."""

    def __init__(self, meter: MeterId, register: int, before: RegisterRow | int, after: RegisterRow) -> None:
        value = before if isinstance(before, int) else before.value
        super().__init__(
            f"meter {meter.hex()} register {register} fell from {value} to {after.value} at {after.taken_at} "
            f"(leaf {after.leaf} of 0x{after.root.hex()}); record a rollover, a replacement or an inspector's reading"
        )
        self.meter, self.register, self.after = meter, register, after


@dataclass(frozen=True, slots=True)
class Usage:
    """A month's quantity by bucket: ``quantities[span][zone name]``. ``estimated`` counts filled intervals."""

    method: Method
    quantities: tuple[Mapping[str, int], ...]
    readings: tuple[ReadingUsed, ...] = ()
    estimated: int = 0
    intervals: int = 0
    counted_from: int = 0
    """First second that a difference of counters covers: earlier than the month where months were estimated."""

    @property
    def total(self) -> int:
        """All buckets together."""
        return sum(sum(zones.values()) for zones in self.quantities)

    def by_zone(self) -> dict[str, int]:
        """The month's quantity of each zone."""
        out: dict[str, int] = {}
        for zones in self.quantities:
            for zone, quantity in zones.items():
                out[zone] = out.get(zone, 0) + quantity
        return out


def metered_usage(meters: Sequence[MeterMonth], buckets: Buckets) -> Usage | None:
    """Usage by all meters of one service together, None where any of them told nothing for its part of the month.

    A meter that was replaced gives its old counters up to the removal, and the new one goes on from its own first
    value (ПП 354, п. 81: the act of replacement holds both). Raises DecreasingRegister.
    """
    present = [m for m in meters if _overlaps(m.binding, buckets)]
    parts = [_one_meter(m, buckets) for m in present]
    if not parts or any(part is None for part in parts):
        return None
    known = [part for part in parts if part is not None]
    sums = tuple(
        {name: sum(part.quantities[i].get(name, 0) for part in known) for name in buckets.plan.names}
        for i in range(len(buckets.spans))
    )
    return Usage(
        known[0].method,
        sums,
        tuple(used for part in known for used in part.readings),
        sum(part.estimated for part in known),
        sum(part.intervals for part in known),
        min(part.counted_from for part in known),
    )


def _overlaps(binding: MeterBinding, buckets: Buckets) -> bool:
    return binding.since < buckets.end_ts and (binding.until is None or binding.until > buckets.start_ts)


def _one_meter(meter: MeterMonth, buckets: Buckets) -> Usage | None:
    if meter.binding.kind is MeterKind.PROFILE:
        return profile_usage(meter, buckets)
    return register_usage(meter, buckets)


# --- counters ------------------------------------------------------------------------------------------------------


def register_usage(meter: MeterMonth, buckets: Buckets) -> Usage | None:
    """Difference of counters over the month, each register into its zone; None where a register told nothing."""
    binding, spans, plan = meter.binding, buckets.spans, buckets.plan
    quantities: list[dict[str, int]] = [dict.fromkeys(plan.names, 0) for _ in spans]
    used: list[ReadingUsed] = []
    since = spans[0].start_ts
    for register, name in binding.zones.items():
        rows = sorted(
            (r for r in meter.registers if r.register == register and r.quality not in UNUSABLE),
            key=lambda r: r.taken_at,
        )
        found = _register_difference(binding, register, rows, spans)
        if found is None:
            return None
        parts, readings, covered_from = found
        since = min(since, covered_from)
        for place, part in enumerate(parts):
            target = name if name in quantities[place] else plan.names[0]
            quantities[place][target] += part
        used += readings
    return Usage(Method.METER, tuple(quantities), tuple(used), counted_from=since)


def _register_difference(
    binding: MeterBinding, register: int, rows: Sequence[RegisterRow], spans: tuple[Span, ...]
) -> tuple[list[int], list[ReadingUsed], int] | None:
    start, end = spans[0].start_ts, spans[-1].end_ts
    before = [row for row in rows if row.taken_at <= start]
    inside = [row for row in rows if start < row.taken_at <= end]
    installed_inside = binding.since >= start
    first: RegisterRow | None = None if installed_inside or not before else before[-1]
    first_value = binding.initial.get(register) if first is None else first.value
    if first_value is None:
        if len(inside) < 2:
            return None
        first, first_value, inside = inside[0], inside[0].value, inside[1:]
    final = binding.final.get(register)
    removed_inside = binding.until is not None and binding.until <= end and final is not None
    if not inside and not removed_inside:
        return None
    covered_from = first.taken_at if first else binding.since
    marks = [(covered_from, 0)]
    total, value = 0, first_value
    for row in inside:
        total += _step(binding, register, value, row)
        value = row.value
        marks.append((row.taken_at, total))
    if removed_inside and final is not None and binding.until is not None:
        if final < value:
            raise DecreasingRegister(binding.meter, register, final, inside[-1] if inside else rows[-1])
        total += final - value
        marks.append((binding.until, total))
    ends = ([first] if first else []) + list(inside[-1:])
    return _over_spans(total, marks, spans), [_used(row) for row in ends], covered_from


def _step(binding: MeterBinding, register: int, before: int, row: RegisterRow) -> int:
    if row.value >= before:
        return row.value - before
    if row.flags & ReadingFlags.ROLLOVER and binding.capacity is not None:
        return row.value + binding.capacity - before
    raise DecreasingRegister(binding.meter, register, before, row)


def _over_spans(total: int, marks: Sequence[tuple[int, int]], spans: tuple[Span, ...]) -> list[int]:
    """Divides a month's difference over its parts: by a counter taken on the day of the cut, otherwise by days."""
    if len(spans) == 1:
        return [total]
    at_cut = [
        [sum_ for at, sum_ in marks if max(span.start_ts + 1, span.end_ts - DAY_S) <= at <= span.end_ts]
        for span in spans[:-1]
    ]
    if all(at_cut):
        sums = [0, *(found[-1] for found in at_cut), total]
        return [later - earlier for earlier, later in pairwise(sums)]
    return split_largest_remainder(total, [span.days for span in spans])


def _used(row: RegisterRow) -> ReadingUsed:
    return ReadingUsed(
        row.meter, row.register, row.taken_at, row.value, row.quality, row.source_class, row.root, row.leaf
    )


# --- profiles ------------------------------------------------------------------------------------------------------


def profile_usage(meter: MeterMonth, buckets: Buckets) -> Usage | None:
    """Sums of intervals by bucket. A gap gets what the meter's counters leave for it, else the mean of its bucket.

    None where more than half of the intervals is missing.
    """
    rows = [row for row in meter.profiles if row.register in meter.binding.zones]
    if not rows:
        return None
    sums, counts, used = _sum_profiles(_without_overlaps(rows), buckets, meter.binding)
    expected = _expected_intervals(buckets, rows[0].step_s, meter.binding)
    missing = [max(want - have, 0) for want, have in zip(expected, counts, strict=True)]
    if 2 * sum(missing) > sum(expected):
        return None
    filled = _fill_by_counters(meter, buckets, sums, missing) or [
        _fill_gap(sums, counts, missing, bucket) for bucket in range(buckets.size)
    ]
    return Usage(Method.PROFILE, buckets.by_span(filled), tuple(used), sum(missing), sum(expected))


def _fill_by_counters(
    meter: MeterMonth, buckets: Buckets, sums: Sequence[int], missing: Sequence[int]
) -> list[int] | None:
    """What the counters say beyond the intervals, over the gaps by their length; None where they can't tell."""
    since, until = meter.binding.since, meter.binding.until
    first, last = max(buckets.start_ts, since), buckets.end_ts if until is None else min(buckets.end_ts, until)
    at = {(row.register, row.taken_at): row.value for row in meter.registers if row.quality not in UNUSABLE}
    registers = {register for register, _ in at}
    if not any(missing) or not registers or any((r, t) not in at for r in registers for t in (first, last)):
        return None
    unseen = sum(at[r, last] - at[r, first] for r in registers) - sum(sums)
    if unseen < 0:
        return None
    return [a + b for a, b in zip(sums, split_largest_remainder(unseen, list(missing)), strict=True)]


def _fill_gap(sums: Sequence[int], counts: Sequence[int], missing: Sequence[int], bucket: int) -> int:
    """A bucket with its gaps filled by its own mean, or by the month's mean where it holds nothing; half up."""
    if not missing[bucket]:
        return sums[bucket]
    if counts[bucket]:
        return sums[bucket] + div_half_up(sums[bucket] * missing[bucket], counts[bucket])
    return sums[bucket] + div_half_up(sum(sums) * missing[bucket], sum(counts))


def _sum_profiles(
    rows: Sequence[ProfileRow], buckets: Buckets, binding: MeterBinding
) -> tuple[list[int], list[int], list[ReadingUsed]]:
    """Sums and numbers of usable intervals by bucket. Whole rows of one shape go together, the others one by one."""
    sums, counts = [0] * buckets.size, [0] * buckets.size
    used: list[ReadingUsed] = []
    whole = [row for row in rows if _is_whole(row, binding)]
    for shape in {(row.step_s, len(row.values)) for row in whole}:
        alike = [row for row in whole if (row.step_s, len(row.values)) == shape]
        index = bucket_index_of_days(buckets, *shape, tuple(row.start for row in alike))
        _add_rows(alike, index, buckets, (sums, counts, used))
    for row in rows:
        if not _is_whole(row, binding):
            index = bucket_index(buckets, row.start, row.step_s, len(row.values))
            _add_rows([row], np.where(_usable(row, binding), index, -1)[None, :], buckets, (sums, counts, used))
    return sums, counts, sorted(used, key=lambda reading: reading.at)


def _add_rows(
    rows: Sequence[ProfileRow],
    index: NDArray[np.int64],
    buckets: Buckets,
    totals: tuple[list[int], list[int], list[ReadingUsed]],
) -> None:
    sums, counts, used = totals
    values = np.array([[value or 0 for value in row.values] for row in rows], dtype=np.int64)
    for bucket, (have, more) in enumerate(
        zip(bucket_counts(index, buckets.size), bucket_sums(index, values, buckets.size), strict=True)
    ):
        counts[bucket] += have
        sums[bucket] += more
    inside = index >= 0
    of_row: list[int] = (values * inside).sum(axis=1).tolist()
    here_at_all: list[bool] = np.any(inside, axis=1).tolist()
    for row, value, here in zip(rows, of_row, here_at_all, strict=True):
        if here:
            quality = max(row.qualities)
            used.append(
                ReadingUsed(row.meter, row.register, row.start, value, quality, row.source_class, row.root, row.leaf)
            )


def _is_whole(row: ProfileRow, binding: MeterBinding) -> bool:
    """Every interval is there, of one usable quality, and within the binding."""
    first = row.qualities[0] if row.qualities else Quality.MISSING
    return (
        first not in UNUSABLE
        and row.qualities.count(first) == len(row.qualities)
        and None not in row.values
        and row.start >= binding.since
        and (binding.until is None or row.end <= binding.until)
    )


def _usable(row: ProfileRow, binding: MeterBinding) -> list[bool]:
    until = binding.until if binding.until is not None else row.end
    return [
        value is not None and quality not in UNUSABLE and binding.since <= row.start + i * row.step_s < until
        for i, (value, quality) in enumerate(zip(row.values, row.qualities, strict=True))
    ]


def _expected_intervals(buckets: Buckets, step_s: int, binding: MeterBinding) -> list[int]:
    start = max(buckets.start_ts, binding.since)
    end = buckets.end_ts if binding.until is None else min(buckets.end_ts, binding.until)
    return bucket_counts(bucket_index(buckets, start, step_s, max((end - start) // step_s, 0)), buckets.size)


def _without_overlaps(rows: Sequence[ProfileRow]) -> list[ProfileRow]:
    """The rows in time; where two tell the same interval the better quality stands, then the earlier leaf."""
    ordered = sorted(rows, key=lambda r: (r.start, r.end))
    if all(a.end <= b.start for a, b in pairwise(ordered)):
        return ordered
    best: dict[tuple[int, int], tuple[int, int]] = {}
    for place, row in enumerate(ordered):
        for i, (value, quality) in enumerate(zip(row.values, row.qualities, strict=True)):
            rank = (len(UNUSABLE) * 8 if value is None or quality in UNUSABLE else int(quality), place)
            key = (row.register, row.start + i * row.step_s)
            if key not in best or rank < best[key]:
                best[key] = rank
    out = []
    for place, row in enumerate(ordered):
        keep = [best[row.register, row.start + i * row.step_s][1] == place for i in range(len(row.values))]
        values = tuple(value if kept else None for value, kept in zip(row.values, keep, strict=True))
        out.append(replace(row, values=values))
    return out


# --- after estimates ------------------------------------------------------------------------------------------------


def less_estimates(usage: Usage, history: Sequence[PastMonth]) -> tuple[Usage, dict[str, int]]:
    """A difference of counters less what estimates charged for the same time (ПП 354, п. 61), and what is left over.

    The left-over is what estimates had charged above the counters: the months to come take it back.
    """
    owed = dict(history[0].owed_back) if history else {}
    if usage.method is Method.METER:
        for month in history:
            if month.method not in (Method.AVERAGE, Method.NORM) or month.start_ts < usage.counted_from:
                break
            for name, quantity in month.by_zone.items():
                owed[name] = owed.get(name, 0) + quantity
    if not any(owed.values()):
        return usage, {}
    quantities: list[dict[str, int]] = []
    for zones in usage.quantities:
        taken = {name: min(quantity, owed.get(name, 0)) for name, quantity in zones.items()}
        quantities.append({name: quantity - taken[name] for name, quantity in zones.items()})
        owed = {name: left - taken.get(name, 0) for name, left in owed.items()}
    return replace(usage, quantities=tuple(quantities)), {name: left for name, left in owed.items() if left}


# --- without readings ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PastMonth:
    """What was charged for an earlier month, newest first in a history."""

    method: Method
    by_zone: Mapping[str, int]
    start_ts: int = 0
    owed_back: Mapping[str, int] = field(default_factory=dict)
    """What estimates had charged above the counters and this month could not take back."""
    carried_kopecks: int = 0
    """What recalculations came to beyond the month's charge: the month after takes it back."""
    charged_kopecks: int = 0
    """What was charged before any recalculation: a yearly correction is the difference from it."""


@dataclass(frozen=True, slots=True)
class AverageLimits:
    """Of how many months a mean is taken, the fewest that make one, and how many periods in a row it may stand: the
    numbers of ПП 354, п. 59–60, out of the rule document in force."""

    months: int
    least: int
    periods: int


def average_usage(history: Sequence[PastMonth], buckets: Buckets, limits: AverageLimits) -> Usage | None:
    """Mean of the months before (ПП 354, п. 59): six, or no fewer than three where the meter is younger, if the limits
    are those of п. 59.

    None where there are fewer, or where as many periods in a row as may were charged so already (п. 60: the norm then).
    Rounded half up to the base unit, at the mean of each zone.
    """
    run = 0
    for month in history:
        if month.method is not Method.AVERAGE:
            break
        run += 1
    real = [m for m in history if m.method in (Method.METER, Method.PROFILE)][: limits.months]
    if run >= limits.periods or len(real) < limits.least:
        return None
    days = [span.days for span in buckets.spans]
    quantities: list[dict[str, int]] = [{} for _ in days]
    for name in buckets.plan.names:
        mean = div_half_up(sum(month.by_zone.get(name, 0) for month in real), len(real))
        for place, part in enumerate(split_largest_remainder(mean, days)):
            quantities[place][name] = part
    return Usage(Method.AVERAGE, tuple(quantities))
