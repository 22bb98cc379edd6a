"""A state may be any tree of tensors whose first dimension is the batch."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import Recurrent
from torch import Tensor

from seqzoo.model import state as states


class Pair(NamedTuple):
    hidden: Tensor
    cell: Tensor


def leaf(rows: int = 3) -> Tensor:
    return torch.arange(float(rows)).unsqueeze(1) + torch.tensor([0.0, 10.0])


trees: st.SearchStrategy[Any] = st.recursive(
    st.builds(leaf) | st.none(),
    lambda children: (
        st.lists(children, max_size=3)
        | st.lists(children, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from("abc"), children, max_size=3)
        | st.builds(Pair, children, children)
    ),
    max_leaves=8,
)


def have_equal_structure(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            have_equal_structure(one[key], other[key]) for key in one
        )
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(map(have_equal_structure, one, other))
    return True


@given(tree=trees)
def test_unflatten_inverts_flatten_for_any_tree(tree: Any) -> None:
    leaves = states.flatten(tree)
    rebuilt = states.unflatten({path: 2 * tensor for path, tensor in leaves.items()}, tree)
    assert have_equal_structure(rebuilt, tree)
    again = states.flatten(rebuilt)
    assert list(again) == list(leaves)
    assert all(torch.equal(again[path], 2 * leaves[path]) for path in leaves)


@given(tree=trees)
def test_flatten_finds_every_leaf_under_its_own_path(tree: Any) -> None:
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    states.map_tensors(note, tree)
    leaves = list(states.flatten(tree).values())
    assert len(leaves) == len(found)
    assert all(one is other for one, other in zip(leaves, found, strict=True))


def test_flatten_names_leaves_by_their_path() -> None:
    tree = {"length": leaf(), "layers": [(leaf(), leaf()), Pair(leaf(), leaf())]}
    assert list(states.flatten(tree)) == [
        "length",
        "layers.0.0",
        "layers.0.1",
        "layers.1.hidden",
        "layers.1.cell",
    ]
    assert list(states.flatten(leaf())) == ["state"]


def test_unflatten_does_not_depend_on_the_order_of_the_leaves() -> None:
    tree = (leaf(), leaf() + 100)
    backwards = dict(reversed(states.flatten(tree).items()))
    rebuilt = states.unflatten(backwards, tree)
    assert torch.equal(rebuilt[1], tree[1])


@pytest.mark.parametrize("leaves", [{}, {"0": leaf()}, {"0": leaf(), "2": leaf()}])
def test_unflatten_raises_for_leaves_of_another_tree(leaves: dict[str, Tensor]) -> None:
    with pytest.raises(ValueError, match="expected"):
        states.unflatten(leaves, (leaf(), leaf()))


def test_select_rows_copies_rows_with_repeats() -> None:
    tree = {"h": leaf(), "n": torch.tensor([5, 6, 7])}
    chosen = states.select_rows(tree, torch.tensor([2, 0, 2]))
    assert chosen["n"].tolist() == [7, 5, 7]
    chosen["h"].zero_()
    assert torch.equal(tree["h"], leaf())


def test_detach_keeps_values_and_drops_the_graph() -> None:
    weights = leaf().requires_grad_()
    state = Pair(weights * 2, weights.exp())
    detached = states.detach(state)
    assert isinstance(detached, Pair)
    assert not any(tensor.requires_grad for tensor in detached)
    assert all(torch.equal(one, other) for one, other in zip(detached, state, strict=True))


def test_to_moves_every_leaf() -> None:
    moved = states.to({"a": [leaf()], "b": (leaf(),)}, torch.device("meta"))
    assert all(tensor.is_meta for tensor in states.flatten(moved).values())


def test_a_leaf_that_is_not_a_tensor_is_an_error_with_its_type() -> None:
    with pytest.raises(TypeError, match="found float"):
        states.detach((leaf(), 1.5))


class Cell(NamedTuple):
    hidden: Tensor
    memory: Tensor | None


def test_leaves_are_named_by_keys_and_fields() -> None:
    state = {"layers": (Cell(torch.zeros(2, 3), torch.ones(2)), Cell(torch.zeros(2), None))}
    assert list(states.flatten(state)) == ["layers.0.hidden", "layers.0.memory", "layers.1.hidden"]


def test_leaves_stored_by_the_number_of_a_field_are_still_read() -> None:
    like = [Cell(torch.zeros(1), torch.zeros(1))]
    stored = {"0.0": torch.tensor([1.0]), "0.1": torch.tensor([2.0])}
    assert states.unflatten(stored, like) == [Cell(torch.tensor([1.0]), torch.tensor([2.0]))]


def test_fields_in_another_order_are_found_by_their_names() -> None:
    class Turned(NamedTuple):
        memory: Tensor
        hidden: Tensor

    stored = states.flatten(Cell(torch.tensor([1.0]), torch.tensor([2.0])))
    found = states.unflatten(stored, Turned(torch.zeros(1), torch.zeros(1)))
    assert found == Turned(hidden=torch.tensor([1.0]), memory=torch.tensor([2.0]))


@pytest.mark.parametrize("rows", [[False, True, False], [True, True, True], [False] * 3])
def test_only_the_rows_that_restart_are_reset(rows: list[bool]) -> None:
    model = Recurrent(hidden_size=4)
    _, state = model(torch.arange(6).reshape(3, 2))
    found = states.reset_rows(state, torch.tensor(rows), model)
    expected = states.flatten(state)
    first = states.flatten(model.initial_state(3))
    for row, is_reset in enumerate(rows):
        for path in expected:
            wanted = (first if is_reset else expected)[path][row]
            given = first[path] if found is None else states.flatten(found)[path]
            assert torch.equal(given[row], wanted)
