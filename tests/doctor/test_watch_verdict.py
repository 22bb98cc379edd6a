"""What the verdicts say of a model that a watched loop has made worse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from watched_loops import Recurrent, adam

import seqzoo
from seqzoo.doctor.diagnosis import Examined

B, T = 8, 16


def corpus() -> bytes:
    """A walk over all bytes: the next one is the same, or one of its two neighbours."""
    steps = np.random.default_rng(1).integers(-1, 2, 60_000)
    return bytes((np.cumsum(steps) % 256).astype(np.uint8))


def rung_after(sign: float, renumbered: Any = None) -> Examined:
    """renumbered: (256,) the id of each byte, if ids are not bytes."""
    torch.manual_seed(0)
    ids = torch.from_numpy(np.frombuffer(corpus(), np.uint8).astype(np.int64))
    ids = ids if renumbered is None else renumbered[ids]
    model = Recurrent(vocab_size=256)
    optimizer = adam(model, 3e-2)
    draw = torch.Generator().manual_seed(2)
    with seqzoo.watch(model, optimizer, corpus=corpus(), show=False, only=("verdict",)) as visit:
        for _ in range(120):
            places = torch.randint(len(ids) - T - 1, (B, 1), generator=draw) + torch.arange(T)
            chances = model(ids[places])[0].log_softmax(-1)
            right = (chances * F.one_hot(ids[places + 1], 256)).sum(-1).mean()
            optimizer.zero_grad()
            (sign * right).backward()
            optimizer.step()
    return next(e for e in visit.diagnosis.examined if e.check.name == "verdict.rung")


@pytest.mark.parametrize(("sign", "status"), [(-1.0, "pass"), (1.0, "fail")])
def test_a_model_that_a_loop_made_worse_than_an_even_guess_is_named(
    sign: float, status: str
) -> None:
    found = rung_after(sign)
    assert found.outcome.status == status, found.outcome.seen
    bits = found.outcome.numbers["bits_per_byte"]
    assert (bits < 8) is (status == "pass")


def test_ids_that_are_not_those_of_the_held_out_text_are_no_bad_score() -> None:
    other = torch.randperm(256, generator=torch.Generator().manual_seed(3))
    found = rung_after(-1.0, other)
    assert found.outcome.status in ("pass", "skip"), found.outcome.seen
    if found.outcome.status == "pass":
        assert found.outcome.numbers["bits_per_byte"] > 8.5
