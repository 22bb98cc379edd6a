"""Progress where a line cannot be drawn again: lines with a percentage, now and then."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from seqzoo.terminal import progress


class Clock:
    """Time that passes when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("seqzoo.terminal.progress.time.monotonic", lambda: self.now)


@pytest.mark.parametrize("is_terminal", [False, True])
def test_plain_progress_is_a_line_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setenv("TERM", "dumb")
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=is_terminal, width=80, no_color=True)
    with progress.meter("training", console) as meter:
        for tick in range(1, 301):
            clock.now += 0.1
            meter.show(tick / 400, f"step {tick} [red]\x1b[31m")
    lines = shown.getvalue().splitlines()
    # 30 seconds: after 1, 6, 11, 16, 21 and 26.
    assert len(lines) == 6
    shares = [
        int(match[1]) for line in lines if (match := re.match(r"training +(\d+)%  step", line))
    ]
    assert shares == sorted(shares)
    assert len(shares) == 6
    assert all("[red]" in line and "\x1b" not in line for line in lines)


def test_the_rest_of_the_time_is_only_estimated_from_enough_of_the_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    shown = io.StringIO()
    with progress.meter("scoring", Console(file=shown)) as meter:
        meter.show(0.0, "")
        for share in (0.001, 0.5):
            clock.now += 10
            meter.show(share, "validation")
    first, second = shown.getvalue().splitlines()
    assert "left" not in first
    assert second.endswith("20 s left")


def test_words_are_shown_as_they_are_in_a_line_that_is_drawn_again() -> None:
    shown = io.StringIO()
    console = Console(
        file=shown, force_terminal=True, width=80, no_color=True, legacy_windows=False
    )
    with progress.meter("baselines", console) as meter:
        meter.show(0.5, "[/name] \x1b]0;title\x07")
    assert "[/name] \N{SYMBOL FOR ESCAPE}]0;title\N{SYMBOL FOR BELL}" in shown.getvalue()
