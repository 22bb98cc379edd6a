"""A model sees the order of its tokens, and not the place of its row."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from attention import HEALTHY_POSITIONS, WITHOUT_ORDER
from broken_models import H, Plain, V
from examined_models import causes, outcome, reported, run_doctor
from torch import Tensor, nn

QUICK = ["model.order", "model.rows", "model.current_token", "model.causality"]


class Pair(nn.Module):
    """A causal convolution over two tokens: the shortest memory that has an order."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(V, H)
        self.mix = nn.Conv1d(H, H, 2)
        self.head = nn.Linear(H, V)

    def forward(self, tokens: Tensor) -> Tensor:
        padded = nn.functional.pad(self.embed(tokens).transpose(1, 2), (1, 0))
        logits: Tensor = self.head(self.mix(padded).tanh().transpose(1, 2))
        return logits


class BagOfWords(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(V, H)
        self.head = nn.Linear(2 * H, V)

    def forward(self, tokens: Tensor) -> Tensor:
        embedded = self.embed(tokens)
        counts = torch.arange(1, tokens.shape[1] + 1)[:, None]
        logits: Tensor = self.head(torch.cat([embedded, embedded.cumsum(1) / counts], -1))
        return logits


@pytest.mark.parametrize("model", HEALTHY_POSITIONS.values(), ids=HEALTHY_POSITIONS)
def test_positions_along_time_are_not_a_finding(model: Any) -> None:
    found = run_doctor(model, only=QUICK)
    assert causes(found) == [], reported(found)


@pytest.mark.parametrize("model", [Plain, Pair])
def test_recurrence_and_convolution_see_the_order(model: Any) -> None:
    assert outcome(run_doctor(model, only=QUICK), "model.order").status in ("pass", "skip")


@pytest.mark.parametrize(("model", "check", "word"), WITHOUT_ORDER.values(), ids=WITHOUT_ORDER)
def test_positions_that_are_missing_or_along_another_axis_are_named(
    model: Any, check: str, word: str
) -> None:
    found = run_doctor(model, only=QUICK)
    assert causes(found) == [check], reported(found)
    told = outcome(found, check)
    assert word in told.seen + told.remedy


def test_a_mean_over_earlier_tokens_has_no_order() -> None:
    found = run_doctor(BagOfWords, only=QUICK)
    assert causes(found) == ["model.order"]
    assert outcome(found, "model.order").status == "fail"


class Delayed(Plain):
    """Inputs shifted by one in the model."""

    def before(self, x: Tensor) -> Tensor:
        return nn.functional.pad(x, (0, 0, 1, 0))[:, :-1]


def test_a_current_token_without_influence_is_named() -> None:
    found = run_doctor(Delayed, only=QUICK)
    assert causes(found) == ["model.current_token"], reported(found)
    assert "1 token too late" in outcome(found, "model.current_token").seen


def test_a_shift_in_the_model_is_right_if_the_targets_are_the_inputs() -> None:
    def same() -> Any:
        for _ in range(64):
            tokens = torch.randint(V, (6, 32))
            yield tokens, tokens

    found = run_doctor(Delayed, batches=same, corpus=None, only=["model.current_token"])
    assert causes(found) == [], reported(found)
