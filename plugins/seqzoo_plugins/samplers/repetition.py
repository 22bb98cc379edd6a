"""Fewer repetitions: of tokens, and of passages."""

from __future__ import annotations

import math
import sys

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seqzoo import Sampler

_MOST_NATS = 1000.0  # e^-1000 is 0, so a larger penalty changes nothing


class RepetitionPenalty(Sampler):
    """Penalised sampling, Keskar et al. 2019, CTRL, arXiv:1909.05858, section 4.1.

    The paper divides every logit of a recent token, which would make a negative logit larger; here
    negative logits are multiplied. A token counts once, however often it is in the window.
    """

    def __init__(self, penalty: float, window: int) -> None:
        self._penalty = penalty
        self.history_length = window

    def __call__(
        self, logits: Float[Tensor, "B V"], history: Int[Tensor, "B N"]
    ) -> Float[Tensor, "B V"]:
        seen = logits.gather(-1, history)
        penalised = torch.where(seen > 0, seen / self._penalty, seen * self._penalty)
        return logits.scatter_(-1, history, penalised)


class NoRepeatNgram(Sampler):
    """No n tokens occur twice in prompt and text, Paulus et al. 2017, arXiv:1705.04304, 2.5.

    A row in which this would exclude every token is not changed.
    """

    history_length = sys.maxsize

    def __init__(self, n: int) -> None:
        self._n = n

    def __call__(
        self, logits: Float[Tensor, "B V"], history: Int[Tensor, "B N"]
    ) -> Float[Tensor, "B V"]:
        repeated = repeated_lengths(history, logits.shape[1], most=self._n - 1)
        excluded = (repeated == self._n - 1) & ~logits.isnan()
        left = logits.masked_fill(excluded, -math.inf)
        return torch.where(left.isneginf().all(-1, keepdim=True), logits, left)


class Dry(Sampler):
    """DRY, "don't repeat yourself", by p-e-w: pull request 5677 of oobabooga/textgen, 2024.

    A token that would continue a repetition of m tokens, m >= allowed_length, loses

        multiplier * base ** (m - allowed_length)

    nats. A repetition ends at a breaker, and breakers are not penalised.
    """

    def __init__(
        self,
        *,
        multiplier: float,
        base: float,
        allowed_length: int,
        window: int,
        is_breaker: Bool[Tensor, " V"],
    ) -> None:
        """window: the number of latest tokens that are searched. is_breaker: of each id."""
        self.history_length = window
        self._multiplier = multiplier
        self._log_base = math.log(base)
        self._allowed_length = allowed_length
        self._is_breaker = is_breaker
        # From this length on, the penalty is the same.
        self._most = allowed_length
        if self._log_base:
            steps = (math.log(_MOST_NATS) - math.log(multiplier)) / self._log_base
            self._most += min(window, max(0, math.ceil(steps)))

    def __call__(
        self, logits: Float[Tensor, "B V"], history: Int[Tensor, "B N"]
    ) -> Float[Tensor, "B V"]:
        repeated = repeated_lengths(history, logits.shape[1], self._most, self._is_breaker)
        further = (repeated - self._allowed_length).to(logits.dtype)
        penalty = (self._multiplier * (self._log_base * further).exp()).clamp_(max=_MOST_NATS)
        return torch.where(further >= 0, logits - penalty, logits)


def repeated_lengths(
    history: Int[Tensor, "B N"],
    vocab_size: int,
    most: int,
    is_breaker: Bool[Tensor, " V"] | None = None,
) -> Int[Tensor, "B V"]:
    """How long a repetition each next token would continue: the largest m, up to `most`, such that
    the last m tokens of the history also stand before an earlier occurrence of the token.

    -1 for a token that does not occur, and for a breaker. No breaker is part of a repetition.
    """
    B, N = history.shape
    lengths = torch.zeros_like(history)  # of the repetition before each place
    same = torch.ones_like(history, dtype=torch.bool)
    for count in range(1, min(most, N - 1) + 1):
        token = history[:, N - count, None]
        same = same[:, 1:] & (history[:, : N - count] == token)
        if is_breaker is not None:
            same &= ~is_breaker[token]
        if not same.any():
            break
        lengths[:, count:] += same
    if is_breaker is not None:
        lengths[is_breaker[history]] = -1
    return history.new_full((B, vocab_size), -1).scatter_reduce_(1, history, lengths, "amax")
