"""An end mark that stands among the targets alone, before padding, is no wrong target."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from examined_models import causes, outcome, reported
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from seqzoo.doctor import examine
from seqzoo.doctor.evidence.endings import without_endings

V, END = 28, 27


def words(seed: int = 0, count: int = 400) -> list[Tensor]:
    draw = torch.Generator().manual_seed(seed)
    lengths = torch.randint(3, 9, (count,), generator=draw).tolist()
    return [torch.randint(1, END, (length,), generator=draw) for length in lengths]


def padded(ignored: int, made: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Any:
    """Inputs and targets of 16 words each: inputs filled with 0, targets with `ignored`."""

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        known = words()
        for begin in range(0, len(known), 16):
            pairs = [made(word) for word in known[begin : begin + 16]]
            yield (
                pad_sequence([pair[0] for pair in pairs], batch_first=True),
                pad_sequence([pair[1] for pair in pairs], batch_first=True, padding_value=ignored),
            )

    return batches


def ended(ahead: int = 1) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Words whose end marks are targets alone."""
    mark = torch.full((ahead,), END)
    return lambda word: (word, torch.cat([word[ahead:], mark]))


def rolled(word: Tensor) -> tuple[Tensor, Tensor]:
    return word, word.roll(-1)


def between_marks(word: Tensor) -> tuple[Tensor, Tensor]:
    mark = torch.tensor([END])
    return torch.cat([mark, word]), torch.cat([word, mark])


@pytest.mark.parametrize("ignored", [-100, -1, 0])
def test_an_end_mark_before_padding_is_no_wrong_target(ignored: int) -> None:
    found = examine(
        batches=padded(ignored, ended()), carry_state=False, only=["stream.targets"], show=False
    )
    assert causes(found) == [], reported(found)


@pytest.mark.parametrize("ahead", [0, 2])
@pytest.mark.parametrize("ignored", [-100, 0])
def test_targets_at_another_distance_are_named_in_padded_rows(ahead: int, ignored: int) -> None:
    found = examine(
        batches=padded(ignored, ended(ahead)),
        carry_state=False,
        only=["stream.targets"],
        show=False,
    )
    assert causes(found) == ["stream.targets"], reported(found)


@pytest.mark.parametrize("ignored", [-100, -1, 0])
def test_padded_rows_that_are_rolled_are_named(ignored: int) -> None:
    found, sound = (
        examine(batches=made, carry_state=False, only=["stream.targets"], show=False)
        for made in (padded(ignored, rolled), padded(ignored, ended()))
    )
    assert causes(found) == ["stream.targets"], reported(found)
    assert "its first input" in outcome(found, "stream.targets").seen
    assert causes(sound) == [], reported(sound)


@pytest.mark.parametrize("ignored", [-100, 0])
def test_a_mark_that_begins_and_ends_rows_is_no_fault(ignored: int) -> None:
    found = examine(
        batches=padded(ignored, between_marks),
        carry_state=False,
        only=["stream.targets", "stream.resets"],
        show=False,
    )
    assert causes(found) == [], reported(found)


def test_only_the_last_target_before_padding_is_left_out() -> None:
    inputs = torch.tensor([[1, 2, 3, 0, 0], [4, 5, 6, 7, 8], [1, 2, 3, 4, 5], [1, 2, 3, 0, 0]])
    targets = torch.tensor([[2, 3, 9, -1, -1], [5, 6, 7, 8, 9], [2, 9, -1, 5, 6], [2, 3, 9, 0, 0]])
    expected = [[2, 3, -1, -1, -1], [5, 6, 7, 8, 9], [2, -1, -1, 5, 6], [2, 3, -1, 0, 0]]
    assert without_endings(inputs, targets).tolist() == expected
