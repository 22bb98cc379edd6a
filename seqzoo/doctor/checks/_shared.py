"""What several checks of training need: real text, networks that drop nothing, updates, words."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from seqzoo.doctor.evidence.measure import rows_of
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.subject import Missing, Subject

__all__ = ["adam_update", "is_recipe", "real_text", "run_over", "without_dropout", "worded"]


def is_recipe(subject: Subject) -> bool:
    """Whether there are settings that a change can name."""
    try:
        return subject.recipe is not None
    except Missing:
        return False


def worded(subject: Subject, *, recipe: str, code: str) -> str:
    """What to do, in the settings of a recipe or in the code of somebody who has none."""
    return recipe if is_recipe(subject) else code


def real_text(subject: Subject, rows: int, length: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets (rows, length), each row a stretch of the held-out split.

    Of the training split where that is too short, and of the first batch where there is no corpus.
    As many tokens in more and shorter rows where the network reads no more at once.
    """
    longest = min(length, subject.network.readable)
    rows, length = rows * length // longest, longest
    wanted = rows * length + 1
    for split in ("held_out", "tokens"):
        try:
            tokens = getattr(subject, split)
        except Missing:
            continue
        if len(tokens) >= wanted:
            return rows_of(tokens[:wanted], rows)
    batch = subject.batch
    return batch.inputs[:rows, :length], batch.targets[:rows, :length]


def without_dropout(network: Network) -> Network:
    """A copy in training mode that drops nothing, for what has to be learnt or compared exactly."""
    copied = network.copied()
    copied.module.train()
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
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.module.parameters(), 1.0)
    optimizer.step()


@torch.no_grad()
def run_over(network: Network, inputs: Tensor, hooks: dict[nn.Module, Any]) -> None:
    """Read `inputs` in eval mode under forward hooks (module, arguments, output), and leave the
    network as it was.
    """
    handles = [module.register_forward_hook(hook) for module, hook in hooks.items()]
    modes = [(module, module.training) for module in network.module.modules()]
    network.module.eval()
    try:
        network(inputs)
    finally:
        for module, mode in modes:
            module.training = mode
        for handle in handles:
            handle.remove()
