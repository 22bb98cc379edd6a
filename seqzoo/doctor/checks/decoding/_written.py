"""Tokens written by a network, and figures of what it wrote."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from seqzoo.doctor.evidence.network import Network
from seqzoo.model.runtime import untouched

__all__ = ["distinct_share", "entropy_bits", "loop_length", "written"]

_WINDOW = 64
"""What a network without a state is shown of what it wrote."""


def written(
    network: Network, prompt: Sequence[int], length: int, choose: Callable[[Tensor, Tensor], int]
) -> list[int]:
    """`length` tokens after a prompt. choose: (logits (V,), all tokens so far (N,)) -> the next."""
    window = min(_WINDOW, network.longest or _WINDOW)
    tokens = list(prompt)
    with untouched(network.module):
        logits, state = network(torch.tensor([tokens[-window:]]))
        for _ in range(length):
            tokens.append(choose(logits[0, -1].cpu(), torch.tensor(tokens)))
            if state is None:
                logits, state = network(torch.tensor([tokens[-window:]]))
            else:
                logits, state = network(torch.tensor([tokens[-1:]]), state)
    return tokens[len(prompt) :]


def loop_length(tokens: Sequence[int]) -> int | None:
    """The shortest period that the last half keeps to, at least three times; None without one."""
    tail = tokens[len(tokens) // 2 :]
    for period in range(1, len(tail) // 3 + 1):
        if tail[period:] == tail[:-period]:
            return period
    return None


def distinct_share(tokens: Sequence[int], length: int = 4) -> float:
    """Distinct n-grams among all n-grams."""
    grams = [tuple(tokens[i : i + length]) for i in range(len(tokens) - length + 1)]
    return len(set(grams)) / max(len(grams), 1)


def entropy_bits(tokens: Sequence[int]) -> float:
    """Of how often each token occurs."""
    counts, total = Counter(tokens).values(), len(tokens)
    return -sum(count / total * math.log2(count / total) for count in counts)
