"""The first signal raises KeyboardInterrupt; in an import, and the second time, it ends at once."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from commands import environment
from waiting import WAIT

_NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

_PROGRAM = """
import os, signal, sys, time
from seqzoo.terminal import signals
signals.stop_on_signals()
"""


def stopped(program: str, number: signal.Signals, *, times: int = 1) -> tuple[int, str, str]:
    """The program gets the signal each time that it prints "ready"; its exit code and output."""
    process = start([sys.executable, "-c", _PROGRAM + program], stdout=subprocess.PIPE)
    assert process.stdout is not None
    for _ in range(times):
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
    out, messages = process.communicate(timeout=60)
    return process.returncode, out, messages


def start(command: Sequence[str], *, stdout: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        env=environment(),
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        # If the tests run in the background, SIGINT may be ignored, and children inherit that.
        preexec_fn=lambda: [signal.signal(number, signal.SIG_DFL) for number in _NUMBERS],
    )


@pytest.mark.parametrize("number", _NUMBERS)
def test_a_signal_raises_keyboard_interrupt_so_that_everything_is_closed(
    number: signal.Signals,
) -> None:
    program = f"""
try:
    print("ready", flush=True)
    {WAIT}
except KeyboardInterrupt:
    print("closed", signals.received())
    sys.exit(5)
"""
    assert stopped(program, number) == (5, f"closed {number}\n", "")


@pytest.mark.parametrize("number", _NUMBERS)
def test_a_second_signal_ends_the_process_at_once(number: signal.Signals) -> None:
    program = f"""
with signals.stage("The run is saved."):
    try:
        print("ready", flush=True)
        {WAIT}
    finally:
        print("ready", flush=True)
        {WAIT}
"""
    assert stopped(program, number, times=2) == (128 + number, "", "The run is saved.\n")


def test_after_a_reset_the_next_signal_is_the_first() -> None:
    program = f"""
for _ in range(3):
    try:
        print("ready", flush=True)
        {WAIT}
    except KeyboardInterrupt:
        signals.reset()
"""
    assert stopped(program, signal.SIGINT, times=3) == (0, "", "")


@pytest.mark.parametrize("number", _NUMBERS)
def test_nothing_is_raised_inside_an_import(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import os, time\n"
        "try:\n"
        "    print('ready', flush=True)\n"
        f"    {WAIT}\n"
        "except BaseException:\n"
        "    os.abort()\n"  # as compiled code does that does not expect an exception
    )
    program = f"sys.path.insert(0, {str(tmp_path)!r})\nimport slow\n"
    assert stopped(program, number) == (128 + number, "", "Stopped.\n")


def test_an_ignored_signal_stays_ignored() -> None:
    program = """
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signals.stop_on_signals()
os.kill(os.getpid(), signal.SIGHUP)
print("still here")
"""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM + program],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "still here\n")


def test_a_process_that_ends_at_once_leaves_a_terminal_with_its_cursor() -> None:
    terminal, its_end = pty.openpty()
    program = _PROGRAM + "os.environ['TERM'] = 'xterm'\nsignals.end(signal.SIGINT)\n"
    process = subprocess.Popen([sys.executable, "-c", program], env=environment(), stderr=its_end)
    assert process.wait(timeout=60) == 130
    shown = os.read(terminal, 1000)
    os.close(terminal)
    os.close(its_end)
    assert shown == b"\x1b[?25h\r\nStopped.\r\n"
