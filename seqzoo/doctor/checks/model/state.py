"""Whether text read in pieces, with the state carried, gives the logits of text read at once.

Method: random tokens (2, T) in one pass; in halves; in pieces of unequal lengths; token by token,
in eval mode and with one seed. Cost: T passes of a token. Pass rule: the logits differ only by
rounding, 1e-4 of their spread in float32, or ten times the difference after changing parameters in
their last place. A model that returns no state forgets at each cut. A recipe's model then fails,
because validation and sampling read in pieces and carry the state. A user's own model without a
state is one by design, like a transformer that is trained on windows, and passes; the check warns
only if its batches continue each other row by row, which has no other purpose. Source:
`SequenceModel` in seqzoo/plugin/contracts.py, chunking.
"""

from __future__ import annotations

import torch
from torch import nn

from seqzoo.doctor.checks._shares import share_of_continued_rows
from seqzoo.doctor.checks.model._passes import (
    amplified_rounding,
    carries_a_state,
    difference,
    in_spreads,
    length_for,
    logits_of,
    shown,
    without_zeros,
)
from seqzoo.doctor.subject import Subject, or_none
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.contracts import SequenceModel

__all__ = ["examine"]


def examine(subject: Subject) -> Outcome:
    network = without_zeros(subject.network)
    tokens = subject.random_tokens(2, length_for(subject))
    length = tokens.shape[1]
    whole = logits_of(network, [tokens])
    uneven = [1, max(1, length // 5), 1]
    cuts = {
        "in halves": [length // 2, length - length // 2],
        "in uneven pieces": [*uneven, length - sum(uneven)],
        "token by token": [1] * length,
    }
    differences = {
        how: difference(logits_of(network, torch.split(tokens, lengths, 1)), whole)
        for how, lengths in cuts.items()
    }
    how, largest = max(differences.items(), key=lambda item: item[1])
    figures = {name.replace(" ", "_"): value for name, value in differences.items()}
    if largest <= amplified_rounding(network, [tokens]):
        return Outcome.passed(
            f"read {how}, logits differ from those of one pass by {shown(largest)}", **figures
        )
    seen = f"read {how}, logits differ from those of one pass by {in_spreads(largest)}"
    if not carries_a_state(network):
        seen = f"the model returns no state, so it forgets at each cut; {seen}"
        if not isinstance(network.module, SequenceModel):
            return _stateless(subject, seen, figures)
    return Outcome.failed(
        seen,
        why="Training carries the state from batch to batch, scoring from chunk to chunk, sampling "
        "from token to token: each is a different model from the one whose loss is shown.",
        remedy="Return the state after the last token and start from the state that is given: "
        "hidden vectors of every layer, and for attention the last W - 1 keys and values with "
        "positions that continue.",
        numbers=figures,
    )


def _stateless(subject: Subject, seen: str, figures: dict[str, float]) -> Outcome:
    recording = or_none(lambda: subject.recording)
    continued = None if recording is None else share_of_continued_rows(recording)
    has_recurrence = any(
        isinstance(module, (nn.RNNBase, nn.RNNCellBase))
        for module in subject.network.module.modules()
    )
    if continued is None or continued < 0.9:
        cost = "and its batches do not continue each other"
    else:
        cost = "although its batches continue each other"
    if continued is None or continued < 0.9 or not has_recurrence:
        length = or_none(lambda: subject.pipeline.bptt_length)
        lost = "" if length is None else f": it never uses more than {length} tokens of context"
        return Outcome.passed(f"the model has no state, {cost}{lost}", **figures)
    return Outcome.warned(
        f"{seen}; {continued:.0%} of its batches' rows continue the row before",
        why="Batches that continue each other are made for a carried state. Without one, the text "
        "before a batch is lost, and its first tokens are predicted from almost nothing.",
        remedy="Return the state with the logits, as in `out, state = self.lstm(x, state)`; or "
        "draw windows at random and pass carry_state=False.",
        numbers={**figures, "continued": continued},
    )
