"""Formats numbers, paths and commands for people."""

from __future__ import annotations

import os
import shlex

__all__ = ["clock", "pip_install", "quoted"]


def clock(seconds: float) -> str:
    """Seconds as a clock shows them: 95 as 1:35, 4000 as 1:06:40."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def quoted(path: str | os.PathLike[str]) -> str:
    """A path as it can be pasted into a shell: in quotes only where it needs them."""
    return shlex.quote(os.fspath(path))


def pip_install(package: str) -> str:
    """The command that installs a package; brackets are in quotes, because zsh expands them."""
    return f"pip install {quoted(package)}"
