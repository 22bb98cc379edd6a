"""Processes that a trial starts, stops and kills: forks of this one, which has imported torch.

A fork starts in a tenth of the time of a new interpreter. Each child has a process group of its
own; it ends with its parent, and what it leaves running is found and ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

__all__ = ["Child", "Ended", "command", "run_command", "start"]

LIMIT_S = 120.0
"""A child that takes longer hangs, and is killed."""

_SHOWN = 600


@dataclass(frozen=True)
class Ended:
    """code: of the exit; negative for a signal. text: of both streams. left_processes: orphans."""

    code: int
    text: str
    seconds: float
    peak_bytes: int
    is_hung: bool
    left_processes: bool

    @property
    def last_line(self) -> str:
        lines = self.text.strip().splitlines()
        return lines[-1] if lines else ""

    @property
    def has_traceback(self) -> bool:
        return "Traceback" in self.text or "internal error" in self.text

    def __str__(self) -> str:
        hung = "was killed because it hung" if self.is_hung else f"ended with {self.code}"
        return f"{hung}: {' / '.join(self.text.split(chr(10)))[-_SHOWN:]}"


@dataclass
class Child:
    """A process that was started by `start`; `wait` must be called, or `kill`."""

    pid: int
    output: Path
    started: float

    def send(self, number: int) -> None:
        """A signal; none if the process has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self, limit_s: float = LIMIT_S) -> Ended:
        """Wait until it ends, and kill what it left; past the limit it is killed itself."""
        deadline, is_hung, pause = time.monotonic() + limit_s, False, 0.001
        while True:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                is_hung = True
                self._kill_group()
            time.sleep(pause)
            pause = min(pause * 1.5, 0.02)
        left = self._kill_group()
        return Ended(
            os.waitstatus_to_exitcode(status),
            self.output.read_text(errors="replace"),
            time.monotonic() - self.started,
            usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            is_hung,
            left,
        )

    def kill(self) -> Ended:
        """Kill it at once."""
        self.send(signal.SIGKILL)
        return self.wait()

    def _kill_group(self) -> bool:
        """Kill all processes of the group; whether there were any."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return False
        return True


def start(function: Callable[[], int | None], output: Path, *, memory: int | None = None) -> Child:
    """Run a function in a fork of this process.

    output: the file of its two streams. memory: bytes of address space that it may add to ours.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    output.touch()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _in_child(function, output, parent, memory)
    # Both set it: a signal to the group must not come before the child has.
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    return Child(pid, output, time.monotonic())


def command(*arguments: str, folder: Path, **changes: str) -> Callable[[], int]:
    """A function that is `seqzoo ARGUMENTS` in a folder; for a child."""

    def run() -> int:
        os.chdir(folder)
        os.environ.update(NO_COLOR="1", COLUMNS="80", OMP_NUM_THREADS="1", **changes)
        sys.argv = ["seqzoo", *arguments]
        from seqzoo.cli import main
        from seqzoo.cli.plugins import loaded

        loaded.cache_clear()  # what this process found before; a new one looks by itself
        main()
        return 0

    return run


def run_command(*arguments: str, folder: Path, limit_s: float = LIMIT_S, **changes: str) -> Ended:
    """`seqzoo ARGUMENTS` in a child, until it ends."""
    output = folder / f"output-{time.monotonic_ns()}.txt"
    return start(command(*arguments, folder=folder, **changes), output).wait(limit_s)


def _in_child(
    function: Callable[[], int | None], output: Path, parent: int, memory: int | None
) -> NoReturn:
    code = 70
    try:
        os.setpgid(0, 0)
        _end_with(parent)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            is_interrupt = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if is_interrupt else signal.SIG_DFL)
        _open_streams(output)
        if memory is not None:
            _limit_memory(memory)
        code = function() or 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        # Not sys.exit: the parent's own exit functions, as those of pytest, are not ours.
        with contextlib.suppress(BaseException):
            from seqzoo.terminal.streams import results_stream

            results_stream().flush()
            sys.stderr.flush()
        os._exit(code)


def _open_streams(output: Path) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for descriptor, number in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(descriptor, number)
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        stream = open(number, "w" if number else "r", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _end_with(parent: int) -> None:
    """Be killed when the parent dies, where the system has this (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(70)


def _limit_memory(added: int) -> None:
    with contextlib.suppress(OSError, ValueError):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + added, used + added))
