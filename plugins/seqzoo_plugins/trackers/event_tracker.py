"""A run in TensorBoard: curves, samples, the recipe and the scores."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqzoo import RunEnd, Tracker, TrackerContext
from seqzoo_plugins.trackers.event_file import EventFile

__all__ = ["EventTracker"]


class EventTracker(Tracker):
    """Writes one event file for each process of a run; TensorBoard joins them to one curve."""

    def __init__(self, folder: Path, context: TrackerContext) -> None:
        last = context.resumed_from
        self._events = EventFile(folder, first_step=0 if last is None else last + 1)
        if last is None:
            recipe = json.dumps(context.recipe, indent=1, ensure_ascii=False)
            self._events.add_text(0, "recipe", _as_it_is(recipe))

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """A point on each curve."""
        for name, value in metrics.items():
            self._events.add_scalar(step, name, value)

    def log_text(self, step: int, name: str, text: str) -> None:
        """A text under its name."""
        self._events.add_text(step, name, _as_it_is(text))

    def finish(self, result: Mapping[str, Any] | None, status: RunEnd) -> None:
        """The scores as points at the last step, and how they compare with the baselines."""
        if result is None:
            return
        for split, score in result["scores"].items():
            self._events.add_scalar(result["steps"], f"scores/{split}", score["bits_per_byte"])
        self._events.add_text(result["steps"], "result", result["placement"])

    def close(self) -> None:
        """Close the file."""
        self._events.close()


def _as_it_is(text: str) -> str:
    """As Markdown that shows every character and line end."""
    return textwrap.indent(text, "    ", lambda line: True)
