"""A disk that becomes full during a run: the run says so in a line and continues to the same bits.

Half of the cases have a quota, of which the system calls know; the others a limit of the size of a
file, at which the kernel itself cuts a write short.
"""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from children import command, run_command, start
from file_operations import Operation, watching
from outcome import Outcome
from tiny_runs import architectures, different, digest, newest_step, run_once

__all__ = ["trial"]


def trial(count: int, seed: int, folder: Path) -> Outcome:
    """`count` sizes, evenly spread over what a run writes."""
    found, draw = Outcome(), random.Random(seed)
    name = architectures()[seed % len(architectures())]
    whole = run_once(folder, name, name="whole")
    expected = digest(whole)
    written = folder / "written.txt"
    start(_with_quota(None, written, command(*_run(name, "counted"), folder=folder)),
          folder / "counted.txt").wait()  # fmt: skip
    total = int(written.read_text())
    largest = max(path.stat().st_size for path in whole.rglob("*") if path.is_file())
    for number in range(count):
        share, has_quota = draw.uniform(0.02, 0.98), number % 2 == 0
        size = int(share * (total if has_quota else largest))
        kind = "a quota" if has_quota else "files of at most"
        with found.case(f"{name} with {kind} {size:,} bytes"):
            run = folder / "runs" / f"full-{number}"
            go = command(*_run(name, run.name), folder=folder)
            wrapped = _with_quota(size, written, go) if has_quota else _with_limit(size, go)
            ended = start(wrapped, folder / f"{run.name}.txt").wait()
            _judge(found, run, ended, is_full=has_quota)
            again = ["resume", f"runs/{run.name}"] if run.exists() else _run(name, run.name)
            continued = run_command(*again, folder=folder)
            found.require(continued.code == 0, f"continued, it {continued}")
            if continued.code == 0:
                differs = different(digest(run), expected)
                found.require(not differs, f"continued, it has other bits in: {differs}")
            shutil.rmtree(run, ignore_errors=True)
    found.notes.append(f"a run writes {total:,} bytes; its largest file has {largest:,}")
    return found


def _run(architecture: str, name: str) -> list[str]:
    return ["run", f"{architecture}.yaml", "--name", name]


def _judge(found: Outcome, run: Path, ended: Any, *, is_full: bool) -> None:
    found.require(ended.code == 3, f"it {ended}")
    found.require(not ended.has_traceback, f"a traceback: it {ended}")
    errors = [line for line in ended.text.splitlines() if line.startswith("error: ")]
    found.require(len(errors) == 1, f"{len(errors)} lines of errors: it {ended}")
    said = " ".join(errors)
    if run.exists():
        found.require(newest_step(run) is not None, "the run has no checkpoint")
        found.require("seqzoo resume" in said, f"no command to continue: {said}")
    else:
        found.require("nothing is saved" in said, f"not that nothing is saved: {said}")
    if is_full and "checkpoint" in said.split(";")[0]:
        found.require("needed" in said and "free" in said, f"no needed and free bytes: {said}")


def _with_quota(size: int | None, written: Path, then: Callable[[], int]) -> Callable[[], int]:
    """A disk with room for `size` bytes; None for one that only counts, into a file."""

    def run() -> int:
        used = [0]
        real = os.statvfs

        def watch(operation: Operation) -> int | None:
            length = len(operation.content)
            if operation.kind != "write" or "/output-" in operation.path:
                return None
            if size is not None and used[0] + length > size:
                taken = size - used[0]
                used[0] = size
                if taken <= 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return taken
            used[0] += length
            return None

        def statvfs(path: Any) -> Any:
            found = real(path)
            names = (name for name in dir(found) if name.startswith("f_"))
            fields = {name: getattr(found, name) for name in names}
            if size is not None:
                free = (size - used[0]) // found.f_frsize
                fields.update(f_bavail=free, f_bfree=free)
            return SimpleNamespace(**fields)

        try:
            with (
                watching(watch),
                mock.patch("os.statvfs", statvfs),
                mock.patch("seqzoo.training.checkpoint.sleep"),
            ):
                return then()
        finally:
            if size is None:
                written.write_text(str(used[0]))

    return run


def _with_limit(size: int, then: Callable[[], int]) -> Callable[[], int]:
    """No file may become larger."""

    def run() -> int:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        with mock.patch("seqzoo.training.checkpoint.sleep"):
            return then()

    return run
