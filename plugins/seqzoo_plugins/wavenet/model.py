"""The equations of WaveNet."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqzoo import SequenceModel, State
from seqzoo_plugins.residual.single_tokens import read_single_tokens
from seqzoo_plugins.wavenet.options import WaveNetOptions

__all__ = ["WaveNet", "WaveNetLayer", "WaveNetMemory"]


class WaveNetMemory(NamedTuple):
    """inputs: (B, d (W - 1), D), the last inputs of a layer with dilation d."""

    inputs: Float[Tensor, "B before D"]


class WaveNetLayer(nn.Module):
    """A dilated causal convolution with a gate, van den Oord et al. 2016, arXiv:1609.03499, eq. 2.

        u[t] = tanh(sum over i < W of F[i] x[t - d i]) * sigmoid(sum over i < W of G[i] x[t - d i])
        out[t] = x[t] + Linear(u[t])                   section 2.4

    The products of all W places, of filter and gate, are one product of matrices.
    """

    def __init__(self, options: WaveNetOptions, *, dilation: int, is_last: bool) -> None:
        super().__init__()
        self.hidden_size, self.width = options.hidden_size, options.kernel_size
        self.dilation = dilation
        gate_size, _, _ = options.sizes
        self.gates = nn.Linear(self.width * self.hidden_size, 2 * gate_size)
        # Nothing reads the residual stream after the last layer.
        self.outputs = None if is_last else nn.Linear(gate_size, self.hidden_size)

    def initial_state(self, batch_size: int) -> WaveNetMemory:
        """Zeros before the text, in every layer."""
        length = self.dilation * (self.width - 1)
        return WaveNetMemory(self.gates.weight.new_zeros(batch_size, length, self.hidden_size))

    def forward(
        self, x: Float[Tensor, "B T D"], state: WaveNetMemory
    ) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B T G"], WaveNetMemory]:
        """out, u, and the state after the last token."""
        T = x.shape[1]
        # For one token this copies all of the inputs before. 512 inputs of 64 channels take 10 us
        # more than one input, as much as a few calls of torch; a ring would need these calls.
        read = torch.cat([state.inputs.to(x.dtype), x], dim=1)
        places = range(0, self.dilation * (self.width - 1), self.dilation)
        window = torch.cat([*(read[:, place : place + T] for place in places), x], dim=-1)
        filtered, gate = self.gates(window).chunk(2, dim=-1)
        gated = torch.tanh(filtered) * torch.sigmoid(gate)
        if self.outputs is not None:
            x = x + self.outputs(gated)
        return x, gated, WaveNetMemory(read[:, T:].to(state.inputs.dtype))


class WaveNet(SequenceModel):
    """Embedding -> stacks of layers -> sum over the layers -> two layers with relu.

        skip = sum over layers n of Linear_n(u_n)                          figure 4
        logits = Linear(relu(Linear(relu(skip))))

    The sum is one product of matrices, of all u side by side. A token depends on at most
    `WaveNetOptions.window` tokens: the state is what each layer still has to read of them.

    Initialisation: torch's, and that of He et al. 2015, arXiv:1502.01852, eq. 10, before a relu.
    The paper does not say. With torch's alone, a model that had learnt nothing yet diverged in
    dynamic evaluation at a learning rate of 0.01.
    """

    token_by_token = False

    def __init__(self, options: WaveNetOptions, *, vocab_size: int) -> None:
        super().__init__()
        dilations, (gate_size, skip_size, end_size) = options.dilations, options.sizes
        self.embed = nn.Embedding(vocab_size, options.hidden_size)
        self.layers: Any = nn.ModuleList(
            WaveNetLayer(options, dilation=dilation, is_last=layer == len(dilations))
            for layer, dilation in enumerate(dilations, start=1)
        )
        self.skips = nn.Linear(len(dilations) * gate_size, skip_size)
        self.end = nn.Linear(skip_size, end_size)
        self.head = nn.Linear(end_size, vocab_size)
        for before_relu in (self.skips, self.end):
            nn.init.kaiming_uniform_(before_relu.weight, nonlinearity="relu")

    def initial_state(self, batch_size: int) -> State:
        """The states of the layers, from the first to the last."""
        return tuple(layer.initial_state(batch_size) for layer in self.layers)

    def forward(
        self, tokens: Int[Tensor, "B T"], state: State | None = None
    ) -> tuple[Float[Tensor, "B T V"], State]:
        if state is None:
            state = self.initial_state(len(tokens))
        if self.token_by_token and tokens.shape[1] > 1:
            return read_single_tokens(self, tokens, state)
        x = self.embed(tokens)
        all_gated, after = [], []
        for layer, before in zip(self.layers, state, strict=True):
            x, gated, memory = layer(x, before)
            all_gated.append(gated)
            after.append(memory)
        skip = self.skips(torch.cat(all_gated, dim=-1))
        return self.head(torch.relu(self.end(torch.relu(skip)))), tuple(after)
