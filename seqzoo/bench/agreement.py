"""Whether an architecture's fast form trains as bare torch and its own equations do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqzoo.model import state as states
from seqzoo.plugin.specs import ArchitectureSpec, Options

__all__ = ["TOLERANCE_NATS", "Agreement", "losses_agree"]

TOLERANCE_NATS = 1e-4
"""The forms add the same float32 numbers in another order, so they differ by 6e-8 of each number
from the first update on, and AdamW, which divides a gradient by its own size, gives the least of
them a full step. Over 100 updates of recurrent layers that came to 5e-7
nats; other sizes and processors have room.
"""


@dataclass(frozen=True)
class Agreement:
    """Losses in nats per token of each form, update by update, and their largest difference."""

    losses: dict[str, list[float]]

    @property
    def largest_difference(self) -> float:
        """Of any form from seqzoo's fast one."""
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
    """Train the fast form, bare torch's and the naive one from the same weights on the same text.

    Those that the architecture does not declare are left out. Nothing may be random in training:
    the options are without dropout.
    """
    torch.manual_seed(0)
    forms: dict[str, nn.Module] = {"seqzoo": spec.build(options, vocab_size=vocab_size)}
    initial = {name: tensor.clone() for name, tensor in forms["seqzoo"].state_dict().items()}
    for name, build in (("bare torch", spec.reference), ("equations", spec.naive)):
        if build is not None:
            forms[name] = build(options, vocab_size=vocab_size)
            forms[name].load_state_dict(initial)
    # Each token is one or two after the one before it, which can be learnt.
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
