"""A model can be trained: gradients are complete and right, memory is bounded, text is learnt."""

from __future__ import annotations

import gc
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from seqzoo.model import state as states
from seqzoo.plugin.contracts import SequenceModel
from seqzoo.plugin.roles import fault_in_roles
from seqzoo.testing.architectures.given import (
    VOCAB_SIZE,
    Architecture,
    changed,
    difference,
    tokens,
    tolerance,
)
from seqzoo.testing.given import NotHere
from seqzoo.testing.law import Broken, law, require

__all__ = ["LAWS"]


@law(
    "architecture.every_gradient",
    says="every parameter gets a gradient that is not zero",
    cause="a layer that is made and never called, a `detach` or `no_grad` before it, an argmax, or "
    "`requires_grad=False`",
    cases=[{"rows": 4, "length": 40}],
    every_option=True,
    shrinks=False,
)
def _every_gradient(given: Architecture, rows: int, length: int) -> None:
    model = given.build()
    _fill_zeros(model)
    _loss(model, tokens(rows, length + 1)).backward()
    without = [
        name
        for name, each in model.named_parameters()
        if each.grad is None or not bool(each.grad.any())
    ]
    require(not without, f"no gradient for {', '.join(without[:3])} (of {len(without)})")


@law(
    "architecture.right_gradients",
    says="gradients agree with finite differences in float64",
    cause="an `autograd.Function` with a wrong backward, a `detach` inside, or an operation on "
    "`.data`",
    cases=[{"rows": 2, "length": 7}],
    thorough_cases=[{"rows": 1, "length": 30}],
)
def _right_gradients(given: Architecture, rows: int, length: int) -> None:
    if not given.runs_in_float64():
        raise NotHere("the model does not run in float64")
    model = given.evaluated()
    _fill_zeros(model)
    text = tokens(rows, length + 1)
    loss = _loss(model, text)
    loss.backward()
    generator = torch.Generator().manual_seed(0)
    for name, each in model.named_parameters():
        if each.grad is None:
            continue
        way = torch.randn(each.shape, generator=generator, dtype=each.dtype)
        expected = float((each.grad * way).sum())
        found, kink = _slopes(model, each.data, way, text)
        scale = max(abs(found), abs(expected), 1e-6)
        # Where a unit switches within the step, as relu does, the two sides differ by themselves.
        require(
            abs(found - expected) <= 1e-4 * scale + kink,
            f"along a direction of {name} the loss changes by {found:.6g}, its gradient says "
            f"{expected:.6g}",
        )


def _slopes(model: SequenceModel, values: Tensor, way: Tensor, text: Tensor) -> tuple[float, float]:
    """The slope of the loss along a direction, and how far its two sides are apart."""
    step = 1e-5
    losses = []
    with torch.no_grad():
        for factor in (-1, 0, 1):
            values.add_(way, alpha=factor * step)
            losses.append(float(_loss(model, text)))
            values.add_(way, alpha=-factor * step)
    before, here, after = losses
    return (after - before) / (2 * step), abs(after - 2 * here + before) / step


@law(
    "architecture.by_heart",
    says="64 bytes can be learnt by heart",
    cause="a gradient that does not reach the memory, a learning rate inside the model, an "
    "initialisation that is far too large, or too little memory",
    cases=[{"length": 64}],
    shrinks=False,
)
def _by_heart(given: Architecture, length: int) -> None:
    losses = []
    for seed in (0, 1):
        losses.append(_learnt(given.build(seed=seed).eval(), tokens(1, length + 1)))
        if losses[-1] < 0.1:
            return
    start = math.log(VOCAB_SIZE)
    raise Broken(
        f"after up to 600 updates of Adam the loss is {min(losses):.2g} nats for each token, "
        f"expected below 0.1 (guessing costs {start:.2g})"
    )


