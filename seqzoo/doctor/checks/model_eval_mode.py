"""Whether eval mode is free of chance, and reaches every part.

Method: two passes in eval mode from different seeds of torch's, NumPy's and Python's generators;
after `.eval()` and `.train()` the flag of every module is read. Cost: two passes. Pass rule: the
logits differ by rounding, 1e-4 of their spread in float32, and every module follows. A part that
stays in eval mode in training (frozen statistics) may be meant, hence a warning. Source:
`SequenceModel` in seqzoo/contracts.py; torch.nn.Module.eval.
"""

from __future__ import annotations

from seqzoo.doctor.checks._passes import (
    awake,
    difference,
    length_for,
    listed,
    passed_over,
    rounding,
    told,
)
from seqzoo.doctor.subject import Subject
from seqzoo.specs import Check, Outcome

__all__ = ["CHECK"]

_REMEDY = (
    "Write F.dropout(x, p, training=self.training), or use nn.Dropout registered on the module; "
    "let train(mode) hand its mode on to all parts and return self."
)


def examine(subject: Subject) -> Outcome:
    network = awake(subject.network)
    tokens = subject.random_tokens(4, length_for(subject))
    by_chance = difference(*(passed_over(network, [tokens], seed=seed) for seed in (1, 2)))
    module = network.copied().module
    module.eval()
    training = [name or "the model" for name, part in module.named_modules() if part.training]
    module.train()
    frozen = [name or "the model" for name, part in module.named_modules() if not part.training]
    figures = {
        "difference": by_chance,
        "in_training_after_eval": float(len(training)),
        "in_eval_after_train": float(len(frozen)),
    }
    if by_chance > rounding(network) or training:
        seen = f"two passes over one text differ by {by_chance:.2g} of the logits' spread"
        stay = f"; after .eval() still in training mode: {listed(training)}" if training else ""
        return Outcome.failed(
            seen + stay,
            why="Dropout that is left on makes every score worse and different each time, and "
            "spoils the state that is carried through validation and sampling.",
            remedy=_REMEDY,
            numbers=figures,
        )
    if frozen:
        return Outcome.warned(
            f"after .train() still in eval mode: {listed(frozen)}",
            why="These parts train without their dropout, and batch statistics stay as they are; "
            "that is right for frozen parts alone.",
            remedy=_REMEDY,
            numbers=figures,
        )
    return Outcome.passed(f"two passes over one text differ by {told(by_chance)}", **figures)


CHECK = Check(
    name="model.eval_mode",
    summary="eval mode is free of chance",
    examine=examine,
    rank=70,
    explains=(
        "model.state",
        "model.untouched",
        "model.evaluation",
        "memory.*",
        "verdict.*",
        "decoding.*",
    ),
)
