"""Checks that an architecture's fast form trains like plain torch and like its equations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqzoo.model import state as states
from seqzoo.plugin.build import build_installed
from seqzoo.plugin.contexts import ArchitectureContext
from seqzoo.plugin.specs import ArchitectureSpec, Options

__all__ = ["TOLERANCE_NATS", "Agreement", "losses_agree"]

TOLERANCE_NATS = 1e-4
"""The forms add the same float32 numbers in a different order, so the relative difference is 6e-8
from the first update. AdamW divides a gradient by its own size and so makes full steps from the
smallest ones. After 100 updates of recurrent layers the losses differed by 5e-7 nats; the tolerance
leaves room for other sizes and processors.
"""


@dataclass(frozen=True)
class Agreement:
    """Loss of each form in nats per token, for each update."""

    losses: dict[str, list[float]]

    @property
    def largest_difference(self) -> float:
        """Largest difference of any form from seqzoo's fast form, in nats."""
        ours, *others = self.losses.values()
        return max(
            (abs(a - b) for other in others for a, b in zip(ours, other, strict=True)), default=0.0
        )


def losses_agree(
    spec: ArchitectureSpec,
    options: Options,
    *,
    vocab_size: int = 256,
    updates: int = 100,
    batch_size: int = 32,
    length: int = 8,
    learning_rate: float = 1e-3,
) -> Agreement:
    """Train the fast form, plain torch and the equations from the same weights on the same text.

    Forms that the architecture does not declare are skipped. Training must not be random, so the
    options must have no dropout.
    """
    torch.manual_seed(0)
    context = ArchitectureContext(vocab_size=vocab_size, builder=build_installed)
    forms: dict[str, nn.Module] = {"seqzoo": spec.build(options, context)}
    initial = {name: tensor.clone() for name, tensor in forms["seqzoo"].state_dict().items()}
    for name, build in (("plain torch", spec.plain_torch), ("equations", spec.step_by_step)):
        if build is not None:
            forms[name] = build(options, context)
            forms[name].load_state_dict(initial)
    # Each token is one or two above the previous one, which a model can learn.
    steps = torch.randint(1, 3, (batch_size, updates * length + 1))
    text = steps.cumsum(1) % min(26, vocab_size)
    return Agreement(
        {name: _losses(form, text, length, learning_rate) for name, form in forms.items()}
    )


def _losses(model: nn.Module, text: Tensor, length: int, learning_rate: float) -> list[float]:
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
    state: Any = None
    losses = []
    for start in range(0, text.shape[1] - 1, length):
        window = text[:, start : start + length + 1]
        logits, state = model(window[:, :-1], state)
        state = states.detach(state)
        loss = F.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses
