"""The chain tells its samplers what happens, and ends the texts that they end."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from contexts import sampler_context
from tiny import Bigram
from torch import Tensor

from seqzoo.model.chain import Chain
from seqzoo.model.generate import generate, generate_batch
from seqzoo.plugin.contracts import Sampler
from seqzoo_plugins.bytes.tokenizer import ByteTokenizer
from seqzoo_plugins.samplers.ending import Stop
from seqzoo_plugins.samplers.mirostat import Mirostat


class Recorder(Sampler):
    """Writes down what it receives, and overwrites the history that it was given."""

    history_length = 3

    def __init__(self) -> None:
        self.events: list[object] = []

    def begin(self, prompt: Tensor, count: int) -> None:
        self.events.append(("begin", prompt.tolist(), count))

    def __call__(self, logits: Tensor, history: Tensor) -> Tensor:
        self.events.append(("call", history.tolist()))
        history.fill_(7)
        return logits

    def drawn(self, tokens: Tensor) -> None:
        self.events.append(("drawn", tokens.tolist()))


def test_a_sampler_begins_with_the_prompt_and_receives_what_is_drawn() -> None:
    first, second = Recorder(), Recorder()
    chain = Chain([first, second], torch.tensor([1, 2]), count=1, num_tokens=9)
    for token in (3, 4):
        chain(torch.zeros(1, 8))
        chain.append(torch.tensor([token]))
    expected = [
        ("begin", [1, 2], 1),
        ("call", [[1, 2]]),
        ("drawn", [3]),
        ("call", [[1, 2, 3]]),
        ("drawn", [4]),
    ]
    assert first.events == second.events == expected


class EndsRow(Sampler):
    """Row r ends with its token number `lengths[r]`."""

    def __init__(self, lengths: list[int]) -> None:
        self.lengths = torch.tensor(lengths)
        self.count = 0

    def __call__(self, logits: Tensor, history: Tensor) -> Tensor:
        return logits

    def drawn(self, tokens: Tensor) -> None:
        self.count += 1

    def done(self) -> Tensor:
        return self.lengths <= self.count


def rows_of(pieces: Iterator[list[bytes]]) -> list[bytes]:
    return [b"".join(row) for row in zip(*pieces, strict=True)]


def test_a_row_ends_where_a_sampler_ends_it_and_is_the_beginning_of_the_whole_row() -> None:
    def rows(*chain: Sampler) -> list[bytes]:
        return rows_of(
            generate_batch(
                Bigram(), ByteTokenizer(), chain=chain, prompt=b"a", num_tokens=20, seed=3, count=3
            )
        )

    whole = rows()
    ended = rows(EndsRow([4, 1, 9]), EndsRow([6, 6, 6]))
    assert [len(row) for row in ended] == [4, 1, 6]
    assert all(row.startswith(part) for row, part in zip(whole, ended, strict=True))


def test_generation_stops_when_every_row_has_ended() -> None:
    pieces = generate_batch(
        Bigram(),
        ByteTokenizer(),
        chain=[EndsRow([2, 3])],
        prompt=b"",
        num_tokens=1000,
        seed=0,
        count=2,
    )
    assert len(list(pieces)) == 3


@pytest.mark.parametrize("ending", [b"a", b"ab", b"\n\n"])
def test_stop_ends_a_text_where_its_bytes_first_contain_the_ending(ending: bytes) -> None:
    written = b"xaxab\n\n\nzz"
    stop = Stop(ending, lambda ids: sampler_context().tokenizer.decode(np.array(ids, dtype=int)))
    stop.begin(torch.tensor(list(ending)), 1)  # in the prompt it does not count
    assert not stop.done().any()
    end = written.index(ending) + len(ending)
    for place, byte in enumerate(written, start=1):
        stop.drawn(torch.tensor([byte]))
        assert bool(stop.done()) == (place >= end)


def test_mirostat_follows_its_algorithm() -> None:
    """Compared with algorithm 2, token by token in Python floats."""
    wanted, rate = 1.0, 0.3
    sampler = Mirostat(wanted, rate)
    sampler.begin(torch.tensor([0]), 1)
    mu = 2 * wanted
    generator = torch.Generator().manual_seed(0)
    for step in range(30):
        logits = 3 * torch.randn(12, generator=generator, dtype=torch.float64)
        weights = [math.exp(x) for x in logits.tolist()]
        surprise = [-math.log2(w / math.fsum(weights)) for w in weights]
        kept = [i for i, bits in enumerate(surprise) if bits <= mu] or [int(np.argmin(surprise))]
        found = sampler(logits[None].clone(), torch.zeros(1, 0, dtype=torch.int64))[0]
        assert found.isfinite().nonzero().flatten().tolist() == kept
        token = kept[step % len(kept)]
        sampler.drawn(torch.tensor([token]))
        mu -= rate * (surprise[token] - wanted)


@pytest.mark.parametrize(("wanted", "spread"), [(1.2, 4), (2.0, 2), (3.0, 2)])
def test_the_mean_surprise_of_mirostat_is_the_one_asked_for(wanted: float, spread: float) -> None:
    """Of the model's own distribution, without truncation, over many different ones."""
    sampler = Mirostat(wanted, 0.1)
    sampler.begin(torch.tensor([0]), 1)
    generator = torch.Generator().manual_seed(0)
    bits = []
    for _ in range(3000):
        logits = spread * torch.randn(1, 64, generator=generator, dtype=torch.float64)
        surprise = -logits.log_softmax(-1)[0] / math.log(2)
        kept = sampler(logits.clone(), torch.zeros(1, 0, dtype=torch.int64))
        token = torch.multinomial(kept.softmax(-1), 1, generator=generator)[0]
        sampler.drawn(token)
        bits.append(float(surprise[token]))
    assert np.mean(bits[500:]) == pytest.approx(wanted, abs=0.05)


def test_two_texts_of_one_chain_are_equal_if_their_seeds_are() -> None:
    chain = [Mirostat(2.0, 0.2)]
    model = Bigram()

    def text() -> bytes:
        return b"".join(
            generate(model, ByteTokenizer(), chain=chain, prompt=b"a", num_tokens=60, seed=5)
        )

    assert text() == text()