def _learnt(model: SequenceModel, text: Tensor) -> float:
    """The loss in nats after up to 600 updates; in eval mode, without dropout."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses: list[float] = []
    for _ in range(600):
        loss = _loss(model, text)
        losses.append(float(loss.detach()))
        has_stopped = len(losses) > 200 and losses[-1] > 0.98 * losses[-150]
        if losses[-1] < 0.1 or not math.isfinite(losses[-1]) or has_stopped:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses[-1]


@law(
    "architecture.memory",
    says="memory does not grow with the number of updates",
    cause="outputs, losses or states that are appended to a list in the module",
    cases=[{"updates": 8}],
)
def _memory(given: Architecture, updates: int) -> None:
    model = given.build()
    state, counts = None, []
    for number in range(3 + updates):
        logits, state = model(tokens(2, 5, seed=number), state)
        logits.float().square().mean().backward()
        model.zero_grad()
        state = states.detach(state)
        if number in (2, 2 + updates):
            gc.collect()
            counts.append(sum(issubclass(type(each), Tensor) for each in gc.get_objects()))
    grown = counts[-1] - counts[0]
    require(grown < updates, f"after {updates} further updates there are {grown} more tensors")


@law(
    "architecture.training_form",
    says="`forward_in_training` returns logits and state of the same form as `forward`, and a "
    "token changes no logits before its place",
    cause="positions that are not optional, another order of the results, or counts that contain "
    "the batch itself",
    cases=[{"rows": 2, "length": 6}],
)
def _training_form(given: Architecture, rows: int, length: int) -> None:
    model = given.build()
    text = tokens(rows, length)
    expected, state = model(text)
    for positions in (None, torch.arange(rows) * length):
        found, after = model.forward_in_training(text, None, positions)
        require(
            found.shape == expected.shape,
            f"its logits are {tuple(found.shape)}, those of `forward` {tuple(expected.shape)}",
        )
    if type(model).forward_in_training is not SequenceModel.forward_in_training:
        _require_causal_training(model.eval(), text)
        leaves = [states.flatten(each) for each in (after, state)]
        require(leaves[0].keys() == leaves[1].keys(), "its state has other leaves than `forward`'s")


def _require_causal_training(model: SequenceModel, text: Tensor) -> None:
    other = changed(text, -1)
    with torch.no_grad():
        before, after = (
            model.forward_in_training(each, None, None)[0][:, :-1] for each in (text, other)
        )
    found = difference(after, before)
    require(
        found <= tolerance(before.dtype),
        f"another last token changes earlier logits of `forward_in_training`, by {found:.2g} of "
        f"their spread",
    )


@law(
    "architecture.roles",
    says="every parameter has a role, and no other name has one; an auxiliary loss is a scalar",
    cause="a parameter that was renamed, the second name of a tied one, or a loss for each token",
    cases=[{"rows": 2, "length": 5}],
    every_option=True,
)
def _roles(given: Architecture, rows: int, length: int) -> None:
    model = given.build()
    fault = fault_in_roles(model, model.parameter_roles())
    require(not fault, f"`parameter_roles` gives {fault}")
    model.forward_in_training(tokens(rows, length))
    extra = model.auxiliary_loss()
    is_scalar = extra is None or (isinstance(extra, Tensor) and extra.numel() == 1)
    require(is_scalar, f"`auxiliary_loss` has shape {tuple(getattr(extra, 'shape', ()))}")


@law(
    "architecture.before_training",
    says="`before_training` can be called again, as a resumed process does, with the same result",
    cause="counts that are added to those of the first call",
    cases=[{"length": 20}],
)
def _before_training(given: Architecture, length: int) -> None:
    model = given.build().eval()
    if type(model).before_training is SequenceModel.before_training:
        raise NotHere("the model does not look at the training part")
    text = tokens(2, length)
    with torch.no_grad():
        once = model(text)[0]
        given.prepare(model)
        off = difference(model(text)[0], once)
    require(off == 0, f"after a second call the logits differ, by {off:.2g} of their spread")


def _fill_zeros(model: SequenceModel) -> None:
    """Small random values for parameters that begin as zeros and hide what is before them."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for each in model.parameters():
            if each.is_floating_point() and not each.any():
                each.copy_(0.1 * torch.randn(each.shape, generator=generator))


def _loss(model: SequenceModel, text: Tensor) -> Tensor:
    """Mean cross-entropy in nats of (B, T + 1) text, each token after those before it."""
    torch.manual_seed(0)
    logits, _ = model(text[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten())


LAWS = (
    _every_gradient,
    _right_gradients,
    _by_heart,
    _memory,
    _training_form,
    _roles,
    _before_training,
)
