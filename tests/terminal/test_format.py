from __future__ import annotations

import pytest

from seqzoo.terminal.format import clock


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (95, "1:35"), (3600, "1:00:00"),
     (4000, "1:06:40"), (360_000, "100:00:00")],
)  # fmt: skip
def test_seconds_are_formatted_as_a_clock_shows_them(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown
