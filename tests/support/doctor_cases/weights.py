"""Weights that training does not reach, shares by mistake, or begins with badly."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from doctor_cases.case import Arguments, Case
from doctor_cases.makers import carried, changed, parts, windowed
from doctor_cases.models import Attention, Recurrent
from doctor_cases.proofs import (
    differs_in_eval_mode,
    is_confident,
    is_not_finite,
    leaves_weights_alone,
    moves_none,
    shares_modules,
)
from doctor_cases.setting import Setting

__all__ = ["CASES"]

_UNSEEN = (r"parameters\(\)|regist|ModuleList|nn\.Parameter|never trained|not trained",)


class _LayersInAList(nn.Module):
    """Two LSTMs in a Python list."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(V, H), nn.Linear(H, V)
        self.layers = [nn.LSTM(H, H, batch_first=True) for _ in range(2)]

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        x, states = self.embed(tokens), []
        for place, layer in enumerate(self.layers):
            x, new = layer(x, None if state is None else state[place])
            states.append(new)
        return self.head(x), states


class _LayersInADictionary(nn.Module):
    """A recurrent layer and a mix of its outputs, kept in a Python dict."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(V, H), nn.Linear(H, V)
        self.parts = {"rnn": nn.GRU(H, H, batch_first=True), "mix": nn.Linear(H, H)}

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        out, state = self.parts["rnn"](self.embed(tokens), state)
        return self.head(torch.tanh(self.parts["mix"](out))), state


class _PlainTensor(Recurrent):
    """A weight that is a tensor and no nn.Parameter."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__(V, H)
        self.memory = torch.randn(H, H) / H**0.5

    def after(self, out: Tensor) -> Tensor:
        return out + (out @ self.memory).tanh()


class _TensorWithGradient(_PlainTensor):
    """The same with requires_grad=True, which gives it a gradient and no optimizer."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__(V, H)
        self.memory = (torch.randn(H, H) / H**0.5).requires_grad_()


class _LayerMadeInForward(Recurrent):
    """A new layer, with new weights, at each call."""

    def after(self, out: Tensor) -> Tensor:
        mixed: Tensor = nn.Linear(self.H, self.H)(out).relu()
        return mixed


class _PositionsByData(Attention):
    """Learnt positions are added as .data, which has no gradient."""

    def placed(self, x: Tensor) -> Tensor:
        return x + self.positions.weight.data[: x.shape[1]]


class _OneLayerManyTimes(nn.Module):
    """A list of one layer, times three."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(V, H), nn.Linear(H, V)
        self.layers = nn.ModuleList([nn.GRU(H, H, batch_first=True)] * 3)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        x, states = self.embed(tokens), []
        for place, layer in enumerate(self.layers):
            x, new = layer(x, None if state is None else state[place])
            states.append(new)
        return self.head(x), states


class _OneFeedForwardForAll(nn.Module):
    """Each block has its own attention and, by mistake, the same feed-forward network."""

    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__()
        blocks = [Attention(V, H, T) for _ in range(2)]
        for block in blocks[1:]:
            block.feed = blocks[0].feed
        self.embed, self.positions = nn.Embedding(V, H), nn.Embedding(T, H)
        self.head = nn.Linear(H, V)
        self.attends = nn.ModuleList(nn.MultiheadAttention(H, 4, batch_first=True) for _ in blocks)
        self.feeds = nn.ModuleList(block.feed for block in blocks)

    def forward(self, tokens: Tensor) -> Tensor:
        T = tokens.shape[1]
        x = self.embed(tokens) + self.positions(torch.arange(T))
        hidden = torch.ones(T, T, dtype=torch.bool).triu(1)
        for attend, feed in zip(self.attends, self.feeds, strict=True):
            x = x + attend(x, x, x, attn_mask=hidden, need_weights=False)[0]
            x = x + feed(x)
        return self.head(x)


