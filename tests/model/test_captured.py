"""A recorded step is used only where it gives what the model gives; tests/gpu records real ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny import Recurrent
from torch import Tensor

from seqzoo.model import captured
from seqzoo.plugin.contracts import SequenceModel, State


class FakeRecording:
    """Repeats the model's step; from call `wrong_from` on with a mistake."""

    def __init__(self, model: SequenceModel, state: State, wrong_from: int) -> None:
        self.model, self.state, self.wrong_from = model, state, wrong_from
        self.calls = 0

    def replay(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        self.calls += 1
        logits, self.state = self.model(tokens, state)
        return (logits + 1 if self.calls >= self.wrong_from else logits), self.state


@pytest.mark.parametrize(
    ("wrong_from", "is_used"), [(1, False), (2, False), (3, False), (99, True)]
)
def test_a_recording_is_used_after_three_equal_calls(
    wrong_from: int, is_used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Recurrent().eval()
    made: list[FakeRecording] = []

    def record(model: SequenceModel, tokens: Tensor, state: State) -> Any:
        made.append(FakeRecording(model, state, wrong_from))
        return made[-1]

    monkeypatch.setattr(captured, "_record", record)
    step = captured._CapturedStep(model)
    generator = torch.Generator().manual_seed(0)
    state = expected_state = model.initial_state(2)
    with torch.inference_mode():
        for _ in range(40):
            tokens = torch.randint(256, (2, 1), generator=generator)
            logits, state = step(tokens, state)
            expected, expected_state = model(tokens, expected_state)
            assert torch.equal(logits, expected)
    assert len(made) == 1
    assert made[0].calls == (25 if is_used else wrong_from)
