"""Faults of single symbols: ids without a gradient, without a weight, or not ids at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from doctor_cases.case import Arguments, Case
from doctor_cases.models import Recurrent
from doctor_cases.proofs import has_another_loss, leaves_rows_of_the_embedding_alone
from doctor_cases.setting import Batches, Pair, Setting

__all__ = ["CASES"]


def _chars(setting: Setting, **further: Any) -> Arguments:
    V = setting.num_chars
    return setting.stateful(lambda: Recurrent(V, setting.H), setting.chars, **further)


def _frequent(setting: Setting) -> int:
    """The id of the space."""
    return sorted(set(setting.corpus)).index(32)


def _padding_is_a_letter(setting: Setting) -> Arguments:
    V, padding = setting.num_chars, _frequent(setting)

    def build() -> nn.Module:
        model = Recurrent(V, setting.H)
        model.embed = nn.Embedding(V, setting.H, padding_idx=padding)
        return model

    return setting.stateful(build, setting.chars)


def _without_a_weight(setting: Setting) -> Arguments:
    weight = torch.ones(setting.num_chars)
    weight[_frequent(setting)] = 0
    return _chars(setting, loss=nn.CrossEntropyLoss(weight=weight))


class _NumbersForIds(nn.Module):
    """The id of a character divided by their number, as one feature of the LSTM."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__()
        self.V = V
        self.rnn, self.head = nn.LSTM(1, H, batch_first=True), nn.Linear(H, V)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        out, state = self.rnn(tokens[..., None].float() / self.V, state)
        return self.head(out), state


class _PlainNumbersForIds(_NumbersForIds):
    """The same, not divided: gates are saturated by ids of up to 255."""

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        out, state = self.rnn(tokens[..., None].float(), state)
        return self.head(out), state


def _one_symbol_too_few(setting: Setting) -> Arguments:
    V = setting.num_chars
    return setting.stateful(lambda: Recurrent(V - 1, setting.H), setting.chars)


def _padded(setting: Setting) -> Batches:
    """Lines of the text, filled with zeros to one length; the targets too."""

    def batches() -> Iterator[Pair]:
        lines = [line + b"\n" for line in setting.corpus.split(b"\n") if 3 < len(line) < 60]
        for start in range(0, len(lines) - setting.B, setting.B):
            rows = torch.zeros(setting.B, 61, dtype=torch.int64)
            for row, line in enumerate(lines[start : start + setting.B]):
                rows[row, : len(line)] = torch.tensor(list(line))
            yield rows[:, :-1], rows[:, 1:]

    return batches


def _trains_on_padding(setting: Setting) -> Arguments:
    return setting.stateful(
        lambda: Recurrent(256, setting.H), batches=_padded(setting), carry_state=False
    )


def _mostly_zero_at_the_end(arguments: Any) -> bool:
    _, targets = next(iter(arguments["batches"]()))
    return bool((targets[:, -10:] == 0).double().mean() > 0.5) and "loss" not in arguments


_NUMBERS = (r"\bnumbers?\b.*\bid|embedding|one-hot|as a number|close ids|near(by)? ids",)

CASES = (
    Case(
        name="ignore_index is a letter",
        source="github lucidrains/parti-pytorch#8, nyu-mll/jiant#925",
        cause="The loss leaves out targets with id 0, which is a symbol of the text.",
        named_by=("model.all_tokens", "model.loss"),
        words=(r"ignore|weight|left out|symbol|\bid\b",),
        make=lambda s: _chars(s, loss=nn.CrossEntropyLoss(ignore_index=0)),
        proof=lambda arguments: arguments["loss"].ignore_index >= 0,
    ),
    Case(
        name="ignore_index is the space",
        source="github nyu-mll/jiant#925",
        cause="The loss leaves out the most frequent symbol of the text.",
        named_by=("model.all_tokens", "model.loss"),
        words=(r"ignore|weight|left out|symbol|\bid\b",),
        make=lambda s: _chars(s, loss=nn.CrossEntropyLoss(ignore_index=_frequent(s))),
        proof=lambda arguments: arguments["loss"].ignore_index >= 0,
    ),
    Case(
        name="a symbol without a weight",
        source="github pytorch/pytorch#63004",
        cause="The weights of the classes are 0 for the space: it is never predicted.",
        named_by=("model.all_tokens", "model.loss"),
        make=_without_a_weight,
        proof=has_another_loss,
    ),
    Case(
        name="padding_idx is a letter",
        source="github 649453932/Chinese-Text-Classification-Pytorch#9, torch.nn.Embedding",
        cause="The embedding of the space is zero and gets no gradient.",
        named_by=("model.all_tokens", "model.gradients"),
        words=(r"padding_idx|embedding.*(row|id)|row.*embedding",),
        make=_padding_is_a_letter,
        proof=leaves_rows_of_the_embedding_alone,
    ),
    Case(
        name="numbers in place of ids",
        source="machinelearningmastery.com, text generation with LSTM in Keras",
        cause="The id of a character, divided by V, is one feature: 'a' is almost 'b'.",
        named_by=("model.ids",),
        words=_NUMBERS,
        make=lambda s: s.stateful(lambda: _NumbersForIds(256, s.H)),
        proof=lambda arguments: (
            not any(isinstance(each, nn.Embedding) for each in arguments["model"]().modules())
        ),
    ),
    Case(
        name="undivided numbers in place of ids",
        source="machinelearningmastery.com, text generation with LSTM in Keras",
        cause="The id of a character, up to 255, is one feature of the LSTM.",
        named_by=("model.ids",),
        words=_NUMBERS,
        make=lambda s: s.stateful(lambda: _PlainNumbersForIds(256, s.H)),
        proof=lambda arguments: (
            not any(isinstance(each, nn.Embedding) for each in arguments["model"]().modules())
        ),
    ),
    Case(
        name="an embedding with one row too few",
        source="github keras-team/keras#11819, NLP-kr/tensorflow-ml-nlp#26",
        cause="The largest id of the text is V, and the embedding has rows 0 to V - 1.",
        named_by=("model.contract", "stream.contract", "stream.split"),
        words=(r"index|out of range|largest id|vocabulary",),
        make=_one_symbol_too_few,
        proof=lambda arguments: any(
            int(inputs.max()) >= arguments["model"]().embed.num_embeddings
            for inputs, _ in lanes_of(arguments)
        ),
    ),
    Case(
        name="padding is trained on",
        source="github EleutherAI/gpt-neo#45, open-jarvis/OpenJarvis#521, FlagAI-Open/FlagAI#522",
        cause="Short rows are filled with zeros, and the loss counts these zeros as targets.",
        named_by=("stream.*", "model.loss"),
        words=(r"padd",),
        make=_trains_on_padding,
        proof=_mostly_zero_at_the_end,
    ),
)


def lanes_of(arguments: Mapping[str, Any]) -> Iterator[Pair]:
    """All batches."""
    yield from arguments["batches"]()
