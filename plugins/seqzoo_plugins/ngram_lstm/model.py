"""The LSTM, the n-gram counts, and the gate that combines them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo import ParameterRole, SequenceModel
from seqzoo_plugins.ngram_lstm.contexts import ABSENT
from seqzoo_plugins.ngram_lstm.experts import FEATURES, Experts, experts_of, witten_bell
from seqzoo_plugins.ngram_lstm.learned import Learned
from seqzoo_plugins.ngram_lstm.options import NgramLSTMOptions
from seqzoo_plugins.ngram_lstm.table import NgramTable
from seqzoo_plugins.ngram_lstm.window import add_window_counts
from seqzoo_plugins.recurrent.lstm import LSTM

__all__ = ["NgramLSTM"]

_NUMBERS = 1 << 23  # elements of distributions at once: 33 MB, and several times that meanwhile


class NgramLSTMState(NamedTuple):
    """history: (B, W) latest tokens, ABSENT before the text. hidden, cell: (B, L, H)."""

    history: Tensor
    hidden: Tensor
    cell: Tensor


class NgramLSTM(SequenceModel):
    """A long short-term memory whose logits are corrected by n-gram counts.

        logits  = W h + b + sum over experts k of g_k log p_k + g_m log(sum over k of m_k p_k)
        g, g_m, log m + const = V silu(U [h; features of all p_k])

    h: the LSTM's output. p_k: one distribution for each context length, smoothed by Witten-Bell:
    first those counted in the training part (`NgramTable`), then, continuing the chain, those
    counted in the latest W tokens (`add_window_counts`), which depend on the topic of the text.

    A product of experts (Hinton 1999) with learned exponents that depend on the context, as in
    compressors with context mixing (Mahoney 2005, "Adaptive weighing of context models for lossless
    data compression"), combined with a network. One of the experts is a mixture of the others: in a
    product every expert can exclude a symbol, in a mixture any of them can propose one.

    In training the counts of the current fold are left out (`forward_in_training`). In adaptive
    scoring all tokens that are read are also counted (`start_adapting`).
    """

    def __init__(self, options: NgramLSTMOptions, *, vocab_size: int) -> None:
        super().__init__()
        self.lstm = LSTM(options, vocab_size=vocab_size)
        self.window = options.window
        self.window_orders = options.window_orders
        self.vocab_size = vocab_size
        self.table = NgramTable(vocab_size, options.orders, max_entries=options.max_entries)
        self.learned: Learned | None = None
        num_experts = len(options.orders) + len(options.window_orders)
        self.gate_in = nn.Linear(options.hidden_size + FEATURES * num_experts, options.gate_size)
        # Exponents of the experts, logits of their shares in the mixture, exponent of the mixture.
        self.gate_out = nn.Linear(options.gate_size, 2 * num_experts + 1)
        nn.init.normal_(self.gate_out.weight, std=0.01)
        with torch.no_grad():
            self.gate_out.bias[:num_experts] = 0.5 / num_experts
            self.gate_out.bias[num_experts:-1] = 0.0
            self.gate_out.bias[-1] = 0.5

    def parameter_roles(self) -> dict[str, ParameterRole]:
        """The outputs of the gate's second layer are not hidden units."""
        gate_out = ParameterRole(use="head", decay=True)
        return super().parameter_roles() | {"gate_out.weight": gate_out}

    def before_training(self, tokens: npt.NDArray[Any]) -> None:
        """Count the training part."""
        self.table.count(tokens)

    def start_adapting(self) -> None:
        """Count all tokens that are read from now on."""
        self.learned = Learned(self._empty_table)

    def initial_state(self, batch_size: int) -> NgramLSTMState:
        """The state before the first token."""
        memories = self.lstm.initial_state(batch_size)
        history = torch.full(
            (batch_size, self.window), ABSENT, dtype=torch.int64, device=memories[0].device
        )
        return NgramLSTMState(history, *memories)

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
        if positions is None:
            return self._read(tokens, state, None)
        following = positions[:, None] + 1 + torch.arange(tokens.shape[1], device=tokens.device)
        return self._read(tokens, state, self.table.folds(following))

    def _read(
        self,
        tokens: Int[Tensor, "B T"],
        state: NgramLSTMState | None,
        folds: Int[Tensor, "B T"] | None,
    ) -> tuple[Float[Tensor, "B T V"], NgramLSTMState]:
        """folds: of each next token; their counts are left out."""
        if state is None:
            state = self.initial_state(tokens.shape[0])
        outputs, (hidden, cell) = self.lstm.hidden(tokens, (state.hidden, state.cell))
        outputs = self.lstm.dropout(outputs)
        history = state.history
        corrections = []
        begin = 0
        while begin < tokens.shape[1]:
            piece = slice(begin, begin + self._piece_length(len(tokens)))
            experts = self._experts(
                history, tokens[:, piece], None if folds is None else folds[:, piece]
            )
            corrections.append(self._correction(outputs[:, piece], experts))
            if self.learned is not None:
                self.learned.read(tokens[0, piece])
            history = torch.cat([history, tokens[:, piece]], dim=1)[:, -self.window :]
            begin = piece.stop
        logits = self.lstm.head(outputs) + torch.cat(corrections, dim=1)
        return logits, NgramLSTMState(history.contiguous(), hidden, cell)

    def _piece_length(self, rows: int) -> int:
        """Tokens whose distributions are computed at once, at most up to the next counted block."""
        num_experts = len(self.table.orders) + len(self.window_orders)
        length = max(1, _NUMBERS // (num_experts * self.vocab_size * rows))
        if self.learned is None:
            return length
        if rows != 1:
            raise ValueError(f"adaptive scoring reads one row, found {rows}")
        return min(length, self.learned.room)

    @torch.no_grad()
    def _experts(
        self, history: Int[Tensor, "B W"], tokens: Int[Tensor, "B T"], folds: Tensor | None
    ) -> Experts:
        """The distributions of all n-grams after each of `tokens`; N = B * T."""
        B, T = tokens.shape
        zeros = self.lstm.head.weight.new_zeros
        with torch.autocast(tokens.device.type, enabled=False):
            text = torch.cat([history[:, -self.table.orders[-1] :], tokens], dim=1)
            keys = self.table.keys(text, T).flatten(0, 1)
            counts = zeros(B * T, len(self.table.orders), self.vocab_size)
            self.table.add_counts(counts, keys, None if folds is None else folds.flatten())
            if self.learned is not None:
                self.learned.add_counts(counts, keys)
            uniform = zeros(B * T, self.vocab_size) + 1 / self.vocab_size
            trained, trained_evidence = witten_bell(counts, uniform)
            counts = zeros(B * T, len(self.window_orders), self.vocab_size)
            add_window_counts(counts, history, tokens, self.window_orders)
            recent, recent_evidence = witten_bell(counts, trained[:, -1])
            return experts_of(
                torch.cat([trained, recent], dim=1),
                torch.cat([trained_evidence, recent_evidence], dim=1),
            )

    def _correction(
        self, outputs: Float[Tensor, "B T H"], experts: Experts
    ) -> Float[Tensor, "B T V"]:
        B, T = outputs.shape[:2]
        logs = experts.log_probabilities
        K = logs.shape[1]
        seen = torch.cat([outputs, experts.features.view(B, T, -1)], dim=-1)
        gates = self.gate_out(F.silu(self.gate_in(seen))).to(logs.dtype).view(B * T, 1, -1)
        with torch.autocast(outputs.device.type, enabled=False):
            product = torch.bmm(gates[..., :K], logs)
            mixture = torch.bmm(gates[..., K:-1].softmax(-1), experts.probabilities).log()
            correction: Tensor = (product + gates[..., -1:] * mixture).view(B, T, -1)
            return correction

    def _empty_table(self) -> NgramTable:
        return NgramTable(self.vocab_size, self.table.orders).to(self.lstm.head.weight.device)
