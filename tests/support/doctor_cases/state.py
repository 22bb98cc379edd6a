"""States that are lost, kept too long, or not what the next batch needs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from doctor_cases.case import Case
from doctor_cases.makers import carried, changed
from doctor_cases.models import Attention, Recurrent, Stateless
from doctor_cases.proofs import (
    built,
    differs_in_eval_mode,
    ends_and_begins_again,
    first_batch,
    forgets,
    keeps_text,
    keeps_the_graph,
    reader,
    with_another_token,
)
from doctor_cases.setting import Batches, Pair, Setting

__all__ = ["CASES"]


class _AlwaysFromZero(Recurrent):
    """The state comes back and is never read."""

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        empty = torch.zeros(1, len(tokens), self.H)
        return super().forward(tokens, (empty, empty))


class _FromARandomState(Recurrent):
    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        if state is None:
            state = (torch.randn(1, len(tokens), self.H), torch.randn(1, len(tokens), self.H))
        return super().forward(tokens, state)


class _Swapped(Recurrent):
    """Cell and hidden come back in the other order."""

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        logits, (hidden, cell) = super().forward(tokens, state)
        return logits, (cell, hidden)


class _HiddenAlone(Recurrent):
    """The hidden state comes back, and the cell is zero again."""

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        logits, (hidden, cell) = super().forward(tokens, state)
        return logits, (hidden, torch.zeros_like(cell))


class _KeptInside(Stateless):
    """The state is an attribute of the module; the next batch continues from it."""

    kept: Any = None

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        state = self.kept
        if state is not None and state[0].shape[1] != len(tokens):
            state = None
        out, state = self.rnn(self.embed(tokens), state)
        self.kept = self.keep(state)
        return self.head(out)

    def keep(self, state: Any) -> Any:
        """What remains of the state."""
        return state


class _KeptDetached(_KeptInside):
    def keep(self, state: Any) -> Any:
        return tuple(part.detach() for part in state)


class _CachedFromZero(Attention):
    """Keys and values are cached, and positions begin with 0 in each piece."""

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        x = self.placed(self.embed(tokens))
        q, k, v = (self.split(part) for part in self.joint(self.norms[0](x)).chunk(3, -1))
        if state is not None:
            k, v = torch.cat([state[0], k], 2), torch.cat([state[1], v], 2)
        T, S = q.shape[2], k.shape[2]
        hidden = torch.ones(T, S, dtype=torch.bool).triu(1 + S - T)
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        x = x + self.mix(self.join(scores.masked_fill(hidden, -math.inf).softmax(-1) @ v))
        return self.head(self.norms[2](x + self.feed(self.norms[1](x)))), (k, v)


class _AlmostNothingIsKept(Recurrent):
    """The state counts a ten-thousandth, by a number that was meant for something else."""

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        outputs = []
        hidden = torch.zeros(1, len(tokens), self.H) if state is None else state
        for x in self.embed(tokens).split(1, 1):
            out, hidden = self.rnn(x, 1e-4 * hidden)
            outputs.append(out)
        return self.head(torch.cat(outputs, 1)), hidden


def _shut(model: Any) -> None:
    """The forget gate's bias has the wrong sign, and a size for another purpose."""
    with torch.no_grad():
        model.rnn.bias_ih_l0[model.H : 2 * model.H] = -10.0


def _forgets_the_last_token(arguments: Any) -> bool:
    """Whether another token before the last changes the last logits by almost nothing."""
    inputs, _ = first_batch(arguments)
    read = reader(arguments)
    before, after = read(inputs)[:, -1], read(with_another_token(inputs, -2))[:, -1]
    return bool((before - after).norm() < 1e-3 * before.norm())


def _forget_gate_is_shut(arguments: Any) -> bool:
    module: Any = built(arguments)[0]
    H = module.H
    return bool((module.rnn.bias_ih_l0[H : 2 * H] < -5).all())


def _single_steps(setting: Setting) -> Batches:
    """One token for each row and update, each row at its own place."""

    def batches() -> Iterator[Pair]:
        text = setting.bytes
        places = np.random.default_rng(setting.seed).integers(len(text) - 50_000, size=setting.B)
        for step in range(49_000):
            yield text[places + step][:, None], text[places + step + 1][:, None]

    return batches


def _wrapped(setting: Setting, count: int = 9) -> Batches:
    """A short text of that many batches again and again, as one endless stream."""

    def batches() -> Iterator[Pair]:
        B, T = setting.B, setting.T
        rows = setting.bytes[: B * (count * T + 1)].reshape(B, -1)
        while True:
            for start in range(0, count * T, T):
                yield rows[:, start : start + T], rows[:, start + 1 : start + 1 + T]

    return batches


