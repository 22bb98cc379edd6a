"""Faults in models whose sizes, calls or answers have forms of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from doctor_cases.case import Arguments, Case
from doctor_cases.form_models import (
    ByCharacter,
    KeepsState,
    LastAnswer,
    OfOneBatchSize,
    OfOneLength,
    Perceptron,
    TimeFirstFlat,
    WithMetrics,
)
from doctor_cases.makers import carried, parts
from doctor_cases.setting import Batches, Pair, Setting, windows

__all__ = ["CASES", "last_targets"]


def last_targets(setting: Setting, *, late: int = 0) -> Batches:
    """Windows, each with the token after it as the only target. late: how many tokens too early
    that target is.
    """

    def batches() -> Iterator[Pair]:
        for inputs, targets in windows(setting, setting.bytes)():
            yield inputs, targets[:, -1 - late]

    return batches


def _windowed(kind: Any, **further: Any) -> Any:
    return lambda s: s.stateless(lambda: kind(256, s.H, s.T), batches=last_targets(s), **further)


def _recurrent(kind: Any) -> Any:
    return lambda s: s.stateless(lambda: kind(256, s.H), batches=last_targets(s))


def _wrong_target(setting: Setting) -> Arguments:
    return setting.stateless(
        lambda: LastAnswer(256, setting.H), batches=last_targets(setting, late=1)
    )


def _of_one_length(kind: Any) -> Any:
    return lambda s: s.stateless(lambda: kind(256, s.H, s.T))


def _of_one_batch_size(kind: Any) -> Any:
    return lambda s: s.stateful(lambda: kind(256, s.H, s.B))


def _mixed(model: Any, x: Tensor) -> Tensor:
    rows, H = model.rows, x.shape[-1]
    return x.reshape(-1, rows, H).transpose(0, 1)


CASES = (
    Case(
        name="positions for one length, and no mask",
        source="Vaswani et al. 2017, section 3.2.3, the mask left out",
        cause="The mask hides nothing, in a model that reads rows of one length only.",
        named_by=("model.causality",),
        make=_of_one_length(
            parts(OfOneLength, mask=lambda model, T: torch.zeros(T, T)),
        ),
    ),
    Case(
        name="a constant batch size, viewed as time first",
        source="torch.Tensor.view, with constants",
        cause="A view with constants takes the first tokens of all rows from one row.",
        named_by=("model.rows",),
        words=("view",),
        make=_of_one_batch_size(parts(OfOneBatchSize, before=_mixed)),
    ),
    Case(
        name="one target a row: it is the last input",
        source="github udacity/deep-learning#239",
        cause="The target of a window is its own last token.",
        named_by=("stream.targets",),
        words=("last target",),
        make=_wrong_target,
    ),
    Case(
        name="one target a row: softmax before cross-entropy",
        source="keras-team/keras-io, lstm_character_level_text_generation, moved to torch",
        cause="The model ends in a softmax, and cross-entropy applies another.",
        named_by=("model.logits",),
        words=("probabilit",),
        make=_recurrent(parts(LastAnswer, end=lambda model, y: y.softmax(-1))),
    ),
    Case(
        name="one target a row: the mean of a window's embeddings",
        source="Iyyer et al. 2015, deep averaging networks",
        cause="The mean over the window forgets the order of its tokens.",
        named_by=("model.order",),
        make=_recurrent(
            parts(LastAnswer, before=lambda model, x: x.mean(1, keepdim=True).expand_as(x))
        ),
    ),
    Case(
        name="one target a row: statistics of the batch in eval mode",
        source="karpathy/makemore, batch normalisation before running statistics",
        cause="A row's logits depend on the other rows, also when the model is used.",
        named_by=("model.rows",),
        make=_windowed(
            lambda V, H, T: _without_running_statistics(Perceptron(V, H, T)),
        ),
    ),
    Case(
        name="by character: the state is not returned",
        source="spro/char-rnn.pytorch, its model with a fault put in",
        cause="The model returns zeros as its next state, so each character stands alone.",
        named_by=("memory.horizon", "model.gradients"),
        make=carried(
            parts(
                ByCharacter,
                kept=lambda model, state: tuple(torch.zeros_like(part) for part in state),
            )
        ),
    ),
    Case(
        name="time first and flat: the mean over time is taken away",
        source="pytorch/examples, word_language_model, with a fault put in",
        cause="A norm over time shows later tokens.",
        named_by=("model.causality",),
        make=carried(parts(TimeFirstFlat, after=lambda model, out: out - out.mean(0))),
    ),
    Case(
        name="a kept state that is not the last one",
        source="keras-team/keras, stateful layers, with a fault put in",
        cause="What the module keeps is not the state that it ended with.",
        named_by=("model.state",),
        make=carried(
            parts(KeepsState, kept=lambda model, state: tuple(3 * part for part in state))
        ),
    ),
    Case(
        name="logits, state and metrics: the state is not used",
        source="torch.nn.LSTM, its h_0 and c_0 left out",
        cause="The state is returned and never read.",
        named_by=("model.state",),
        make=carried(parts(WithMetrics, used=lambda model, state: None)),
    ),
)


def _without_running_statistics(model: Perceptron) -> Perceptron:
    model.norm = torch.nn.BatchNorm1d(model.norm.num_features, track_running_stats=False)
    return model
