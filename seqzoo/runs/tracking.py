"""Trackers whose failure never stops the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from seqzoo.errors import SeqzooError
from seqzoo.plugin.contracts import Tracker

__all__ = ["GuardedTracker"]


class GuardedTracker(Tracker):
    """Passes metrics to a tracker until it raises an exception; then warns once and stops."""

    def __init__(
        self, name: str, open_tracker: Callable[[], Tracker], *, warn: Callable[[str], None]
    ) -> None:
        self._name = name
        self._warn = warn
        self._inner: Tracker | None = None
        self._guarded(lambda: setattr(self, "_inner", open_tracker()))

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        if (inner := self._inner) is not None:
            self._guarded(lambda: inner.log(step, metrics))

    def close(self) -> None:
        if (inner := self._inner) is not None:
            self._guarded(inner.close)

    def _guarded(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:
            self._inner = None
            cause = f"{type(error).__name__}: {error}."
            if isinstance(error, SeqzooError):  # its message is already written for users
                cause = str(error)
            self._warn(f"tracker '{self._name}' failed and receives no more metrics: {cause}")
