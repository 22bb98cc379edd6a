"""What stops a text from repeating passages, against loops over every place; and several rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from contexts import sampler_context
from hypothesis import given
from hypothesis import strategies as st
from tiny import Bigram
from torch import Tensor

from seqzoo.model.generate import generate_batch
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.chain import parse_links
from seqzoo.runs.build import build_chain
from seqzoo_plugins.bytes.tokenizer import ByteTokenizer
from seqzoo_plugins.samplers.mirostat import Mirostat
from seqzoo_plugins.samplers.repetition import Dry, NoRepeatNgram
from seqzoo_plugins.samplers.truncation import TopK

V = 4
texts = st.lists(st.integers(0, V - 1), max_size=40)


def link(registry: Registry, text: str) -> Any:
    (sampler,) = build_chain(parse_links([text], registry), registry, sampler_context())
    return sampler


def longest_repetition(text: Sequence[int], token: int, breakers: Sequence[int]) -> int:
    """-1 if `token` does not occur, else the tokens before it that are also the end of `text`."""
    longest = -1
    for place in [place for place in range(len(text)) if text[place] == token]:
        length = 0
        while (
            length < place
            and text[place - 1 - length] == text[len(text) - 1 - length]
            and text[place - 1 - length] not in breakers
        ):
            length += 1
        longest = max(longest, length)
    return longest


@given(texts, st.integers(1, 6))
def test_a_token_is_excluded_exactly_if_its_ngram_occurs_already(text: list[int], n: int) -> None:
    logits = torch.arange(float(V))[None]
    found = NoRepeatNgram(n)(logits.clone(), torch.tensor([text], dtype=torch.int64))
    ngrams = {tuple(text[i : i + n]) for i in range(len(text) - n + 1)}
    end = text[len(text) - n + 1 :]
    # A text that is shorter than n - 1 cannot be completed to an n-gram.
    possible = len(text) >= n - 1
    excluded = {token for token in range(V) if possible and (*end, token) in ngrams}
    if len(excluded) == V:
        excluded = set()
    expected = [-np.inf if token in excluded else float(token) for token in range(V)]
    assert found[0].tolist() == expected


def test_no_ngram_occurs_twice_in_prompt_and_text() -> None:
    prompt = b"abcab"
    pieces = generate_batch(
        Bigram(),
        ByteTokenizer(),
        chain=[TopK(3), NoRepeatNgram(3)],
        prompt=prompt,
        num_tokens=60,
        seed=0,
        count=3,
    )
    for row in zip(*pieces, strict=True):
        text = prompt + b"".join(row)
        assert len(set(zip(text, text[1:], text[2:], strict=False))) == len(text) - 2


def test_where_every_token_would_be_excluded_the_row_is_not_changed() -> None:
    logits = torch.tensor([[1.0, 2.0, -torch.inf], [1.0, 2.0, 3.0]])
    found = NoRepeatNgram(1)(logits.clone(), torch.tensor([[0, 1], [0, 1]]))
    assert found.tolist() == [[1.0, 2.0, -torch.inf], [-torch.inf, -torch.inf, 3.0]]


@given(texts, st.integers(1, 4), st.sampled_from([1.0, 1.5, 100.0]), st.sets(st.integers(0, V - 1)))
def test_the_penalty_grows_with_the_repetition_up_to_a_breaker(
    text: list[int], allowed_length: int, base: float, breakers: set[int]
) -> None:
    dry = Dry(
        multiplier=0.8,
        base=base,
        allowed_length=allowed_length,
        window=1000,
        is_breaker=torch.tensor([token in breakers for token in range(V)]),
    )
    found = dry(torch.zeros(1, V, dtype=torch.float64), torch.tensor([text], dtype=torch.int64))
    for token in range(V):
        length = longest_repetition(text, token, sorted(breakers))
        penalty = 0.0
        if length >= allowed_length and token not in breakers:
            penalty = min(1000, 0.8 * base ** (length - allowed_length))
        assert found[0, token].item() == pytest.approx(-penalty, rel=1e-12)


def test_rows_with_different_texts_are_penalised_by_their_own(registry: Registry) -> None:
    for text in ("no_repeat_ngram=4", "dry={allowed_length: 1}", "dry={allowed_length: 3}"):
        sampler = link(registry, text)
        history = torch.randint(97, 100, (6, 30), generator=torch.Generator().manual_seed(0))
        together = sampler(torch.zeros(6, 256), history)
        alone = [sampler(torch.zeros(1, 256), history[row : row + 1]) for row in range(6)]
        assert torch.equal(together, torch.cat(alone))
        assert len(together.unique(dim=0)) > 1


def test_a_token_that_contains_a_breaker_ends_a_repetition(registry: Registry) -> None:
    history = torch.tensor([list(b"ab\ncdXab\ncd")])
    broken = link(registry, "dry={allowed_length: 2}")(torch.zeros(1, 256), history)
    whole = link(registry, "dry={allowed_length: 2, breakers: ''}")(torch.zeros(1, 256), history)
    assert broken[0, ord("X")].item() == pytest.approx(-0.8)
    assert whole[0, ord("X")].item() == pytest.approx(-0.8 * 1.2**3)


def test_breakers_that_are_not_ascii_are_refused(registry: Registry) -> None:
    with pytest.raises(Exception, match="breakers"):
        link(registry, "dry={breakers: é}")


def test_mirostat_adjusts_every_row_by_its_own_draws() -> None:
    together, alone = Mirostat(1.0, 0.3), [Mirostat(1.0, 0.3) for _ in range(3)]
    together.begin(torch.tensor([0]), 3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        logits = 3 * torch.randn(3, 12, generator=generator, dtype=torch.float64)
        found = together(logits.clone(), _nothing(3))
        drawn = torch.multinomial(found.softmax(-1), 1, generator=generator)[:, 0]
        together.drawn(drawn)
        for row, one in enumerate(alone):
            expected = one(logits[row : row + 1].clone(), _nothing(1))
            assert torch.equal(found[row], expected[0])
            one.drawn(drawn[row : row + 1])


def test_mirostat_counts_the_surprise_before_later_links_write_into_the_logits() -> None:
    kept, overwritten = Mirostat(1.0, 0.3), Mirostat(1.0, 0.3)
    logits = 3 * torch.randn(1, 12, generator=torch.Generator().manual_seed(0))
    for _ in range(5):
        expected = kept(logits.clone(), _nothing(1))
        found = overwritten(logits.clone(), _nothing(1))
        assert torch.equal(found, expected)
        token = expected.argmax(-1)
        TopK(1)(found, _nothing(1))
        kept.drawn(token)
        overwritten.drawn(token)


def _nothing(rows: int) -> Tensor:
    return torch.empty(rows, 0, dtype=torch.int64)
