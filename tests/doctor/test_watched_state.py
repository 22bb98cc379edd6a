"""Whether a watched loop carries the state is seen from its calls, also with batches of its own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from watched_loops import Recurrent, adam, detached, lanes, windows

import seqzoo
from seqzoo.doctor.diagnosis import Diagnosis


def own_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Its targets cannot be seen: it is not torch's cross-entropy."""
    return -logits.log_softmax(-1).gather(-1, targets[..., None]).mean()


def diagnosed(carried: bool, batches: Any) -> Diagnosis:
    model, state = Recurrent(), None
    optimizer = adam(model)
    with seqzoo.watch(model, optimizer, batches=batches, show=False) as visit:
        for x, y in batches():
            logits, after = model(x, state)
            state = detached(after) if carried else None
            optimizer.zero_grad()
            own_loss(logits, y).backward()
            optimizer.step()
    assert visit.errors == []
    return visit.diagnosis


@pytest.mark.parametrize(
    ("carried", "batches", "causes"),
    [
        (False, windows, []),
        (True, lanes, []),
        (True, windows, ["stream.continuity"]),
    ],
)
def test_a_state_that_is_never_passed_on_is_not_carried(
    carried: bool, batches: Any, causes: list[str]
) -> None:
    found = diagnosed(carried, batches)
    assert [each.check.name for each in found.causes] == causes
    for each in found.causes:
        assert "state = None before each batch" in each.outcome.remedy
        assert "carry_state" not in each.outcome.remedy


def test_a_state_within_one_batch_is_not_carried_to_the_next() -> None:
    """Token by token: the state is passed on within a batch, and begins again with each."""
    model = Recurrent()
    optimizer = adam(model)
    with seqzoo.watch(model, optimizer, batches=windows, show=False) as visit:
        for x, y in windows():
            state, loss = None, torch.zeros(())
            for place in range(x.shape[1]):
                here = slice(place, place + 1)
                logits, state = model(x[:, here], state)
                loss = loss + own_loss(logits, y[:, here])
            optimizer.zero_grad()
            (loss / x.shape[1]).backward()
            optimizer.step()
    assert [each.check.name for each in visit.diagnosis.causes] == []
