"""Prints what the watch costs a loop after its first 50 steps, and in them (-m benchmark -s)."""

from __future__ import annotations

import statistics
import time
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import nn
from watched_loops import Attention, Recurrent, adam, loss_of, windows

import seqzoo
from seqzoo.doctor.watching.recorder import LOOKED_AT

pytestmark = pytest.mark.benchmark

ROUNDS, TIMED = 7, 150


def seconds(build: type[nn.Module], *, is_watched: bool) -> tuple[float, float]:
    """Of a step among the first 50, and of one after them."""
    model = build()
    optimizer = adam(model)
    batches = list(windows(8))
    context: Any = nullcontext()
    if is_watched:
        context = seqzoo.watch(model, optimizer, show=False, only=("loop.exception",))

    def run(steps: int) -> float:
        began = time.perf_counter()
        for number in range(steps):
            x, y = batches[number % len(batches)]
            optimizer.zero_grad()
            answer = model(x)
            loss_of(answer[0] if isinstance(answer, tuple) else answer, y).backward()
            optimizer.step()
        return (time.perf_counter() - began) / steps

    run(5)
    with context:
        return run(LOOKED_AT + 5), run(TIMED)


@pytest.mark.parametrize("build", [Attention, Recurrent])
def test_cost_of_the_watch(build: type[nn.Module]) -> None:
    torch.set_num_threads(1)
    # Taken in turn, because the machine is not equally fast all the time.
    plain, watched = [], []
    for _ in range(ROUNDS):
        plain.append(seconds(build, is_watched=False))
        watched.append(seconds(build, is_watched=True))
    shares = [
        statistics.median(w[part] / p[part] for p, w in zip(plain, watched, strict=True))
        for part in (0, 1)
    ]
    step = statistics.median(each[1] for each in plain) * 1e3
    print(
        f"\n{build.__name__}, {step:.1f} ms a step: {shares[1] - 1:+.1%} after {LOOKED_AT} steps "
        f"(target +10%), {shares[0] - 1:+.0%} before"
    )
    assert len(watched) == ROUNDS
