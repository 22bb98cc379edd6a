"""Sound losses, optimizers and batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from doctor_cases.case import Arguments, Case
from doctor_cases.makers import carried, parts
from doctor_cases.models import Attention, Recurrent, Stateless
from doctor_cases.setting import Batches, Pair, Setting, lanes, windows, words_of

__all__ = ["CASES"]


class _InBfloat16(Recurrent):
    """The forward pass under autocast; the weights stay in float32."""

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            logits, state = super().forward(tokens, state)
        return logits.float(), tuple(part.float() for part in state)


class _Adaptive(Recurrent):
    """Log-probabilities of an adaptive softmax."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__(V, H)
        self.head = nn.AdaptiveLogSoftmaxWithLoss(  # type: ignore[assignment]
            H, V, cutoffs=[V // 10, V // 2], div_value=2.0
        )

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        out, state = self.rnn(self.embed(tokens), state)
        log_prob: Any = self.head.log_prob
        return log_prob(out.flatten(0, 1)).view(*tokens.shape, -1), state


def _words(kind: Any) -> Any:
    def make(setting: Setting) -> Arguments:
        ids, V = words_of(setting.corpus)
        return setting.stateful(lambda: kind(V, setting.H), ids)

    return make


def _labels_are_inputs(setting: Setting) -> Arguments:
    """Labels equal the ids, and the loss shifts."""

    def batches() -> Iterator[Pair]:
        for inputs, _ in windows(setting, setting.bytes)():
            yield inputs, inputs

    return setting.stateless(
        lambda: Attention(256, setting.H, setting.T),
        batches=batches,
        loss=lambda logits, labels: F.cross_entropy(
            logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
        ),
    )


def _padded(setting: Setting) -> Batches:
    """Lines, filled to one length; the targets of the filling are -100."""

    def batches() -> Iterator[Pair]:
        lines = [line + b"\n" for line in setting.corpus.split(b"\n") if 8 < len(line) < 60]
        for start in range(0, len(lines) - setting.B, setting.B):
            inputs = torch.zeros(setting.B, 60, dtype=torch.int64)
            targets = torch.full_like(inputs, -100)
            for row, line in enumerate(lines[start : start + setting.B]):
                ids = torch.tensor(list(line))
                inputs[row, : len(ids) - 1], targets[row, : len(ids) - 1] = ids[:-1], ids[1:]
            yield inputs, targets

    return batches


def _loader(setting: Setting) -> Arguments:
    """A shuffled loader of the passages of the text."""
    T, text = setting.T, torch.from_numpy(setting.bytes)
    count = (len(text) - 1) // T
    passages = TensorDataset(
        text[: count * T].view(count, T), text[1 : count * T + 1].view(count, T)
    )
    loader = DataLoader(passages, batch_size=setting.B, shuffle=True, drop_last=True)
    return setting.stateless(lambda: Stateless(256, setting.H), batches=loader)


def _small_numbers(setting: Setting) -> Batches:
    """numpy arrays of int32 and uint8."""

    def batches() -> Iterator[Pair]:
        for inputs, targets in lanes(setting, setting.bytes)():
            yield inputs.astype(np.int32), targets.astype(np.uint8)

    return batches


def _one_hot(setting: Setting) -> Batches:
    """One-hot inputs (B, T, V), and ids as targets."""
    one = np.eye(256, dtype=np.float32)

    def batches() -> Iterator[Pair]:
        for inputs, targets in lanes(setting, setting.bytes)():
            yield one[inputs], targets

    return batches


def _transposed(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits.transpose(1, 2), targets)


def _optimized(make: Any, **further: Any) -> Any:
    return carried(Recurrent, optimizer=make, **further)


CASES = (
    Case(
        name="a vocabulary of words",
        source="pytorch/examples, word_language_model",
        make=_words(Recurrent),
    ),
    Case(
        name="adaptive softmax",
        source="torch.nn.AdaptiveLogSoftmaxWithLoss",
        make=_words(_Adaptive),
    ),
    Case(
        name="log-softmax and NLLLoss",
        source="torch.nn.NLLLoss",
        make=carried(
            parts(Recurrent, end=lambda model, logits: logits.log_softmax(-1)),
            loss=nn.NLLLoss(),
        ),
    ),
    Case(
        name="log-softmax twice",
        source="torch.nn.functional.log_softmax: another one changes nothing",
        make=carried(
            Recurrent,
            loss=lambda y, t: F.cross_entropy(y.log_softmax(-1).flatten(0, 1), t.flatten()),
        ),
    ),
    Case(
        name="a log-likelihood that is maximised",
        source="torch.optim.Adam, maximize",
        make=carried(
            Recurrent,
            loss=lambda y, t: -F.cross_entropy(y.flatten(0, 1), t.flatten()),
            optimizer=lambda p: torch.optim.Adam(p, maximize=True),
        ),
    ),
    Case(
        name="labels equal the inputs, the loss shifts",
        source="github huggingface/transformers#44642",
        make=_labels_are_inputs,
    ),
    Case(
        name="padding with -100",
        source="github huggingface/transformers#32832",
        make=lambda s: s.stateless(lambda: Stateless(256, s.H), batches=_padded(s)),
    ),
    Case(
        name="label smoothing",
        source="torch.nn.CrossEntropyLoss, label_smoothing",
        make=carried(Recurrent, loss=nn.CrossEntropyLoss(label_smoothing=0.1)),
    ),
    Case(
        name="the sum of all tokens' losses",
        source="torch.nn.CrossEntropyLoss, reduction",
        make=carried(Recurrent, loss=nn.CrossEntropyLoss(reduction="sum"), clip_norm=1.0),
    ),
    Case(
        name="cross-entropy with the vocabulary on axis 1",
        source="github markhliu/DGAI#7",
        make=carried(Recurrent, loss=_transposed),
    ),
    Case(
        name="autocast to bfloat16",
        source="torch.autocast",
        make=carried(_InBfloat16),
    ),
    Case(
        name="SGD with momentum and clipping",
        source="torch.optim.SGD",
        make=_optimized(
            lambda parameters: torch.optim.SGD(parameters, lr=0.5, momentum=0.9), clip_norm=0.5
        ),
    ),
    Case(
        name="RMSprop",
        source="karpathy/char-rnn",
        make=_optimized(lambda parameters: torch.optim.RMSprop(parameters, lr=2e-3)),
    ),
    Case(
        name="AdamW with weight decay",
        source="karpathy/nanoGPT",
        make=_optimized(
            lambda parameters: torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.1)
        ),
    ),
    Case(
        name="two groups of parameters",
        source="karpathy/minGPT",
        make=_optimized(
            lambda parameters: (
                lambda known: torch.optim.AdamW(
                    [
                        {"params": [p for p in known if p.ndim > 1], "weight_decay": 0.1},
                        {"params": [p for p in known if p.ndim < 2], "weight_decay": 0.0},
                    ],
                    lr=1e-3,
                )
            )(list(parameters))
        ),
    ),
    Case(
        name="a shuffled DataLoader of passages",
        source="torch.utils.data.DataLoader",
        make=_loader,
    ),
    Case(
        name="batches of small integers",
        source="karpathy/nanoGPT, uint16 files",
        make=lambda s: s.stateful(lambda: Recurrent(256, s.H), batches=_small_numbers(s)),
    ),
    Case(
        name="one-hot batches",
        source="udacity/deep-learning-v2-pytorch, character-level RNN",
        make=lambda s: s.stateful(lambda: Recurrent(256, s.H), batches=_one_hot(s)),
    ),
)
