"""Whether eval mode is deterministic, and reaches every part.

Method: two passes in eval mode with different seeds of torch's, NumPy's and Python's generators;
after `.eval()`, after `.train()` and after a pass in training mode the flag of every module is
read. Cost: three passes. Pass rule: the logits differ only by rounding, 1e-4 of their spread in
float32, and every module has the right mode. A part that stays in eval mode in training (frozen
statistics) may be intended, so it is a warning; so is dropout of more than 85 %. Source:
`SequenceModel` in seqzoo/plugin/contracts.py; torch.nn.Module.eval.

If the passes differ and there is no dropout layer, two more passes from one given state show
whether only the first state is random.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seqzoo.doctor.checks.model._passes import (
    carries_a_state,
    difference,
    in_spreads,
    length_for,
    listed,
    logits_of,
    rounding,
    seeded,
    shown,
    without_zeros,
)
from seqzoo.doctor.evidence.modes import has_dropout, shares_dropped
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.contracts import State

__all__ = ["examine"]

_MOST_DROPPED = 0.85
_WHY = (
    "Dropout that is left on makes every score worse and different each time, and damages the "
    "state that is carried in validation and sampling."
)
_REMEDY = (
    "Write F.dropout(x, p, training=self.training), or use nn.Dropout registered on the module; "
    "train(mode) must pass its mode to all parts and return self."
)


def examine(subject: Subject) -> Outcome:
    network = without_zeros(subject.network)
    tokens = subject.random_tokens(4, length_for(subject))
    by_chance = difference(*(logits_of(network, [tokens], seed=seed) for seed in (1, 2)))
    module = network.copied().module
    module.eval()
    training = [name or "the model" for name, part in module.named_modules() if part.training]
    module.train()
    frozen = [name or "the model" for name, part in module.named_modules() if not part.training]
    switched = [] if frozen else _switched(network, tokens)
    figures = {
        "difference": by_chance,
        "in_training_after_eval": float(len(training)),
        "in_eval_after_train": float(len(frozen)),
    }
    if by_chance > rounding(network) or training:
        seen = f"two passes over one text give logits that differ by {in_spreads(by_chance)}"
        stay = f"; after .eval() still in training mode: {listed(training)}" if training else ""
        if not (training or has_dropout(network.module)):
            return _random(seen, network, tokens, figures)
        return Outcome.failed(seen + stay, why=_WHY, remedy=_REMEDY, numbers=figures)
    if switched:
        return Outcome.failed(
            f"reading in training mode switches {listed(switched)} to eval mode",
            why="From the first batch on, training runs without dropout, and batch statistics do "
            "not change.",
            remedy="Call eval() and train() in the training loop, and nowhere in forward.",
            numbers=figures,
        )
    if frozen:
        return Outcome.warned(
            f"after .train() still in eval mode: {listed(frozen)}",
            why="These parts train without their dropout, and batch statistics do not change; "
            "that is right only for frozen parts.",
            remedy=_REMEDY,
            numbers=figures,
        )
    if strong := {n: p for n, p in shares_dropped(module).items() if _MOST_DROPPED < p < 1}:
        name, share = max(strong.items(), key=lambda pair: pair[1])
        return Outcome.warned(
            f"{name or 'the model'} drops {share:.0%} of its values in training",
            why="The next layer gets little more than noise. The p of torch's dropout is the share "
            "that is dropped, and not the share that is kept.",
            remedy=f"Write p={1 - share:.2g} if {share:.0%} were to be kept; 0.1 to 0.5 is usual.",
            numbers=figures | {"dropped": share},
        )
    return Outcome.passed(f"two passes over one text differ by {shown(by_chance)}", **figures)


def _switched(network: Network, tokens: Tensor) -> list[str]:
    """Parts that are in eval mode after a pass in training mode."""
    copy = network.copied()
    copy.module.train()
    with seeded(0), torch.no_grad():
        copy(tokens)
    return [name or "the model" for name, part in copy.module.named_modules() if not part.training]


def _random(seen: str, network: Network, tokens: Tensor, figures: dict[str, float]) -> Outcome:
    """No dropout module is the cause: it is a function, or a random first state."""
    if _has_random_first_state(network, tokens):
        return Outcome.failed(
            f"{seen}; with a given state they agree: the first state is drawn at random",
            why="Before anything was read, nothing is known: a random first state is noise, "
            "different at every call, and every score and text depends on it.",
            remedy="Start from zeros, torch.zeros instead of torch.randn for the first hidden "
            "state, or leave it out: nn.LSTM(x) starts from zeros.",
            numbers=figures,
        )
    return Outcome.failed(
        f"{seen}: forward draws random numbers outside dropout layers",
        why=_WHY,
        remedy="Look for F.dropout, which needs training=self.training, and for torch.randn or "
        "torch.rand, for example for a first hidden state: start from zeros.",
        numbers=figures,
    )


def _has_random_first_state(network: Network, tokens: Tensor) -> bool:
    if not carries_a_state(network):
        return False
    passes: list[Tensor] = []
    state: State = None
    for seed in (0, 1, 2):
        copy = network.copied()
        copy.module.eval()
        with seeded(seed), torch.no_grad():
            logits, after = copy(tokens, state)
        state = after if state is None else state
        passes.append(logits.cpu().double())
    return difference(*passes[1:]) <= rounding(network)
