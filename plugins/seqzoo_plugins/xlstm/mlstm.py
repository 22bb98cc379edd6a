"""The mLSTM layer, Beck et al. 2024, arXiv:2405.04517."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo.ops import matrix_scan
from seqzoo_plugins.residual.short_convolution import ShortConvolution
from seqzoo_plugins.residual.stack import Mixer
from seqzoo_plugins.xlstm.blocks import BlockLinear, HeadNorm, small_std
from seqzoo_plugins.xlstm.options import XLSTMOptions

__all__ = ["MLSTMLayer", "MLSTMMemory", "mlstm", "running_maximum"]

_EPSILON = 1e-6  # of the public code
_PROJECTION_BLOCK = 4


class MLSTMMemory(NamedTuple):
    """matrix: (B, heads, K, E + 1), times exp(-maximum); the last column is the normaliser.
    maximum: (B, heads). inputs: (B, W - 1, I), of the convolution.
    """

    matrix: Float[Tensor, "B heads K columns"]
    maximum: Float[Tensor, "B heads"]
    inputs: Float[Tensor, "B before I"]


class MLSTMLayer(Mixer):
    """A matrix memory between two linear maps. With x and z from the input:

        c = silu(convolution(x))
        q, k = Linear(c), v = Linear(x)             in blocks of 4 units
        i, f = Linear([q, k, v])                    for each head
        h = mlstm(q, k, v, i, f)
        output = Linear((norm(h) + skip * c) * silu(z))

    Initialisation: that of the public code. Forget gates start at a bias of 3 to 6.
    """

    def __init__(self, options: XLSTMOptions) -> None:
        super().__init__()
        D, self.num_heads = options.hidden_size, options.num_heads
        units = options.expansion * D
        self.inputs = nn.Linear(D, 2 * units, bias=False)
        self.convolution = ShortConvolution(units, options.convolution)
        self.query, self.key, self.value = (
            BlockLinear(units // _PROJECTION_BLOCK, _PROJECTION_BLOCK, std=small_std(D))
            for _ in range(3)
        )
        self.gates = nn.Linear(3 * units, 2 * self.num_heads)  # the input gates first
        self.skip = nn.Parameter(torch.ones(units))
        self.norm = HeadNorm(units)
        self.outputs = nn.Linear(units, D, bias=False)
        nn.init.normal_(self.inputs.weight, std=small_std(D))
        nn.init.normal_(self.outputs.weight, std=2 / (options.num_layers * D**0.5))
        nn.init.zeros_(self.gates.weight)
        with torch.no_grad():
            inputs, forgets = self.gates.bias.chunk(2)
            inputs.normal_(std=0.1)
            forgets.copy_(torch.linspace(3, 6, self.num_heads))

    def initial_state(self, batch_size: int) -> MLSTMMemory:
        heads, K = self.num_heads, len(self.skip) // self.num_heads
        return MLSTMMemory(
            self.skip.new_zeros(batch_size, heads, K, K + 1),
            self.skip.new_zeros(batch_size, heads),
            self.convolution.initial_state(batch_size),
        )

    def forward(
        self, x: Float[Tensor, "B T D"], state: MLSTMMemory
    ) -> tuple[Float[Tensor, "B T D"], MLSTMMemory]:
        x, z = self.inputs(x).chunk(2, dim=-1)  # (B, T, I)
        convolved, inputs = self.convolution(x, state.inputs)
        convolved = F.silu(convolved)
        q, k, v = self.query(convolved), self.key(convolved), self.value(x)
        input_gate, forget_gate = self.gates(torch.cat([q, k, v], dim=-1)).mT.chunk(2, dim=1)
        q, k, v = (each.unflatten(2, (self.num_heads, -1)).transpose(1, 2) for each in (q, k, v))
        h, matrix, maximum = mlstm(
            q, k, v, input_gate, forget_gate, matrix=state.matrix, maximum=state.maximum
        )
        y = torch.addcmul(self.norm(h.transpose(1, 2)), self.skip, convolved) * F.silu(z)
        dtype = state.matrix.dtype
        return self.outputs(y), MLSTMMemory(matrix.to(dtype), maximum.to(dtype), inputs)


def mlstm(
    queries: Float[Tensor, "B heads T K"],
    keys: Float[Tensor, "B heads T K"],
    values: Float[Tensor, "B heads T E"],
    input_gate: Float[Tensor, "B heads T"],
    forget_gate: Float[Tensor, "B heads T"],
    *,
    matrix: Float[Tensor, "B heads K columns"],
    maximum: Float[Tensor, "B heads"],
) -> tuple[Float[Tensor, "B heads T E"], Tensor, Tensor]:
    """h, and matrix and maximum after the last token.

        C[t] = sigmoid(f) C[t-1] + exp(i) k v' / sqrt(K)           n[t] the same with 1 for v
        h[t] = C[t]' q / max(|n[t]' q|, 1)

    exp(i) can overflow, so C and n are stored times exp(-m), with m the largest logarithm of a
    factor in them: m[t] = max(log sigmoid(f) + m[t-1], i). h does not depend on m (but for the
    epsilon of a quotient), so m has no gradient.
    """
    dtype = torch.promote_types(queries.dtype, torch.float32)
    input_gate, log_forget = input_gate.to(dtype), F.logsigmoid(forget_gate.to(dtype))
    with torch.no_grad():
        m = running_maximum(log_forget, input_gate, maximum)
        before = torch.cat([maximum.unsqueeze(2), m[:, :, :-1]], dim=2)
    scale = (input_gate - m).exp() * keys.shape[-1] ** -0.5
    read, matrix = matrix_scan(
        queries,
        keys * scale.unsqueeze(-1),
        F.pad(values, (0, 1), value=1.0),
        log_forget + (before - m),
        matrix,
    )
    least = m.neg().exp().unsqueeze(-1)
    h = read[..., :-1] / (torch.maximum(read[..., -1:].abs(), least) + _EPSILON)
    return h, matrix, m[:, :, -1]


def running_maximum(
    steps: Float[Tensor, "B heads T"],
    values: Float[Tensor, "B heads T"],
    before: Float[Tensor, "B heads"],
) -> Float[Tensor, "B heads T"]:
    """m[t] = max(steps[t] + m[t-1], values[t]).

    In log2(T) rounds, the r-th over 2^r tokens. One sum over the whole text would be rounded like
    its last and largest element.
    """
    width, T = 1, values.shape[2]
    m = torch.maximum(values[:, :, :1], steps[:, :, :1] + before.unsqueeze(2))
    if T > 1:
        m = torch.cat([m, values[:, :, 1:]], dim=2)
    while width < T:
        reached = torch.maximum(m[:, :, width:], m[:, :, :-width] + steps[:, :, width:])
        longer = steps[:, :, width:] + steps[:, :, :-width]
        m = torch.cat([m[:, :, :width], reached], dim=2)
        steps = torch.cat([steps[:, :, :width], longer], dim=2)
        width *= 2
    return m
