"""The loss before any training, compared with that of uniform guesses.

Method: a newly initialised network reads 16 rows of real text in eval mode; mean nats are compared
with ln V and with the order-0 entropy of that text, the least possible loss without context. Cost:
one pass. Pass rule: no more than 1 nat above ln V. Logits of standard deviation s cost s^2 / 2 more
than uniform ones, so one nat is s = 1.4: the most probable of 256 tokens then has 20 times its
share, by accident. Fail: above twice ln V. Fail: below nine tenths of the order-0 entropy: fixed
guesses reach 1 at best, by Gibbs' inequality, so the model has seen the targets. A user's own
module may be trained, and a model's `before_training` may have read the text; then a low loss means
nothing. Source: Karpathy, A Recipe for Training Neural Networks (2019), "verify loss @ init".
"""

from __future__ import annotations

import math

import numpy as np
import torch

from seqzoo.doctor.checks.model._passes import length_for, logits_of
from seqzoo.doctor.evidence.measure import rows_of
from seqzoo.doctor.subject import Subject, or_none
from seqzoo.plugin.check import Outcome
from seqzoo.plugin.contracts import SequenceModel
from seqzoo.scoring.nats import nats_of

__all__ = ["examine"]

_ROWS = 16


def examine(subject: Subject) -> Outcome:
    network = subject.network
    if network.builds_new:
        network = network.fresh(subject.seed)
    inputs, targets = _text(subject)
    logits = logits_of(network, [inputs], whole=True)
    nats = float(nats_of(logits, targets).mean())
    even = math.log(logits.shape[-1])
    shares = np.unique(targets.numpy(), return_counts=True)[1] / targets.numel()
    order_0 = float(-(shares * np.log(shares)).sum())
    figures = {"nats": nats, "even_nats": even, "order_0_nats": order_0}
    seen = f"{nats:.2f} nats; {even:.2f} for uniform guesses (ln {logits.shape[-1]})"
    if not nats <= even + 1.0:
        sure = (
            "it is sure of itself before it has seen anything, and wrong: the first updates only "
        )
        sure = sure if network.builds_new else f"if it is untrained, {sure}"
        outcome = Outcome.failed if not nats <= 2 * even else Outcome.warned
        return outcome(
            f"{seen}, {nats / even:.1f} times",
            why=f"{sure[0].upper()}{sure[1:]}undo the initialisation.",
            remedy=("" if network.builds_new else "If it is untrained: ")
            + "Initialise the last layer smaller, e.g. its weights by "
            "torch.nn.init.normal_(std=0.02) and its bias by 0; if it shares the embedding's "
            "weights, scale those or divide the logits by sqrt(D).",
            numbers=figures,
        )
    if nats < 0.9 * order_0 and network.builds_new and not _prepares(network.module):
        return Outcome.failed(
            f"{seen}, {order_0:.2f} for guesses by frequency",
            why="Nothing was learnt yet, so the model sees the targets: in later inputs, or "
            "because the targets are the inputs themselves.",
            remedy="Look for a way from token t + 1 to the logits at t: a missing or shifted "
            "mask, a shift that is made twice or not at all.",
            numbers=figures,
        )
    return Outcome.passed(seen, **figures)


def _text(subject: Subject) -> tuple[torch.Tensor, torch.Tensor]:
    """Real text (B, T) and its targets."""
    length = length_for(subject)
    tokens = or_none(lambda: subject.tokens)
    if tokens is None:
        return subject.batch.inputs[:, :length], subject.batch.targets[:, :length]
    tokens = tokens[: _ROWS * length + 1]
    return rows_of(tokens, max(1, min(_ROWS, len(tokens) // length)))


def _prepares(module: torch.nn.Module) -> bool:
    return (
        isinstance(module, SequenceModel)
        and type(module).before_training is not SequenceModel.before_training
    )
