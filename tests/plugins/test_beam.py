"""Beam search against all texts, written out one by one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
import torch
from tiny import Bigram
from torch import Tensor

import seqzoo
from seqzoo import DecodingTask, UsageError
from seqzoo.model.decode import decode
from seqzoo_plugins.bytes.tokenizer import ByteTokenizer
from seqzoo_plugins.decoders.beam import Beam

V, PROMPT = 4, [1, 3]


class Table:
    """Log probabilities that depend on the last three tokens; the state is those."""

    def __init__(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        logits = 2 * torch.randn(V, V, V, V, generator=generator, dtype=torch.float64)
        self.logs = logits.log_softmax(-1)

    def read(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if state is None:
            state = torch.zeros(len(tokens), 3, dtype=torch.int64)
        state = torch.cat([state, tokens], dim=1)[:, -3:]
        return self.logs[state[:, 0], state[:, 1], state[:, 2]], state

    def rows(self, state: Tensor, rows: Tensor) -> Tensor:
        return state[rows]

    def log_probability(self, text: tuple[int, ...]) -> float:
        total, state = 0.0, None
        logs, state = self.read(torch.tensor([PROMPT]), state)
        for token in text:
            total += float(logs[0, token])
            logs, state = self.read(torch.tensor([[token]]), state)
        return total


def written(table: Table, width: int, length: int, phrase: tuple[int, ...] = ()) -> tuple[int, ...]:
    task = DecodingTask(prompt=torch.tensor(PROMPT), num_tokens=length, seed=0)
    return tuple(Beam(width, phrase).decode(table, task))


def contains(text: tuple[int, ...], phrase: tuple[int, ...]) -> bool:
    ends = range(len(phrase), len(text) + 1)
    return any(text[end - len(phrase) : end] == phrase for end in ends)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("phrase", [(), (2,), (0, 0), (3, 1, 2), (1, 1, 0, 2, 3)])
def test_a_wide_search_finds_the_most_probable_text(seed: int, phrase: tuple[int, ...]) -> None:
    table = Table(seed)
    texts = [text for text in product(range(V), repeat=5) if contains(text, phrase)]
    best = max(texts, key=table.log_probability)
    assert written(table, V**5, 5, phrase) == best


@pytest.mark.parametrize("seed", range(5))
def test_a_search_of_width_one_is_greedy(seed: int) -> None:
    table = Table(seed)
    logs, state = table.read(torch.tensor([PROMPT]))
    expected = []
    for _ in range(20):
        expected.append(int(logs.argmax()))
        logs, state = table.read(torch.tensor([expected[-1:]]), state)
    assert written(table, 1, 20) == tuple(expected)


@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_narrow_search_contains_the_phrase_too(width: int) -> None:
    phrase = (0, 2, 0, 2)
    for seed in range(10):
        text = written(Table(seed), width, 12, phrase)
        assert len(text) == 12
        assert contains(text, phrase)


def test_a_phrase_longer_than_the_text_is_refused() -> None:
    with pytest.raises(UsageError, match="has to write 3 tokens"):
        written(Table(0), 2, 2, (1, 2, 3))


def test_tokens_come_as_soon_as_all_texts_share_them() -> None:
    """With one text there is nothing to wait for: each token is given before the next is read."""
    reads = 0

    class Counting(Table):
        def read(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
            nonlocal reads
            reads += 1
            return super().read(tokens, state)

    task = DecodingTask(prompt=torch.tensor(PROMPT), num_tokens=50, seed=0)
    next(iter(Beam(1, ()).decode(Counting(0), task)))
    assert reads <= 2


class TooMany(seqzoo.Decoder):
    def decode(self, stepper: seqzoo.Stepper, task: DecodingTask) -> Iterator[int]:
        while True:
            yield 65


class OutOfRange(seqzoo.Decoder):
    def decode(self, stepper: seqzoo.Stepper, task: DecodingTask) -> Iterator[int]:
        yield 256


@pytest.mark.parametrize("decoder", [TooMany(), OutOfRange()])
def test_a_decoder_that_breaks_its_laws_is_stopped(decoder: seqzoo.Decoder) -> None:
    pieces = decode(
        Bigram(),
        ByteTokenizer(),
        decoder,
        prompt=b"",
        num_tokens=3,
        seed=0,
        device=torch.device("cpu"),
    )
    with pytest.raises(ValueError, match="the decoder gave token"):
        list(pieces)


def test_a_run_writes_with_its_decoder_and_python_and_recipe_agree(tmp_path: Path) -> None:
    changes = {
        "corpus": {"name": "pastiche", "options": {"size_bytes": 20_000}},
        "train.budget": {"steps": 3},
        "architecture.options.hidden_size": 8,
        "baselines.include": [],
        "sample": {"prompt": "a", "length": 12, "decoder": {"name": "beam"}},
    }
    run = seqzoo.run("quick", changes | {"sample.decoder.options.contains": "q?z"}, root=tmp_path)
    given = {"beam": {"contains": "q?z"}}
    text = b"".join(run.generate_bytes())
    assert b"q?z" in text
    assert text == b"".join(run.generate_bytes("a", length=12, decoder=given))
    samples = list((run.path / "samples").iterdir())
    assert len(samples) == 2  # of the validation at the end, and of the finished run
    assert all(text in sample.read_bytes() for sample in samples)
    with pytest.raises(UsageError, match="a decoder replaces the chain"):
        run.generate(chain=["greedy"], decoder="beam")
    with pytest.raises(UsageError, match="Did you mean 'beam'"):
        run.generate(decoder="beem")
