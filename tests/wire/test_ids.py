"""Names of things as people write them."""

from __future__ import annotations

import pytest

from contracts.wire.ids import Period


def test_a_month_is_written_with_four_and_two_digits() -> None:
    assert Period.parse("2026-02") == Period(2026, 2)
    assert str(Period.parse("2026-12")) == "2026-12"


@pytest.mark.parametrize(
    "text", ["2026-2", "26-02", "2026-00", "2026-13", "2026-02-01", " 2026-02", "2026-02\n", "2026-٠٢", "02.2026", ""]
)
def test_anything_else_is_no_month_and_the_message_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="give a month as YYYY-MM"):
        Period.parse(text)
