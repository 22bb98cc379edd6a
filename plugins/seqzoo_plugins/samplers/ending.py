"""Ends a text where a given string was written."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seqzoo import Sampler


class Stop(Sampler):
    """Changes no logits; a row is done when its text, without the prompt, contains `ending`.

    decode: ids to bytes, for one row.
    """

    def __init__(self, ending: bytes, decode: Callable[[list[int]], bytes]) -> None:
        self._ending = ending
        self._decode = decode
        self.begin(torch.empty(0, dtype=torch.int64), 1)

    def begin(self, prompt: Int[Tensor, " N"], count: int) -> None:
        """Nothing is written yet."""
        self._written: list[list[int]] = [[] for _ in range(count)]
        self._done = torch.zeros(count, dtype=torch.bool)

    def __call__(
        self, logits: Float[Tensor, "B V"], history: Int[Tensor, "B N"]
    ) -> Float[Tensor, "B V"]:
        return logits

    def drawn(self, tokens: Int[Tensor, " B"]) -> None:
        """Look for the ending in the last tokens; each is at least a byte, or part of one."""
        for row, token in enumerate(tokens.tolist()):
            written = self._written[row]
            written.append(token)
            if self._ending in self._decode(written):
                self._done[row] = True
            while len(self._decode(written[1:])) >= len(self._ending):
                del written[0]

    def done(self) -> Bool[Tensor, " B"]:
        """The rows that have written the ending."""
        return self._done
