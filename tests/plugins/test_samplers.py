"""Each sampler against its definition, written again in float64 NumPy, one token at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from contexts import sampler_context
from tiny import ByteTokenizer
from torch import Tensor, nn

from seqzoo.model.generate import generate_batch
from seqzoo.plugin.contracts import SequenceModel, State
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.chain import parse_links
from seqzoo.runs.build import build_chain

Reference = Callable[[np.ndarray, Sequence[int]], np.ndarray]
"""(V,) logits and the latest tokens to the (V,) probabilities that a token is drawn from."""


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max())
    probabilities: np.ndarray = weights / weights.sum()
    return probabilities


def renormalised(probabilities: np.ndarray, kept: Sequence[int]) -> np.ndarray:
    out = np.zeros_like(probabilities)
    for token in kept:
        out[token] = probabilities[token]
    out /= out.sum()
    return out


def until(mass: float, order: Sequence[int], probabilities: np.ndarray) -> list[int]:
    kept: list[int] = []
    while order and sum(probabilities[token] for token in kept) < mass:
        kept.append(order[0])
        order = order[1:]
    return kept


def greedy(logits: np.ndarray, recent: Sequence[int]) -> np.ndarray:
    out = np.zeros_like(logits)
    out[np.flatnonzero(logits == logits.max())[0]] = 1
    return out


def temperature(value: float) -> Reference:
    return lambda logits, recent: softmax(logits / value)


def by_probability(probabilities: np.ndarray) -> list[int]:
    return sorted(range(len(probabilities)), key=lambda token: (-probabilities[token], token))


def top_k(k: int) -> Reference:
    def probabilities(logits: np.ndarray, recent: Sequence[int]) -> np.ndarray:
        full = softmax(logits)
        return renormalised(full, by_probability(full)[:k])

    return probabilities


def top_p(p: float) -> Reference:
    def probabilities(logits: np.ndarray, recent: Sequence[int]) -> np.ndarray:
        full = softmax(logits)
        return renormalised(full, until(p, by_probability(full), full))

    return probabilities


def min_p(p: float) -> Reference:
    def probabilities(logits: np.ndarray, recent: Sequence[int]) -> np.ndarray:
        full = softmax(logits)
        return renormalised(full, [t for t in range(len(full)) if full[t] >= p * full.max()])

    return probabilities


def typical(p: float) -> Reference:
    def probabilities(logits: np.ndarray, recent: Sequence[int]) -> np.ndarray:
        full = softmax(logits)
        present = [token for token in range(len(full)) if full[token] > 0]
        entropy = -sum(full[token] * np.log(full[token]) for token in present)
        order = sorted(present, key=lambda token: abs(-np.log(full[token]) - entropy))
        return renormalised(full, until(p, order, full))

    return probabilities


def eta(epsilon: float) -> Reference:
    def probabilities(logits: np.ndarray, recent: Sequence[int]) -> np.ndarray:
        full = softmax(logits)
        entropy = -sum(p * np.log(p) for p in full if p > 0)
        cutoff = min(epsilon, np.sqrt(epsilon) * np.exp(-entropy))
        return renormalised(full, [t for t in range(len(full)) if full[t] > cutoff])

    return probabilities


def repetition_penalty(penalty: float, window: int) -> Reference:
    def probabilities(logits: np.ndarray, recent: Sequence[int]) -> np.ndarray:
        out = logits.copy()
        for token in set(recent[-window:]):
            out[token] = logits[token] / penalty if logits[token] > 0 else logits[token] * penalty
        return softmax(out)

    return probabilities


CASES: list[tuple[str, Reference]] = [
    ("greedy", greedy),
    ("temperature=0", greedy),
    ("temperature=0.6", temperature(0.6)),
    ("temperature=2", temperature(2.0)),
    ("top_k=1", top_k(1)),
    ("top_k=5", top_k(5)),
    ("top_k=1000", top_k(1000)),
    ("top_p=0.3", top_p(0.3)),
    ("top_p=0.8", top_p(0.8)),
    ("top_p=1", top_p(1.0)),
    ("min_p=0.1", min_p(0.1)),
    ("min_p=0.5", min_p(0.5)),
    ("eta=0.01", eta(0.01)),
    ("eta=0.9", eta(0.9)),
    ("typical=0.2", typical(0.2)),
    ("typical=0.8", typical(0.8)),
    ("repetition_penalty={penalty: 1.5, window: 1}", repetition_penalty(1.5, 1)),
    ("repetition_penalty={penalty: 4, window: 1}", repetition_penalty(4.0, 1)),
]
every_case = pytest.mark.parametrize(("text", "reference"), CASES, ids=[text for text, _ in CASES])


def chain_of(registry: Registry, *texts: str) -> list[Any]:
    return build_chain(parse_links(texts, registry), registry, sampler_context())


@every_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("excluded", [0, 6])
def test_softmax_of_the_output_is_the_stated_distribution(
    registry: Registry, text: str, reference: Reference, dtype: torch.dtype, excluded: int
) -> None:
    (sampler,) = chain_of(registry, text)
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(20, 24, generator=generator, dtype=dtype)
    logits[:, 4 : 4 + excluded] = -torch.inf
    history = torch.randint(24, (20, sampler.history_length), generator=generator)
    got = sampler(logits.clone(), history).double().softmax(-1).numpy()
    for row in range(20):
        expected = reference(logits[row].double().numpy(), history[row].tolist())
        # A link may divide in float32; what it excludes must be 0 to the bit.
        np.testing.assert_allclose(got[row], expected, rtol=1e-5, atol=0)


class Constant(SequenceModel):
    """The same logits after every token."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def initial_state(self, batch_size: int) -> State:
        return torch.zeros(batch_size, 0)

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        return self.logits.expand(*tokens.shape, -1), torch.zeros(len(tokens), 0)


