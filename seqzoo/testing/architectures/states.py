"""The carried state: it is all that is remembered, has a fixed size, and belongs to its row."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from seqzoo.model import state as states
from seqzoo.plugin.contracts import SequenceModel, State
from seqzoo.testing.architectures.given import (
    Architecture,
    difference,
    in_pieces,
    leaves,
    tokens,
    tolerance,
)
from seqzoo.testing.law import law, require

__all__ = ["LAWS"]


@law(
    "architecture.chunking",
    says="one pass gives the same logits as any cut of the text, with the state carried",
    cause="a state that is not used or not complete, memory that is kept in the module (`self.h`) "
    "and not in the state, positions that start again at each call, or "
    "padding at the beginning of a piece",
    cases=[
        {"length": 40, "piece": 1, "precision": "float32"},
        {"length": 130, "piece": 7, "precision": "float64"},
        {"length": 130, "piece": 64, "precision": "float32"},
        {"length": 1100, "piece": 1024, "precision": "float64"},
    ],
    thorough_cases=[
        {"length": length, "piece": piece, "precision": precision}
        for length, piece in [(130, 1), (130, 129), (300, 100), (2100, 1024)]
        for precision in ("float32", "float64")
    ],
    every_option=True,
)
def _chunking(given: Architecture, length: int, piece: int, precision: str) -> None:
    model = given.evaluated(precision)
    text, following = tokens(2, length), tokens(2, 3, seed=2)
    with torch.no_grad():
        whole, last = model(text)
        cut, last_of_cut = in_pieces(model, text, piece)
        _same(cut, whole, f"read in pieces of {piece}, the logits differ")
        after, after_cut = model(following, last)[0], model(following, last_of_cut)[0]
    _same(after_cut, after, f"after pieces of {piece}, the logits of the next tokens differ")


@law(
    "architecture.initial_state",
    says="no state is the same as `initial_state(B)`, which is on the parameters' device",
    cause="a first state that `forward` makes in another way, or zeros that are made on the CPU",
    cases=[{"rows": 3, "length": 9}],
    every_option=True,
)
def _initial_state(given: Architecture, rows: int, length: int) -> None:
    model = given.evaluated()
    text = tokens(rows, length)
    with torch.no_grad():
        _same(
            model(text, model.initial_state(rows))[0],
            model(text)[0],
            "from `initial_state` the logits differ from those without a state",
        )
    moved = copy.deepcopy(model).to("meta")
    elsewhere = [path for path, leaf in leaves(moved.initial_state(2)).items() if not leaf.is_meta]
    require(not elsewhere, f"leaf '{_first(elsewhere)}' is not on the device of the parameters")


@law(
    "architecture.bounded_state",
    says="shape and type of the state do not depend on how many tokens were read",
    cause="a list or a cache of keys that grows with the text, or an initial state of another type",
    cases=[{"length": 1}, {"length": 50}, {"length": 300}],
    every_option=True,
)
def _bounded_state(given: Architecture, length: int) -> None:
    model = given.build().eval()
    expected = _form(model.initial_state(2))
    with torch.no_grad():
        _, once = model(tokens(2, length))
        _, twice = model(tokens(2, length, seed=2), once)
    for count, state in ((length, once), (2 * length, twice)):
        form = _form(state)
        changed = [path for path in expected if form.get(path) != expected[path]]
        first = _first(changed)
        require(
            not changed,
            f"leaf '{first}' is {_shown(form.get(first))} after {count} tokens and "
            f"{_shown(expected.get(first))} at the beginning",
        )


@law(
    "architecture.state_used",
    says="what was read earlier changes the logits of what follows",
    cause="a state that is returned and never used, or a model without memory",
    cases=[{"length": 4}],
)
def _state_used(given: Architecture, length: int) -> None:
    model = given.evaluated()
    text = tokens(1, length)
    with torch.no_grad():
        after = [model(text, model(tokens(1, length, seed=seed))[1])[0] for seed in (2, 3)]
    require(
        difference(after[0], after[1]) > tolerance(after[0].dtype),
        "after other texts the logits of the next tokens are the same",
    )


@law(
    "architecture.state_kept",
    says="`forward` does not change the state that it is given",
    cause="an operation in place (`+=`, `copy_`, an assignment to a slice) on a part of the state; "
    "clone it first",
    cases=[{"length": 1}, {"length": 9}],
    every_option=True,
)
def _state_kept(given: Architecture, length: int) -> None:
    model = given.build().eval()
    with torch.no_grad():
        _, state = model(tokens(2, 20))
        before = {path: leaf.clone() for path, leaf in leaves(state).items()}
        model(tokens(2, length, seed=2), state)
    after = leaves(state)
    changed = [path for path, leaf in before.items() if not torch.equal(after[path], leaf)]
    require(not changed, f"leaf '{_first(changed)}' of the given state changed")


@law(
    "architecture.state_rows",
    says="rows of the state can be selected, repeated, and joined with rows of other histories",
    cause="a position or a counter that all rows share, memory that is kept in the module, or a "
    "state whose rows are mixed",
    cases=[{"length": 5}, {"length": 40}],
    every_option=True,
)
def _state_rows(given: Architecture, length: int) -> None:
    model = given.evaluated()
    with torch.no_grad():
        histories = [model(tokens(1, count, seed=count))[1] for count in (1, length, length + 3)]
        read = [leaves(each) for each in histories]
        joined = states.unflatten(
            {path: torch.cat([each[path] for each in read]) for path in read[0]}, histories[0]
        )
        text, order = tokens(3, 6), torch.tensor([2, 0, 2])
        together = model(text, joined)[0]
        for row, history in enumerate(histories):
            _same(
                together[row : row + 1],
                model(text[row : row + 1], history)[0],
                "a row after its own history differs beside rows with other histories",
            )
        chosen = model(text[order], states.select_rows(joined, order))[0]
    _same(chosen, together[order], "selected rows of the state give other logits")


@law(
    "architecture.detached",
    says="with a detached state, an update knows nothing of earlier updates but the state's values",
    cause="a state, an output or a graph that is kept in the module between calls (`self.h = h`)",
    cases=[{"length": 6}],
    every_option=True,
)
def _detached(given: Architecture, length: int) -> None:
    first, second = tokens(2, length), tokens(2, length, seed=2)
    reader = given.evaluated()
    other = copy.deepcopy(reader)
    torch.manual_seed(0)
    logits, state = reader(first)
    logits.square().mean().backward()
    reader.zero_grad()
    state = states.detach(state)
    gradients = []
    for model in (reader, other):
        logits, _ = model(second, state)
        logits.square().mean().backward()
        gradients.append(
            {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
        )
    require(
        gradients[0].keys() == gradients[1].keys(), "other parameters get a gradient than at first"
    )
    for name, gradient in gradients[1].items():
        scale = max(float(gradient.abs().max()), 1e-12)
        off = float((gradients[0][name] - gradient).abs().max()) / scale
        require(
            off <= tolerance(gradient.dtype),
            f"after an earlier update the gradient of {name} differs, by {off:.2g} of its size",
        )


@law(
    "architecture.state_carries_gradient",
    says="the returned state has the graph of what was read, until the core detaches it",
    cause="a `detach`, `.data` or `no_grad` in `forward`: nothing then learns what to remember",
    cases=[{"length": 6}],
)
def _state_carries_gradient(given: Architecture, length: int) -> None:
    model: SequenceModel = given.evaluated().train()
    _, state = model(tokens(2, length))
    logits, _ = model(tokens(2, length, seed=2), state)
    carrying = [leaf for leaf in leaves(state).values() if leaf.requires_grad]
    reached: tuple[Any, ...] = ()
    if carrying:
        reached = torch.autograd.grad(logits.square().sum(), carrying, allow_unused=True)
    require(
        any(each is not None and bool(each.any()) for each in reached),
        "no part of the state passes a gradient to the tokens before it",
    )


def _same(found: Tensor, expected: Tensor, what: str) -> None:
    off = difference(found, expected)
    require(
        off <= tolerance(expected.dtype),
        f"{what}, by {off:.2g} of their spread ({expected.dtype})".replace("torch.", ""),
    )


def _form(state: State) -> Mapping[str, tuple[Any, ...]]:
    return {path: (tuple(leaf.shape), leaf.dtype) for path, leaf in leaves(state).items()}


def _shown(form: tuple[Any, ...] | None) -> str:
    return "absent" if form is None else f"{form[0]} {form[1]}".replace("torch.", "")


def _first(paths: list[str]) -> str:
    return paths[0] if paths else ""


LAWS = (
    _state_kept,
    _chunking,
    _initial_state,
    _bounded_state,
    _state_used,
    _state_rows,
    _detached,
    _state_carries_gradient,
)
