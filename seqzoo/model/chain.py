"""The sampling chain of one text, or of several that are generated in parallel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seqzoo.plugin.contracts import Sampler

__all__ = ["Chain"]


class Chain:
    """Samplers in their order, with the tokens that they have seen.

    links: in order; `begin` of each is called here, so a sampler serves one chain at a time.
    prompt: (N,) tokens that every row begins after. count: rows.
    num_tokens: the most tokens that will be appended.
    """

    def __init__(
        self, links: Sequence[Sampler], prompt: Int[Tensor, " N"], *, count: int, num_tokens: int
    ) -> None:
        self._links = links
        self._history = _History(prompt, links, count=count, num_tokens=num_tokens)
        for link in links:
            link.begin(prompt, count)

    def __call__(self, logits: Float[Tensor, "B V"]) -> Float[Tensor, "B V"]:
        """The logits that the next tokens are drawn from: float32 or float64, on the CPU."""
        if not self._links:
            return logits
        dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
        logits = logits.to(dtype, copy=True)  # links may write into it
        for link in self._links:
            logits = link(logits, self._history.latest(link.history_length))
        return logits

    def append(self, tokens: Int[Tensor, " B"]) -> Bool[Tensor, " B"] | None:
        """Take the drawn tokens. Returns the rows whose text has ended; None if none can end."""
        self._history.append(tokens)
        ended: Bool[Tensor, " B"] | None = None
        for link in self._links:
            link.drawn(tokens)
            done = link.done()
            if done is not None:
                ended = done if ended is None else ended | done
        return ended


class _History:
    """The latest tokens of every row, as many as the longest history that a link of the chain uses.

    The buffer has twice that size, so that old tokens are removed only once in a while.
    """

    def __init__(
        self, prompt: Tensor, links: Sequence[Sampler], *, count: int, num_tokens: int
    ) -> None:
        longest = max((link.history_length for link in links), default=0)
        self._kept = min(longest, len(prompt) + num_tokens)
        self._tokens = torch.empty(count, 2 * self._kept, dtype=torch.int64)
        self._end = min(self._kept, len(prompt))
        self._tokens[:, : self._end] = prompt[len(prompt) - self._end :]
        self._empty = self._tokens[:, :0]

    def append(self, tokens: Int[Tensor, " B"]) -> None:
        if not self._kept:
            return
        if self._end == 2 * self._kept:
            self._tokens[:, : self._kept] = self._tokens[:, self._kept :]
            self._end = self._kept
        self._tokens[:, self._end] = tokens
        self._end += 1

    def latest(self, length: int) -> Int[Tensor, "B N"]:
        """A copy, so that a link cannot change what the next one reads."""
        if not length:
            return self._empty
        return self._tokens[:, max(0, self._end - length) : self._end].clone()
