"""A job of a queue: the process on the machine where it begins, and the orders of its sweep.

submitit and the queue use signals for themselves, so a member of a sweep is a process of its own
below the job, and orders are lines of a file on the disk that the machines share.
"""

from __future__ import annotations

import platform
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

from seqzoo import Job, JobProcess

__all__ = ["Orders", "run_queued"]

_SECONDS_BETWEEN_BEATS = 2.0
_SECONDS_BETWEEN_LOOKS = 0.5
_MOST_LOOKS_WITHOUT_BEAT = 40
"""Looks are counted, not seconds: a disk that hangs delays both sides."""


class Orders:
    """The sweep's side: a file with a number that changes while the sweep lives, and its orders."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._beats, self._orders = 0, ""
        self._lock, self._has_closed = threading.Lock(), threading.Event()
        self.add()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def add(self, order: str = "") -> None:
        """Write the file again, with one more order: the key of a job, and `stop` or `kill`."""
        with self._lock:
            self._beats += 1
            self._orders += f"{order}\n" if order else ""
            with suppress(OSError):  # the next beat tries again
                self.file.write_text(f"{self._beats}\n{self._orders}")

    def close(self) -> None:
        """Write no more."""
        self._has_closed.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._has_closed.wait(_SECONDS_BETWEEN_BEATS):
            self.add()


def run_queued(job: Job, file: Path, ticket: Path) -> tuple[int | None, str]:
    """The job's side: run it to its end. Returns the exit code and the reason of a `JobEnd`.

    ticket: a file that allows one start. A queue that starts a job a second time would begin its
    member again instead of resuming it.
    """
    here = f"machine '{platform.node()}'"
    causes: list[str] = []

    def note(number: int, _: object) -> None:
        causes.append(f"{signal.Signals(number).name} of the queue")

    # Those of a terminal are for the sweep, which then stops its jobs.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    # Slurm may send these to all processes of a job; the new one would end before it saves.
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    try:
        ticket.unlink()
    except FileNotFoundError:
        return None, f"the queue started its job a second time, on {here}"
    try:
        process = JobProcess(job)
    except OSError as error:
        return 1, f"{here} could not start it: {error}"
    # A queue sends these before it ends a job: its time is up, or others need the machine.
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, note)
    text, looks, has_stopped = "", 0, False
    while (end := process.poll()) is None:
        before = text
        with suppress(OSError):  # for a moment; a file that is just written is empty
            text = file.read_text() or text
        looks = looks + 1 if text == before else 0
        if looks > _MOST_LOOKS_WITHOUT_BEAT:
            causes.append("the end of its sweep")
        if f"{ticket.name} kill" in text:
            process.kill()
        elif not has_stopped and (causes or f"{ticket.name} stop" in text):
            process.stop()
            has_stopped = True
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    if end.exit_code == 0 or not causes or f"{ticket.name} " in text:
        return end.exit_code, end.reason
    return None, f"{causes[0]} stopped it on {here}"
