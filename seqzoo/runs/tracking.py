"""A tracker that fails costs its own metrics, never the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from seqzoo.errors import SeqzooError
from seqzoo.plugin.contracts import Tracker

__all__ = ["GuardedTracker"]


class GuardedTracker(Tracker):
    """Passes everything on until something raises; says so once and is silent from then on."""

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
            if isinstance(error, SeqzooError):  # already a sentence for the user
                cause = str(error)
            self._warn(f"tracker '{self._name}' failed and is left out from here on: {cause}")
