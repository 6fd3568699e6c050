"""Readings against their neighbours in time, whatever order they come in."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.wire.ids import MeterId
from contracts.wire.leaf import DecisionReason, Profile, Quality, ReadingFlags, RegisterReading
from contracts.wire.units import Unit
from oracle.validation import validate
from oracle.windows import KEPT_POINTS, Window

METER = MeterId(b"\x01" * 16)


def at(moment: int, value: int, flags: ReadingFlags = ReadingFlags.NONE, register: int = 0) -> RegisterReading:
    return RegisterReading(METER, register, moment, value, Unit.WH, Quality.MEASURED, flags)


flags = [ReadingFlags.NONE] * 6 + [ReadingFlags.ROLLOVER]
readings = st.lists(
    st.tuples(
        st.integers(0, 40), st.integers(0, 60), st.sampled_from([ReadingFlags.NONE] * 6 + [ReadingFlags.ROLLOVER])
    ),
    max_size=KEPT_POINTS,
)


@settings(max_examples=500)
@given(readings)
def test_what_stands_never_runs_backwards(stream: list[tuple[int, int, ReadingFlags]]) -> None:
    """The model: a list sorted by time; every neighbour pair ascends but across a counter that began anew."""
    window, stands = Window(), dict[int, tuple[int, bool]]()
    for moment, value, flag in stream:
        reason = window.place(at(moment, value, flag))
        reset = bool(flag)
        if moment in stands:
            assert (reason is None) == (stands[moment][0] == value)
            continue
        tried = sorted({**dict(stands.items()), moment: (value, reset)}.items())
        i = [m for m, _ in tried].index(moment)
        falls = any(
            tried[j - 1][1][0] > tried[j][1][0] and not tried[j][1][1] for j in (i, i + 1) if 0 < j < len(tried)
        )
        assert (reason is DecisionReason.DECREASING) == falls
        if reason is None:
            stands[moment] = (value, reset)
        window = Window.unpack(window.pack())


@given(st.permutations(range(KEPT_POINTS)))
def test_any_order_of_honest_readings_stands(order: list[int]) -> None:
    window = Window()
    assert all(window.place(at(60 * n, 100 + 3 * n)) is None for n in order)
    assert all(window.place(at(60 * n, 100 + 3 * n)) is None for n in order), "the same again is no fault"


def test_registers_are_counters_of_their_own() -> None:
    window = Window()
    assert window.place(at(1, 500)) is None
    assert window.place(at(2, 3, register=1)) is None
    assert window.place(at(3, 2, register=1)) is DecisionReason.DECREASING


def test_a_replaced_meter_begins_anew() -> None:
    window = Window()
    assert window.place(at(1, 99_990)) is None
    assert window.place(at(2, 0, ReadingFlags.METER_REPLACED)) is None
    assert window.place(at(3, 5)) is None
    assert window.place(at(4, 4)) is DecisionReason.DECREASING


def test_two_values_for_one_moment_the_first_stands() -> None:
    window = Window()
    assert window.place(at(1, 100)) is None
    assert window.place(at(1, 90)) is DecisionReason.DECREASING
    assert window.place(at(1, 110)) is DecisionReason.JUMP


def test_a_profile_that_reaches_into_the_future_is_cut_there() -> None:
    now = 100_000
    values = tuple(range(4))
    qualities = (Quality.MEASURED,) * 4
    profile = Profile(METER, 0, now - 1800, 1800, Unit.WH, values, qualities)
    (finding,) = validate([profile], {METER}, {}, now)
    assert finding.reason is DecisionReason.FUTURE
    assert isinstance(finding.instead, Profile)
    assert finding.instead.values == (0, None, None, None)
    assert finding.instead.qualities == (Quality.MEASURED, Quality.MISSING, Quality.MISSING, Quality.MISSING)
    later = Profile(METER, 0, now + 1800, 1800, Unit.WH, values, qualities)
    assert validate([later], {METER}, {}, now)[0].instead is None
    past = Profile(METER, 0, now - 7200, 1800, Unit.WH, values, qualities)
    assert validate([past], {METER}, {}, now) == []