class _NeverInitialised(Recurrent):
    """A weight as memory happened to be: its bits are drawn here, so that a visit repeats."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__(V, H)
        found = np.random.default_rng(3).integers(0, 1 << 32, H * H, dtype=np.uint32)
        self.mix = nn.Parameter(torch.from_numpy(found.view(np.float32).copy()).view(H, H))

    def after(self, out: Tensor) -> Tensor:
        return out @ self.mix


def _tied(model: Any) -> None:
    model.head.weight = model.embed.weight


def _head_of_standard_normal(model: Any) -> None:
    nn.init.normal_(model.head.weight)


def _optimizer_of_an_earlier_model(setting: Setting) -> Arguments:
    earlier = Recurrent(256, setting.H)
    return setting.stateful(
        lambda: Recurrent(256, setting.H),
        optimizer=lambda parameters: torch.optim.Adam(earlier.parameters()),
    )


def _only_the_last_two(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.Adam(list(parameters)[-2:])


CASES = (
    Case(
        name="layers in a list",
        source="github ikostrikov/pytorch-meta-optimizer#11, pytorch/pytorch#715",
        cause="Layers in a Python list are not among parameters() and are never trained.",
        named_by=("model.registered", "model.gradients"),
        words=_UNSEEN,
        make=carried(_LayersInAList),
        proof=leaves_weights_alone,
    ),
    Case(
        name="layers in a dictionary",
        source="github pytorch/pytorch#1053, asyml/texar-pytorch#72",
        cause="Layers in a Python dict are not among parameters() and are never trained.",
        named_by=("model.registered", "model.gradients"),
        words=_UNSEEN,
        make=carried(_LayersInADictionary),
        proof=leaves_weights_alone,
    ),
    Case(
        name="a weight that is a plain tensor",
        source="github SimonThomine/RememberingNormality#7",
        cause="A random tensor is used as a weight without nn.Parameter and stays random.",
        named_by=("model.registered", "model.gradients"),
        words=_UNSEEN,
        make=carried(_PlainTensor),
        proof=lambda arguments: "memory" not in dict(arguments["model"]().named_parameters()),
    ),
    Case(
        name="a weight with requires_grad and no nn.Parameter",
        source="github rballester/tntorch#3",
        cause="A tensor has a gradient, and no optimizer knows it.",
        named_by=("model.registered", "model.gradients"),
        words=_UNSEEN,
        make=carried(_TensorWithGradient),
        proof=leaves_weights_alone,
    ),
    Case(
        name="a layer made in forward",
        source="github pytorch/pytorch#1291",
        cause="Each call makes a layer with new random weights.",
        named_by=("model.eval_mode", "model.registered"),
        words=(r"forward|random",),
        make=carried(_LayerMadeInForward),
        proof=differs_in_eval_mode,
    ),
    Case(
        name="positions used as .data",
        source="github d2l-ai/d2l-en#2121",
        cause="Learnt positions enter as .data, without a gradient, and are never learnt.",
        named_by=("model.gradients",),
        words=(r"positions",),
        make=windowed(_PositionsByData),
        proof=leaves_weights_alone,
    ),
    Case(
        name="features cut off by detach",
        source="github Cadene/murel.bootstrap.pytorch#7",
        cause="What the embedding gives is detached: the embedding is never trained.",
        named_by=("model.gradients",),
        words=(r"embed",),
        make=carried(parts(Recurrent, before=lambda model, x: x.detach())),
        proof=leaves_weights_alone,
    ),
    Case(
        name="one layer three times",
        source="github zalandoresearch/pytorch-vq-vae#2, linkedin/Liger-Kernel#269",
        cause="[layer] * 3 is one layer in three places: they share their weights.",
        named_by=("model.registered", "model.gradients"),
        words=(r"share|same (layer|module|weights)|several places|in \d+ places|\* ?\d|deepcopy",),
        make=carried(_OneLayerManyTimes),
        proof=shares_modules,
    ),
    Case(
        name="one feed-forward network in all blocks",
        source="github habla-liaa/encodecmae#3",
        cause="The feed-forward network was made once and given to every block.",
        named_by=("model.registered", "model.gradients"),
        words=(r"share|same (layer|module|weights)|several places|in \d+ places|deepcopy",),
        make=windowed(_OneFeedForwardForAll),
        proof=shares_modules,
    ),
    Case(
        name="a weight that was never initialised",
        source="github sauradip/STALE#16, FeiGSSS/DySAT_pytorch#3, kmkurn/pytorch-crf#1",
        cause="nn.Parameter(torch.empty(...)) keeps what was in memory: huge numbers and NaN.",
        named_by=("model.finite",),
        words=(r"finite|nan|inf",),
        make=carried(_NeverInitialised),
        proof=is_not_finite,
    ),
    Case(
        name="a head tied to an embedding of standard normal weights",
        source="github pytorch/pytorch#3121, fastai/fastai#2090",
        cause="nn.Embedding begins with a deviation of 1, which is far too much for a head.",
        named_by=("model.initial_loss",),
        make=windowed(changed(_tied, Attention)),
        proof=is_confident,
    ),
    Case(
        name="a head of standard normal weights",
        source="github huggingface/transformers#26441",
        cause="The head begins with a deviation of 1: a new model is sure and wrong.",
        named_by=("model.initial_loss",),
        make=windowed(changed(_head_of_standard_normal, Attention)),
        proof=is_confident,
    ),
    Case(
        name="the optimizer of an earlier model",
        source="github spro/practical-pytorch#9, pytorch/pytorch#14467, pytorch/tutorials#86",
        cause="The model was built again after the optimizer: the optimizer moves the old one.",
        named_by=("optimisation.*", "model.gradients"),
        words=(r"other parameters|another model|not (those )?of th(is|e) model",),
        make=_optimizer_of_an_earlier_model,
        proof=moves_none,
    ),
    Case(
        name="an optimizer of the head alone",
        source="github bubbliiiing/efficientdet-pytorch#37",
        cause="The optimizer gets two of the model's parameters, and the others stay as they are.",
        named_by=("optimisation.*", "model.gradients"),
        words=(r"optimi[sz]er",),
        make=carried(Recurrent, optimizer=_only_the_last_two),
        proof=moves_none,
    ),
)
