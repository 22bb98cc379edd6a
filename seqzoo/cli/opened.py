"""Opens a run for a command, with messages and progress on stderr."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqzoo.runs.run import Run

__all__ = ["opened"]


def opened(path: Path, *, device: str | None, step: int | None = None, trust: bool = False) -> Run:
    """The run at `path`. trust: whether --trust is given.

    Raises UsageError if there is no run, or no checkpoint of `step`.
    """
    from seqzoo.cli.plugins import installed
    from seqzoo.cli.trust import with_trust
    from seqzoo.runs.directory import open_run_directory
    from seqzoo.runs.run import Run
    from seqzoo.terminal.console import note
    from seqzoo.terminal.display import TerminalDisplay

    directory = open_run_directory(path)
    note(f"{path}: loading the model")  # torch is imported, which takes seconds
    return Run(
        directory,
        registry=with_trust(installed(), trust),
        device=device,
        step=step,
        display=TerminalDisplay(),
    )
