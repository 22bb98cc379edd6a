"""Operations on a model's carried state: a tree of tensors whose first dimension is the batch.

The core never reads the values of a state; it detaches, moves, selects rows, flattens and rebuilds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from jaxtyping import Bool
from torch import Tensor

from seqzoo.plugin.contracts import SequenceModel, State

__all__ = ["detach", "flatten", "map_tensors", "reset_rows", "select_rows", "to", "unflatten"]


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


def flatten(state: State) -> dict[str, Tensor]:
    """Leaves by their path, e.g. {"0.1": tensor}, as a checkpoint stores them."""
    return dict(_leaves(state, ""))


def unflatten(leaves: Mapping[str, Tensor], like: State) -> State:
    """Rebuild a state from the leaves that `flatten` returned, as a tree like `like`.

    Raises ValueError if the leaves are not those of `like`.
    """
    expected = flatten(like)
    if expected.keys() != leaves.keys():
        raise ValueError(
            f"the stored state has leaves {sorted(leaves)}, expected {sorted(expected)}"
        )
    ordered = iter([leaves[path] for path in expected])
    return map_tensors(lambda _: next(ordered), like)


def _leaves(state: State, path: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(state, Tensor):
        yield path or "state", state
    elif isinstance(state, Mapping):
        for key, value in state.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(state, (tuple, list)):
        for index, value in enumerate(state):
            yield from _leaves(value, f"{path}.{index}" if path else str(index))
