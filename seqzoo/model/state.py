"""Operations on a model's carried state: a tree of tensors whose first dimension is the batch.

The core never reads the values of a state; it detaches, moves, selects rows, flattens and rebuilds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from seqzoo.plugin.contracts import SequenceModel, State

__all__ = [
    "detach",
    "flatten",
    "leaves",
    "map_tensors",
    "require_rows",
    "reset_rows",
    "select_rows",
    "to",
    "unflatten",
]


def map_tensors(function: Callable[[Tensor], Tensor], state: State) -> State:
    """The same tree with `function` applied to every leaf."""
    if isinstance(state, Tensor):
        return function(state)
    if isinstance(state, Mapping):
        return {key: map_tensors(function, value) for key, value in state.items()}
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*(map_tensors(function, value) for value in state))
    if isinstance(state, (tuple, list)):
        return type(state)(map_tensors(function, value) for value in state)
    if state is None:
        return None
    raise TypeError(
        f"a state is a tree of tensors (tuples, lists, dicts); found {type(state).__name__}"
    )


def detach(state: State) -> State:
    """The same values without their autograd graph, as truncated BPTT needs."""
    return map_tensors(Tensor.detach, state)


def reset_rows(
    state: State | None, restarts: Bool[Tensor, " B"], model: SequenceModel
) -> State | None:
    """The state with the rows of `restarts` as they are before the first token; None if all are."""
    if state is None or bool(restarts.all()):
        return None
    if not bool(restarts.any()):
        return state
    initial = flatten(model.initial_state(len(restarts)))
    leaves = {}
    for path, leaf in flatten(state).items():
        chosen = restarts.to(leaf.device).reshape(-1, *[1] * (leaf.ndim - 1))
        leaves[path] = torch.where(chosen, initial[path].to(leaf), leaf)
    return unflatten(leaves, state)


def select_rows(state: State, rows: Tensor) -> State:
    """A copy of the state of some rows; a row may be repeated."""
    return map_tensors(lambda leaf: leaf.index_select(0, rows.to(leaf.device)), state)


def to(state: State, device: torch.device) -> State:
    """The state on another device."""
    return map_tensors(lambda leaf: leaf.to(device), state)


def leaves(state: State) -> Iterator[tuple[str, Any]]:
    """Every leaf with its path: keys of dicts, names of NamedTuple fields, numbers elsewhere.

    What is no tensor is a leaf too, so that it can be reported.
    """
    return ((path, leaf) for path, _, leaf in _leaves(state, "", ""))


def flatten(state: State) -> dict[str, Tensor]:
    """Leaves by their path, e.g. {"0.hidden": tensor}, as a checkpoint stores them."""
    return dict(leaves(state))


def unflatten(leaves: Mapping[str, Tensor], like: State) -> State:
    """Rebuild a state from the leaves that `flatten` returned, as a tree like `like`.

    Raises ValueError if the leaves are not those of `like`.
    """
    expected = [(path, by_number) for path, by_number, _ in _leaves(like, "", "")]
    paths = [path for path, _ in expected]
    if leaves.keys() != set(paths):
        # Checkpoints once counted the fields of a NamedTuple.
        paths = [by_number for _, by_number in expected]
    if leaves.keys() != set(paths):
        names = sorted(path for path, _ in expected)
        raise ValueError(f"the stored state has leaves {sorted(leaves)}, expected {names}")
    ordered = iter([leaves[path] for path in paths])
    return map_tensors(lambda _: next(ordered), like)


def require_rows(state: State, rows: int) -> None:
    """Raises ValueError if a leaf of a state has another first dimension than the batch."""
    for path, leaf in leaves(state):
        if leaf.ndim == 0 or leaf.shape[0] != rows:
            raise ValueError(
                f"the state '{path}' has shape {tuple(leaf.shape)}, expected {rows} rows"
            )


def _leaves(state: State, path: str, by_number: str) -> Iterator[tuple[str, str, Any]]:
    """(path, the same path with numbers for the fields of a NamedTuple, leaf)."""
    if state is None:
        return
    if isinstance(state, Mapping):
        children = [(str(key), str(key), value) for key, value in state.items()]
    elif isinstance(state, (tuple, list)):
        fields = getattr(state, "_fields", range(len(state)))
        children = [
            (str(field), str(number), value)
            for number, (field, value) in enumerate(zip(fields, state, strict=True))
        ]
    else:
        yield path or "state", by_number or "state", state
        return
    for name, number, value in children:
        inner = f"{path}.{name}" if path else name
        yield from _leaves(value, inner, f"{by_number}.{number}" if by_number else number)
