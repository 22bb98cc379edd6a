"""Whether text read in pieces, the state carried, is text read at once.

Method: random tokens (2, T) in one pass; in halves; in pieces of uneven lengths; token by token, in
eval mode and from one seed. Cost: T passes of a token. Pass rule: the logits differ by rounding,
1e-4 of their spread in float32, or ten times what parameters off in their last place make. A model
that gives no state forgets at each cut. A recipe's model then fails, because validation and
sampling read in pieces and hand the state on. Someone's own is stateless by design, as a
transformer that is trained on windows, and passes; only where its batches continue each other row
by row, which has no other purpose, is it warned of. Source:
`SequenceModel` in seqzoo/plugin/contracts.py, chunking.
"""

from __future__ import annotations

from seqzoo.doctor.checks._shares import share_of_continued_rows
from seqzoo.doctor.checks.model._passes import (
    amplified_rounding,
    as_much_as,
    awake,
    carries_a_state,
    difference,
    length_for,
    passed_over,
    told,
)
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.plugin.check import Check, Outcome
from seqzoo.plugin.contracts import SequenceModel

__all__ = ["CHECK"]


def examine(subject: Subject) -> Outcome:
    network = awake(subject.network)
    tokens = subject.random_tokens(2, length_for(subject))
    length = tokens.shape[1]
    whole = passed_over(network, [tokens])
    uneven = [1, max(1, length // 5), 1]
    cuts = {
        "in halves": [length // 2, length - length // 2],
        "in uneven pieces": [*uneven, length - sum(uneven)],
        "token by token": [1] * length,
    }
    differences = {
        how: difference(passed_over(network, tokens.split(lengths, 1)), whole)
        for how, lengths in cuts.items()
    }
    how, largest = max(differences.items(), key=lambda item: item[1])
    figures = {name.replace(" ", "_"): value for name, value in differences.items()}
    if largest <= amplified_rounding(network, [tokens]):
        return Outcome.passed(
            f"read {how}, logits differ from those of one pass by {told(largest)}", **figures
        )
    seen = f"read {how}, logits differ from those of one pass by {as_much_as(largest)}"
    if not carries_a_state(network):
        seen = f"the model gives no state, so it forgets at each cut; {seen}"
        if not isinstance(network.module, SequenceModel):
            return _stateless(subject, seen, figures)
    return Outcome.failed(
        seen,
        why="Training carries the state from batch to batch, scoring from chunk to chunk, sampling "
        "from token to token: each is another model than the one whose loss is shown.",
        remedy="Give back the state after the last token and begin with the state that is given: "
        "hidden vectors of every layer, and for attention the last W - 1 keys and values with "
        "positions that go on counting.",
        numbers=figures,
    )


def _stateless(subject: Subject, seen: str, figures: dict[str, float]) -> Outcome:
    try:
        continued = share_of_continued_rows(subject.recording)
    except Missing:
        continued = None
    if continued is None or continued < 0.9:
        return Outcome.passed(
            "the model has no state: every batch begins from nothing, as its batches do", **figures
        )
    return Outcome.warned(
        f"{seen}; {continued:.0%} of its batches' rows continue the row before",
        why="Batches that continue each other serve a carried state. Without one, what precedes "
        "a batch is lost, and its first tokens are guessed from nearly nothing.",
        remedy="Return the state beside the logits, as in `out, state = self.lstm(x, state)`; or "
        "draw windows at random and pass carry_state=False.",
        numbers={**figures, "continued": continued},
    )


CHECK = Check(
    name="model.state",
    summary="text read in pieces is text read at once",
    examine=examine,
    rank=80,
    explains=("model.evaluation", "memory.*", "verdict.*", "decoding.*"),
)
