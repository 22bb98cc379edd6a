"""Stops a process while it imports a slow module, which makes the file `importing` first."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from commands import environment

__all__ = ["stop_while_importing"]


def stop_while_importing(
    arguments: Sequence[str], number: signal.Signals, *, folder: Path, modules: Path
) -> tuple[str, str, int]:
    """What Python printed on both streams, and its exit code. modules: where the slow one is."""
    paths = ":".join([str(modules), *filter(None, sys.path)])
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(PYTHONPATH=paths),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # nohup ignores SIGHUP
    )
    deadline = time.monotonic() + 60
    while not (folder / "importing").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    out, messages = process.communicate(timeout=30)
    return out, messages, process.returncode
