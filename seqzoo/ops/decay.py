"""How a matrix state decays between two tokens of a chunk, for `matrix_scan`."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from seqzoo.ops.running_sum import running_sum

__all__ = ["HeadDecay", "KeyDecay"]


class HeadDecay:
    """One decay for each head and token: (B, heads, chunks, C).

    The logarithms between two tokens are summed up from the first of them. As differences of sums
    from the start of the chunk they would be rounded like the largest sum.
    """

    def __init__(self, log_decay: Tensor) -> None:
        C = log_decay.shape[-1]
        is_later = torch.ones(C, C, dtype=torch.bool, device=log_decay.device).triu(1)
        logs = log_decay.unsqueeze(-1).expand(*log_decay.shape, C)
        logs = running_sum(logs.masked_fill(is_later.mT.logical_not(), 0.0), -2)
        # (..., C, C): from after token j to token i; none to an earlier one.
        self._pairs = logs.masked_fill(is_later, -math.inf).exp()
        self._from_start = running_sum(log_decay, -1).exp().unsqueeze(-1)
        self.of_chunk = self._from_start[..., -1:, :]
        """(B, heads, chunks, 1, 1)."""

    def pairs(self, reads: Tensor, writes: Tensor) -> Tensor:
        """reads[i] . writes[j], decayed from token j to token i, for j <= i: (..., C, C)."""
        return (reads @ writes.mT) * self._pairs

    def pairs_before(self, reads: Tensor, writes: Tensor) -> Tensor:
        """The same for j < i, decayed from token j to before token i."""
        return (reads @ writes.mT) * F.pad(self._pairs[..., :-1, :], (0, 0, 1, 0))

    def from_start(self, reads: Tensor) -> Tensor:
        """Decayed from the start of the chunk to each token."""
        return reads * self._from_start

    def from_start_before(self, reads: Tensor) -> Tensor:
        """Decayed from the start of the chunk to before each token."""
        return reads * F.pad(self._from_start[..., :-1, :], (0, 0, 1, 0), value=1.0)

    def to_end(self, writes: Tensor) -> Tensor:
        """Decayed from each token to the end of the chunk."""
        return writes * self._pairs[..., -1, :].unsqueeze(-1)


class KeyDecay:
    """One decay for each key element and token: (B, heads, chunks, C, K).

    The decay of a pair is then part of the sum over key elements, so it is divided in two: reads
    are decayed from the middle of the chunk, writes to it.
    """

    def __init__(self, log_decay: Tensor) -> None:
        C = log_decay.shape[-2]
        after = running_sum(log_decay, -2)
        before = after - log_decay
        last = after[..., -1:, :]
        middle = after[..., C // 2 : C // 2 + 1, :]
        self._after_middle, self._before_middle = (after - middle).exp(), (before - middle).exp()
        self._to_middle = (middle - after).exp()
        self._after, self._before = after.exp(), before.exp()
        self._to_end = (last - after).exp()
        self.of_chunk = last.exp().mT
        """(B, heads, chunks, K, 1)."""

    def pairs(self, reads: Tensor, writes: Tensor) -> Tensor:
        return ((reads * self._after_middle) @ (writes * self._to_middle).mT).tril()

    def pairs_before(self, reads: Tensor, writes: Tensor) -> Tensor:
        return ((reads * self._before_middle) @ (writes * self._to_middle).mT).tril(-1)

    def from_start(self, reads: Tensor) -> Tensor:
        return reads * self._after

    def from_start_before(self, reads: Tensor) -> Tensor:
        return reads * self._before

    def to_end(self, writes: Tensor) -> Tensor:
        return writes * self._to_end
