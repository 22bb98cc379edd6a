"""The n-gram counts, and the gate that combines them with the logits of a model."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo import ParameterRole, SequenceModel
from seqzoo_plugins.ngram_gate.contexts import ABSENT
from seqzoo_plugins.ngram_gate.experts import FEATURES, Experts, experts_of, witten_bell
from seqzoo_plugins.ngram_gate.learned import Learned
from seqzoo_plugins.ngram_gate.options import CountOptions
from seqzoo_plugins.ngram_gate.table import NgramTable
from seqzoo_plugins.ngram_gate.window import add_window_counts

__all__ = ["Counted"]

_NUMBERS = 1 << 23  # elements of distributions at once: 33 MB, and several times that meanwhile


class Counted(SequenceModel):
    """A sequence model whose logits are corrected by n-gram counts:

        logits  = z + sum over experts k of g_k log p_k + g_m log(sum over k of m_k p_k)
        g, g_m, log m + const = V silu(U [h; features of all p_k])

    z: the logits of a model. h: what the gate reads of it. p_k: one distribution for each context
    length, smoothed by Witten-Bell: first those counted in the training part (`NgramTable`), then,
    continuing the chain, those counted in the latest W tokens (`add_window_counts`), which depend
    on the topic of the text.

    A product of experts (Hinton 1999) with learned exponents that depend on the context, as in
    compressors with context mixing (Mahoney 2005, "Adaptive weighing of context models for lossless
    data compression"), combined with a network. One of the experts is a mixture of the others: in a
    product every expert can exclude a symbol, in a mixture any of them can propose one.

    In training the counts of the current fold are left out (`folds`). In adaptive scoring all
    tokens that are read are also counted (`start_adapting`).
    """

    def __init__(
        self,
        options: CountOptions,
        model: SequenceModel,
        *,
        name: str,
        vocab_size: int,
        read_size: int,
    ) -> None:
        """model: it gives z and becomes the child of this name. read_size: width of h."""
        super().__init__()
        self.add_module(name, model)  # first, as in the checkpoints of earlier versions
        self.window = options.window
        self.window_orders = options.window_orders
        self.vocab_size = vocab_size
        self.table = NgramTable(vocab_size, options.orders, max_entries=options.max_entries)
        self.learned: Learned | None = None
        num_experts = len(options.orders) + len(options.window_orders)
        self.gate_in = nn.Linear(read_size + FEATURES * num_experts, options.gate_size)
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

    def no_history(self, batch_size: int) -> Int[Tensor, "B W"]:
        """The latest tokens before a text."""
        shape = (batch_size, self.window)
        return torch.full(shape, ABSENT, dtype=torch.int64, device=self.gate_out.weight.device)

    def folds(
        self, tokens: Int[Tensor, "B T"], positions: Int[Tensor, " B"] | None
    ) -> Int[Tensor, "B T"] | None:
        """The folds of the next tokens in the training part; None if positions are not known."""
        if positions is None:
            return None
        following = positions[:, None] + 1 + torch.arange(tokens.shape[1], device=tokens.device)
        return self.table.folds(following)

    def corrections(
        self,
        read: Float[Tensor, "B T H"],
        tokens: Int[Tensor, "B T"],
        history: Int[Tensor, "B W"],
        folds: Int[Tensor, "B T"] | None,
    ) -> tuple[Float[Tensor, "B T V"], Int[Tensor, "B W"]]:
        """What is added to the logits after each of `tokens`, and the latest W tokens then.

        read: h in the equations. history: before `tokens`. folds: their counts are left out.
        """
        corrections = []
        begin = 0
        while begin < tokens.shape[1]:
            piece = slice(begin, begin + self._piece_length(len(tokens)))
            experts = self._experts(
                history, tokens[:, piece], None if folds is None else folds[:, piece]
            )
            corrections.append(self._correction(read[:, piece], experts))
            if self.learned is not None:
                self.learned.read(tokens[0, piece])
            history = torch.cat([history, tokens[:, piece]], dim=1)[:, -self.window :]
            begin = piece.stop
        return torch.cat(corrections, dim=1), history.contiguous()

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
        zeros = self.gate_out.weight.new_zeros
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

    def _correction(self, read: Float[Tensor, "B T H"], experts: Experts) -> Float[Tensor, "B T V"]:
        B, T = read.shape[:2]
        logs = experts.log_probabilities
        K = logs.shape[1]
        seen = torch.cat([read, experts.features.view(B, T, -1)], dim=-1)
        gates = self.gate_out(F.silu(self.gate_in(seen))).to(logs.dtype).view(B * T, 1, -1)
        with torch.autocast(read.device.type, enabled=False):
            product = torch.bmm(gates[..., :K], logs)
            mixture = torch.bmm(gates[..., K:-1].softmax(-1), experts.probabilities).log()
            correction: Tensor = (product + gates[..., -1:] * mixture).view(B, T, -1)
            return correction

    def _empty_table(self) -> NgramTable:
        return NgramTable(self.vocab_size, self.table.orders).to(self.gate_out.weight.device)
