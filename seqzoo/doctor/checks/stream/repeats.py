"""Whether batches hand out the same text again and again within an epoch.

Method: consecutive batches are compared with all before them, small ones several at a time, and the
rows of a batch with each other; what comes after the whole text was read once is left out. Cost:
none beside the recording. Pass rule: at most one batch in twenty equals an earlier one, at most
half the rows another row, and fewer than half are what another row is from some token on, the same
token for all: the beginning of each is looked up in the others, and must go on as they do to the
end. Lanes are compared over all batches, and fail; other rows within a batch, and are warned of, as
windows are often cut so on purpose. Lanes that begin apart share nothing, and rows from anywhere
have no distance in common. Random passages repeat hardly ever: 48 batches of 2048 tokens have one
chance in millions, so one in twenty is far from what anything healthy gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from seqzoo.doctor.checks._mending import contiguous_lanes
from seqzoo.doctor.checks._shares import share_of_continued_rows, share_of_repeats
from seqzoo.doctor.checks.stream._offsets import is_clear, joined_rows
from seqzoo.doctor.checks.stream._overlap import rows_behind_another
from seqzoo.doctor.evidence.recording import Recording
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Check, Outcome
from seqzoo.plugin.contracts import Batch

__all__ = ["CHECK"]

_MOST_REPEATS = 0.05
_MOST_EQUAL_ROWS = 0.5
_MOST_OVERLAPPING = 0.5
_WIDTH_OF_LANES, _WIDTH_OF_ROWS = 32, 16


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
    overlapping, by = _overlapping(recording)
    numbers["rows_behind_another"] = overlapping
    if overlapping >= _MOST_OVERLAPPING:
        return _overlap(subject, recording, by, numbers)
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


def _are_lanes(recording: Recording) -> bool:
    """Whether rows go on from batch to batch, whatever becomes of the state."""
    batches = tuple(batch._replace(restarts=False) for batch in recording.batches)
    share = share_of_continued_rows(replace(recording, batches=batches))
    return share is not None and is_clear(share, recording.chance, at_least=0.9)


def _overlapping(recording: Recording) -> tuple[float, int]:
    """The share of rows that another row is a fixed number of tokens before, and that number.

    Lanes are looked at over the whole recording, other rows within their batch.
    """
    if _are_lanes(recording):
        share, by = rows_behind_another(joined_rows(recording)[0], width=_WIDTH_OF_LANES)
    else:
        batches = recording.batches[:8]
        share, by = min(rows_behind_another(b.inputs, width=_WIDTH_OF_ROWS) for b in batches)
    # Lanes that all come to the next one's beginning, the last to the first's, have read the text.
    return (0.0, 0) if share == 1 else (share, by)


def _overlap(subject: Subject, recording: Recording, by: int, numbers: dict[str, float]) -> Outcome:
    seen = (
        f"{numbers['rows_behind_another']:.0%} of the rows are the text of another row from its "
        f"token {by} on: the rows overlap"
    )
    why = (
        "A batch holds much less text than it has tokens, and what the rows share is read again "
        "and again before the rest of the text is."
    )
    if _are_lanes(recording):
        return Outcome.failed(
            seen,
            why=why,
            remedy="Let row i of B begin at i / B of the text, so that none comes to the beginning "
            "of the next before the text is through.",
            changes=contiguous_lanes(subject),
            numbers=numbers,
        )
    return Outcome.warned(
        seen,
        why=why,
        remedy="Cut rows T tokens apart, or shuffle them, so that a batch holds rows from all over "
        "the text.",
        changes=contiguous_lanes(subject),
        numbers=numbers,
    )


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
