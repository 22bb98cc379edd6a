"""A small LSTM that can have one of several well-known faults."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

import seqzoo

Fault = Literal[
    "none",
    "softmax_twice",
    "peek_at_the_future",
    "leaking_rows",
    "dropout_left_on",
    "frozen_layer",
]


class BrokenOptions(seqzoo.Options):
    fault: Fault = Field("none", description="which fault it has")
    hidden_size: int = Field(64, ge=1, le=1024, description="units, and width of the embedding")


class Broken(seqzoo.SequenceModel):
    """Embedding, LSTM, linear head."""

    def __init__(self, options: BrokenOptions, vocab_size: int) -> None:
        super().__init__()
        H = options.hidden_size
        self.fault = options.fault
        self.embed = nn.Embedding(vocab_size, H)
        self.lstm = nn.LSTM(H, H, batch_first=True)
        self.head = nn.Linear(H, vocab_size)
        if self.fault == "frozen_layer":
            self.embed.requires_grad_(False)

    def initial_state(self, batch_size: int) -> seqzoo.State:
        zeros = self.head.weight.new_zeros(batch_size, self.lstm.hidden_size)
        return zeros, zeros

    def forward(
        self, tokens: Tensor, state: seqzoo.State | None = None
    ) -> tuple[Tensor, seqzoo.State]:
        h, c = self.initial_state(len(tokens)) if state is None else state
        x = self.embed(tokens)  # (B, T, H)
        if self.fault == "peek_at_the_future":
            x = x + F.pad(x[:, 1:], (0, 0, 0, 1))  # a kernel centred on t, instead of ending at t
        out, (h, c) = self.lstm(x, (h[None], c[None]))
        if self.fault == "leaking_rows":
            out = out - out.mean(0)  # a norm over the axis of the batch
        if self.fault == "dropout_left_on":
            out = F.dropout(out, 0.3)  # training=self.training is missing
        logits = self.head(out)
        if self.fault == "softmax_twice":
            logits = logits.softmax(-1)  # the loss applies its own
        return logits, (h[0], c[0])


@seqzoo.hookimpl
def register_architectures() -> list[seqzoo.ArchitectureSpec]:
    return [
        seqzoo.ArchitectureSpec(
            name="broken",
            summary="an LSTM with one fault",
            options=BrokenOptions,
            build=lambda options, context: Broken(options, context.vocab_size),
            source="faults that people ask about",
        )
    ]
