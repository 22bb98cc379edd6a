"""xLSTM as a whole, Beck et al. 2024, arXiv:2405.04517."""

from __future__ import annotations

from torch import nn
from torch.nn import functional as F

from seqzoo import ParameterRole
from seqzoo_plugins.residual.feed_forward import GatedFeedForward
from seqzoo_plugins.residual.stack import Block, ResidualStack
from seqzoo_plugins.xlstm.blocks import BlockLinear, small_std
from seqzoo_plugins.xlstm.mlstm import MLSTMLayer
from seqzoo_plugins.xlstm.options import XLSTMOptions
from seqzoo_plugins.xlstm.slstm import SLSTMLayer

__all__ = ["XLSTM"]


class XLSTM(ResidualStack):
    """Residual blocks of an mLSTM layer, or of an sLSTM layer and a gated feed-forward part."""

    def __init__(self, options: XLSTMOptions, *, vocab_size: int) -> None:
        layers = range(options.num_layers)
        super().__init__(
            [
                SLSTMLayer(options, layer=layer) if options.is_slstm(layer) else MLSTMLayer(options)
                for layer in layers
            ],
            options,
            vocab_size=vocab_size,
        )
        D = options.hidden_size

        def feed_forward(hidden_size: int, mlp_size: int) -> GatedFeedForward:
            mlp = GatedFeedForward(hidden_size, mlp_size, F.gelu)
            nn.init.normal_(mlp.gates.weight, std=small_std(D))
            nn.init.normal_(mlp.inputs.weight, std=small_std(D))
            nn.init.normal_(mlp.outputs.weight, std=2 / (options.num_layers * D**0.5))
            return mlp

        for layer in filter(options.is_slstm, layers):
            self.blocks[layer] = Block(self.blocks[layer].mixer, options, feed_forward)
        nn.init.normal_(self.embed.weight, std=small_std(D))
        nn.init.normal_(self.head.weight, std=small_std(D))

    def parameter_roles(self) -> dict[str, ParameterRole]:
        """The blocks of a block-diagonal matrix are matrices; filters and biases do not decay."""
        matrix = ParameterRole(use="matrix", decay=True)
        other = ParameterRole(use="other", decay=False)
        roles = {
            name: other if role.use == "other" else role
            for name, role in super().parameter_roles().items()
        }
        for name, module in self.named_modules():
            if isinstance(module, BlockLinear):
                roles[f"{name}.weight"] = matrix
            if isinstance(module, SLSTMLayer):
                roles[f"{name}.recurrent"] = matrix
        return roles
