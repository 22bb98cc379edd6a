"""parameters() has each weight that the model uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from broken_models import H, Plain, V
from examined_models import causes, outcome, reported, run_doctor
from torch import Tensor, nn


class InAList(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(H, H) for _ in range(2)]

    def after(self, out: Tensor) -> Tensor:
        for layer in self.layers:
            out = layer(out).tanh()
        return out


class InADictionaryOfLists(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.parts: dict[str, list[nn.Module]] = {"deep": [nn.Linear(H, H)]}

    def after(self, out: Tensor) -> Tensor:
        made: Tensor = self.parts["deep"][0](out)
        return made


class PlainTensor(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.mix = torch.randn(H, H, requires_grad=True)

    def after(self, out: Tensor) -> Tensor:
        return out @ self.mix


class PlainTensorWithoutGradient(PlainTensor):
    def __init__(self) -> None:
        super().__init__()
        self.mix = torch.randn(H, H)


class MadeInForward(Plain):
    def after(self, out: Tensor) -> Tensor:
        made: Tensor = nn.Linear(H, H)(out)
        return made


GLOBAL = nn.Linear(H, H)


class Global(Plain):
    def after(self, out: Tensor) -> Tensor:
        made: Tensor = GLOBAL(out)
        return made


OUTSIDE = {
    "a list": (InAList, "layers[0].weight"),
    "a dictionary of lists": (InADictionaryOfLists, "parts['deep'][0].weight"),
    "a tensor": (PlainTensor, "mix"),
    "a tensor without a gradient": (PlainTensorWithoutGradient, "mix"),
    "a layer made in forward": (MadeInForward, "made in forward"),
    "a global layer": (Global, "global"),
}


@pytest.mark.parametrize(("model", "name"), OUTSIDE.values(), ids=OUTSIDE)
def test_a_weight_that_parameters_does_not_have_is_named(
    model: Callable[[], nn.Module], name: str
) -> None:
    found = run_doctor(model)
    assert causes(found) == ["model.registered"], reported(found)
    assert name in outcome(found, "model.registered").seen


class NewHead(Plain):
    """The head is made in each call, so nothing that is kept makes its logits larger."""

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        _, state = super().forward(tokens, state)
        return nn.Linear(H, V)(self.embed(tokens).tanh()), state


def test_a_head_that_is_made_in_forward_is_not_taken_for_bounded_logits() -> None:
    found = run_doctor(NewHead)
    assert outcome(found, "model.logits").status == "pass"
    assert causes(found) == ["model.registered"], reported(found)


class Tables(Plain):
    """Tensors that are no weights: sines, a mask, a window, a cache of the last text."""

    noise: Tensor

    def __init__(self) -> None:
        super().__init__()
        places = torch.arange(64)[:, None] / 10000 ** (torch.arange(0, H, 2) / H)
        self.sines = torch.cat([places.sin(), places.cos()], 1)
        self.mask = torch.ones(64, 64).tril()
        self.window = torch.hann_window(64)[:, None].repeat(1, H)
        self.last: list[Tensor] = []
        self.register_buffer("noise", torch.randn(64, H))

    def before(self, x: Tensor) -> Tensor:
        T = x.shape[1]
        table = self.sines[:T] + self.window[:T] + self.noise[:T] + self.mask[:T, :1]
        self.last = [x.detach()]
        return x + table


class Tied(Plain):
    """The head has the embedding's weights, and keeps the embedding as a part of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.head.weight = self.embed.weight
        self.also = nn.ModuleDict({"embed": self.embed})


@pytest.mark.parametrize("model", [Plain, Tables, Tied])
def test_tables_caches_and_shared_parameters_are_not_a_finding(model: Any) -> None:
    found = run_doctor(model, only=["model.registered"])
    assert causes(found) == [], reported(found)


class Twice(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.deep = nn.Sequential(*[nn.Linear(H, H)] * 3, nn.Tanh(), nn.Tanh())

    def after(self, out: Tensor) -> Tensor:
        made: Tensor = self.deep(out)
        return made


class AnActivationTwice(Plain):
    def __init__(self) -> None:
        super().__init__()
        tanh = nn.Tanh()
        self.deep = nn.Sequential(nn.Linear(H, H), tanh, nn.Linear(H, H), tanh)

    def after(self, out: Tensor) -> Tensor:
        made: Tensor = self.deep(out)
        return made


def test_a_layer_that_stands_in_several_places_is_a_warning() -> None:
    found = run_doctor(Twice)
    assert causes(found) == ["model.registered"], reported(found)
    assert "deep has Linear 3 times" in outcome(found, "model.registered").seen
    assert causes(run_doctor(AnActivationTwice)) == []
    assert V > H
