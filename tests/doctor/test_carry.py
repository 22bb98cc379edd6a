"""Whether a network can remember, and whether it uses its memory."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from small_networks import (
    TEXT,
    Loop,
    Plain,
    check_of,
    is_about_code,
    network_of,
    outcome,
    pairs,
    trained,
)
from torch import Tensor, nn

from seqzoo.doctor.checks.memory.carry import bits_without_memory, entropies
from seqzoo.doctor.evidence.measure import measure


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_networks_with_memory_learn_to_repeat(kind: type[nn.RNNBase], seeded: None) -> None:
    found = outcome("memory.lag", lambda: Plain(kind))
    assert found.status == "pass"
    assert found.numbers["accuracy"] > 0.5


def test_a_lag_beyond_memory_cannot_be_learnt(seeded: None) -> None:
    class Shut(Loop):
        """The token before last moves all logits by one amount, so no probability changes."""

        def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
            logits, _ = super().forward(tokens, state)
            return logits + nn.functional.pad(tokens[:, :-2], (2, 0))[..., None], None

    found = outcome("memory.lag", Shut(carries=False))
    assert found.status == "fail"
    assert found.numbers["accuracy"] < found.numbers["chance"] + 0.1
    assert is_about_code(found)


def test_lag_is_skipped_if_the_horizon_reports_the_fault(seeded: None) -> None:
    for found in (
        outcome("memory.lag", Plain(), lambda: pairs(length=1)),
        outcome("memory.lag", Loop(carries=False)),
    ):
        assert found.status == "skip"
        assert "memory.horizon" in found.seen


def test_reading_each_distinct_token_once_equals_reading_every_token(
    seeded: None,
) -> None:
    network = network_of(Plain())
    tokens = np.frombuffer(TEXT[:1601], dtype=np.uint8)
    expected = measure(network, tokens, rows=1, reset_every=1).bits_per_token
    assert bits_without_memory(network, tokens) == pytest.approx(expected, rel=1e-6)


def test_entropies_equal_those_of_counting() -> None:
    tokens = np.frombuffer(TEXT, dtype=np.uint8)
    counts = Counter(TEXT)
    own = -sum(n / len(TEXT) * math.log2(n / len(TEXT)) for n in counts.values())
    followers: dict[int, Counter[int]] = {}
    for before, after in pairwise(TEXT):
        followers.setdefault(before, Counter())[after] += 1
    given_one = -sum(
        n * math.log2(n / each.total()) for each in followers.values() for n in each.values()
    ) / (len(TEXT) - 1)
    assert entropies(tokens) == pytest.approx((own, given_one))


def test_carrying_the_state_is_judged_by_its_gain(seeded: None) -> None:
    carry = check_of("memory.carry")
    assert carry(trained(Plain())).status == "pass"
    without = carry(trained(Loop(carries=False), updates=500))
    assert without.status == "fail"
    assert is_about_code(without)
    with pytest.raises(Exception, match="too few updates yet"):
        carry(trained(Loop(carries=False), updates=499))


def test_carrying_the_state_is_not_judged_before_something_is_learnt(seeded: None) -> None:
    with pytest.raises(Exception, match="learnt too little yet"):
        check_of("memory.carry")(trained(Plain(), updates=3))


def test_a_state_that_fails_in_long_texts_is_found(seeded: None) -> None:
    class Wearing(Plain):
        """Its logits become uniform after the state was carried over 64 tokens."""

        def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
            inner, age = state if state is not None else (None, torch.zeros(len(tokens)))
            logits, inner = super().forward(tokens, inner)
            is_old = age[:, None] + torch.arange(tokens.shape[1]) >= 64
            return logits * (1 - 0.5 * is_old[..., None]), (inner, age + tokens.shape[1])

    found = check_of("memory.carry")(trained(Wearing(), carry=False))
    assert found.status == "warn"
    assert found.numbers["carried"] > found.numbers["reset"]
    assert is_about_code(found)
