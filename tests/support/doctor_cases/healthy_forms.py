"""Sound models and batches in forms of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from doctor_cases.case import Arguments, Case
from doctor_cases.form_models import (
    ByCharacter,
    Cell,
    KeepsState,
    LastAnswer,
    OfOneBatchSize,
    OfOneLength,
    Perceptron,
    StateByName,
    TimeFirstFlat,
    WithMetrics,
)
from doctor_cases.forms import last_targets
from doctor_cases.makers import carried, windowed
from doctor_cases.models import Recurrent
from doctor_cases.setting import Setting, lanes

__all__ = ["CASES"]


def _columns(setting: Setting) -> Arguments:
    """A loader over lists of numbers: the default collation makes a tensor of each place."""
    T, ids = setting.T, setting.bytes.tolist()
    items: Any = [
        {"input_ids": ids[at : at + T], "labels": ids[at + 1 : at + T + 1]}
        for at in range(0, 200 * T, T)
    ]
    loader = DataLoader(items, batch_size=setting.B, shuffle=True, drop_last=True)
    return setting.stateless(lambda: Recurrent(256, setting.H), batches=loader)


class _OfRows(nn.Module):
    """One-hot rows in, logits out."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(V, H, batch_first=True), nn.Linear(H, V)

    def forward(self, x: torch.Tensor, state: Any = None) -> Any:
        out, state = self.rnn(x, state)
        return self.head(out), state


def _one_hot(setting: Setting) -> Arguments:
    one = np.eye(256, dtype=np.float32)

    def batches() -> Iterator[Any]:
        for inputs, targets in lanes(setting, setting.bytes)():
            yield one[inputs], targets

    return setting.stateful(lambda: _OfRows(256, setting.H), batches=batches)


CASES = (
    Case(
        name="positions for one length",
        source="Vaswani et al. 2017, section 3.5, positions added without a slice",
        make=windowed(OfOneLength),
    ),
    Case(
        name="a constant batch size",
        source="torch.Tensor.view, with constants",
        make=lambda s: s.stateful(lambda: OfOneBatchSize(256, s.H, s.B)),
    ),
    Case(
        name="a perceptron over windows",
        source="karpathy/makemore; Bengio et al. 2003",
        make=lambda s: s.stateless(lambda: Perceptron(256, s.H, s.T), batches=last_targets(s)),
    ),
    Case(
        name="a recurrence over windows with one target each",
        source="keras-team/keras-io, lstm_character_level_text_generation",
        make=lambda s: s.stateless(lambda: LastAnswer(256, s.H), batches=last_targets(s)),
    ),
    Case(name="called by character", source="spro/char-rnn.pytorch", make=carried(ByCharacter)),
    Case(name="a cell for one token", source="torch.nn.LSTMCell", make=carried(Cell)),
    Case(
        name="time first and flat",
        source="pytorch/examples, word_language_model",
        make=carried(TimeFirstFlat),
    ),
    Case(
        name="a state inside, with reset_states",
        source="keras-team/keras, stateful layers",
        make=carried(KeepsState),
    ),
    Case(
        name="logits, state and metrics",
        source="torch.nn.LSTM, with what is logged",
        make=carried(WithMetrics),
    ),
    Case(
        name="a state by name",
        source="huggingface/transformers, RwkvForCausalLM",
        make=carried(StateByName),
    ),
    Case(
        name="a one-hot model",
        source="udacity/deep-learning-v2-pytorch, character-level RNN",
        make=_one_hot,
    ),
    Case(
        name="columns of a loader",
        source="huggingface/datasets, without set_format",
        make=_columns,
    ),
)
