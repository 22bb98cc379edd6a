"""`lstm`, `gru` and `rnn` in plain torch, for exported folders; this file needs no seqzoo.

B batch, T time, V vocabulary, D width, H hidden, L layers.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

_LAYERS: dict[str, Any] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


class Network(nn.Module):
    """Embedding -> L recurrent layers -> linear head.

    architecture: its `name` and its `options`. The state is {"0": hidden units (B, L, H)}, for the
    LSTM with {"1": cells (B, L, H)}.
    """

    def __init__(self, architecture: dict[str, Any], vocab_size: int) -> None:
        super().__init__()
        kind, options = architecture["name"], architecture["options"]
        H = options["hidden_size"]
        D = options["embedding_size"] or H
        more = {"nonlinearity": options["nonlinearity"]} if kind == "rnn" else {}
        self.embed = nn.Embedding(vocab_size, D)
        self.layers = _LAYERS[kind](D, H, options["num_layers"], batch_first=True, **more)
        self.head = nn.Linear(H, vocab_size)
        # A tied embedding is the head's matrix, scaled up.
        self.scale = math.sqrt(H) if options["tied_embeddings"] else 1.0
        self.leaves = ("0", "1") if kind == "lstm" else ("0",)

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        """Zeros, (B, L, H) each."""
        shape = (batch_size, self.layers.num_layers, self.layers.hidden_size)
        return {name: torch.zeros(shape) for name in self.leaves}

    def forward(self, tokens: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (B, T, V) after (B, T) tokens, and the state after the last one."""
        # torch's layers have the layer before the batch.
        before = tuple(state[name].transpose(0, 1).contiguous() for name in self.leaves)
        x = self.embed(tokens) * self.scale
        outputs, after = self.layers(x, before if len(before) > 1 else before[0])
        leaves = after if isinstance(after, tuple) else (after,)
        return self.head(outputs), {
            name: leaf.transpose(0, 1).contiguous()
            for name, leaf in zip(self.leaves, leaves, strict=True)
        }
