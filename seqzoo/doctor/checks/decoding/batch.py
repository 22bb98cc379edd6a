"""Whether generating for several prompts at once gives what each gives alone.

Method: the user's own `generate` gets two prompts of one length as a tensor (2, P), and each of
them alone as (1, P); as long as a row has read the same tokens, its logits are compared with those
of the single one. Cost: three generated texts of 8 tokens. Pass rule: the logits differ only by
rounding, 1e-4 of their spread in float32. A function that takes one prompt at a time is skipped.
Source: `SequenceModel` in seqzoo/plugin/contracts.py, row independence.
"""

from __future__ import annotations

import torch

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
    return Outcome.failed(
        f"with two prompts at once the predictions differ from those of one alone, by {worst:.2g} "
        f"times as much as they vary",
        why="Another prompt in the batch changes the text of the first one.",
        remedy="Keep rows apart in generation: one state for each row, positions and masks for "
        "each row, and no statistic over the batch; pad on the left, and hide the padding.",
        numbers={"difference": worst},
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
