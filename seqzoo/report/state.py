"""What state a run is in, in a sentence or two."""

from __future__ import annotations

from seqzoo.comparison.finished import LoggedRun
from seqzoo.results.explained import explained
from seqzoo.runs.status import RunState, Status
from seqzoo.terminal.format import quoted

__all__ = ["state_in_words"]


def state_in_words(status: Status, run: LoggedRun | None) -> str:
    """One sentence or two. run: its log; None where that cannot be read."""
    path = quoted(status.directory.path)
    at = f"update {status.progress or 0}"
    if status.state is RunState.RUNNING:
        lines = run.metrics if run is not None else ()
        bits = [line.bits_per_byte for line in lines if line.bits_per_byte is not None]
        loss = f" The last logged training loss is {bits[-1]:.3f} bits per byte." if bits else ""
        if status.share is not None and status.share >= 1:
            return f"Trained: {status.progress} updates; the scores are being made.{loss}"
        return f"Training: {at}.{loss}"
    if status.state is RunState.FINISHED and status.result is not None:
        return f"Finished. {next(explained(status.result))}"
    if status.state in (RunState.DAMAGED, RunState.NEWER):
        return status.reason
    if status.state is RunState.DIVERGED:
        return f"The run has diverged, and would do so again: {status.reason}"
    reason = f" {status.reason}" if status.reason else ""
    if status.state is RunState.TRAINED:
        return f"The run is trained, but not scored.{reason} To score it: seqzoo resume {path}"
    return f"The run was stopped at {at}. To continue it: {status.directory.to_continue}"
