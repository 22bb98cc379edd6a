"""How a process of ours starts another Python."""

from __future__ import annotations

import os
import sys

__all__ = ["python"]


def python() -> list[str]:
    """The command of this Python, with which modules are found where this process finds them.

    `python -m` and `python -c` also look in the working directory, before all other places. That
    may be the folder of somebody else: a file `json.py` in it would run.
    """
    looks_there = any(path == "" or _is_here(path) for path in sys.path)
    return [sys.executable or "python3", *([] if looks_there else ["-P"])]


def _is_here(path: str) -> bool:
    try:
        return os.path.samefile(path, os.curdir)
    except OSError:
        return False
