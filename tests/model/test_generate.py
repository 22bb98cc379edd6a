"""Prompt, draw and decode, with tiny models and samplers."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import Bigram, ByteTokenizer, Nibbles, Recurrent, Uniform
from torch import Tensor

from seqzoo.errors import DivergedError
from seqzoo.model.captured import single_token_step
from seqzoo.model.generate import ByteStream, Utf8Stream, generate, generate_batch
from seqzoo.plugin.contracts import Sampler, SequenceModel, State


def text_of(model: SequenceModel, **changes: Any) -> bytes:
    settings: dict[str, Any] = {"chain": [], "prompt": b"a", "num_tokens": 40, "seed": 3}
    return b"".join(generate(model, ByteTokenizer(), **(settings | changes)))


class Recorder(SequenceModel):
    """Bigram that records its inputs, and whether it is in training mode and gradients are on."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Bigram()
        self.chunks: list[list[int]] = []
        self.modes: set[tuple[bool, bool]] = set()

    def initial_state(self, batch_size: int) -> State:
        return self.inner.initial_state(batch_size)

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        self.chunks.append(tokens[0].tolist())
        self.modes.add((self.training, torch.is_grad_enabled()))
        return self.inner(tokens, state)


class Spy(Sampler):
    """Changes nothing; records the history that it receives."""

    def __init__(self, history_length: int) -> None:
        self.history_length = history_length
        self.seen: list[list[list[int]]] = []

    def __call__(self, logits: Tensor, history: Tensor) -> Tensor:
        self.seen.append(history.tolist())
        return logits


def test_one_piece_is_yielded_for_each_token() -> None:
    pieces = list(generate(Bigram(), ByteTokenizer(), chain=[], prompt=b"a", num_tokens=9, seed=0))
    assert [len(piece) for piece in pieces] == [1] * 9
    assert text_of(Bigram(), num_tokens=0) == b""


def test_equal_seeds_give_equal_texts_and_other_seeds_do_not() -> None:
    model = Recurrent()
    assert text_of(model) == text_of(model)
    assert text_of(model) != text_of(model, seed=4)


def test_a_shorter_text_is_the_beginning_of_a_longer_one() -> None:
    model = Bigram()  # over 256 tokens, so that random numbers are made more than once
    assert text_of(model, num_tokens=700)[:290] == text_of(model, num_tokens=290)


def test_a_row_of_a_batch_equals_generate_with_its_seed() -> None:
    model = Recurrent()
    batch = generate_batch(
        model, ByteTokenizer(), chain=[Spy(3)], prompt=b"ab", num_tokens=300, seed=10, count=3
    )
    rows = [b"".join(row) for row in zip(*batch, strict=True)]
    separate = [text_of(model, prompt=b"ab", num_tokens=300, seed=10 + row) for row in range(3)]
    assert rows == separate


def test_the_global_generator_does_not_change() -> None:
    model = Recurrent(dropout=0.5)
    before = torch.get_rng_state()
    text_of(model)
    assert torch.equal(before, torch.get_rng_state())


def test_every_token_is_read_once_in_eval_mode_without_gradients() -> None:
    model = Recorder()
    text = text_of(model, prompt=b"prompt", num_tokens=5)
    assert model.chunks == [list(b"prompt"), *([byte] for byte in text[:-1])]
    assert model.modes == {(False, False)}


def test_a_long_prompt_is_read_in_chunks() -> None:
    model = Recorder()
    prompt = bytes(range(256)) * 9
    text_of(model, prompt=prompt, num_tokens=1)
    assert max(map(len, model.chunks)) <= 1024
    assert list(itertools.chain(*model.chunks)) == list(prompt)


def test_an_empty_prompt_is_replaced_by_a_newline_that_is_not_printed() -> None:
    model = Recorder()
    assert text_of(model, prompt=b"") == text_of(Bigram(), prompt=b"\n")
    assert model.chunks[0] == [10]


