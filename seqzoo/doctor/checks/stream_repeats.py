"""Whether batches hand out the same text again and again within an epoch.

Method: consecutive batches are compared with all before them, small ones several at a time, and the
rows of a batch with each other; what comes after the whole text was read once is left out. Cost:
none beside the recording. Pass rule: at most one batch in twenty equals an earlier one, and at most
half the rows another row. Random passages repeat hardly ever: 48 batches of 2048 tokens have one
chance in millions, so one in twenty is far from what anything healthy gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from seqzoo.contracts import Batch
from seqzoo.doctor.checks._figures import share_of_repeats
from seqzoo.doctor.checks._mending import contiguous_lanes
from seqzoo.doctor.checks._offsets import joined_rows
from seqzoo.doctor.recording import Recording
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.specs import Check, Outcome

__all__ = ["CHECK"]

_MOST_REPEATS = 0.05
_MOST_EQUAL_ROWS = 0.5


def examine(subject: Subject) -> Outcome:
    recording = _first_epoch(subject.recording, _text_length(subject))
    if len(recording) < 2:
        return Outcome.skipped("a single batch is the whole text")
    repeats, equal_rows = share_of_repeats(recording), _share_of_equal_rows(recording)
    seen = f"{repeats:.0%} of {len(recording)} batches equal an earlier one"
    numbers = {"repeats": repeats, "equal_rows": equal_rows, "batches": float(len(recording))}
    if repeats > _MOST_REPEATS:
        return Outcome.failed(
            f"{seen}, though the text is not through yet",
            why="The model sees a little of the text many times: it learns that by heart and "
            "nothing else, and a carried state continues nothing.",
            remedy="Move on in the text with every batch; look for an index that is not advanced, "
            "a generator that is started again for every batch, or one batch yielded in a loop.",
            changes=contiguous_lanes(subject),
            numbers=numbers,
        )
    if equal_rows > _MOST_EQUAL_ROWS:
        return Outcome.failed(
            f"{equal_rows:.0%} of a batch's rows are copies of other rows",
            why="A batch of equal rows teaches no more than one of them, at the cost of all.",
            remedy="Let every row begin at a place of its own: row i of B at i / B of the text.",
            changes=contiguous_lanes(subject),
            numbers=numbers,
        )
    return Outcome.passed(f"{seen}, {equal_rows:.0%} of their rows are copies", **numbers)


def _text_length(subject: Subject) -> int | None:
    try:
        return len(subject.tokens)
    except Missing:
        return None


def _first_epoch(recording: Recording, num_tokens: int | None) -> Recording:
    """The batches until the text was read once: by its length, or because a list begins anew."""
    batches = recording.batches
    if num_tokens is not None:
        sizes = torch.tensor([batch.inputs.numel() for batch in batches])
        batches = batches[: int((sizes.cumsum(0) <= num_tokens).sum())]
    stretches = _distinct_stretches(batches)
    longest = max(stretches, key=len, default=batches)
    # D batches gone through again and again, in whatever order and from wherever: of stretches
    # without a repeat there are no more than len / D + 2. A batch served twice makes many more.
    if len(batches) >= len(stretches) * max(2, _num_distinct(batches) / 3):
        batches = longest
    return replace(recording, batches=batches)


def _distinct_stretches(batches: Sequence[Batch]) -> list[tuple[Batch, ...]]:
    """As few as possible that follow each other and hold no batch twice."""
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
    """Of the rows read so far, those that another row equals; 0 where too little was read."""
    inputs, _ = joined_rows(recording)
    if inputs.shape[1] < 32:
        return 0.0
    return 1 - len(torch.unique(inputs, dim=0)) / len(inputs)


CHECK = Check(
    name="stream.repeats",
    summary="batches do not repeat each other within an epoch",
    examine=examine,
    rank=20,
    explains=(
        "stream.continuity",
        "memory.carry",
        "memory.saturation",
        "optimisation.*",
        "verdict.*",
        "decoding.*",
    ),
)
