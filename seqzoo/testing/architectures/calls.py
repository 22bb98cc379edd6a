"""A model can be called as training, scoring and sampling call it; what it returns has its form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from seqzoo.model import state as states
from seqzoo.plugin.contracts import SequenceModel
from seqzoo.testing.architectures.given import VOCAB_SIZE, Architecture, leaves, tokens
from seqzoo.testing.law import law, require
from seqzoo.testing.watching import changes, printed

__all__ = ["LAWS"]


@law(
    "architecture.calls",
    says="a model can be built and called 40 times, with any number of rows and tokens, in "
    "training and eval mode",
    cause="a fixed batch size or length, a counter, a missing None for the first state, or an "
    "argument that `forward` does not take",
    cases=[
        {"rows": rows, "length": length, "calls": calls}
        for rows, length, calls in [(1, 1, 40), (3, 1, 3), (1, 7, 3), (3, 40, 2)]
    ],
    every_option=True,
    is_gate=True,
)
def _calls(given: Architecture, rows: int, length: int, calls: int) -> None:
    model = given.build().train(rows * length > 1)  # one token has no variance to divide by
    require(isinstance(model, SequenceModel), f"`build` returned a {type(model).__name__}")
    lazy = [name for name, each in model.named_parameters() if is_lazy(each)]
    require(not lazy, f"{', '.join(lazy[:2])} has no shape before the first call: a lazy layer")
    model.initial_state(rows)
    text = tokens(rows, length)
    returned = model(text)
    require(
        isinstance(returned, tuple) and len(returned) == 2,
        f"`forward` returned a {type(returned).__name__}, expected (logits, state)",
    )
    logits, _ = returned
    if any(each.requires_grad for each in model.parameters()):
        logits.float().square().mean().backward()
    model.eval()
    state: Any = None
    with torch.no_grad():
        for _ in range(calls):
            _, state = model(text, state)


@law(
    "architecture.logits",
    says="the logits are floating-point numbers of the shape (B, T, V)",
    cause="time before batch, a head of the wrong width, only the last token's logits, or a "
    "squeeze that removes a dimension of size 1",
    cases=[{"rows": rows, "length": length} for rows, length in [(1, 1), (3, 1), (1, 5), (3, 7)]],
    every_option=True,
    is_gate=True,
)
def _logits(given: Architecture, rows: int, length: int) -> None:
    logits, _ = given.build().eval()(tokens(rows, length))
    require(isinstance(logits, Tensor), f"the logits are a {type(logits).__name__}, not a tensor")
    expected = (rows, length, VOCAB_SIZE)
    require(
        logits.shape == expected and logits.is_floating_point(),
        f"the logits are {logits.dtype} of shape {tuple(logits.shape)}, expected {expected}",
    )


@law(
    "architecture.state_tree",
    says="the state is a tree of tensors (tuples, lists, dicts), every one batch-first",
    cause="a Python number, a NumPy array or a dataclass in the state, or layers before the batch "
    "as torch's LSTM has them; keep counters as tensors of B numbers",
    cases=[{"rows": 3, "length": 5}, {"rows": 1, "length": 1}],
    every_option=True,
    is_gate=True,
)
def _state_tree(given: Architecture, rows: int, length: int) -> None:
    model = given.build().eval()
    with torch.no_grad():
        _, after = model(tokens(rows, length))
    for when, state in (("`initial_state`", model.initial_state(rows)), ("`forward`", after)):
        if wrong := _no_tensors(state):
            require(False, f"the state of {when} has {wrong}")
        for path, leaf in leaves(state).items():
            require(
                leaf.ndim > 0 and len(leaf) == rows,
                f"leaf '{path}' of {when} has shape {tuple(leaf.shape)} for {rows} rows",
            )
    require(
        _form(states.map_tensors(torch.zeros_like, after))
        == _form(states.map_tensors(torch.zeros_like, model.initial_state(rows))),
        f"`initial_state` has the leaves {sorted(leaves(model.initial_state(rows)))}, `forward` "
        f"returns {sorted(leaves(after))}",
    )


def _no_tensors(state: Any, path: str = "") -> str:
    """What in the state is not a tensor, with its path; "" if all is well."""
    if state is None or isinstance(state, Tensor):
        return ""
    if isinstance(state, Mapping):
        inner = [(str(key), value) for key, value in state.items()]
    elif isinstance(state, (tuple, list)):
        inner = [(str(place), value) for place, value in enumerate(state)]
    else:
        is_array = isinstance(state, np.ndarray)
        what = "a NumPy array" if is_array else f"an object of type {type(state).__name__}"
        return f"{what} at '{path or 'state'}'"
    found = (_no_tensors(value, f"{path}.{key}".strip(".")) for key, value in inner)
    return next((each for each in found if each), "")


def _form(state: Any) -> list[str]:
    return list(leaves(state))


@law(
    "architecture.silent",
    says="a model prints nothing",
    cause="a print for debugging that was left in; it would break `seqzoo run --json`",
    cases=[{"rows": 2, "length": 5}],
)
def _silent(given: Architecture, rows: int, length: int) -> None:
    with printed() as said:
        model = given.build()
        model(tokens(rows, length))[0].sum()
        model.eval()(tokens(rows, length))
    require(not said.getvalue(), f"it printed {said.getvalue()[:60]!r}")


@law(
    "architecture.global_state",
    says="building, calling and training a model change nothing that other plugins share",
    cause="`torch.set_default_dtype`, `set_num_threads`, a seed, or a variable of the environment",
    cases=[{"rows": 2, "length": 5}],
)
def _global_state(given: Architecture, rows: int, length: int) -> None:
    with changes() as changed:
        model = given.build()
        logits, _ = model(tokens(rows, length))
        if logits.requires_grad:
            logits.float().sum().backward()
        model.eval()(tokens(rows, length))
    # Initialisation and dropout draw from torch's generator, as they should; `architecture.seed`
    # and `architecture.deterministic` find what others are used for.
    changed = [name for name in changed if "random" not in name]
    require(not changed, f"it changed {', '.join(changed)}")


LAWS = (_calls, _logits, _state_tree, _silent, _global_state)
