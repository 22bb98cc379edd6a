"""python -m seqzoo.cli.member ...: the command line as a sweep starts it; it ends with the sweep.

Its stdin is a pipe that only the sweep keeps open. When the sweep ends, in whatever way, the kernel
closes the pipe; the member then sends itself SIGTERM, and saves.
"""

from __future__ import annotations

import os
import signal
import threading

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its code."""
    threading.Thread(target=_stop_with_sweep, daemon=True).start()
    from seqzoo.cli import main as run_command_line

    run_command_line()


def _stop_with_sweep() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
