"""One program, without a shell, in a folder of its own; it never outlives the call."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqzoo import UsageError

_LOOKS_EVERY_SECONDS = 0.05
_LONGEST_LAST_LINE = 200


@dataclass(frozen=True)
class Limits:
    """What a program may take.

    ends: on the clock of `time.monotonic`. seconds: the option that it is made from, for the
    message. num_bytes: the size of each file that it writes.
    """

    ends: float | None
    seconds: float | None
    num_bytes: int


def run_program(
    command: Sequence[str], folder: Path, *, reads: str, writes: str, limits: Limits
) -> Generator[None, None, Path]:
    """Run a program to its end; returns the file that it wrote, a regular one that is not empty.

    reads, writes: names in `folder`, for {input} and {output} in the command. Without {output} the
    file has what the program prints. It yields several times a second; closed there, and in every
    other case, the program and the processes that it has started are ended.
    Raises UsageError if the program is not installed, fails, or reaches a limit.
    """
    name = command[0]
    program = shutil.which(name)
    if program is None:
        raise UsageError(f"the program '{name}' is not installed, or not in a folder of PATH")
    words = [word.replace("{input}", reads) for word in command[1:]]
    # `{output}.zpaq`: some programs want an ending.
    written = next((word for word in words if "{output}" in word), None)
    output = folder / (writes + (written.partition("{output}")[2] if written is not None else ""))
    words = [word.replace("{output}", writes) for word in words]
    errors = folder / "errors"
    with (
        open(os.devnull if written is not None else output, "wb") as out,
        errors.open("wb") as err,
    ):
        process = subprocess.Popen(
            [os.path.abspath(program), *words],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=folder,
            start_new_session=True,
        )
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = process.wait(_LOOKS_EVERY_SECONDS)
                    break
                if limits.ends is not None and time.monotonic() > limits.ends:
                    raise UsageError(
                        f"'{name}' takes longer than max_seconds ({limits.seconds:g} s)"
                    )
                _require_small(name, (output, errors), limits.num_bytes)
                yield
        finally:
            _end(process)
    if code:
        how = f"exit code {code}" if code > 0 else f"signal {_signal(-code)}"
        raise UsageError(f"'{name}' ended with {how}{_last_line(errors)}")
    if not output.is_symlink() and output.is_file() and output.stat().st_size:
        _require_small(name, (output,), limits.num_bytes)
        return output
    raise UsageError(
        f"'{name}' wrote nothing to {'{output}' if written is not None else 'its output'}"
        f"{_last_line(errors)}"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the program's group; it has a session of its own."""
    # A group without processes, or on macOS with dead ones only, cannot be signalled.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _require_small(name: str, files: Sequence[Path], most: int) -> None:
    for file in files:
        with contextlib.suppress(OSError):
            found = file.lstat()
            if stat.S_ISREG(found.st_mode) and found.st_size > most:
                raise UsageError(f"'{name}' wrote more than {most:,} bytes, far more than it read")


def _last_line(errors: Path) -> str:
    """What the program said last, in printable characters."""
    with errors.open("rb") as file:
        file.seek(max(0, errors.stat().st_size - 4096))
        lines = file.read().decode("utf-8", "replace").split("\n")
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    shown = "".join(each if each.isprintable() else " " for each in said)[:_LONGEST_LAST_LINE]
    return f": {shown.strip()}" if shown.strip() else ""


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
