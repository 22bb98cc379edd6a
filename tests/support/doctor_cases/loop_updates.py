"""Whole training loops whose updates, losses or parameters are not the usual ones."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from doctor_cases.case import Case
from doctor_cases.loops import Loop, healthy_update, watched

__all__ = ["CASES"]


def _new_optimizer(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """Adam is built in each step, so its moments are always those of one gradient."""
    loop.optimizer = loop.new_optimizer()
    healthy_update(loop, inputs, targets)


def _viewed_classes(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """(B, T, V) is viewed as (B, V, T) instead of transposed."""
    logits, _ = loop.model(inputs, None)
    loop.optimizer.zero_grad()
    F.cross_entropy(logits.view(len(logits), logits.shape[2], -1), targets).backward()
    loop.optimizer.step()


def _unfrozen_and_forgotten(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """The optimizer was given what was not frozen, and is not told of what is unfrozen later."""
    if loop.step in (0, 20):
        loop.model.embed.requires_grad_(loop.step == 20)
    if loop.step == 0:
        trained = [each for each in loop.model.parameters() if each.requires_grad]
        loop.optimizer = torch.optim.Adam(trained, lr=2e-3)
    healthy_update(loop, inputs, targets)


def _unfrozen_and_added(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    _unfrozen_and_forgotten(loop, inputs, targets)
    if loop.step == 20:
        loop.optimizer.add_param_group({"params": loop.model.embed.parameters()})


def _summed(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """The sum over all targets, with the rate of a mean."""
    if loop.step == 0:
        loop.optimizer = torch.optim.SGD(loop.model.parameters(), lr=0.5)
    logits, (hidden, cell) = loop.model(inputs, loop.carried)
    loop.carried = (hidden.detach(), cell.detach())
    loop.optimizer.zero_grad()
    F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum").backward()
    loop.optimizer.step()


def _two_noisy_passes(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """R-Drop: the batch twice with other dropout, and the distance of the two answers."""
    state = loop.carried
    (first, carried), (second, _) = (loop.model(inputs, state) for _ in range(2))
    loop.carried = tuple(part.detach() for part in carried)
    losses = [F.cross_entropy(each.flatten(0, 1), targets.flatten()) for each in (first, second)]
    apart = F.kl_div(first.log_softmax(-1), second.softmax(-1), reduction="batchmean")
    loop.optimizer.zero_grad()
    (sum(losses, start=torch.zeros(())) / 2 + 0.01 * apart).backward()
    loop.optimizer.step()


def _worst_nearby(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """SAM: the gradient of the worst weights near by, for a step of the weights themselves."""
    state = loop.carried
    loop.optimizer.zero_grad()
    loop.loss(inputs, targets).backward()
    moved = [(each, 0.05 * each.grad) for each in loop.model.parameters() if each.grad is not None]
    with torch.no_grad():
        for parameter, by in moved:
            parameter.add_(by)
    loop.optimizer.zero_grad()
    loop.carried = state
    loop.loss(inputs, targets).backward()
    with torch.no_grad():
        for parameter, by in moved:
            parameter.sub_(by)
    loop.optimizer.step()


def _place_by_place(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """One output, and the sum of a loss for each of its places."""
    logits, (hidden, cell) = loop.model(inputs, loop.carried)
    loop.carried = (hidden.detach(), cell.detach())
    loss = torch.zeros(())
    for place in range(targets.shape[1]):
        loss = loss + F.cross_entropy(logits[:, place], targets[:, place])
    loop.optimizer.zero_grad()
    (loss / targets.shape[1]).backward()
    loop.optimizer.step()


CASES = (
    Case(
        name="an optimizer for each step",
        source="github haydnv/tinychain#51, zju3dv/Vox-Fusion#31",
        cause="The optimizer is built inside the loop and has no moments of earlier steps.",
        named_by=("loop.optimizer",),
        run=watched(_new_optimizer),
    ),
    Case(
        name="classes viewed before time",
        source="github voiler/IMPALA#3",
        cause="view makes (B, V, T) of (B, T, V), so each row of the loss is of many places.",
        named_by=("loop.loss",),
        run=watched(_viewed_classes),
    ),
    Case(
        name="unfrozen and not in the optimizer",
        source="github pytorch/pytorch#2374",
        cause="A layer is unfrozen, and the optimizer does not have its parameters.",
        named_by=("loop.optimizer",),
        run=watched(_unfrozen_and_forgotten),
    ),
    Case(
        name="a sum with the rate of a mean",
        source="github tensorflow/tensorflow#1358",
        cause="Each update is as many times too large as there are targets.",
        named_by=("loop.loss",),
        run=watched(_summed),
    ),
    *(
        Case(name=name, source=source, run=watched(update))
        for name, source, update in (
            ("unfrozen and added", "github pytorch/pytorch#2374", _unfrozen_and_added),
            ("two noisy passes of a batch", "arXiv:2106.14448", _two_noisy_passes),
            ("the worst weights near by", "arXiv:2010.01412", _worst_nearby),
            (
                "a loss for each place",
                "PyTorch tutorial, generating names with a character-level RNN",
                _place_by_place,
            ),
        )
    ),
)
