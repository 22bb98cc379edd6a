"""The equations of the multiplicative LSTM, and the model around them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqzoo import SequenceModel
from seqzoo_plugins.multiplicative_lstm.options import MultiplicativeLSTMOptions

__all__ = ["MultiplicativeLSTM", "MultiplicativeLSTMLayer", "MultiplicativeLSTMMemory"]


class MultiplicativeLSTMMemory(NamedTuple):
    """Of one layer. hidden, cell: (B, H)."""

    hidden: Float[Tensor, "B H"]
    cell: Float[Tensor, "B H"]


class MultiplicativeLSTMLayer(nn.Module):
    """An LSTM whose gates read m instead of the hidden units:

        m = (W x) * (U h)
        i, f, o = sigmoid(W x + V m + b)      one W, V and b for each gate
        u = tanh(W x + V m + b)
        c' = f * c + i * u                    h' = o * tanh(c')

    So the matrix from h to the gates is V diag(W x) U, another for each input.

    Initialisation: as in `lstm`, recurrent matrices orthogonal and input matrices uniform (Glorot
    and Bengio 2010), gate by gate.
    """

    def __init__(self, input_size: int, hidden_size: int, *, forget_bias: float) -> None:
        super().__init__()
        H = hidden_size
        self.factor_inputs = nn.Linear(input_size, H, bias=False)
        self.factor_hidden = nn.Linear(H, H, bias=False)
        self.gate_inputs = nn.Linear(input_size, 4 * H)  # of i, f, o, u
        self.gate_factors = nn.Linear(H, 4 * H, bias=False)
        with torch.no_grad():
            for inputs in (self.factor_inputs, self.gate_inputs):
                for gate in inputs.weight.split(H):
                    nn.init.xavier_uniform_(gate)
            for recurrent in (self.factor_hidden, self.gate_factors):
                for gate in recurrent.weight.split(H):
                    nn.init.orthogonal_(gate)
            self.gate_inputs.bias.zero_()
            self.gate_inputs.bias[H : 2 * H] = forget_bias

    def initial_state(self, batch_size: int) -> MultiplicativeLSTMMemory:
        zeros = self.gate_inputs.bias.new_zeros(batch_size, self.factor_hidden.in_features)
        return MultiplicativeLSTMMemory(zeros, zeros.clone())

    def forward(
        self, x: Float[Tensor, "T B D"], state: MultiplicativeLSTMMemory
    ) -> tuple[Float[Tensor, "T B H"], MultiplicativeLSTMMemory]:
        """Time first. Products of the input are made for all steps at once."""
        H = self.factor_hidden.in_features
        hidden, cell = state
        outputs = []
        for factor, gates in zip(self.factor_inputs(x), self.gate_inputs(x), strict=True):
            sums = gates + self.gate_factors(factor * self.factor_hidden(hidden))
            i, f, o = torch.sigmoid(sums[:, : 3 * H]).chunk(3, dim=1)
            cell = torch.addcmul(f * cell, i, torch.tanh(sums[:, 3 * H :]))
            hidden = o * torch.tanh(cell)
            outputs.append(hidden)
        dtype = state.cell.dtype
        after = MultiplicativeLSTMMemory(hidden.to(dtype), cell.to(dtype))
        return torch.stack(outputs), after


class MultiplicativeLSTM(SequenceModel):
    """Multiplicative LSTM, Krause et al. 2016, arXiv:1609.07959: embedding -> L layers -> head,
    dropout between them. State: a tuple of one MultiplicativeLSTMMemory for each layer.

    It is no RecurrentStack: that holds its weights in a layer of torch, which has no such cell.

    Initialisation: embedding N(0, 1), head N(0, 1/H), so that the first loss is near ln V.
    """

    def __init__(self, options: MultiplicativeLSTMOptions, *, vocab_size: int) -> None:
        super().__init__()
        H, D = options.hidden_size, options.embedding_size or options.hidden_size
        self.embed = nn.Embedding(vocab_size, D)
        self.input_dropout = nn.Dropout(options.input_dropout)
        self.layers: Any = nn.ModuleList(
            MultiplicativeLSTMLayer(H if layer else D, H, forget_bias=options.forget_bias)
            for layer in range(options.num_layers)
        )
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Linear(H, vocab_size)
        self.embedding_scale = 1.0
        nn.init.normal_(self.embed.weight)
        nn.init.normal_(self.head.weight, std=H**-0.5)
        nn.init.zeros_(self.head.bias)
        if options.tied_embeddings:
            self.embed.weight = self.head.weight
            self.embedding_scale = math.sqrt(H)

    def initial_state(self, batch_size: int) -> tuple[MultiplicativeLSTMMemory, ...]:
        """The state of each layer, from the first to the last."""
        return tuple(layer.initial_state(batch_size) for layer in self.layers)

    def forward(
        self, tokens: Int[Tensor, "B T"], state: tuple[MultiplicativeLSTMMemory, ...] | None = None
    ) -> tuple[Float[Tensor, "B T V"], tuple[MultiplicativeLSTMMemory, ...]]:
        if state is None:
            state = self.initial_state(len(tokens))
        x = self.embed(tokens.t())  # (T, B, D)
        x = self.input_dropout(x * self.embedding_scale if self.embedding_scale != 1.0 else x)
        after = []
        for layer, before in zip(self.layers, state, strict=True):
            x, memory = layer(x, before)
            x = self.dropout(x)
            after.append(memory)
        return self.head(x.transpose(0, 1)), tuple(after)
