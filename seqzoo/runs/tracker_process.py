"""The run's end of one tracker: a process of its own, and pipes that never make the run wait."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, Any

__all__ = ["TrackerProcess"]

_CHILD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from seqzoo.runs.tracker_child import main; main(int(sys.argv[2]), int(sys.argv[3]))"
)

_MOST_BEHIND = 10_000
"""Commands that a tracker may be behind; further ones would fill the memory."""

_MOST_LINES = 20
"""Printed lines that are shown."""


class TrackerProcess:
    """A tracker in a process of its own.

    Nothing here waits: what the pipe does not take is kept and sent later.
    """

    def __init__(
        self,
        opening: Mapping[str, Any],
        *,
        lock: int,
        show: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        """opening: the first command, see `tracker_child`; it has `who`, the name for messages.

        lock: an open file that is locked while the process runs. show: receives each line that the
        tracker prints. warn: receives the one sentence on its failure.
        """
        self.name: str = opening["name"]
        self._who: str = opening["who"]
        self.received: int | None = opening["resumed_from"]
        """The last step up to which everything has arrived; None before the first."""
        self._show, self._warn = show, warn
        self._unsent = bytearray()
        self._sent = self.received
        self._unanswered: deque[int | None] = deque()
        self._most_behind = _MOST_BEHIND
        self._partial: dict[int, bytes] = {}
        self._lines_left = _MOST_LINES
        self._is_finishing = False
        self._moved_at = time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None
        path = json.dumps([str(each) for each in sys.path])
        command = [sys.executable or "python3", "-P", "-c", _CHILD, path]
        try:
            self._process = subprocess.Popen(
                [*command, str(lock), str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[lock],
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                process_group=0,  # Ctrl-C in the terminal is for the run
            )
        except OSError as error:
            self.leave_out(f"it cannot be started: {error.strerror}.")
            return
        for stream in self._streams():
            os.set_blocking(stream.fileno(), False)
        self.send(opening)

    @property
    def is_running(self) -> bool:
        """Whether it has a process: it has neither finished nor failed."""
        return self._process is not None

    @property
    def silent_seconds(self) -> float:
        """How long it has had something to do without an answer."""
        return time.monotonic() - self._moved_at if self._unanswered else 0.0

    def allow_behind(self, commands: int) -> None:
        """So many commands are sent at once."""
        self._most_behind += commands

    def send(self, command: Mapping[str, Any], *, step: int | None = None) -> None:
        """Send a command, unless it has no process. step: what it belongs to; never decreases."""
        if self._process is None:
            return
        if not self._unanswered:
            self._moved_at = time.monotonic()
        self._is_finishing |= "finish" in command
        self._unsent += json.dumps(command).encode() + b"\n"
        self._unanswered.append(step)
        self._sent = self._sent if step is None else step
        self.exchange()

    def exchange(self) -> None:
        """Write and read what can be written and read now."""
        if self._process is None:
            return
        commands, answers, printed = self._streams()
        with suppress(BlockingIOError):
            while self._unsent:
                try:
                    sent = os.write(commands.fileno(), self._unsent[:65536])
                except BrokenPipeError:  # the answers say why
                    self._unsent.clear()
                    break
                del self._unsent[:sent]
        for line in self._lines(printed)[0]:
            self._show_line(line.decode("utf-8", "replace"))
        lines, is_at_end = self._lines(answers)
        for line in lines:
            if (cause := _failure(line)) or not self._unanswered:
                self.leave_out(cause or _NO_ANSWER)
                return
            self._moved_at = time.monotonic()
            self._unanswered.popleft()
            waiting = next((step for step in self._unanswered if step is not None), None)
            self.received = self._sent if waiting is None else waiting - 1
        if is_at_end:
            self._end()
        elif len(self._unanswered) > self._most_behind:
            self.leave_out(f"it is {len(self._unanswered):,} lines behind.")

    def leave_out(self, cause: str) -> None:
        """End the process now, and warn once. cause: a sentence about the tracker."""
        self._close()
        self._warn(f"{self._who} is left out, and the run is not affected: {cause}")

    def _streams(self) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
        process = self._process
        assert process is not None
        assert process.stdin and process.stdout and process.stderr  # noqa: PT018
        return process.stdin, process.stdout, process.stderr

    def _lines(self, stream: IO[bytes]) -> tuple[list[bytes], bool]:
        """The whole lines that have arrived, and whether none can follow."""
        file, found, is_at_end = stream.fileno(), [], False
        found.append(self._partial.get(file, b""))
        with suppress(BlockingIOError):
            # A tracker that prints without end must not keep the run here.
            for _ in range(16):
                if not (part := os.read(file, 65536)):
                    is_at_end = True
                    break
                found.append(part)
        *lines, self._partial[file] = b"".join(found).split(b"\n")
        return lines, is_at_end

    def _show_line(self, line: str) -> None:
        # Without the codes of colours, and after a progress line only what it shows at last.
        text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line).rstrip("\r").split("\r")[-1].strip()
        if self._lines_left and text:
            self._lines_left -= 1
            more = "" if self._lines_left else " (further lines are not shown)"
            self._show(f"tracker '{self.name}': {text}{more}")

    def _end(self) -> None:
        """The process has ended, or closed the pipe."""
        assert self._process is not None
        try:
            code = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            code = 0
        if self._is_finishing and not self._unanswered and code == 0:
            self._close()
        elif code < 0:
            self.leave_out(f"its process was ended by signal {-code}.")
        else:
            self.leave_out(f"its process ended with exit code {code}.")

    def _close(self) -> None:
        if self._process is None:
            return
        process, streams = self._process, self._streams()
        self._process = None
        if process.poll() is None:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)  # with what it started itself
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=1)
        for stream in streams:
            with suppress(OSError):
                stream.close()


_NO_ANSWER = "its process wrote into the pipe of the run."


def _failure(answer: bytes) -> str:
    """Why the tracker cannot continue; "" if it can."""
    try:
        return str(json.loads(answer).get("failed", ""))
    except (ValueError, AttributeError):
        return _NO_ANSWER
