"""What a tracker plugin does with the metrics of a run. Without torch, because it needs none."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

__all__ = ["RunEnd", "Tracker"]

RunEnd: TypeAlias = Literal["finished", "interrupted", "diverged", "failed"]
"""How a run ended: its budget is spent, a signal stopped it, its loss is not finite, an error."""


class Tracker(ABC):
    """An output for the metrics of one run.

    Each tracker lives in a process of its own: it can import what it likes, use any random
    generator and wait for a network, and the run is not changed by it. The calls arrive in order.
    A tracker that raises, or that is too far behind, is reported once and receives no more.

    When a run resumes, lines after `TrackerContext.resumed_from` are sent again. A tracker that
    stored some of them removes those first, so that each step is stored once.
    """

    @abstractmethod
    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Store the metrics of a step. Steps increase."""

    def log_text(self, step: int, name: str, text: str) -> None:  # noqa: B027
        """Store a text that the weights of this step wrote. Default: nothing.

        name: "sample" during training; "sample-1", "sample-2", … for those of the finished run,
        whose step can be earlier than the last line of metrics. Bytes that are not UTF-8 are
        U+FFFD.
        """

    def finish(self, result: Mapping[str, Any] | None, status: RunEnd) -> None:  # noqa: B027
        """Receive the end of the run, or of this part of it: it can be resumed. Default: nothing.

        result: result.json as plain data; None if the run was not scored.
        """

    def close(self) -> None:  # noqa: B027
        """Release what it holds: the last call, after `finish`. Default: nothing."""
