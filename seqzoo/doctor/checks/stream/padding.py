"""Whether targets that are padding count in the loss.

Method: padding is one id that fills the ends of rows: it ends at least a tenth of the rows with two
or more in a row, in several lengths, and stands almost never between two other tokens. If there is
such an id among the targets, the loss is differentiated with it as the target. Cost: only the
recording. Pass rule: there is none, or its gradient is zero (`ignore_index`). Negative targets are
padding that the doctor leaves out. Source: torch.nn.CrossEntropyLoss (ignore_index).
"""

from __future__ import annotations

import torch
from torch import Tensor

from seqzoo.doctor.checks.model._ignored import ignored_targets
from seqzoo.doctor.evidence.recording import Recording
from seqzoo.doctor.subject import Subject, or_none
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_MOST_INSIDE = 0.01
_FEWEST_ROWS = 0.1


def examine(subject: Subject) -> Outcome:
    padding = _padding(subject.recording)
    if padding is None:
        return Outcome.passed("no id fills the ends of rows")
    targets = torch.cat([batch.targets.flatten() for batch in subject.recording.batches])
    share = float((targets == padding).double().mean())
    if share < _MOST_INSIDE:
        return Outcome.passed(f"id {padding} fills the ends of inputs, and is no target")
    network = or_none(lambda: subject.network)
    vocab_size = or_none(lambda: subject.vocab_size)
    if network is not None and vocab_size is not None and padding < vocab_size - 1:
        ids = torch.tensor([padding, padding + 1])
    elif network is not None and vocab_size is not None and 0 < padding < vocab_size:
        ids = torch.tensor([padding, padding - 1])
    else:
        return Outcome.passed(f"id {padding} fills the ends of rows; there is no loss to ask")
    if padding in ignored_targets(network, ids, vocab_size):
        return Outcome.passed(f"id {padding} is padding, and the loss leaves it out", share=share)
    return Outcome.warned(
        f"{share:.0%} of the targets are padding, id {padding} at the ends of rows, and the loss "
        f"counts them",
        why="The model learns to write padding after padding, which is easy: the loss looks better "
        "than that of the text, and less of each gradient is about the text.",
        remedy=f"Leave padding out of the loss, nn.CrossEntropyLoss(ignore_index={padding}), or "
        "set these targets to -100; or join the texts with a separator and cut them into full "
        "rows.",
        numbers={"share": share},
    )


def _padding(recording: Recording) -> int | None:
    """The id that fills the ends of rows; None without one."""
    if recording.numbered or recording.length < 4:
        return None
    ends = torch.cat([batch.inputs[:, -1] for batch in recording.batches])
    last = int(ends.mode().values)
    lengths = torch.cat([_run_at_the_end(batch.inputs, last) for batch in recording.batches])
    inside = sum(_inside(batch.inputs, last) for batch in recording.batches)
    total = sum(int((batch.inputs == last).sum()) for batch in recording.batches)
    fills = float((lengths >= 2).double().mean())
    if fills < _FEWEST_ROWS or len(lengths.unique()) < 3 or inside > _MOST_INSIDE * total:
        return None
    return last


def _run_at_the_end(inputs: Tensor, token: int) -> Tensor:
    """(B,) how many of the last tokens of each row are this one."""
    return (inputs == token).flip(1).to(torch.int64).cumprod(1).sum(1)


def _inside(inputs: Tensor, token: int) -> int:
    """How often another token follows this one in its row."""
    return int(((inputs[:, :-1] == token) & (inputs[:, 1:] != token)).sum())
