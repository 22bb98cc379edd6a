"""What minGRU and minLSTM have in common: convolution, candidate, scan and output."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqzoo.ops import linear_scan
from seqzoo_plugins.residual.feed_forward import FeedForward
from seqzoo_plugins.residual.options import MinimalOptions
from seqzoo_plugins.residual.short_convolution import ShortConvolution
from seqzoo_plugins.residual.stack import Mixer, ResidualStack

__all__ = ["MinimalLayer", "MinimalMemory", "MinimalStack"]


class MinimalMemory(NamedTuple):
    """hidden: (B, I), h after the last token. inputs: (B, W - 1, D), of the convolution."""

    hidden: Float[Tensor, "B I"]
    inputs: Float[Tensor, "B before D"]


class MinimalLayer(Mixer):
    """h[t] = (1 - z[t]) * h[t-1] + z[t] * c[t], with z and c from the input alone, Feng et al.
    2024, arXiv:2410.01201. A subclass has the gate z.

        c[t] = Linear(x[t])                            section 3, or
        c[t] = g(Linear(x[t]))                         appendix B: g(c) = c + 1/2 where c >= 0,
                                                       else sigmoid(c)

    x is the input after a short convolution, as in the paper's language model; the layer returns
    Linear(h). The paper leaves initialisation to torch; so does this.
    """

    def __init__(self, options: MinimalOptions) -> None:
        super().__init__()
        D, self.num_units = options.hidden_size, options.num_units
        self.is_positive = options.candidate == "positive"
        self.convolution = ShortConvolution(D, options.convolution)
        self.candidate = nn.Linear(D, self.num_units)
        self.outputs = nn.Linear(self.num_units, D, bias=False)

    @abstractmethod
    def gate(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T I"]:
        """z, between 0 and 1."""

    def initial_state(self, batch_size: int) -> MinimalMemory:
        hidden = self.candidate.weight.new_zeros(batch_size, self.num_units)
        return MinimalMemory(hidden, self.convolution.initial_state(batch_size))

    def forward(
        self, x: Float[Tensor, "B T D"], state: MinimalMemory
    ) -> tuple[Float[Tensor, "B T D"], MinimalMemory]:
        x, inputs = self.convolution(x, state.inputs)
        gate, candidate = self.gate(x), self.candidate(x)  # (B, T, I)
        if self.is_positive:
            candidate = torch.where(candidate >= 0, candidate + 0.5, torch.sigmoid(candidate))
        hidden = linear_scan(1 - gate, gate * candidate, state.hidden)
        return self.outputs(hidden), MinimalMemory(hidden[:, -1], inputs)


class MinimalStack(ResidualStack):
    """Residual blocks of a minimal layer and a feed-forward part."""

    def __init__(
        self, layer: type[MinimalLayer], options: MinimalOptions, *, vocab_size: int
    ) -> None:
        super().__init__(
            [layer(options) for _ in range(options.num_layers)],
            options,
            vocab_size=vocab_size,
            feed_forward=FeedForward,
        )
