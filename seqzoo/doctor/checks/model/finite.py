"""Whether logits, loss and gradients are finite, on usual and unusual text.

Method: a forward and a backward pass in training mode over real text, one repeated token, and the
whole vocabulary in random order, in the precision of the recipe. Cost: three passes in each
direction. Pass rule: all are finite. A logit of minus infinity excludes a token and is accepted if
loss and gradients are finite. Source: IEEE 754; a single NaN makes every parameter NaN.
"""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from seqzoo.doctor.checks.model._passes import length_for, listed, seeded
from seqzoo.doctor.evidence.gradients import dense
from seqzoo.doctor.subject import Subject, or_none
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_VALUES = 1 << 24


def examine(subject: Subject) -> Outcome:
    length = length_for(subject)
    # Every token, unless the vocabulary is large: a rare token may have an embedding of zeros.
    most = max(4, min(32, _VALUES // (length * subject.vocab_size)))
    rows = min(max(4, -(-subject.vocab_size // length)), most)
    order = torch.randperm(subject.vocab_size).repeat(-(-rows * (length + 1) // subject.vocab_size))
    drawn = order[: rows * (length + 1)].view(rows, length + 1)
    texts = {"one repeated token": drawn[:1, :1].expand(4, length + 1), "random tokens": drawn}
    pairs = {name: (text[:, :-1], text[:, 1:]) for name, text in texts.items()}
    sample = or_none(lambda: subject.sample)
    if sample is not None:
        pairs = {"real text": (sample.inputs, sample.targets), **pairs}
    precision, autocast = _autocast(subject)
    found: list[str] = []
    largest = 0.0
    for name, (inputs, targets) in pairs.items():
        network = subject.network.copied()  # one for each text: it may keep what it has read
        network.module.train()
        with seeded(0), autocast:
            logits, _ = network(inputs[:, :length])
            loss = network.loss(logits, targets[:, :length].to(logits.device))
        if loss.requires_grad:
            torch.autograd.backward(loss)
        faults = _faults(logits, loss, network.module)
        found += [f"{what} on {name}" for what in faults]
        largest = max(largest, float(logits.detach().float().nan_to_num().abs().max()))
    if not found:
        return Outcome.passed(
            f"logits up to {largest:.3g}, loss and gradients are finite in {precision} on "
            f"{', '.join(pairs)}",
            largest_logit=largest,
        )
    return Outcome.failed(
        f"not finite in {precision}: {'; '.join(found)}",
        why="One NaN reaches every parameter within one update, and training cannot recover.",
        remedy="Look for log(0), 0/0, exp of a large number, a softmax over only -inf, a square "
        "root at 0; add an epsilon inside, or use log_softmax and logsumexp. "
        "torch.autograd.set_detect_anomaly(True) names the line.",
        changes=("runtime.precision=float32",) if precision != "float32" else (),
        numbers={"faults": float(len(found))},
    )


def _faults(logits: Tensor, loss: Tensor, module: torch.nn.Module) -> list[str]:
    """Which of logits, loss and gradients are not finite."""
    faults = []
    if bool((logits.isnan() | logits.isposinf()).any()):
        faults.append("logits")
    if not bool(loss.isfinite().all()):
        faults.append("loss")
    names = [
        name
        for name, parameter in module.named_parameters()
        if parameter.grad is not None and not bool(dense(parameter.grad).isfinite().all())
    ]
    if names:
        faults.append(f"gradients of {listed(names)}")
    return faults


def _autocast(subject: Subject) -> tuple[str, AbstractContextManager[Any]]:
    """The same as `Runtime.autocast`."""
    if not subject.has("recipe"):
        first = next(subject.network.module.parameters(), torch.zeros(()))
        return str(first.dtype).removeprefix("torch."), contextlib.nullcontext()
    precision = subject.recipe.runtime.precision
    if precision == "bfloat16":
        device = subject.network.device.type
        return precision, torch.autocast(device, dtype=torch.bfloat16)
    return precision, contextlib.nullcontext()
