"""Whether a loss divides by the targets that count, if the batches have padding among them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from seqzoo.doctor.checks.model._ignored import ignored_targets
from seqzoo.doctor.subject import Subject, or_none
from seqzoo.plugin.check import Outcome

__all__ = ["divided_by_all", "padding_in", "some_places"]

_MOST_IDS = 512


def padding_in(subject: Subject) -> int | None:
    """The most frequent target of the batches that is negative, or that the loss leaves out."""
    recording = or_none(lambda: subject.recording)
    if recording is None or recording.numbered:
        return None
    pipeline = subject.pipeline
    # The target after the last token is unknown if the loss shifts: that is not padding.
    kept = -1 if pipeline.loss_shift else None
    targets = torch.cat([batch.targets[:, :kept].flatten() for batch in recording.batches])
    ids, counts = targets.unique(return_counts=True)
    known = ids[(ids >= 0) & (ids < subject.vocab_size)][:_MOST_IDS]
    ignored: list[int] = []
    if len(known) > 1:
        try:
            ignored = ignored_targets(subject.network, known, subject.vocab_size)
        except Exception:  # model.loss reports it
            return None
    is_padding = (ids < 0) | torch.isin(ids, torch.tensor(ignored, dtype=torch.int64))
    if not bool(is_padding.any()):
        return None
    return int(ids[is_padding][counts[is_padding].argmax()])


def some_places(rows: int, length: int) -> npt.NDArray[np.bool_]:
    """(B, T) about half of the places, as of rows of different lengths with padding at the end."""
    lengths = np.linspace(1, length - 1, rows).round()
    return np.arange(length) < lengths[:, None]


def divided_by_all(scale: float, padding: int, figures: dict[str, float]) -> Outcome:
    """The finding. scale: the loss of a padded batch divided by the mean of those that count."""
    return Outcome.warned(
        f"with padding, target {padding}, it is {scale:.3g} times the mean of the targets that "
        f"count: the sum is divided by the number of all places, B T",
        why="The more padding a batch has, the smaller are its loss and its gradient: tokens of "
        "short rows count less, and losses of two batches cannot be compared.",
        remedy="Divide by the number of targets that count, as torch.nn.functional.cross_entropy("
        f"logits.flatten(0, 1), targets.flatten(), ignore_index={padding}) does; with a mask, "
        "(losses * mask).sum() / mask.sum() and not .mean().",
        numbers=figures | {"padded_scale": scale},
    )