CASES = (
    Case(
        name="the state is never read",
        source="github gabrielloye/RNN-walkthrough#3, "
        "ruohoruotsi/LSTM-Music-Genre-Classification#12",
        cause="Every call begins with zeros, whatever state it gets.",
        named_by=("model.state",),
        make=carried(_AlwaysFromZero),
        proof=forgets,
    ),
    Case(
        name="a random first state",
        source="github schmidt-ju/crat-pred#8",
        cause="The first state is drawn at each call, also in eval mode.",
        named_by=("model.eval_mode",),
        make=carried(_FromARandomState),
        proof=differs_in_eval_mode,
    ),
    Case(
        name="hidden and cell swapped",
        source="github microsoft/nni#2839",
        cause="The model gives (cell, hidden) and expects (hidden, cell).",
        named_by=("model.state",),
        make=carried(_Swapped),
        proof=forgets,
    ),
    Case(
        name="the cell is not carried",
        source="github johnarevalo/blocks-char-rnn#1",
        cause="The hidden state is carried and the cell of the LSTM is not.",
        named_by=("model.state",),
        make=carried(_HiddenAlone),
        proof=forgets,
    ),
    Case(
        name="a state with its graph",
        source="github yunjey/pytorch-tutorial#90, MorvanZhou/PyTorch-Tutorial#57",
        cause="The state is kept without detach: each update reaches back into all before.",
        named_by=("model.detached",),
        make=lambda s: s.stateful(lambda: _KeptInside(256, s.H)),
        proof=keeps_the_graph,
    ),
    Case(
        name="a state kept from training to scoring",
        source="github allenai/bilm-tf#220",
        cause="The state is an attribute: scoring begins with what training left, and changes it.",
        named_by=("model.untouched", "model.evaluation"),
        make=lambda s: s.stateful(lambda: _KeptDetached(256, s.H)),
        proof=keeps_text,
    ),
    Case(
        name="cached keys with positions from zero",
        source="github skyzh/tiny-llm#46, fla-org/flash-linear-attention#126",
        cause="After the first piece of text, positions start at 0 again.",
        named_by=("model.state", "model.evaluation"),
        make=lambda s: s.stateful(lambda: _CachedFromZero(256, s.H, 512)),
        proof=forgets,
    ),
    Case(
        name="a forget gate that is shut",
        source="Gers et al. 2000, doi:10.1162/089976600300015015, on the bias of forget gates",
        cause="The bias of the forget gate is -10, so that the cell keeps nothing.",
        named_by=("memory.saturation",),
        words=(r"forget gate",),
        make=carried(changed(_shut)),
        proof=_forget_gate_is_shut,
    ),
    Case(
        name="a state that counts almost nothing",
        source="Le et al. 2015, arXiv:1504.00941, on the size of recurrent weights",
        cause="The state is multiplied by 0.0001 at each step.",
        named_by=("memory.horizon",),
        words=(r"remembered",),
        make=carried(lambda V, H: _AlmostNothingIsKept(V, H, cell=nn.RNN)),
        proof=_forgets_the_last_token,
    ),
    Case(
        name="one step at a time",
        source="the question of docs/answer.md",
        cause="Every update sees one token, so that no gradient reaches a token before.",
        named_by=("memory.horizon",),
        make=lambda s: s.stateful(lambda: Recurrent(256, s.H), batches=_single_steps(s)),
        proof=lambda arguments: next(arguments["batches"]())[0].shape[1] == 1,
    ),
    Case(
        name="no reset at the end of the text",
        source="github karpathy/char-rnn#78",
        cause="After an epoch, each row begins again with the state of its end.",
        named_by=("stream.resets", "stream.continuity"),
        words=(r"epoch|end of the text|wrap|the same batches again",),
        make=lambda s: s.stateful(lambda: Recurrent(256, s.H), batches=_wrapped(s)),
        proof=ends_and_begins_again,
    ),
    Case(
        name="no reset after an epoch of 31 batches",
        source="github karpathy/char-rnn#78",
        cause="After an epoch, each row begins again with the state of its end.",
        named_by=("stream.continuity",),
        words=(r"begin again",),
        make=lambda s: s.stateful(lambda: Recurrent(256, s.H), batches=_wrapped(s, 31)),
        proof=ends_and_begins_again,
    ),
)
