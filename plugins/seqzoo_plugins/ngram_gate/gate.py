"""The gate that combines the distributions of counts with that of a network."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo import ParameterRole, SequenceModel, Tokenizer
from seqzoo_plugins.counts.counts import EVIDENCE, Counts, CountState, Distributions
from seqzoo_plugins.ngram_gate.options import GateOptions

__all__ = ["Counted", "Read"]

_NUMBERS = 1 << 23  # elements of distributions at once: 33 MB, and several times that meanwhile
_FEATURES = EVIDENCE + 2
_FLOOR = 1e-10


class Read(NamedTuple):
    """What a network says of B texts after each of T tokens.

    logits: (B, T, V) of the next token. features: (B, T, R), what the gate reads of the network.
    """

    logits: Float[Tensor, "B T V"]
    features: Float[Tensor, "B T R"]


class Counted(SequenceModel):
    """A network, and distributions of n-gram counts, combined by a gate:

        log p = g_0 log p_0 + sum_k g_k log p_k + g_m log(sum_k m_k p_k) + r + const
        g, log m + const = V u,     u = silu(U [h; features of all p_k])
        r(s) = w silu(A [log p_k(s) for all k] + B u + b)

    p_0: the network's distribution. h: what the gate reads of it. p_k: one distribution for each
    context (`Counts`).

    A product of experts (Hinton 1999) with learned exponents that depend on the context, as in
    compressors with context mixing (Mahoney 2005, "Adaptive weighing of context models for lossless
    data compression"). One of the experts is a mixture of all: in a product every expert can
    exclude a symbol, in a mixture any of them can propose one. r corrects each symbol by what all
    experts say of it together, as secondary estimation does after the mixing in these compressors.

    In training the network learns by its own cross-entropy (`auxiliary_loss`), and the gate takes
    what it says as it is: a network that learns only what the counts don't know is a worse one.
    The counts of the current fold are left out (`folds`). In adaptive scoring all tokens that are
    read are also counted (`start_adapting`), and the gate and the network learn from one loss.
    """

    def __init__(
        self,
        options: GateOptions,
        network: SequenceModel,
        *,
        name: str,
        vocab_size: int,
        tokenizer: Tokenizer | None,
        read_size: int,
    ) -> None:
        """network: becomes the child of this name. read_size: R, features of it."""
        super().__init__()
        self.add_module(name, network)
        self.vocab_size = vocab_size
        self.counts = Counts(options, vocab_size=vocab_size, tokenizer=tokenizer)
        K, S = self.counts.num_experts, options.symbol_size
        self.num_mixed = K + 1
        self.gate_in = nn.Linear(read_size + _FEATURES * K, options.gate_size)
        # Exponents of the experts, logits of their shares in the mixture, exponent of the mixture.
        self.gate_out = nn.Linear(options.gate_size, 2 * self.num_mixed + 1)
        self.symbol_in = nn.Linear(K, S)
        self.symbol_gate = nn.Linear(options.gate_size, S, bias=False)
        self.symbol_out = nn.Linear(S, 1, bias=False)
        nn.init.normal_(self.gate_out.weight, std=0.01)
        nn.init.zeros_(self.symbol_out.weight)
        with torch.no_grad():
            self.gate_out.bias.zero_()
            self.gate_out.bias[:K] = 0.3 / K
            self.gate_out.bias[K] = 0.3
            self.gate_out.bias[-1] = 0.5
        self._latest: tuple[Tensor, Tensor] | None = None

    def parameter_roles(self) -> dict[str, ParameterRole]:
        """What leads to exponents, shares or logarithms is no map between hidden units."""
        own = {
            f"{layer}.weight": ParameterRole(use="other", decay=True)
            for layer in ("symbol_in", "symbol_gate", "symbol_out")
        }
        gate_out = {"gate_out.weight": ParameterRole(use="head", decay=True)}
        return super().parameter_roles() | own | gate_out

    def before_training(self, tokens: npt.NDArray[Any]) -> None:
        """Count the training part."""
        self.counts.table.count(tokens)

    def start_adapting(self) -> None:
        """Count all tokens that are read from now on."""
        self.counts.start_adapting()

    def auxiliary_loss(self) -> Float[Tensor, ""] | None:
        """The cross-entropy of the network itself, of all tokens of the batch but the last."""
        if self._latest is None:
            return None
        logits, tokens = self._latest
        self._latest = None
        if tokens.shape[1] < 2:
            return None
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())

    def folds(
        self, tokens: Int[Tensor, "B T"], positions: Int[Tensor, " B"] | None
    ) -> npt.NDArray[np.int64] | None:
        """(B, T) folds of the next tokens in the training part; None if positions are not known."""
        if positions is None:
            return None
        following = positions.cpu().numpy()[:, None] + 1 + np.arange(tokens.shape[1])
        return self.counts.table.folds(following)

    def combined(
        self,
        read: Read,
        tokens: Int[Tensor, "B T"],
        state: CountState,
        folds: npt.NDArray[np.int64] | None = None,
        *,
        teaches: bool = False,
    ) -> tuple[Float[Tensor, "B T V"], CountState]:
        """Logits after each of `tokens`, and the state of the counts then.

        read: of the network after `tokens`. folds: their counts are left out. teaches: whether the
        network is to learn by itself from these tokens.
        """
        if teaches:
            self._latest = read.logits, tokens
            read = Read(*(each.detach() for each in read))
        pieces = []
        begin = 0
        while begin < tokens.shape[1]:
            piece = slice(begin, begin + self._piece_length(len(tokens)))
            with torch.autocast(tokens.device.type, enabled=False):
                experts, state = self.counts(
                    tokens[:, piece],
                    state,
                    None if folds is None else folds[:, piece],
                    self.gate_out.weight.dtype,
                )
            said = Read(*(each[:, piece] for each in read))
            pieces.append(self._mixed(said, experts, len(tokens)))
            begin = piece.stop
        return torch.cat(pieces, dim=1), state

    def _piece_length(self, rows: int) -> int:
        """Tokens whose distributions are computed at once."""
        if rows != 1 and self.counts.learned is not None:
            raise ValueError(f"adaptive scoring reads one row, found {rows}")
        return max(1, _NUMBERS // (self.counts.num_experts * self.vocab_size * rows))

    def _mixed(self, read: Read, experts: Distributions, B: int) -> Float[Tensor, "B T V"]:
        columns = experts.columns
        probabilities = experts.probabilities.clamp(min=_FLOOR)
        logs = probabilities.log()
        N, K = logs.shape[:2]
        # Each symbol without a column of its own adds the same to the entropy.
        terms = probabilities * logs
        entropy = -(terms.sum(-1) + (experts.others - 1) * terms[..., -1])
        own_features = read.features.reshape(N, -1).to(logs.dtype)
        features = [experts.evidence.flatten(1), entropy, logs.amax(-1), own_features]
        u = F.silu(self.gate_in(torch.cat(features, dim=-1)))
        gates = self.gate_out(u).to(logs.dtype)
        exponents, shares, of_mixture = gates.split([self.num_mixed, self.num_mixed, 1], dim=-1)
        with torch.autocast(logs.device.type, enabled=False):
            shares = shares.softmax(-1)
            by_column = torch.bmm(exponents[:, None, :K], logs)[:, 0]
            by_column = by_column + self._by_symbol(u.to(logs.dtype), logs)
            mixture = torch.bmm(shares[:, None, :K], probabilities)[:, 0].index_select(1, columns)
            own = read.logits.reshape(N, -1).to(logs.dtype).log_softmax(-1)
            mixture = mixture + shares[:, K:] * own.exp()
            result: Tensor = exponents[:, K:] * own + of_mixture * mixture.log()
            result = result + by_column.index_select(1, columns)
            return result.view(B, -1, self.vocab_size)

    def _by_symbol(
        self, u: Float[Tensor, "N G"], logs: Float[Tensor, "N K A"]
    ) -> Float[Tensor, "N A"]:
        """r in the equations."""
        weight, bias = self.symbol_in.weight, self.symbol_in.bias
        hidden = weight.expand(len(logs), -1, -1) @ logs + (self.symbol_gate(u) + bias)[..., None]
        corrections: Tensor = self.symbol_out.weight @ F.silu(hidden)
        return corrections[:, 0]
