"""The end of a task is said once, however often it is shown."""

from __future__ import annotations

import io

from rich.console import Console

from seqzoo.terminal.progress import meter


def test_the_end_of_a_task_is_printed_once() -> None:
    stream = io.StringIO()
    with meter("baselines", Console(file=stream)) as shown:
        for _ in range(5):
            shown.show(1.0, "the slow one")
    assert stream.getvalue().splitlines() == ["baselines 100%  the slow one"]
