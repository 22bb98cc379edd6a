"""The architectures that n-gram counts correct: any one, and an LSTM with a gate on its units."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqzoo import SequenceModel
from seqzoo_plugins.ngram_gate.gate import Counted
from seqzoo_plugins.ngram_gate.options import NgramGateOptions, NgramLSTMOptions
from seqzoo_plugins.recurrent.lstm import LSTM

__all__ = ["NgramGate", "NgramLSTM"]


class NgramGateState(NamedTuple):
    """history: (B, W) latest tokens, ABSENT before the text. inner: that of the inner model."""

    history: Tensor
    inner: Any


class NgramGate(Counted):
    """Any architecture, with n-gram counts. The gate reads its distribution of the next token:
    square roots of the probabilities, entropy and highest log-probability.
    """

    inner: SequenceModel

    def __init__(self, inner: SequenceModel, options: NgramGateOptions, *, vocab_size: int) -> None:
        super().__init__(
            options, inner, name="inner", vocab_size=vocab_size, read_size=vocab_size + 2
        )

    def before_training(self, tokens: npt.NDArray[Any]) -> None:
        """Count the training part; the inner model looks at it too."""
        super().before_training(tokens)
        self.inner.before_training(tokens)

    def start_adapting(self) -> None:
        """Count all tokens that are read from now on; the inner model adapts too."""
        super().start_adapting()
        self.inner.start_adapting()

    def auxiliary_loss(self) -> Float[Tensor, ""] | None:
        """That of the inner model."""
        return self.inner.auxiliary_loss()

    def initial_state(self, batch_size: int) -> NgramGateState:
        """The state before the first token."""
        return NgramGateState(self.no_history(batch_size), self.inner.initial_state(batch_size))

    def forward(
        self, tokens: Int[Tensor, "B T"], state: NgramGateState | None = None
    ) -> tuple[Float[Tensor, "B T V"], NgramGateState]:
        history, inner = self.initial_state(len(tokens)) if state is None else state
        logits, inner = self.inner(tokens, inner)
        return self._corrected(logits, inner, tokens, history, None)

    def forward_in_training(
        self,
        tokens: Int[Tensor, "B T"],
        state: NgramGateState | None = None,
        positions: Int[Tensor, " B"] | None = None,
    ) -> tuple[Float[Tensor, "B T V"], NgramGateState]:
        """Without the counts of the folds of the next tokens, if their positions are known."""
        history, inner = self.initial_state(len(tokens)) if state is None else state
        logits, inner = self.inner.forward_in_training(tokens, inner, positions)
        return self._corrected(logits, inner, tokens, history, self.folds(tokens, positions))

    def _corrected(
        self,
        logits: Float[Tensor, "B T V"],
        inner: Any,
        tokens: Int[Tensor, "B T"],
        history: Int[Tensor, "B W"],
        folds: Int[Tensor, "B T"] | None,
    ) -> tuple[Float[Tensor, "B T V"], NgramGateState]:
        logs = logits.log_softmax(-1, dtype=self.gate_out.weight.dtype)
        entropy = -(logs.exp() * logs).sum(-1, keepdim=True)
        # Square roots, because improbable symbols are of interest too; their mean square is 1.
        roots = (logs / 2).exp() * self.vocab_size**0.5
        read = torch.cat([roots, entropy, logs.amax(-1, keepdim=True)], dim=-1)
        corrections, history = self.corrections(read, tokens, history, folds)
        return logits + corrections, NgramGateState(history, inner)


class NgramLSTMState(NamedTuple):
    """history: (B, W) latest tokens, ABSENT before the text. hidden, cell: (B, L, H)."""

    history: Tensor
    hidden: Tensor
    cell: Tensor


class NgramLSTM(Counted):
    """An LSTM with n-gram counts. Its output is what the gate reads."""

    lstm: LSTM

    def __init__(self, options: NgramLSTMOptions, *, vocab_size: int) -> None:
        lstm = LSTM(options, vocab_size=vocab_size)
        H = options.hidden_size
        super().__init__(options, lstm, name="lstm", vocab_size=vocab_size, read_size=H)

    def initial_state(self, batch_size: int) -> NgramLSTMState:
        """The state before the first token."""
        return NgramLSTMState(self.no_history(batch_size), *self.lstm.initial_state(batch_size))

    def forward(
        self, tokens: Int[Tensor, "B T"], state: NgramLSTMState | None = None
    ) -> tuple[Float[Tensor, "B T V"], NgramLSTMState]:
        return self._read(tokens, state, None)

    def forward_in_training(
        self,
        tokens: Int[Tensor, "B T"],
        state: NgramLSTMState | None = None,
        positions: Int[Tensor, " B"] | None = None,
    ) -> tuple[Float[Tensor, "B T V"], NgramLSTMState]:
        """Without the counts of the folds of the next tokens, if their positions are known."""
        return self._read(tokens, state, self.folds(tokens, positions))

    def _read(
        self,
        tokens: Int[Tensor, "B T"],
        state: NgramLSTMState | None,
        folds: Int[Tensor, "B T"] | None,
    ) -> tuple[Float[Tensor, "B T V"], NgramLSTMState]:
        history, *memories = self.initial_state(len(tokens)) if state is None else state
        outputs, (hidden, cell) = self.lstm.hidden(tokens, tuple(memories))
        outputs = self.lstm.dropout(outputs)
        corrections, history = self.corrections(outputs, tokens, history, folds)
        return self.lstm.head(outputs) + corrections, NgramLSTMState(history, hidden, cell)
