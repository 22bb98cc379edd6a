"""Griffin: blocks of a gated linear recurrence, and some of local attention."""

from __future__ import annotations

import functools

from torch import nn
from torch.nn import functional as F

from seqzoo import ParameterRole
from seqzoo_plugins.griffin.options import GriffinOptions
from seqzoo_plugins.griffin.recurrence import RecurrentBlock
from seqzoo_plugins.residual.feed_forward import GatedFeedForward
from seqzoo_plugins.residual.short_convolution import ShortConvolution
from seqzoo_plugins.residual.stack import ResidualStack
from seqzoo_plugins.residual.window_attention import WindowAttention

__all__ = ["Griffin"]


class Griffin(ResidualStack):
    """De et al. 2024, arXiv:2402.19427, section 2: residual blocks of a mixer, recurrent or local
    attention, and a gated feed-forward part (GeGLU).

    Initialisation as in the published code: matrices N(0, 1 / fan in), of which those that add to
    the residual stream are multiplied by sqrt(2 / L); convolutions N(0, 0.01 / W). Embedding and
    head are those of `ResidualStack`, so that the first loss is near ln V.
    """

    def __init__(self, options: GriffinOptions, *, vocab_size: int) -> None:
        every = options.attention_every
        super().__init__(
            [
                _local_attention(options)
                if every and (layer + 1) % every == 0
                else RecurrentBlock(options)
                for layer in range(options.num_layers)
            ],
            options,
            vocab_size=vocab_size,
            feed_forward=functools.partial(
                GatedFeedForward, activation=functools.partial(F.gelu, approximate="tanh")
            ),
        )
        for name, module in self.blocks.named_modules():
            if isinstance(module, nn.Linear):
                scale = 2 / options.num_layers if name.endswith("outputs") else 1.0
                std = (scale / module.in_features) ** 0.5
            elif isinstance(module, ShortConvolution):
                std = 0.1 * options.convolution**-0.5
            else:
                continue
            nn.init.normal_(module.weight, std=std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def parameter_roles(self) -> dict[str, ParameterRole]:
        """The blocks of the gates are matrices, and their biases have two dimensions."""
        roles = super().parameter_roles()
        for name in roles:
            if name.endswith("recurrence.blocks"):
                roles[name] = ParameterRole(use="matrix", decay=True)
            elif name.endswith("gate_bias"):
                roles[name] = ParameterRole(use="other", decay=False)
        return roles


def _local_attention(options: GriffinOptions) -> WindowAttention:
    """Multi-query attention (Shazeer 2019, arXiv:1911.02150) to the last W tokens, section 2.3. As
    in the published code, half of each head is rotated by its position.
    """
    return WindowAttention(
        options.hidden_size,
        num_heads=options.num_heads,
        window=options.window,
        key_heads=1,
        rotary_size=max(2, options.hidden_size // options.num_heads // 4 * 2),
        output_bias=True,
    )
