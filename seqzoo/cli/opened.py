"""Opens a run for a command, with messages and progress on stderr."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqzoo.runs.run import Run

__all__ = ["opened"]


def opened(
    path: Path,
    *,
    device: str | None,
    step: int | None = None,
    trust: bool = False,
    only_run: bool = False,
) -> Run:
    """The run or the exported folder at `path`. trust: whether --trust is given.

    only_run: an exported folder is refused. Raises UsageError if there is none, or no checkpoint of
    `step`.
    """
    from seqzoo.cli.plugins import installed
    from seqzoo.cli.trust import with_trust
    from seqzoo.runs.directory import open_run_directory
    from seqzoo.runs.exported import require_model
    from seqzoo.runs.exported_run import open_model
    from seqzoo.terminal.console import note
    from seqzoo.terminal.display import TerminalDisplay

    (open_run_directory if only_run else require_model)(path)
    note(f"{path}: loading the model")  # torch is imported, which takes seconds
    return open_model(
        path,
        registry=with_trust(installed(), trust),
        device=device,
        step=step,
        display=TerminalDisplay(),
    )
