"""Each token of a text is looked up, learnt and predicted; what is no number is not judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from broken_models import TEXT, B, H, Plain, T
from examined_models import causes, outcome, reported, run_doctor
from torch import Tensor, nn
from torch.nn import functional as F

ALPHABET, IDS = np.unique(np.frombuffer(TEXT, np.uint8), return_inverse=True)
SYMBOLS = len(ALPHABET)


class Small(Plain):
    """Plain, for the characters of the text, numbered as sorted(set(text)) does."""

    def __init__(self, **embedding: Any) -> None:
        super().__init__()
        self.embed = nn.Embedding(SYMBOLS + 1, H, **embedding)
        self.head = nn.Linear(H, SYMBOLS + 1)


def lanes(ids: np.ndarray[Any, Any] = IDS) -> Any:
    columns = len(ids) // B
    for start in range(0, columns - T - 1, T):
        places = (np.arange(B) * columns)[:, None] + start + np.arange(T)
        yield ids[places], ids[places + 1]


def examined(model: Callable[[], nn.Module] = Small, **further: Any) -> Any:
    return run_doctor(model, batches=lanes, carry_state=True, **further)


def test_a_symbol_that_is_taken_for_padding_is_named() -> None:
    assert causes(examined()) == []
    found = examined(lambda: Small(padding_idx=0))
    assert causes(found) == ["model.all_tokens"], reported(found)
    assert "the embedding of id 0" in outcome(found, "model.all_tokens").seen
    found = examined(loss=nn.CrossEntropyLoss(ignore_index=3))
    assert causes(found) == ["model.all_tokens"], reported(found)
    assert "ignores id 3" in outcome(found, "model.all_tokens").seen


def test_a_hook_that_takes_the_gradient_of_some_embeddings_is_named() -> None:
    class Hooked(Small):
        def __init__(self, kept: Any) -> None:
            super().__init__()
            rows = torch.tensor([[float(kept(row))] for row in range(SYMBOLS + 1)])
            self.embed.weight.register_hook(lambda gradient: gradient * rows)

    found = examined(lambda: Hooked(lambda row: row > 4))
    assert causes(found) == ["model.all_tokens"], reported(found)
    assert "the embedding of ids 0, 1, 2 and 2 more" in outcome(found, "model.all_tokens").seen
    healthy = examined(lambda: Hooked(lambda row: row < SYMBOLS))
    assert causes(healthy) == [], reported(healthy)


def test_padding_that_is_no_symbol_is_not_a_finding() -> None:
    assert causes(examined(lambda: Small(padding_idx=SYMBOLS))) == []
    assert causes(examined(loss=nn.CrossEntropyLoss(ignore_index=SYMBOLS))) == []
    assert causes(examined(loss=nn.CrossEntropyLoss(ignore_index=-100))) == []


def test_real_padding_in_the_batches_is_not_a_finding_without_a_corpus() -> None:
    def padded() -> Any:
        generator = torch.Generator().manual_seed(0)
        for inputs, targets in lanes():
            inputs, targets = torch.from_numpy(inputs), torch.from_numpy(targets)
            lengths = torch.randint(8, T, (B,), generator=generator)
            after = torch.arange(T) >= lengths[:, None]
            yield (
                inputs.masked_fill(after, SYMBOLS),
                targets.masked_fill(torch.arange(T) >= lengths[:, None] - 1, SYMBOLS),
            )

    found = run_doctor(
        lambda: Small(padding_idx=SYMBOLS),
        batches=padded,
        corpus=None,
        loss=nn.CrossEntropyLoss(ignore_index=SYMBOLS),
        only=["model"],
    )
    assert causes(found) == [], reported(found)


class Numbers(Plain):
    """The id itself goes into the recurrent layer."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.lstm = nn.LSTM(1, H, batch_first=True)
        del self.embed

    def embed(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        return tokens[..., None] * self.scale


class OneHot(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(256, H, batch_first=True)
        del self.embed

    def embed(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        return F.one_hot(tokens, 256).float()


@pytest.mark.parametrize("scale", [1.0, 1 / 256])
def test_numbers_in_place_of_ids_are_named(scale: float) -> None:
    found = run_doctor(lambda: Numbers(scale))
    assert causes(found) == ["model.ids"], reported(found)


def test_embeddings_and_one_hot_vectors_are_not_numbers() -> None:
    for model in (Plain, OneHot):
        assert outcome(run_doctor(model, only=["model.ids"]), "model.ids").status == "pass"


@pytest.mark.parametrize(
    "narrowed", [lambda ids: ids.clamp(max=7), lambda ids: ids % 8], ids=["clamp", "modulo"]
)
def test_tokens_that_are_read_as_one_are_named(narrowed: Any) -> None:
    class Narrow(Small):
        def forward(self, tokens: Tensor, state: Any = None) -> Any:
            return super().forward(narrowed(tokens), state)

    found = examined(Narrow)
    assert causes(found) == ["model.all_tokens"], reported(found)
    assert "as one token" in outcome(found, "model.all_tokens").seen


def test_a_switch_to_eval_mode_inside_forward_is_named() -> None:
    class Switches(Plain):
        def after(self, out: Tensor) -> Tensor:
            self.eval()
            return out

    found = run_doctor(Switches)
    assert causes(found) == ["model.eval_mode"], reported(found)
    assert "to eval mode" in outcome(found, "model.eval_mode").seen
