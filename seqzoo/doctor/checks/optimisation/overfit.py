"""Whether the network can learn one small batch by heart.

Method: a newly initialised network sees the same 2 rows of 16 tokens of real text many times,
without dropout, with Adam at 0.01, up to 400 updates. The lowest possible loss is not 0 if rows
begin with the same tokens: it is the entropy of targets given all tokens before them in the row
(Karpathy 2019, "A recipe for training neural networks": overfit one batch). Cost: much less than a
second, a few seconds if it fails. Pass rule: less than a quarter of the way from the first loss to
the lowest one is left, or the last third of the updates still reduced the rest by a tenth. Fail:
the network does not even learn how often each target occurs.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import torch
from torch import Tensor

from seqzoo.doctor.checks._shared import adam_update, advice, real_text, without_dropout
from seqzoo.doctor.checks.model._ignored import ignored_targets
from seqzoo.doctor.evidence.network import mean_nats
from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_LEARNT = 0.1
_ENOUGH = 0.25
_UPDATES = 400


def examine(subject: Subject) -> Outcome:
    inputs, targets = real_text(subject, 2, 16)
    network = without_dropout(subject.network.fresh(subject.seed))
    parameters = [p for p in network.module.parameters() if p.requires_grad]
    if not parameters:
        return Outcome.skipped("the network has no parameter that is trained")
    optimizer = torch.optim.Adam(parameters, lr=1e-2)
    counted = _counted(subject, targets)
    lowest = lowest_nats(inputs, counted)
    losses: list[float] = []
    left = 1.0
    while len(losses) <= _UPDATES:
        logits, _ = network(inputs)
        losses.append(float(mean_nats(logits.detach(), counted.to(logits.device))))
        left = (losses[-1] - lowest) / max(losses[0] - lowest, 1e-9)
        if left < _LEARNT or not math.isfinite(left):
            break
        loss = network.loss(logits, targets.to(logits.device))
        adam_update(network, optimizer, -loss if subject.maximises else loss)
    count = int((counted >= 0).sum())
    seen = (
        f"one batch of {count} tokens goes from {losses[0]:.2f} to {losses[-1]:.2f} nats per token "
        f"in {len(losses) - 1} updates; {lowest:.2f} is the least possible"
    )
    numbers = {"first": losses[0], "last": losses[-1], "lowest": lowest, "updates": len(losses) - 1}
    if left < _ENOUGH:
        return Outcome.passed(seen, **numbers)
    if _is_falling(losses, lowest):
        return Outcome.passed(f"{seen}, and it is still falling", **numbers)
    knows_shares = losses[-1] < _entropy(counted[counted >= 0].tolist())
    return Outcome(
        status="warn" if knows_shares else "fail",
        seen=seen,
        why="A network that cannot learn 32 tokens by heart cannot learn a language: gradients do "
        "not arrive, the loss measures something else, or the network is far too small.",
        remedy="Check the model's loss and gradients first (model.loss, model.gradients); then "
        + advice(
            subject,
            recipe="increase architecture.options (hidden_size).",
            code="give the network more units.",
        ),
        numbers=numbers,
    )


def _counted(subject: Subject, targets: Tensor) -> Tensor:
    """The targets, with -100 where the loss leaves one out (`ignore_index`)."""
    ids = targets.unique()
    ids = ids[ids >= 0]
    try:
        ignored = ignored_targets(subject.network, ids, subject.vocab_size)
    except Exception:  # model.loss reports it
        return targets
    return targets.masked_fill(torch.isin(targets, torch.tensor(ignored, dtype=torch.int64)), -100)


def _is_falling(losses: list[float], lowest: float) -> bool:
    third = len(losses) // 3
    if not third:  # it stopped at once: not finite, which model.finite reports
        return False
    before = sum(losses[third : 2 * third]) / third - lowest
    after = sum(losses[-third:]) / third - lowest
    return after < 0.9 * before


def lowest_nats(inputs: Tensor, targets: Tensor) -> float:
    """Mean entropy of targets given the tokens of the row up to them, from an empty state.

    Negative targets do not count.
    """
    followers: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for row, wanted in zip(inputs.tolist(), targets.tolist(), strict=True):
        for time, target in enumerate(wanted):
            if target >= 0:
                followers[tuple(row[: time + 1])].append(target)
    count = int((targets >= 0).sum())
    return sum(len(each) * _entropy(each) for each in followers.values()) / max(count, 1)


def _entropy(tokens: list[int]) -> float:
    shares = [count / len(tokens) for count in Counter(tokens).values()]
    return -sum(share * math.log(share) for share in shares)
