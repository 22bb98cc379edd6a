"""The architectures with counts: around any one, or an LSTM whose units the gate reads."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqzoo import SequenceModel, Tokenizer
from seqzoo_plugins.counts.counts import CountState
from seqzoo_plugins.ngram_gate.gate import Counted, Read
from seqzoo_plugins.ngram_gate.options import NgramGateOptions, NgramLSTMOptions
from seqzoo_plugins.recurrent.lstm import LSTM

__all__ = ["NgramGate", "NgramLSTM"]


class NgramGateState(NamedTuple):
    """counts: what they have read. inner: the state of the inner model."""

    counts: CountState
    inner: Any


class NgramGate(Counted):
    """Any architecture, with counts. The gate reads its distribution of the next token:
    square roots of the probabilities, entropy and highest log-probability.
    """

    inner: SequenceModel

    def __init__(
        self,
        inner: SequenceModel,
        options: NgramGateOptions,
        *,
        vocab_size: int,
        tokenizer: Tokenizer | None = None,
    ) -> None:
        super().__init__(
            options,
            inner,
            name="inner",
            vocab_size=vocab_size,
            tokenizer=tokenizer,
            read_size=vocab_size + 2,
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
        """The cross-entropy of the inner model, and what it adds to that."""
        own = super().auxiliary_loss()
        further = self.inner.auxiliary_loss()
        return own if further is None else further if own is None else own + further

    def initial_state(self, batch_size: int) -> NgramGateState:
        """The state before the first token."""
        counts = self.counts.initial_state(batch_size)
        return NgramGateState(counts, self.inner.initial_state(batch_size))

    def forward(
        self, tokens: Int[Tensor, "B T"], state: NgramGateState | None = None
    ) -> tuple[Float[Tensor, "B T V"], NgramGateState]:
        counts, inner = self.initial_state(len(tokens)) if state is None else state
        logits, inner = self.inner(tokens, inner)
        combined, counts = self.combined(self._read(logits), tokens, counts)
        return combined, NgramGateState(counts, inner)

    def forward_in_training(
        self,
        tokens: Int[Tensor, "B T"],
        state: NgramGateState | None = None,
        positions: Int[Tensor, " B"] | None = None,
    ) -> tuple[Float[Tensor, "B T V"], NgramGateState]:
        """Without the counts of the folds of the next tokens, if their positions are known."""
        counts, inner = self.initial_state(len(tokens)) if state is None else state
        logits, inner = self.inner.forward_in_training(tokens, inner, positions)
        folds = self.folds(tokens, positions)
        combined, counts = self.combined(
            self._read(logits), tokens, counts, folds, teaches=self.training
        )
        return combined, NgramGateState(counts, inner)

    def _read(self, logits: Float[Tensor, "B T V"]) -> Read:
        logs = logits.log_softmax(-1, dtype=self.gate_out.weight.dtype)
        entropy = -(logs.exp() * logs).sum(-1, keepdim=True)
        # Square roots, because improbable symbols are of interest too; their mean square is 1.
        roots = (logs / 2).exp() * self.vocab_size**0.5
        return Read(logs, torch.cat([roots, entropy, logs.amax(-1, keepdim=True)], dim=-1))


class NgramLSTMState(NamedTuple):
    """counts: what they have read. hidden, cell: (B, L, H)."""

    counts: CountState
    hidden: Tensor
    cell: Tensor


class NgramLSTM(Counted):
    """An LSTM with counts. Its output is what the gate reads."""

    lstm: LSTM

    def __init__(
        self, options: NgramLSTMOptions, *, vocab_size: int, tokenizer: Tokenizer | None = None
    ) -> None:
        super().__init__(
            options,
            LSTM(options, vocab_size=vocab_size),
            name="lstm",
            vocab_size=vocab_size,
            tokenizer=tokenizer,
            read_size=options.hidden_size,
        )

    def initial_state(self, batch_size: int) -> NgramLSTMState:
        """The state before the first token."""
        memories = self.lstm.initial_state(batch_size)
        return NgramLSTMState(self.counts.initial_state(batch_size), *memories)

    def forward(
        self, tokens: Int[Tensor, "B T"], state: NgramLSTMState | None = None
    ) -> tuple[Float[Tensor, "B T V"], NgramLSTMState]:
        return self._combined(tokens, state)

    def forward_in_training(
        self,
        tokens: Int[Tensor, "B T"],
        state: NgramLSTMState | None = None,
        positions: Int[Tensor, " B"] | None = None,
    ) -> tuple[Float[Tensor, "B T V"], NgramLSTMState]:
        """Without the counts of the folds of the next tokens, if their positions are known."""
        folds = self.folds(tokens, positions)
        return self._combined(tokens, state, folds, teaches=self.training)

    def _combined(
        self,
        tokens: Int[Tensor, "B T"],
        state: NgramLSTMState | None,
        folds: npt.NDArray[np.int64] | None = None,
        *,
        teaches: bool = False,
    ) -> tuple[Float[Tensor, "B T V"], NgramLSTMState]:
        counts, *memories = self.initial_state(len(tokens)) if state is None else state
        outputs, (hidden, cell) = self.lstm.hidden(tokens, tuple(memories))
        outputs = self.lstm.dropout(outputs)
        read = Read(self.lstm.head(outputs), outputs)
        combined, counts = self.combined(read, tokens, counts, folds, teaches=teaches)
        return combined, NgramLSTMState(counts, hidden, cell)
