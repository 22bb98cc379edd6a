"""The other forms of an architecture: plain torch, step by step, compiled, and adapting."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo.plugin.contracts import SequenceModel
from seqzoo.plugin.specs import ArchitectureSpec
from seqzoo.testing.architectures.given import (
    Architecture,
    difference,
    in_pieces,
    tokens,
    tolerance,
)
from seqzoo.testing.given import NotHere
from seqzoo.testing.law import law, require

__all__ = ["LAWS"]


def _has(form: str) -> Callable[[ArchitectureSpec], bool]:
    return lambda spec: getattr(spec, form) is not None


@law(
    "architecture.plain_torch",
    says="`plain_torch` has the same parameters and computes the same logits and gradients",
    cause="another order of gates, another initial state, or other names of parameters",
    cases=[{"rows": 2, "length": 20}],
    every_option=True,
    applies=_has("plain_torch"),
)
def _plain_torch(given: Architecture, rows: int, length: int) -> None:
    _same_function(given, given.spec.plain_torch, tokens(rows, length + 1))


@law(
    "architecture.step_by_step",
    says="`step_by_step` has the same parameters and computes the same logits and gradients",
    cause="a fast form that is not what the equations say",
    cases=[{"rows": 2, "length": 20}],
    every_option=True,
    applies=_has("step_by_step"),
)
def _step_by_step(given: Architecture, rows: int, length: int) -> None:
    _same_function(given, given.spec.step_by_step, tokens(rows, length + 1))


def _same_function(given: Architecture, form: Any, text: Tensor) -> None:
    model = given.evaluated("float32")
    other = form(given.options, given.context).eval()
    other.load_state_dict(model.state_dict())
    found, expected = (_logits_and_gradients(each, text) for each in (other, model))
    for what in expected:
        off = difference(found[what], expected[what])
        require(off <= 1e-3, f"its {what} differ, by {off:.2g} of their spread")


def _logits_and_gradients(model: nn.Module, text: Tensor) -> dict[str, Tensor]:
    logits, _ = model(text[:, :-1], None)
    F.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten()).backward()
    gradients = {
        f"gradients of {name}": each.grad
        for name, each in model.named_parameters()
        if each.grad is not None
    }
    return {"logits": logits, **gradients}


@law(
    "architecture.adapting",
    says="what a model learns while it is scored does not depend on how the text is cut",
    cause="learning from a whole piece before its last token was predicted",
    cases=[{"length": 90, "piece": 7}, {"length": 90, "piece": 64}],
)
def _adapting(given: Architecture, length: int, piece: int) -> None:
    if type(given.build()).start_adapting is SequenceModel.start_adapting:
        raise NotHere("the model does not learn while it is scored")
    model = given.evaluated("float32")
    read = []
    for size in (length, piece):
        copied = copy.deepcopy(model)
        copied.start_adapting()
        with torch.no_grad():
            read.append(in_pieces(copied, tokens(1, length), size)[0])
    off = difference(read[1], read[0])
    require(
        off <= tolerance(read[0].dtype),
        f"in pieces of {piece} the logits differ, by {off:.2g} of their spread",
    )


@law(
    "architecture.compiled",
    says="`torch.compile` of the model gives the same logits",
    cause="a branch on values of tensors, or an operation that the compiler does not know",
    cases=[{"length": 12}],
    is_thorough=True,
)
def _compiled(given: Architecture, length: int) -> None:
    if not _compiler_works():
        raise NotHere("torch.compile does not work on this machine")
    model = given.evaluated("float32")
    text = tokens(2, length)
    with torch.no_grad():
        expected = model(text)[0]
        found = torch.compile(model)(text)[0]
    off = difference(found, expected)
    require(off <= tolerance(expected.dtype), f"the logits differ, by {off:.2g} of their spread")


def _compiler_works() -> bool:
    try:
        compiled: Callable[[Tensor], Tensor] = torch.compile(lambda x: x + 1)
        return bool((compiled(torch.zeros(2)) == 1).all())
    except Exception:
        return False


LAWS = (_plain_torch, _step_by_step, _adapting, _compiled)
