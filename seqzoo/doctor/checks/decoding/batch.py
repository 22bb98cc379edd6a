"""Whether generating for several prompts at once gives what each gives alone.

Method: the user's own `generate` gets two prompts of one length as a tensor (2, P), and each of
them alone as (1, P); as long as a row has read the same tokens, its logits are compared with those
of the single one. Cost: three generated texts of 8 tokens. Pass rule: the logits differ only by
rounding, 1e-4 of their spread in float32, and a state that is passed on is that of its own row. A
function that takes one prompt at a time is skipped. Source: `SequenceModel` in
seqzoo/plugin/contracts.py, row independence.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from seqzoo.doctor.checks.model._passes import rounding
from seqzoo.doctor.evidence.generation import Generated, generate_watched
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_PROMPT, _LENGTH = 8, 8


def examine(subject: Subject) -> Outcome:
    network, generate = subject.network, subject.generate
    prompts = subject.random_tokens(2, _PROMPT)
    try:
        both = generate_watched(generate, network, prompts, _LENGTH)
        alone = [generate_watched(generate, network, row[None], _LENGTH) for row in prompts]
    except Exception as error:
        raise Missing("generate takes one prompt at a time") from error
    if not both.calls or any(len(call.read) != 2 for call in both.calls):
        raise Missing("generate takes one prompt at a time")
    if exchanged := _rows_of_states(both):
        return _failed(f"with two prompts at once {exchanged}", {})
    worst, compared = 0.0, 0
    for row, single in enumerate(alone):
        for found, number in _differences(both, single, row):
            worst, compared = max(worst, found), compared + number
    if not compared:
        raise Missing("the calls of the model for two prompts and for one differ in length")
    if worst <= rounding(network):
        return Outcome.passed(
            f"{compared} predictions are the same for one prompt and for two", difference=worst
        )
    return _failed(
        f"with two prompts at once the predictions differ from those of one alone, by {worst:.2g} "
        f"times as much as they vary",
        {"difference": worst},
    )


def _failed(seen: str, numbers: dict[str, float]) -> Outcome:
    return Outcome.failed(
        seen,
        why="Another prompt in the batch changes the text of the first one.",
        remedy="Keep rows apart in generation: one state for each row, positions and masks for "
        "each row, and no statistic over the batch; pad on the left, and hide the padding.",
        numbers=numbers,
    )


def _rows_of_states(both: Generated) -> str:
    """Which rows of the state that came back are given to the next call, if not their own."""
    for before, call in pairwise(both.calls):
        if len(before.returned) != len(call.given):
            continue
        pairs = list(zip(call.given, before.returned, strict=True))
        if not pairs or all(_takes(given, back, [0, 1]) for given, back in pairs):
            continue
        for rows, said in (
            ([0, 0], "all rows are given the state of row 0"),
            ([1, 1], "all rows are given the state of the last row"),
            ([1, 0], "rows are given the states of each other"),
        ):
            if all(_takes(given, back, rows) for given, back in pairs):
                return said
    return ""


def _takes(given: Tensor, returned: Tensor, rows: list[int]) -> bool:
    """Whether a state of two rows is made of those rows of the one that came back."""
    given, returned = given.detach().cpu(), returned.cpu()
    return given.shape == returned.shape and any(
        torch.equal(given, returned.index_select(axis, torch.tensor(rows)))
        for axis, size in enumerate(returned.shape)
        if size == len(rows)
    )


def _differences(both: Generated, single: Generated, row: int) -> list[tuple[float, int]]:
    found = []
    for together, alone in zip(both.calls, single.calls, strict=False):
        if together.logits is None or alone.logits is None:
            break
        if not torch.equal(together.read[row], alone.read[0]):
            break
        expected = alone.logits[0]
        size = max(float(expected.std()), 1e-30)
        found.append((float((together.logits[row] - expected).abs().max()) / size, 1))
    return found
