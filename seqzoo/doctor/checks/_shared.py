"""What several checks need: real text, networks without dropout, updates, common changes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from seqzoo.doctor.evidence.gradients import without_sparse_gradients
from seqzoo.doctor.evidence.measure import rows_of
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import Subject, or_none
from seqzoo.model.runtime import in_eval_mode

__all__ = [
    "adam_update",
    "advice",
    "contiguous_lanes",
    "or_contiguous_lanes",
    "real_text",
    "run_over",
    "without_dropout",
]


def advice(subject: Subject, *, recipe: str, code: str) -> str:
    """What to do: in the settings of a recipe, or in the code of a user who has none."""
    return recipe if subject.has("recipe") else code


def contiguous_lanes(subject: Subject) -> tuple[str, ...]:
    """The change that makes a recipe read contiguous lanes; none if it has no stream of its own."""
    if not subject.has("recipe") or subject.recipe.train.stream is None:
        return ()
    return ("train.stream=null",)


def or_contiguous_lanes(subject: Subject) -> str:
    """The same in words, to add to a remedy; nothing if there is no such change."""
    if not contiguous_lanes(subject):
        return ""
    return "; in the recipe, leave out train.stream to read contiguous lanes"


def real_text(subject: Subject, rows: int, length: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets (rows, length), each row a stretch of the held-out split.

    Of the training split if that is too short, and of the first batch if there is no corpus.
    The same number of tokens in more, shorter rows if the network cannot read `length` at once.
    """
    longest = min(length, subject.network.readable)
    rows, length = rows * length // longest, longest
    wanted = rows * length + 1
    for split in (lambda: subject.held_out, lambda: subject.tokens):
        tokens = or_none(split)
        if tokens is not None and len(tokens) >= wanted:
            return rows_of(tokens[:wanted], rows)
    batch = subject.batch
    return batch.inputs[:rows, :length], batch.targets[:rows, :length]


def without_dropout(network: Network) -> Network:
    """A copy in training mode without dropout, for what must be learnt or compared exactly.

    Its gradients are dense, because Adam takes no others.
    """
    copied = network.copied()
    copied.module.train()
    without_sparse_gradients(copied.module)
    for module in copied.module.modules():
        if isinstance(module, nn.RNNBase):
            module.dropout = 0.0
        elif isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
    copied.module.zero_grad()
    return copied


def adam_update(network: Network, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One update, the gradient's norm at most 1."""
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(network.module.parameters(), 1.0)
    optimizer.step()


@torch.no_grad()
def run_over(network: Network, inputs: Tensor, hooks: dict[nn.Module, Any]) -> None:
    """Read `inputs` in eval mode with forward hooks (module, arguments, output); the network stays
    as it was.
    """
    handles = [module.register_forward_hook(hook) for module, hook in hooks.items()]
    try:
        with in_eval_mode(network.module):
            network(inputs)
    finally:
        for handle in handles:
            handle.remove()