@every_case
def test_drawn_tokens_follow_the_stated_distribution(
    registry: Registry, text: str, reference: Reference
) -> None:
    logits = torch.tensor([1.5, 0.2, -0.4, 1.0, -torch.inf, 0.9, -1.0, 0.0])
    rows, length = 50, 100
    pieces = generate_batch(
        Constant(logits),
        ByteTokenizer(),
        chain=chain_of(registry, text),
        prompt=b"\x00",
        num_tokens=length,
        seed=100,
        count=rows,
    )
    texts = [b"\x00" + b"".join(row) for row in zip(*pieces, strict=True)]
    counts = np.zeros((8, 8))  # (previous, next): the penalty looks at the previous token
    for drawn in texts:
        for previous, following in itertools.pairwise(drawn):
            counts[previous, following] += 1
    assert counts.sum() == rows * length
    statistic, freedom = 0.0, 0
    for previous in range(8):
        expected = counts[previous].sum() * reference(logits.double().numpy(), [previous])
        assert (counts[previous][expected == 0] == 0).all()
        cells = expected >= 5
        if cells.sum() > 1:
            statistic += ((counts[previous] - expected)[cells] ** 2 / expected[cells]).sum()
            freedom += cells.sum() - 1
    # The mean of chi-square is its degrees of freedom, its variance twice that; 4 deviations.
    assert statistic <= freedom + 4 * np.sqrt(2 * freedom)


@pytest.mark.parametrize("text", ["greedy", "temperature=0", "top_k=1", "top_p=0.01"])
def test_of_equal_logits_the_lowest_id_is_kept(registry: Registry, text: str) -> None:
    (sampler,) = chain_of(registry, text)
    nothing = torch.empty(1, 0, dtype=torch.int64)
    # 300 wide, as vectorised reductions and sorts change their ways with the length.
    logits = torch.zeros(1, 300)
    logits[0, [7, 90, 255]] = 2.0
    assert sampler(logits, nothing).isfinite().nonzero().tolist() == [[0, 7]]


@pytest.mark.parametrize("value", [1e-5, 1e-7, 1e-300])
def test_a_temperature_near_zero_is_greedy(registry: Registry, value: float) -> None:
    (sampler,) = chain_of(registry, f"temperature={{value: {value!r}}}")
    logits = torch.randn(5, 50, generator=torch.Generator().manual_seed(1)) * 1e4
    nothing = torch.empty(5, 0, dtype=torch.int64)
    best = logits.argmax(-1)
    assert sampler(logits, nothing).softmax(-1).gather(-1, best[:, None]).eq(1).all()


def test_the_penalty_counts_a_token_once_and_forgets_beyond_its_window(registry: Registry) -> None:
    (sampler,) = chain_of(registry, "repetition_penalty={penalty: 2, window: 3}")
    assert sampler.history_length == 3
    out = sampler(torch.tensor([[4.0, -4.0, 4.0]]), torch.tensor([[0, 0, 1]]))
    assert out.tolist() == [[2.0, -8.0, 4.0]]
