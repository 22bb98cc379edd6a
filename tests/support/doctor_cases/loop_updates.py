"""Whole training loops whose updates, losses or parameters are not the usual ones."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from doctor_cases.case import Case
from doctor_cases.loops import Loop, Update, healthy_update, watched

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
    logits = loop.logits(inputs)
    loop.optimizer.zero_grad()
    F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum").backward()
    loop.optimizer.step()


def _cleared_for_each_part(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """Four batches for an update, and zero_grad() before each of them."""
    loop.optimizer.zero_grad()
    (loop.loss(inputs, targets) / 4).backward()
    if loop.step % 4 == 3:
        loop.optimizer.step()


def _clipped_with_a_used_up_generator(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    if loop.step == 0:
        loop.kept = loop.model.parameters()
        loop.optimizer = torch.optim.Adam(loop.kept, lr=2e-3)
    loop.optimizer.zero_grad()
    loop.loss(inputs, targets).backward()
    torch.nn.utils.clip_grad_norm_(loop.kept, 1.0)
    loop.optimizer.step()


def _outputs_kept(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """Every step's logits, for an accuracy at the end of the epoch."""
    loop.kept = [] if loop.step == 0 else loop.kept
    logits = loop.logits(inputs)
    loop.kept.append(logits)
    _update(loop, F.cross_entropy(logits.flatten(0, 1), targets.flatten()))


def _sigmoid_before_the_loss(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    logits = loop.logits(inputs)
    _update(loop, F.cross_entropy(logits.sigmoid().flatten(0, 1), targets.flatten()))


def _divergence(reduction: str) -> Update:
    def update(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
        logits = loop.logits(inputs)
        wanted = F.one_hot(targets.flatten(), logits.shape[-1]).float()
        guessed = logits.flatten(0, 1).log_softmax(-1)
        _update(loop, F.kl_div(guessed, wanted, reduction=reduction))

    return update


def _update(loop: Loop, loss: Tensor) -> None:
    loop.optimizer.zero_grad()
    loss.backward()
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
    logits = loop.logits(inputs)
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
    Case(
        name="cleared for each part of an update",
        source="github bytetriper/RAE#67, pytorch/torchtitan#3575",
        cause="zero_grad() is called for each of four batches, and step() after the fourth.",
        named_by=("loop.gradients",),
        run=watched(_cleared_for_each_part),
    ),
    Case(
        name="clipped with a generator that is used up",
        source="github pytorch/pytorch#148259, PixArt-alpha/PixArt-alpha#160",
        cause="The optimizer has read the generator of parameters, so clipping gets none.",
        named_by=("loop.clipping",),
        run=watched(_clipped_with_a_used_up_generator),
    ),
    Case(
        name="outputs kept in a list",
        source="github Lightning-AI/pytorch-lightning#1510, sktime/pytorch-forecasting#1924",
        cause="The logits of every step stay in memory.",
        named_by=("loop.memory",),
        run=watched(_outputs_kept),
    ),
    Case(
        name="a sigmoid before the cross-entropy",
        source="github microsoft/CNTK#1919",
        cause="The logits are between 0 and 1, so no token can become likely.",
        named_by=("loop.loss",),
        run=watched(_sigmoid_before_the_loss),
    ),
    Case(
        name="a divergence with the default mean",
        source="github HikariTJU/LD#74, yuanli2333/Teacher-free-Knowledge-Distillation#41",
        cause="F.kl_div divides by the number of classes too: the loss is 256 times too small.",
        named_by=("loop.loss",),
        run=watched(_divergence("mean")),
    ),
    *(
        Case(name=name, source=source, run=watched(update))
        for name, source, update in (
            ("unfrozen and added", "github pytorch/pytorch#2374", _unfrozen_and_added),
            (
                "a divergence with the mean over rows",
                "PyTorch documentation, KLDivLoss",
                _divergence("batchmean"),
            ),
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
