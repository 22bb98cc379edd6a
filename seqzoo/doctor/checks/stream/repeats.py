"""Whether batches contain the same text repeatedly within an epoch.

Method: consecutive batches are compared with all earlier ones, small ones several at a time, and
the rows of a batch with each other; batches after the first epoch are left out. Cost: only the
recording. Pass rule: at most one batch in twenty equals an earlier one; at most half of the rows
equal another row; and fewer than half of the rows are another row from its token d on, with one d
for all: the beginning of each row is looked up in the others and must continue as they do to the
end. Lanes are compared over all batches, and the check fails; other rows are compared within a
batch, and the check warns, because windows are often cut so on purpose. Healthy lanes begin far
from each other and share nothing, and random rows have no common distance. Random passages almost
never repeat: for 48 batches of 2048 tokens the probability is below one in a million.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from seqzoo.doctor.checks._shared import contiguous_lanes
from seqzoo.doctor.checks._shares import share_of_continued_rows, share_of_repeats
from seqzoo.doctor.checks.stream._offsets import is_clear, joined_rows
from seqzoo.doctor.checks.stream._overlap import rows_behind_another
from seqzoo.doctor.evidence.recording import Recording
from seqzoo.doctor.subject import Subject, or_none
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.contracts import Batch

__all__ = ["examine"]

_MOST_REPEATS = 0.05
_MOST_EQUAL_ROWS = 0.5
_MOST_OVERLAPPING = 0.5
_WIDTH_OF_LANES, _WIDTH_OF_ROWS = 32, 16


def examine(subject: Subject) -> Outcome:
    tokens = or_none(lambda: subject.tokens)
    recording = _first_epoch(subject.recording, None if tokens is None else len(tokens))
    if len(recording) < 2:
        return Outcome.skipped("one batch is the whole text")
    repeats, equal_rows = share_of_repeats(recording), _share_of_equal_rows(recording)
    seen = f"{repeats:.0%} of {len(recording)} batches equal an earlier one"
    numbers = {"repeats": repeats, "equal_rows": equal_rows, "batches": float(len(recording))}
    if repeats > _MOST_REPEATS:
        return Outcome.failed(
            f"{seen}, before the whole text was read",
            why="The model sees a small part of the text many times: it learns that by heart and "
            "nothing else, and a carried state continues nothing.",
            remedy="Advance in the text with every batch. Look for an index that is not increased, "
            "a generator that is started again for every batch, or one batch yielded in a loop.",
            changes=contiguous_lanes(subject),
            numbers=numbers,
        )
    if equal_rows > _MOST_EQUAL_ROWS:
        return Outcome.failed(
            f"{equal_rows:.0%} of a batch's rows are copies of other rows",
            why="A batch of equal rows teaches no more than one of them, but costs as much as all.",
            remedy="Begin every row at a different place: row i of B at i / B of the text.",
            changes=contiguous_lanes(subject),
            numbers=numbers,
        )
    # Rows of one target each overlap, so that each token of the text is a target.
    overlapping, by = (0.0, 0) if subject.pipeline.has_one_target else _overlapping(recording)
    numbers["rows_behind_another"] = overlapping
    if overlapping >= _MOST_OVERLAPPING:
        return _overlap(subject, recording, by, numbers)
    return Outcome.passed(f"{seen}, {equal_rows:.0%} of their rows are copies", **numbers)


def _first_epoch(recording: Recording, num_tokens: int | None) -> Recording:
    """The batches until the text was read once: by its length, or because a list repeats."""
    batches = recording.batches
    if num_tokens is not None:
        sizes = torch.tensor([batch.inputs.numel() for batch in batches])
        batches = batches[: int((sizes.cumsum(0) <= num_tokens).sum())]
    stretches = _distinct_stretches(batches)
    longest = max(stretches, key=len, default=batches)
    # If D batches are repeated as a whole, in any order and from any start, there are at most
    # len / D + 2 stretches without a repeat. A batch that is given twice makes many more.
    if len(batches) >= len(stretches) * max(2, _num_distinct(batches) / 3):
        batches = longest
    return replace(recording, batches=batches)


def _distinct_stretches(batches: Sequence[Batch]) -> list[tuple[Batch, ...]]:
    """As few consecutive stretches as possible, with no batch twice in one of them."""
    stretches: list[list[Batch]] = []
    seen: set[bytes] = set()
    for batch in batches:
        content = _content(batch)
        if not stretches or content in seen:
            stretches.append([])
            seen = set()
        stretches[-1].append(batch)
        seen.add(content)
    return [tuple(stretch) for stretch in stretches]


def _num_distinct(batches: Sequence[Batch]) -> int:
    return len({_content(batch) for batch in batches})


def _content(batch: Batch) -> bytes:
    return batch.inputs.numpy().tobytes() + batch.targets.numpy().tobytes()


def _share_of_equal_rows(recording: Recording) -> float:
    """The share of rows that equal another row, over all batches; 0 if too little was read."""
    inputs, _ = joined_rows(recording)
    if inputs.shape[1] < 32:
        return 0.0
    return 1 - len(torch.unique(inputs, dim=0)) / len(inputs)


def _are_lanes(recording: Recording) -> bool:
    """Whether rows continue from batch to batch, whether or not the state is carried."""
    share = share_of_continued_rows(recording.carried_on())
    return share is not None and is_clear(share, recording.chance, at_least=0.9)


def _overlapping(recording: Recording) -> tuple[float, int]:
    """The share of rows that are another row from a fixed token on, and the number of that token.

    Lanes are compared over the whole recording, other rows within their batch.
    """
    if _are_lanes(recording):
        share, by = rows_behind_another(joined_rows(recording)[0], width=_WIDTH_OF_LANES)
    else:
        batches = recording.batches[:8]
        share, by = min(rows_behind_another(b.inputs, width=_WIDTH_OF_ROWS) for b in batches)
    # If every lane reaches the beginning of the next, the last that of the first, it is an epoch.
    return (0.0, 0) if share == 1 else (share, by)


def _overlap(subject: Subject, recording: Recording, by: int, numbers: dict[str, float]) -> Outcome:
    seen = (
        f"{numbers['rows_behind_another']:.0%} of the rows are the text of another row from its "
        f"token {by} on: the rows overlap"
    )
    why = (
        "A batch contains much less text than it has tokens, and the shared text is read many "
        "times before the rest of the corpus."
    )
    if _are_lanes(recording):
        return Outcome.failed(
            seen,
            why=why,
            remedy="Begin row i of B at i / B of the text, so that no row reaches the beginning of "
            "the next before the whole text was read.",
            changes=contiguous_lanes(subject),
            numbers=numbers,
        )
    return Outcome.warned(
        seen,
        why=why,
        remedy="Cut rows T tokens apart, or shuffle them, so that a batch has rows from all parts "
        "of the text.",
        changes=contiguous_lanes(subject),
        numbers=numbers,
    )
