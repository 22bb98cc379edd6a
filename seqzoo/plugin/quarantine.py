"""The context in which the code of plugins is loaded: whatever it does, the host continues.

What it prints goes to stderr, because stdout is for results; its warnings are not shown; settings
that all plugins share are put back (seqzoo/plugin/surroundings.py). A KeyboardInterrupt ends the
command only if a signal arrived: a plugin can raise one by itself.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Literal

from seqzoo.errors import PluginError
from seqzoo.plugin.discovery import Owner
from seqzoo.plugin.earlier_api import EarlierApiWarning
from seqzoo.plugin.surroundings import Surroundings
from seqzoo.terminal import signals

__all__ = ["Found", "Quarantine", "Visit"]

_SLOW_CPU_S, _SLOW_S = 0.5, 1.0
"""Loading that takes longer is reported. The second is longer because other processes may have
used the processor; a plugin that waits uses none."""


@dataclass
class Visit:
    """What was seen while one plugin was loaded.

    seconds: how long it took. is_slow: whether that is worth a warning. imported_torch: whether the
    plugin was the first to import torch. changed: the names of settings that were put back.
    earlier: what it uses of the plugin API before version 1.
    """

    seconds: float = 0.0
    is_slow: bool = False
    imported_torch: bool = False
    changed: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()

    @property
    def faults(self) -> str:
        """What the plugin should not do, as the end of a sentence about it; "" if nothing."""
        faults = []
        if self.imported_torch:
            faults.append(
                f"imports torch while it is declared, so that every command starts "
                f"{self.seconds:.1f} s later; it should import torch inside build"
            )
        elif self.is_slow:
            faults.append(
                f"takes {self.seconds:.1f} s to load, and every command waits for it; it should "
                f"import large packages and do its work inside build"
            )
        if self.changed:
            *others, last = self.changed
            names = f"{', '.join(others)} and {last}" if others else last
            faults.append(
                f"changed {names} while it was loaded, which was undone; it should not do this"
            )
        if self.earlier:
            faults.append(
                f"uses the plugin API before version 1 ({'; '.join(self.earlier)}), which works "
                f"for now; docs/plugins.md shows the present form"
            )
        return ". It also ".join(faults)


@dataclass(frozen=True)
class Found:
    """A plugin that was found, and what became of it.

    visit: how its loading went. cause: why it is broken, or "".
    """

    owner: Owner
    status: Literal["loaded", "disabled", "broken"]
    visit: Visit = field(default_factory=Visit)
    cause: str = ""


class _Lent:
    """A stream that can be written to and neither closed nor taken apart.

    `sys.stdout = io.TextIOWrapper(sys.stdout.buffer)` is common in scripts; when that object is
    deleted, it closes the buffer.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    @property
    def buffer(self) -> _Lent:
        return _Lent(self._stream.buffer)

    def detach(self) -> _Lent:
        return self.buffer

    def close(self) -> None:
        self._stream.flush()

    def reconfigure(self, **_: Any) -> None:
        """The stream keeps its encoding, which can write every text."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Quarantine:
    """A context for loading plugins; `visit` is the part of it for one plugin."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._surroundings = Surroundings()
        self._is_interrupted = False

    def __enter__(self) -> Quarantine:
        with contextlib.ExitStack() as stack:
            messages: Any = sys.stderr and _Lent(sys.stderr)
            stack.enter_context(contextlib.redirect_stdout(messages))
            stack.enter_context(contextlib.redirect_stderr(messages))
            stack.enter_context(self._noting_signals())
            stack.enter_context(self._surroundings)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    @contextmanager
    def visit(self, owner: Owner) -> Iterator[Visit]:
        """Load one plugin in it; the object that it gives is filled in when the context ends.

        Raises what the plugin raises; its own KeyboardInterrupt becomes a PluginError.
        """
        visit, had_torch = Visit(), "torch" in sys.modules
        began, began_cpu = time.perf_counter(), time.process_time()
        message = f"Stopped while plugin {owner} was loading."
        with signals.stage(message), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", EarlierApiWarning)
            try:
                yield visit
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt) and not self._is_interrupted:
                    raise PluginError("it raised KeyboardInterrupt while loading") from error
                raise
            finally:
                visit.seconds = time.perf_counter() - began
                used_s = time.process_time() - began_cpu
                visit.is_slow = used_s > _SLOW_CPU_S or visit.seconds > _SLOW_S
                visit.imported_torch = not had_torch and "torch" in sys.modules
                visit.changed = tuple(self._surroundings.put_back())
                visit.earlier += tuple(dict.fromkeys(str(each.message) for each in caught))
                if self._is_interrupted:  # the plugin may have caught the exception
                    interrupt = KeyboardInterrupt()
                    interrupt.add_note(message)
                    raise interrupt

    @contextmanager
    def _noting_signals(self) -> Iterator[None]:
        """Notes whether a signal arrived, and obeys it as before."""
        handlers: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            found = {number: signal.getsignal(number) for number in signals.STOPPING}
            handlers = {number: each for number, each in found.items() if callable(each)}

        def note(number: int, frame: FrameType | None) -> None:
            self._is_interrupted = True
            handlers[number](number, frame)

        for number in handlers:
            signal.signal(number, note)
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