@pytest.mark.parametrize("steps", [1, 100])
def test_modes_are_restored_even_if_generation_stops_early(steps: int) -> None:
    model = Recurrent(dropout=0.5)
    model.train()
    model.dropout.eval()  # a part that the author keeps in eval mode
    stream = generate(model, ByteTokenizer(), chain=[], prompt=b"a", num_tokens=100, seed=0)
    for _ in range(steps):
        next(stream)
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
    del stream
    assert (model.training, model.rnn.training, model.dropout.training) == (True, True, False)


@pytest.mark.parametrize("prompt", [b"x", b"a longer prompt"])
def test_a_link_receives_as_many_latest_tokens_as_it_requests(prompt: bytes) -> None:
    none, two, nine = Spy(0), Spy(2), Spy(9)
    text = text_of(Bigram(), chain=[none, nine, two], prompt=prompt, num_tokens=60)
    whole = prompt + text
    for spy, length in ((none, 0), (two, 2), (nine, 9)):
        expected = [
            [list(whole[max(0, end - length) : end])] for end in range(len(prompt), len(whole))
        ]
        assert spy.seen == expected


def test_links_are_applied_in_order() -> None:
    class Only(Sampler):
        def __init__(self, token: int) -> None:
            self.token = token

        def __call__(self, logits: Tensor, history: Tensor) -> Tensor:
            return torch.full_like(logits, -torch.inf).index_fill_(
                1, torch.tensor([self.token]), 0.0
            )

    assert text_of(Bigram(), chain=[Only(65), Only(66)], num_tokens=3) == b"BBB"


def test_links_may_change_logits_in_place() -> None:
    class Fill(Sampler):
        def __call__(self, logits: Tensor, history: Tensor) -> Tensor:
            return logits.fill_(1.0)

    model = Uniform()  # its logits are its parameter, expanded
    before = model.bias.detach().clone()
    text_of(model, chain=[Fill()], num_tokens=3)
    assert torch.equal(model.bias, before)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_models_of_any_precision_generate(dtype: torch.dtype) -> None:
    assert len(text_of(Bigram().to(dtype), chain=[Spy(2)])) == 40


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("count", [1, 3])
def test_a_logit_that_is_not_a_number_is_reported_in_one_sentence(value: float, count: int) -> None:
    model = Bigram()
    with torch.no_grad():
        model.table[:, 7] = value
    with pytest.raises(DivergedError, match="no token can be drawn"):
        list(
            generate_batch(
                model, ByteTokenizer(), chain=[], prompt=b"a", num_tokens=3, seed=0, count=count
            )
        )


def test_a_symbol_of_two_tokens_is_returned_when_it_is_complete() -> None:
    class SixteenWay(Bigram):
        def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
            logits, state = super().forward(tokens, state)
            return logits[..., :16], state

    pieces = list(generate(SixteenWay(), Nibbles(), chain=[], prompt=b"a", num_tokens=10, seed=0))
    assert [len(piece) for piece in pieces] == [0, 1] * 5


@given(data=st.binary(max_size=30))
def test_byte_streams_return_every_byte_once(data: bytes) -> None:
    stream = ByteStream(Nibbles())
    tokens = Nibbles().encode(np.frombuffer(data, dtype=np.uint8)).tolist()
    pieces = [stream.feed(token) for token in tokens]
    assert b"".join(pieces) == data


@given(
    data=st.one_of(st.text(max_size=20).map(str.encode), st.binary(max_size=40)),
    cuts=st.lists(st.integers(0, 60), max_size=8),
)
def test_text_does_not_depend_on_how_the_bytes_are_divided(data: bytes, cuts: list[int]) -> None:
    stream = Utf8Stream()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    parts = [stream.feed(data[i:j]) for i, j in itertools.pairwise(edges)]
    assert "".join(parts) + stream.flush() == data.decode("utf-8", errors="replace")


def test_a_character_is_returned_with_its_last_byte() -> None:
    stream = Utf8Stream()
    assert [stream.feed(bytes([byte])) for byte in "é€".encode()] == ["", "é", "", "", "€"]
    assert stream.flush() == ""


def test_off_a_gpu_the_step_is_the_models_own_call() -> None:
    model = Recurrent()
    assert single_token_step(model, torch.device("cpu")) is model
