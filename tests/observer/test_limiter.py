"""The bucket of calls, by a clock of the test's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scripts.observer.limiter import Limiter


def test_a_full_bucket_empties_and_fills_by_the_clock() -> None:
    now = [0.0]
    limiter = Limiter(10, 20, lambda: now[0])
    assert limiter.wait_s("a", 20) == 0
    assert limiter.wait_s("a", 1) == 1
    assert limiter.wait_s("b", 20) == 0  # another client's bucket is its own
    now[0] = 1.0
    assert limiter.wait_s("a", 10) == 0
    assert limiter.wait_s("a", 20) == 2


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 30)), max_size=60))
def test_over_any_time_no_more_than_the_bucket_and_what_flowed_in(steps: list[tuple[float, int]]) -> None:
    now = [0.0]
    limiter = Limiter(3, 20, lambda: now[0])
    taken = 0
    for pause, calls in steps:
        now[0] += pause
        if limiter.wait_s("a", calls) == 0:
            taken += min(calls, 20)
        assert taken <= 20 + 3 * now[0] + 1e-6


def test_who_comes_back_when_told_is_let_in() -> None:
    now = [0.0]
    limiter = Limiter(7, 50, lambda: now[0])
    limiter.wait_s("a", 50)
    wait_s = limiter.wait_s("a", 50)
    now[0] += wait_s
    assert limiter.wait_s("a", 50) == 0
