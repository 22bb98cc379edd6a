"""Batches have the text of their corpus, also at their edges, and none of the held-out text."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from examined_models import causes, outcome, reported
from made_up_text import written
from torch import nn

from seqzoo.doctor import examine
from seqzoo.doctor.checks.stream._patterns import WIDTH, patterns
from seqzoo.doctor.diagnosis import Diagnosis

B, T = 4, 32


CORPUS = written()
DOS = CORPUS.replace(b"\n", b"\r\n")


def lanes(text: bytes, numbered: Callable[[Any], Any] = lambda ids: ids) -> Any:
    ids = numbered(np.frombuffer(text, np.uint8).astype(np.int64))
    columns = len(ids) // B

    def batches() -> Iterator[Any]:
        for start in range(0, columns - T - 1, T):
            places = (np.arange(B) * columns)[:, None] + start + np.arange(T)
            yield ids[places], ids[places + 1]

    return batches


def examined(batches: Any, **further: Any) -> Any:
    return examine(batches=batches, corpus=CORPUS, only=["stream"], show=False, **further)


LOST: dict[str, Callable[[bytes], bytes]] = {
    "newlines": lambda text: text.replace(b"\n", b""),
    "lines joined by a space": lambda text: b" ".join(text.split(b"\n")),
    "words joined": lambda text: b" ".join(text.split()),
    "empty lines": lambda text: b"\n".join(line for line in text.split(b"\n") if line),
    "lower case": bytes.lower,
    "lower case, and words joined": lambda text: b" ".join(text.lower().split()),
    "lower case, and newlines": lambda text: text.lower().replace(b"\n", b""),
    "lower case, and empty lines": lambda text: re.sub(rb"\n+", b"\n", text.lower()),
    "one byte": lambda text: text.replace(b".", b""),
}


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_what_is_lost_in_reading_is_named(lost: Callable[[bytes], bytes]) -> None:
    found = examined(lanes(lost(CORPUS)))
    assert causes(found) == ["stream.text"], reported(found)


def test_a_text_that_is_read_in_lower_case_and_as_words_is_named_so() -> None:
    found = examined(lanes(LOST["lower case, and words joined"](CORPUS)))
    said = outcome(found, "stream.text").seen
    assert "upper case became lower case, and spaces and line ends are joined" in said
    corpus = CORPUS.replace(b"u", "ü".encode()).replace(b"T", "Ü".encode())
    text = " ".join(corpus.decode().lower().split())
    characters = np.unique(list(text), return_inverse=True)[1].astype(np.uint8).tobytes()
    found = examine(batches=lanes(characters), corpus=corpus, only=["stream.text"], show=False)
    assert "upper case became lower case, and" in outcome(found, "stream.text").seen


def test_other_line_ends_are_a_warning() -> None:
    for corpus, given in ((DOS, CORPUS), (CORPUS, DOS)):
        found = examine(batches=lanes(given), corpus=corpus, only=["stream.text"], show=False)
        assert outcome(found, "stream.text").status == "warn", reported(found)
        assert "line ends" in outcome(found, "stream.text").seen
        same = examine(batches=lanes(given), corpus=given, only=["stream.text"], show=False)
        assert outcome(same, "stream.text").status == "pass"


def test_a_text_that_is_read_backwards_is_named() -> None:
    found = examined(lanes(CORPUS[::-1]))
    assert causes(found) == ["stream.text"], reported(found)
    assert "from the end" in outcome(found, "stream.text").seen


@pytest.mark.parametrize(
    "numbered", [lambda ids: ids, lambda ids: np.unique(ids, return_inverse=True)[1]]
)
def test_batches_of_another_text_are_named(numbered: Callable[[Any], Any]) -> None:
    found = examined(lanes(written(seed=1), numbered))
    assert causes(found) == ["stream.text"], reported(found)
    assert "another text than the corpus" in outcome(found, "stream.text").seen


@pytest.mark.parametrize("kind", ["numbered at will", "pieces of words", "noise in the inputs"])
def test_what_may_be_the_corpus_in_another_form_is_not_judged(kind: str) -> None:
    other = written(seed=1)
    ids = np.frombuffer(CORPUS if "noise" in kind else other, np.uint8).astype(np.int64)
    if kind == "numbered at will":
        batches = lanes(other, lambda ids: _by_first_use(ids)[::-1])
    elif kind == "pieces of words":
        pairs = np.unique(ids[: len(ids) // 2 * 2].reshape(-1, 2), axis=0, return_inverse=True)[1]
        batches = lanes(pairs.clip(max=250).astype(np.uint8).tobytes())
    else:

        def batches() -> Iterator[Any]:
            draw = np.random.default_rng(0)
            for inputs, targets in lanes(CORPUS)():
                hidden = draw.random(inputs.shape) < 0.3
                yield np.where(hidden, draw.permuted(inputs), inputs), targets

    found = examine(batches=batches, corpus=CORPUS, only=["stream.text"], show=False)
    assert outcome(found, "stream.text").status == "skip", reported(found)


def _by_first_use(ids: Any) -> Any:
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def test_any_numbering_of_characters_is_the_text_of_the_corpus() -> None:
    for numbered in (lambda ids: ids, lambda ids: 255 - ids, _by_first_use):
        found = examined(lanes(CORPUS, numbered))
        assert causes(found) == [], reported(found)
        assert outcome(found, "stream.text").status == "pass"


def test_characters_of_utf_8_are_the_text_of_the_corpus() -> None:
    corpus = CORPUS.replace(b"u", "ü".encode())
    characters = np.array([ord(each) for each in corpus.decode()], dtype=np.int64)
    columns = len(characters) // B

    def batches() -> Iterator[Any]:
        for start in range(0, columns - T - 1, T):
            places = (np.arange(B) * columns)[:, None] + start + np.arange(T)
            yield characters[places], characters[places + 1]

    found = examine(batches=batches, corpus=corpus, only=["stream.text"], show=False)
    assert outcome(found, "stream.text").status == "pass"


def test_words_are_not_judged() -> None:
    words = np.unique(np.array(CORPUS.split()), return_inverse=True)[1].astype(np.int64)

    def batches() -> Iterator[Any]:
        for start in range(0, len(words) - B * (T + 1), B * T):
            rows = words[start : start + B * T + 1]
            yield rows[:-1].reshape(B, T), rows[1:].reshape(B, T)

    found = examined(batches, carry_state=False)
    assert outcome(found, "stream.text").status == "skip"


def test_a_pattern_is_that_of_equal_tokens_only() -> None:
    def naive(stretch: list[int]) -> tuple[int, ...]:
        return tuple(
            next((back for back in range(1, at + 1) if stretch[at - back] == token), 0)
            for at, token in enumerate(stretch)
        )

    generator = np.random.default_rng(0)
    tokens = generator.integers(4, size=200)
    hashes = patterns(tokens)
    by_pattern: dict[tuple[int, ...], set[int]] = {}
    for start in range(len(tokens) - WIDTH + 1):
        pattern = naive(tokens[start : start + WIDTH].tolist())
        by_pattern.setdefault(pattern, set()).add(int(hashes[start]))
    assert all(len(each) == 1 for each in by_pattern.values())
    assert len(set(hashes.tolist())) == len(by_pattern)


def windows(draw: Callable[[int], int], ahead: int = 1) -> Any:
    """T tokens from random starts; draw: how many starts there are -> a start."""
    ids = np.frombuffer(CORPUS, np.uint8).astype(np.int64)

    def batches() -> Iterator[Any]:
        for _ in range(100):
            starts = [draw(len(ids) - T) for _ in range(B)]
            rows = [ids[start : start + T + 1] for start in starts]
            yield np.stack([row[:-1] for row in rows]), np.stack([row[1:] for row in rows])

    return batches


SEEDS = itertools.count()
EDGES = {
    "random": lambda count: random.randint(0, count),
    "numpy": lambda count: int(np.random.randint(count + 1)),
    "numpy's generator": lambda count: int(np.random.default_rng(next(SEEDS)).integers(count + 1)),
    "torch": lambda count: int(torch.randint(count + 1, (1,))),
}


@pytest.mark.parametrize("draw", EDGES.values(), ids=EDGES)
def test_a_start_that_is_one_too_late_is_named_though_it_is_never_drawn(
    draw: Callable[[int], int],
) -> None:
    random.seed(3)  # with these seeds the last place is not among the places that are drawn
    np.random.seed(3)
    torch.manual_seed(3)
    found = examined(windows(draw), carry_state=False)
    assert causes(found) == ["stream.edges"], reported(found)
    healthy = examined(windows(lambda count: draw(count - 1)), carry_state=False)
    assert causes(healthy) == [], reported(healthy)


def test_code_that_draws_until_it_has_another_number_ends() -> None:
    def batches() -> Iterator[Any]:
        ids = np.frombuffer(CORPUS, np.uint8).astype(np.int64)
        while True:
            starts: set[int] = set()
            while len(starts) < B:
                starts.add(random.randrange(len(ids) - T))
            rows = [ids[start : start + T + 1] for start in starts]
            yield np.stack([row[:-1] for row in rows]), np.stack([row[1:] for row in rows])

    state = random.getstate()
    found = examined(batches, carry_state=False)
    random.setstate(state)
    assert causes(found) == [], reported(found)


def test_the_last_batch_of_an_epoch_is_looked_at() -> None:
    def batches() -> Iterator[Any]:
        for inputs, targets in lanes(CORPUS)():
            last = inputs, targets
            yield inputs, targets
        yield last[0][:, :-3], last[1][:, :-3]

    found = examined(batches)
    assert causes(found) == ["stream.edges"], reported(found)
    assert "rows have 29 tokens" in outcome(found, "stream.edges").seen


@pytest.mark.parametrize("length", [25, 40])
def test_windows_that_were_drawn_before_the_text_was_divided_are_named(length: int) -> None:
    text = written()
    starts = list(range(0, len(text) - length, 4))
    random.Random(1).shuffle(starts)
    drawn = [text[start : start + length] for start in starts]
    cut = len(drawn) * 8 // 10

    def examined(corpus: bytes, held_out: bytes) -> Diagnosis:
        return examine(corpus=corpus, held_out=held_out, only=["stream.overlap"], show=False)

    # Windows of 25 share 21 tokens: joined, they have as much in common with each other.
    training = text if length < 32 else b"".join(drawn[:cut])
    leaked = examined(training, b"".join(drawn[cut:]))
    assert causes(leaked) == ["stream.overlap"], reported(leaked)
    cut = len(text) * 8 // 10
    apart = examined(text[:cut], text[cut:])
    assert causes(apart) == [], reported(apart)


def test_rows_that_are_cut_across_the_text_are_named() -> None:
    ids = np.frombuffer(CORPUS, np.uint8).astype(np.int64)

    def across() -> Iterator[Any]:
        rows = ids[: len(ids) // B * B].reshape(-1, B).T
        for start in range(0, rows.shape[1] - T - 1, T):
            yield rows[:, start : start + T], rows[:, start + 1 : start + T + 1]

    found = examined(across)
    assert causes(found) == ["stream.text"], reported(found)
    assert f"{B} bytes apart" in outcome(found, "stream.text").seen


def _lines(padding: int, longest: int = 40) -> Any:
    """Lines filled to one length, inputs and targets."""

    def batches() -> Iterator[Any]:
        lines = [line + b"\n" for line in CORPUS.split(b"\n") if 3 < len(line) < longest]
        for start in range(0, len(lines) - 8, 8):
            rows = np.full((8, longest + 1), padding)
            for row, line in enumerate(lines[start : start + 8]):
                rows[row, : len(line)] = list(line)
            yield rows[:, :-1], rows[:, 1:]

    return batches


class Bytes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(256, 8), nn.Linear(8, 256)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.embed(tokens))
        return logits


def test_padding_that_counts_in_the_loss_is_named_and_padding_that_does_not_is_not() -> None:
    further: dict[str, Any] = {"model": Bytes, "carry_state": False}
    found = examined(_lines(0), **further)
    assert causes(found) == ["stream.padding"], reported(found)
    assert "id 0" in outcome(found, "stream.padding").seen
    left_out = examined(_lines(0), loss=nn.CrossEntropyLoss(ignore_index=0), **further)
    assert causes(left_out) == [], reported(left_out)
    assert causes(examined(windows(random.randrange), **further)) == []


def test_an_epoch_that_begins_again_with_the_state_of_its_end_is_named() -> None:
    short = lanes(CORPUS[: B * (8 * T + 1)])

    def for_ever() -> Iterator[Any]:
        while True:
            yield from short()

    found = examine(batches=for_ever, only=["stream"], show=False)
    assert causes(found) == ["stream.continuity"], reported(found)
    assert "epoch" in outcome(found, "stream.continuity").seen


LAST = {
    "the first input": lambda inputs, targets: inputs[:, :1],
    "the last input": lambda inputs, targets: inputs[:, -1:],
    "id 0": lambda inputs, targets: np.zeros_like(inputs[:, :1]),
    "the first token of the next row": lambda inputs, targets: np.roll(inputs[:, :1], -1, 0),
}


@pytest.mark.parametrize("last", LAST.values(), ids=LAST)
def test_a_last_target_that_the_corpus_does_not_have_there_is_named(last: Any) -> None:
    def batches() -> Iterator[Any]:
        for inputs, targets in windows(random.randrange)():
            yield inputs, np.concatenate([targets[:, :-1], last(inputs, targets)], 1)

    found = examined(batches, carry_state=False)
    assert causes(found) == ["stream.targets"], reported(found)
    assert "each row" in outcome(found, "stream.targets").seen


def test_an_id_beyond_the_logits_that_comes_late_is_named() -> None:
    ids = np.frombuffer(CORPUS, np.uint8) % 8
    rare = ids.astype(np.int64)
    rare[-B * T :] = 8

    class Small(Bytes):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = nn.Embedding(9, 8), nn.Linear(8, 8)

    def batches() -> Iterator[Any]:
        for start in range(0, len(rare) - B * T - 1, B * T):
            rows = rare[start : start + B * T + 1]
            yield rows[:-1].reshape(B, T), rows[1:].reshape(B, T)

    found = examine(model=Small, batches=batches, carry_state=False, only=["stream"], show=False)
    assert causes(found) == ["stream.edges"], reported(found)
    assert "the id 8 occurs" in outcome(found, "stream.edges").seen
