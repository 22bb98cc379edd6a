"""Small real objects for tests of the core, which depend on no plugin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seqzoo.model.runtime import Runtime
from seqzoo.plugin.contracts import SequenceModel, State, Tokenizer

RUNTIME = Runtime(torch.device("cpu"), "float32", 1)


class ByteTokenizer(Tokenizer):
    """Every byte is a token."""

    vocab_size = 256

    def encode(self, data: Any) -> Any:
        return np.asarray(data, dtype=np.uint8) if not isinstance(data, np.ndarray) else data

    def decode(self, tokens: Any) -> bytes:
        return bytes(np.asarray(tokens, dtype=np.uint8))

    def byte_lengths(self, tokens: Any) -> Any:
        return np.ones(len(tokens), dtype=np.int64)


class Nibbles(Tokenizer):
    """Two tokens of four bits for each byte; only the second completes it."""

    vocab_size = 16

    def encode(self, data: Any) -> Any:
        return np.stack([data >> 4, data & 15], axis=1).ravel()

    def decode(self, tokens: Any) -> bytes:
        pairs = np.asarray(tokens)[: len(tokens) // 2 * 2].reshape(-1, 2)
        return bytes((pairs[:, 0] * 16 + pairs[:, 1]).astype(np.uint8))

    def byte_lengths(self, tokens: Any) -> Any:
        return np.arange(len(tokens), dtype=np.int64) % 2


class Recurrent(SequenceModel):
    """A tanh network with dropout: state, randomness and a hidden matrix in few parameters."""

    def __init__(
        self, *, vocab_size: int = 256, hidden_size: int = 8, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab_size, hidden_size)
        self.rnn = nn.RNN(hidden_size, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden_size, vocab_size)

    def initial_state(self, batch_size: int) -> State:
        return torch.zeros(batch_size, self.rnn.hidden_size)

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        if state is None:
            state = self.initial_state(len(tokens))
        out, last = self.rnn(self.embed(tokens), state[None])
        return self.head(self.dropout(out)), last[0]


class Uniform(SequenceModel):
    """The uniform distribution: 8 bits for every byte."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(256))

    def initial_state(self, batch_size: int) -> State:
        return torch.zeros(batch_size, 0)

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        return self.bias.expand(*tokens.shape, 256), torch.zeros(len(tokens), 0)


class Bigram(SequenceModel):
    """A fixed table of next-token logits; its state is the number of tokens read."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.table = nn.Parameter(torch.randn(256, 256, generator=generator))

    def initial_state(self, batch_size: int) -> State:
        return torch.zeros(batch_size)

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        if state is None:
            state = self.initial_state(len(tokens))
        return self.table[tokens], state + tokens.shape[1]


def bits_of_table(table: np.ndarray, previous: int, data: bytes) -> float:
    """The bits of some bytes under `Bigram`, by a loop in float64."""
    total = 0.0
    for byte in data:
        row = table[previous].astype(np.float64)
        total += float(np.log(np.exp(row).sum()) - row[byte])
        previous = byte
    return total / math.log(2)
