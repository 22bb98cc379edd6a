"""Random integers at the ends of their range: where off-by-one faults are."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch

__all__ = ["drawn_at_the_edge"]

_MOST_CALLS = 4096
_randrange = random.randrange


@contextmanager
def drawn_at_the_edge(largest: bool) -> Iterator[None]:
    """Inside, functions for random integers return the largest value they may, or the smallest.

    Those of `random`, of `numpy.random` and its new generators, and of torch. Generators that were
    made before, and Random objects, draw as usual; so does everything after a few thousand calls,
    because code that draws until it has a new number would never end.
    """
    calls = 0

    def edge(low: int, end: int) -> int:
        """low, or the last integer before end."""
        nonlocal calls
        calls += 1
        if calls > _MOST_CALLS:
            return _randrange(low, max(end, low + 1))
        return end - 1 if largest and end > low else low

    def randrange(start: int, stop: int | None = None, step: int = 1) -> int:
        low, end = (0, start) if stop is None else (start, stop)
        steps = range(low, end, step)
        return steps[edge(0, len(steps))]

    def numpy_integers(low: Any, high: Any = None, size: Any = None, *more: Any, **how: Any) -> Any:
        begin, end = (0, low) if high is None else (low, high)
        value = edge(int(np.min(begin)), int(np.max(end)) + bool(how.get("endpoint", False)))
        return value if size is None else np.full(size, value, dtype=how.get("dtype", np.int64))

    made = np.random.default_rng

    def default_rng(*arguments: Any) -> Any:
        generator = mock.Mock(wraps=made(*arguments))
        generator.integers = numpy_integers
        return generator

    patches: list[tuple[Any, str, Callable[..., Any]]] = [
        (random, "randint", lambda low, high: edge(low, high + 1)),
        (random, "randrange", randrange),
        (np.random, "randint", numpy_integers),
        (np.random, "default_rng", default_rng),
        (torch, "randint", _torch_randint(edge)),
    ]
    stack = [mock.patch.object(where, name, function) for where, name, function in patches]
    for patch in stack:
        patch.start()
    try:
        yield
    finally:
        for patch in stack:
            patch.stop()


def _torch_randint(edge: Callable[[int, int], int]) -> Callable[..., torch.Tensor]:
    def randint(*arguments: Any, **how: Any) -> torch.Tensor:
        numbers = [each for each in arguments if isinstance(each, int)]
        low = how.pop("low", numbers[0] if len(numbers) > 1 else 0)
        high = how.pop("high", numbers[-1] if numbers else 1)
        sizes = [each for each in arguments if not isinstance(each, int)]
        size = how.pop("size", sizes[0] if sizes else ())
        how.pop("generator", None)
        return torch.full(
            tuple(size), edge(int(low), int(high)), dtype=how.get("dtype", torch.int64)
        )

    return randint
