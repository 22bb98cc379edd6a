"""Checks of what feeds the model: what is healthy passes, each fault is told by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import REPOSITORY

from seqzoo.assembly import Data
from seqzoo.contracts import Batch, Corpus, Tokenizer
from seqzoo.corpus import split
from seqzoo.doctor import examine
from seqzoo.doctor.checks import _windows, select_checks
from seqzoo.doctor.checks._corpus_ids import readings
from seqzoo.doctor.checks._figures import share_of_continued_rows
from seqzoo.doctor.checks._offsets import OFFSETS, shares_by_offset
from seqzoo.doctor.checks._overlapping import rows_behind_another
from seqzoo.doctor.checks._windows import found_in, hashes, hashes_of_rows
from seqzoo.doctor.diagnosis import Diagnosis, diagnose
from seqzoo.doctor.from_recipe import subject_of_recipe
from seqzoo.doctor.pipeline import Pipeline
from seqzoo.doctor.recording import Recording, Source
from seqzoo.doctor.subject import Subject
from seqzoo.doctor.trial import Trainee
from seqzoo.recipe import load_recipe
from seqzoo.registry import Registry
from seqzoo.specs import Outcome

Batches = Iterator[Batch]
MakeBatches = Callable[[np.ndarray], Batches]

B, T = 8, 16


def words(size: int, seed: int = 0) -> bytes:
    """Text that does not repeat itself: words drawn from a hundred."""
    draw = np.random.default_rng(seed)
    letters = list("etaoinshrdlucm")
    known = ["".join(draw.choice(letters, draw.integers(2, 8))) for _ in range(100)]
    return " ".join(draw.choice(known, size // 3)).encode()[:size]


def lanes(
    tokens: np.ndarray,
    *,
    rows: int = B,
    length: int = T,
    ahead: int = 1,
    order: Callable[[int], Sequence[int]] | None = None,
    restarts: Callable[[int], bool] = lambda place: place == 0,
) -> Batches:
    """Contiguous lanes, written down naively: for ever, each fault by its parameter.

    order: of the rows of batch k. restarts: given the place in the lanes.
    """
    lane = (len(tokens) - 8) // rows
    k = 0
    while True:
        for place in range(0, lane, length):
            time = min(length, lane - place)
            starts = [4 + row * lane + place for row in (order(k) if order else range(rows))]
            inputs = [[tokens[start + t] for t in range(time)] for start in starts]
            targets = [[tokens[start + t + ahead] for t in range(time)] for start in starts]
            yield Batch(
                torch.tensor(np.array(inputs, dtype=np.int64)),
                torch.tensor(np.array(targets, dtype=np.int64)),
                restarts(place),
            )
            k += 1


def passages(tokens: np.ndarray, *, rows: int = B, length: int = T, ahead: int = 1) -> Batches:
    """Rows from anywhere, the state reset for every batch."""
    draw = np.random.default_rng(0)
    while True:
        starts = draw.integers(4, len(tokens) - length - 4, rows)[:, None] + np.arange(length)
        inputs, targets = (
            torch.from_numpy(tokens[starts + by].astype(np.int64)) for by in (0, ahead)
        )
        yield Batch(inputs, targets, True)


class NumberedPipeline(Pipeline):
    """Batches that a function makes of tokens, on numbered tokens."""

    numbered = True

    def __init__(self, make: MakeBatches, *, num_tokens: int, length: int = T) -> None:
        self.make = make
        self.num_tokens = num_tokens
        self.batch_size, self.bptt_length = B, length

    def source(self) -> Source:
        return self.short_source(self.num_tokens)

    def real_source(self) -> Source:
        return self.source()

    def short_source(self, num_tokens: int) -> Source:
        batches = self.make(np.arange(num_tokens))
        return Source(lambda: next(batches), lambda batch: batch)

    def trainee(self, *_: Any, **__: Any) -> Trainee:
        raise NotImplementedError


def numbered(
    make: MakeBatches, registry: Registry, *, num_tokens: int = 20_000, length: int = T
) -> Subject:
    tokens = np.zeros(num_tokens, dtype=np.uint8)
    return Subject(
        title="numbered",
        registry=registry,
        tokens=tokens,
        held_out=tokens,
        vocab_size=2,
        pipeline=lambda: NumberedPipeline(make, num_tokens=num_tokens, length=length),
    )


def outcome(subject: Subject, name: str) -> Outcome:
    (check,) = select_checks(subject.registry, [name])
    (found,) = diagnose(subject, [check]).examined
    assert not found.crashed, found.outcome.seen
    return found.outcome


def from_code(batches: Any, corpus: bytes | None = None, **further: Any) -> Diagnosis:
    return examine(batches=batches, corpus=corpus, only=["stream"], show=False, **further)


def causes(diagnosis: Diagnosis) -> list[str]:
    assert not any(each.crashed for each in diagnosis.examined)
    return [each.check.name for each in diagnosis.causes]


def status(diagnosis: Diagnosis, name: str) -> str:
    return {each.check.name: each.outcome.status for each in diagnosis.examined}[name]


def plainly(batches: Batches) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """As someone's own generator hands them out."""
    for batch in batches:
        yield batch.inputs.numpy(), batch.targets.numpy()


def training_of(text: bytes) -> np.ndarray:
    return np.frombuffer(text, dtype=np.uint8)[: len(text) * 9 // 10]


def onehots(text: bytes, *, fresh: bool) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The question's generator: one character from each of 32 places, one-hot, the places moving
    on by one; the same two arrays for ever, or new ones.
    """
    places = np.random.default_rng(3).integers(len(text), size=32)
    a, b = np.zeros((32, 1, 256)), np.zeros((32, 256))
    while True:
        if fresh:
            a, b = np.zeros((32, 1, 256)), np.zeros((32, 256))
        a[:], b[:] = 0, 0
        for row in range(32):
            a[row, 0, text[places[row]]] = 1
            places[row] = (places[row] + 1) % len(text)
            b[row, text[places[row]]] = 1
        yield a, b


@pytest.fixture(autouse=True)
def _a_fast_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here reads ahead, so that nobody needs time for it."""
    monkeypatch.setattr("seqzoo.doctor.subject._PAUSE_S", 0.0)


# Healthy streams


HEALTHY: dict[str, MakeBatches] = {
    "lanes": lanes,
    "lanes of one token": lambda tokens: lanes(tokens, length=1),
    "passages": passages,
    "passages of one token": lambda tokens: passages(tokens, length=1),
    "one lane": lambda tokens: lanes(tokens, rows=1),
}


@pytest.mark.parametrize("make", HEALTHY.values(), ids=list(HEALTHY))
@pytest.mark.parametrize("num_tokens", [400, 20_000])
def test_a_healthy_stream_passes_each_check(
    make: MakeBatches, num_tokens: int, registry: Registry
) -> None:
    length = next(make(np.arange(num_tokens))).inputs.shape[1]
    subject = numbered(make, registry, num_tokens=num_tokens, length=length)
    for what in ("aliasing", "repeats", "targets", "continuity", "resets", "split"):
        found = outcome(subject, f"stream.{what}")
        assert found.status == "pass", (what, found.seen)
        assert any(character.isdigit() for character in found.seen) or what == "continuity"


@pytest.mark.parametrize("name", ["shakespeare_gru", "shakespeare_transformer", "quick"])
def test_a_shipped_recipe_passes_each_check(name: str, registry: Registry) -> None:
    path = REPOSITORY / "recipes" / f"{name}.yaml"
    small = ["runtime.threads=1", "corpus.name=pastiche", "corpus.options={size_bytes: 300000}"]
    recipe = load_recipe(path, registry, overrides=small)
    subject = subject_of_recipe(recipe, title=name, quick=True, seed=7)
    found = diagnose(subject, select_checks(subject.registry, ["stream"]))
    assert found.is_healthy, [each.outcome.seen for each in found.findings]
    assert {each.outcome.status for each in found.examined} == {"pass"}


@pytest.mark.parametrize("length", [1, 2, 3, T])
def test_plain_lanes_are_healthy(length: int) -> None:
    text = words(40_000)
    batches = plainly(lanes(training_of(text), length=length))
    found = from_code(batches, text[:36_000], held_out=text[36_000:])
    assert found.is_healthy, [each.outcome.seen for each in found.findings]
    for what in ("repeats", "targets", "continuity", "split", "overlap"):
        assert status(found, f"stream.{what}") == "pass"


@pytest.mark.parametrize("length", [1, 32])
def test_plain_passages_are_healthy_where_no_state_is_carried(length: int) -> None:
    text = words(40_000)
    batches = plainly(passages(training_of(text), length=length, rows=64))
    found = from_code(batches, text, carry_state=False)
    assert found.is_healthy, [each.outcome.seen for each in found.findings]
    assert status(found, "stream.targets") == "pass"


# The question


def test_the_questions_generator_has_one_fault() -> None:
    text = words(60_000)
    batches = onehots(bytes(training_of(text)), fresh=False)
    assert causes(from_code(batches, text)) == ["stream.aliasing"]


def test_the_questions_generator_is_healthy_with_new_arrays() -> None:
    text = words(60_000)
    found = from_code(onehots(bytes(training_of(text)), fresh=True), text)
    assert found.is_healthy, [each.outcome.seen for each in found.findings]


# Repeats


def test_one_batch_for_ever_is_a_repeat(registry: Registry) -> None:
    def stuck(tokens: np.ndarray) -> Batches:
        first = next(lanes(tokens))
        while True:
            yield Batch(first.inputs.clone(), first.targets.clone(), False)

    found = outcome(numbered(stuck, registry), "stream.repeats")
    assert (found.status, found.numbers["repeats"]) == ("fail", 1.0)
    text = words(40_000)
    tokens = training_of(text)
    assert causes(from_code(plainly(stuck(tokens)), text)) == ["stream.repeats"]


def test_every_batch_served_twice_is_a_repeat(registry: Registry) -> None:
    def twice(tokens: np.ndarray) -> Batches:
        for batch in lanes(tokens):
            yield batch
            yield Batch(batch.inputs.clone(), batch.targets.clone(), batch.restarts)

    found = outcome(numbered(twice, registry), "stream.repeats")
    assert found.status == "fail"
    assert found.numbers["repeats"] == pytest.approx(24 / 47)


def test_rows_that_all_read_the_same_place_are_copies(registry: Registry) -> None:
    def copies(tokens: np.ndarray) -> Batches:
        for batch in lanes(tokens, rows=1):
            yield Batch(batch.inputs.repeat(B, 1), batch.targets.repeat(B, 1), batch.restarts)

    found = outcome(numbered(copies, registry), "stream.repeats")
    assert (found.status, found.numbers["equal_rows"]) == ("fail", 1 - 1 / B)


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_list_gone_through_again_is_no_repeat(shuffled: bool) -> None:
    source = lanes(training_of(words(40_000)))
    batches = [next(source) for _ in range(12)]
    draw = np.random.default_rng(0)

    def epochs() -> Batches:
        while True:
            for place in draw.permutation(12) if shuffled else range(12):
                yield batches[place]

    found = from_code(plainly(epochs()), carry_state=False)
    assert status(found, "stream.repeats") == "pass"


@pytest.mark.parametrize("by", [1, 50, 500])
def test_lanes_that_read_the_same_text_one_behind_the_other_are_told(
    by: int, registry: Registry
) -> None:
    def overlapping(tokens: np.ndarray) -> Batches:
        for place in range(0, 4_000, T):
            starts = np.arange(B)[:, None] * by + place + np.arange(T)
            inputs, targets = (
                torch.from_numpy(tokens[starts + ahead].astype(np.int64)) for ahead in (0, 1)
            )
            yield Batch(inputs, targets, place == 0)

    exact = outcome(numbered(overlapping, registry), "stream.repeats")
    text = words(40_000)
    found = from_code(plainly(overlapping(training_of(text))), text)
    assert exact.status == "fail"
    assert exact.numbers["rows_behind_another"] == (B - 1) / B
    assert f"token {by} on" in exact.seen
    assert causes(found) == ["stream.repeats"]


@pytest.mark.parametrize("step", [1, 3, 8])
def test_windows_that_overlap_in_a_batch_are_warned_of(step: int, registry: Registry) -> None:
    def sliding(tokens: np.ndarray, *, draw: Any = None) -> Batches:
        starts = np.arange(0, 19_000, step)
        if draw is not None:
            draw.shuffle(starts)
        for first in range(0, len(starts) - B, B):
            rows = starts[first : first + B, None] + np.arange(32)
            inputs, targets = (
                torch.from_numpy(tokens[rows + ahead].astype(np.int64)) for ahead in (0, 1)
            )
            yield Batch(inputs, targets, True)

    found = outcome(numbered(sliding, registry, length=32), "stream.repeats")
    assert (found.status, found.numbers["rows_behind_another"]) == ("warn", (B - 1) / B)
    text = words(40_000)
    plain = from_code(plainly(sliding(training_of(text))), text, carry_state=False)
    assert causes(plain) == ["stream.repeats"]
    shuffled = plainly(sliding(training_of(text), draw=np.random.default_rng(0)))
    assert causes(from_code(shuffled, text, carry_state=False)) == []


@pytest.mark.parametrize("given", [True, False])
def test_lanes_that_go_round_the_whole_text_do_not_overlap(given: bool) -> None:
    text = words(4_000)
    tokens = training_of(text)

    def round_and_round() -> Batches:
        starts = np.arange(B)[:, None] * (len(tokens) // B)
        for place in range(0, 1 << 20, T):
            rows = (starts + place + np.arange(T + 1)) % len(tokens)
            block = torch.from_numpy(tokens[rows].astype(np.int64))
            yield Batch(block[:, :-1], block[:, 1:], False)

    found = from_code(plainly(round_and_round()), text if given else None)
    assert causes(found) == []
    assert status(found, "stream.repeats") == "pass"


def test_rows_behind_another_are_those_of_a_loop() -> None:
    draw = np.random.default_rng(0)
    text = draw.integers(3, size=400)
    rows = np.stack([text[start : start + 60] for start in (0, 20, 40, 47, 300)])
    behind = {
        j: {
            d
            for i in range(5)
            for d in range(1, 60 - 8 + 1)
            if i != j and list(rows[i, d:]) == list(rows[j, : 60 - d])
        }
        for j in range(5)
    }
    shares = {d: sum(d in each for each in behind.values()) / 5 for d in range(1, 60)}
    best = max(shares, key=lambda d: (shares[d], -d))
    assert rows_behind_another(torch.from_numpy(rows), width=8) == (shares[best], best)
    assert (shares[best], best) == (0.4, 20)


# Targets


@pytest.mark.parametrize("length", [1, 2, T])
@pytest.mark.parametrize("ahead", OFFSETS)
def test_the_offset_of_the_targets_is_told(length: int, ahead: int, registry: Registry) -> None:
    def make(tokens: np.ndarray) -> Batches:
        return lanes(tokens, length=length, ahead=ahead)

    exact = outcome(numbered(make, registry), "stream.targets")
    text = words(40_000)
    found = from_code(plainly(make(training_of(text))), text)
    plain = next(e.outcome for e in found.examined if e.check.name == "stream.targets")
    assert exact.numbers[f"share_at_{ahead:+d}"] == 1.0
    assert plain.numbers[f"share_at_{ahead:+d}"] > 0.99
    if ahead == 1:
        assert (exact.status, plain.status) == ("pass", "pass")
        return
    assert causes(found) == ["stream.targets"]
    assert exact.status == plain.status == "fail"
    said = {0: "the input itself", 2: "off by one", 3: "off by two"}.get(ahead, "has read")
    assert said in exact.seen
    assert said in plain.seen


def test_shares_by_offset_are_those_of_a_loop() -> None:
    draw = torch.Generator().manual_seed(0)
    batches = tuple(
        Batch(*torch.randint(3, (2, 2, 7), generator=draw), restarts=False) for _ in range(5)
    )
    expected = {}
    for offset in OFFSETS:
        hits = [
            bool(batch.targets[row, t] == batch.inputs[row, t + offset])
            for batch in batches
            for row in range(2)
            for t in range(7)
            if 0 <= t + offset < 7
        ]
        expected[offset] = sum(hits) / len(hits)
    found = shares_by_offset(Recording(batches, (False,) * 5, numbered=False))
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("ahead", [-1, 0, 1, 2])
def test_pairs_of_single_tokens_are_held_against_the_corpus(ahead: int) -> None:
    text = words(40_000)
    batches = plainly(passages(training_of(text), length=1, rows=64, ahead=ahead))
    found = from_code(batches, text, carry_state=False)
    assert causes(found) == ([] if ahead == 1 else ["stream.targets"])


def test_single_tokens_without_a_corpus_cannot_be_told() -> None:
    batches = plainly(passages(training_of(words(40_000)), length=1, rows=64))
    assert status(from_code(batches, carry_state=False), "stream.targets") == "skip"


def rolled(tokens: np.ndarray) -> Batches:
    for batch in lanes(tokens):
        yield Batch(batch.inputs, batch.inputs.roll(-1, 1), batch.restarts)


def test_targets_rolled_round_in_their_row_are_told(registry: Registry) -> None:
    exact = outcome(numbered(rolled, registry), "stream.targets")
    text = words(40_000)
    found = from_code(plainly(rolled(training_of(text))), text)
    assert exact.status == "fail"
    assert f"place {T} of {T}" in exact.seen
    assert causes(found) == ["stream.targets"]


MIXED_UP: dict[str, tuple[Callable[[Batch], Batch], str]] = {
    "rows rolled up": (
        lambda b: b._replace(targets=b.targets.roll(-1, 0)),
        "those of the row below",
    ),
    "rows rolled down": (
        lambda b: b._replace(targets=b.targets.roll(1, 0)),
        "those of the row above",
    ),
    "inputs rolled up": (
        lambda b: b._replace(targets=b.inputs.roll(-1, 0)),
        "inputs of the row below: rolled along the batch",
    ),
    "inputs rolled down": (
        lambda b: b._replace(targets=b.inputs.roll(1, 0)),
        "inputs of the row above: rolled along the batch",
    ),
    "time first": (
        lambda b: Batch(b.inputs.T.contiguous(), b.targets.T.contiguous(), b.restarts),
        "is time before batch",
    ),
}


@pytest.mark.parametrize(("mix_up", "said"), MIXED_UP.values(), ids=list(MIXED_UP))
@pytest.mark.parametrize("carry_state", [False, True])
def test_axes_that_are_mixed_up_are_told(
    mix_up: Callable[[Batch], Batch], said: str, carry_state: bool, registry: Registry
) -> None:
    def make(tokens: np.ndarray) -> Batches:
        return (mix_up(batch) for batch in lanes(tokens) if batch.inputs.shape[1] == T)

    text = words(40_000)
    found = from_code(plainly(make(training_of(text))), text, carry_state=carry_state)
    assert causes(found) == ["stream.targets"]
    assert said in found.causes[0].outcome.seen
    exact = outcome(numbered(make, registry), "stream.targets")
    assert said in exact.seen


def test_a_periodic_text_is_not_taken_for_rolled_targets() -> None:
    tokens = np.frombuffer(b"ab" * 10_000, dtype=np.uint8)
    found = from_code(plainly(passages(tokens)), carry_state=False)
    assert status(found, "stream.targets") == "pass"


# Continuity


def shuffled(tokens: np.ndarray, **further: Any) -> Batches:
    draw = np.random.default_rng(0)
    return lanes(tokens, order=lambda k: draw.permutation(B).tolist(), **further)


@pytest.mark.parametrize("length", [1, T])
def test_shuffled_rows_continue_nothing(length: int, registry: Registry) -> None:
    found = outcome(numbered(lambda t: shuffled(t, length=length), registry), "stream.continuity")
    assert found.status == "fail"
    assert "another row" in found.seen
    # A row stays in its place with chance 1/8; over 47 joints of 8 rows that varies by 0.02.
    assert found.numbers["continued"] == pytest.approx(1 / B, abs=0.08)
    text = words(40_000)
    plain = from_code(plainly(shuffled(training_of(text), length=16)), text)
    assert causes(plain) == ["stream.continuity"]


def test_rows_cut_one_after_the_other_are_told(registry: Registry) -> None:
    def stacked(tokens: np.ndarray) -> Batches:
        for batch in lanes(tokens, rows=1, length=B * T):
            shape = (B, T)
            if batch.inputs.shape[1] == B * T:
                yield Batch(batch.inputs.reshape(shape), batch.targets.reshape(shape), False)

    exact = outcome(numbered(stacked, registry), "stream.continuity")
    text = words(40_000)
    found = from_code(plainly(stacked(training_of(text))), text)
    assert exact.status == "fail"
    assert "the one above it" in exact.seen
    assert causes(found) == ["stream.continuity"]
    assert "the one above it" in found.causes[0].outcome.seen


def test_passages_with_a_carried_state_continue_nothing() -> None:
    text = words(40_000)
    found = from_code(plainly(passages(training_of(text))), text)
    assert causes(found) == ["stream.continuity"]
    assert "carry_state=False" in found.causes[0].outcome.remedy


@pytest.mark.parametrize("ahead", [1, 2, 3])
@pytest.mark.parametrize("length", [1, T])
def test_continuity_is_measured_whatever_the_targets_are(ahead: int, length: int) -> None:
    source = lanes(training_of(words(40_000)), length=length, ahead=ahead)
    batches = tuple(next(source)._replace(restarts=False) for _ in range(100))
    recording = Recording(batches, (False,) * 100, numbered=False)
    assert share_of_continued_rows(recording) == 1.0


# Resets


def test_a_state_that_is_never_reset_is_told(registry: Registry) -> None:
    subject = numbered(lambda t: lanes(t, restarts=lambda place: False), registry)
    found = outcome(subject, "stream.resets")
    assert found.status == "fail"
    assert "never reset" in found.seen
    assert found.numbers["jumps"] == found.numbers["jumps_without_reset"] > 2


def test_a_state_that_is_reset_at_every_batch_is_told(registry: Registry) -> None:
    subject = numbered(lambda t: lanes(t, restarts=lambda place: True), registry)
    found = outcome(subject, "stream.resets")
    assert found.status == "fail"
    assert "where the text goes on" in found.seen
    assert found.numbers["resets_without_jump"] == found.numbers["continued"] > 20


def test_passages_pass_and_what_that_means_is_said(registry: Registry) -> None:
    found = outcome(numbered(passages, registry), "stream.resets")
    assert found.status == "pass"
    assert f"no more than {T} tokens" in found.seen


def test_a_rare_reset_at_random_passes(registry: Registry) -> None:
    draw = np.random.default_rng(0)
    subject = numbered(
        lambda t: lanes(t, restarts=lambda place: place == 0 or draw.random() < 0.01), registry
    )
    assert outcome(subject, "stream.resets").status == "pass"


def test_resets_are_skipped_where_rows_continue_nothing(registry: Registry) -> None:
    subject = numbered(lambda t: shuffled(t, restarts=lambda place: False), registry)
    assert outcome(subject, "stream.resets").status == "skip"


class Stateless(torch.nn.Module):
    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return torch.zeros(*tokens.shape, 256)


def test_in_ones_own_code_a_state_not_carried_is_told_where_rows_continue() -> None:
    text = words(40_000)
    tokens = training_of(text)
    thrown_away = from_code(plainly(lanes(tokens)), text, carry_state=False)
    assert causes(thrown_away) == ["stream.resets"]
    none_there = from_code(plainly(lanes(tokens)), text, carry_state=False, model=Stateless())
    assert status(none_there, "stream.resets") == "pass"
    nothing_continues = from_code(plainly(passages(tokens)), text, carry_state=False)
    assert status(nothing_continues, "stream.resets") == "pass"
    assert status(from_code(plainly(lanes(tokens)), text), "stream.resets") == "skip"


# Split


@pytest.mark.parametrize("by", [-1_000, 1_000])
def test_numbers_beyond_the_split_are_told(by: int, registry: Registry) -> None:
    def beyond(tokens: np.ndarray) -> Batches:
        for batch in lanes(tokens):
            yield Batch(batch.inputs + by, batch.targets + by, batch.restarts)

    subject = numbered(beyond, registry, num_tokens=1_000)
    assert outcome(subject, "stream.split").status == "fail"


def test_ids_beyond_the_vocabulary_are_told(registry: Registry) -> None:
    subject = numbered(lanes, registry)
    subject.tokens[5] = 2  # with a vocabulary of 2
    found = outcome(subject, "stream.split")
    assert (found.status, found.numbers["largest_id"]) == ("fail", 2)


@pytest.mark.parametrize("length", [1, T, 64])
@pytest.mark.parametrize("as_places", [False, True], ids=["bytes", "places in the alphabet"])
def test_rows_of_the_held_out_text_are_told(length: int, as_places: bool) -> None:
    text = words(40_000)
    whole = np.frombuffer(text, dtype=np.uint8)
    ids = np.searchsorted(np.unique(whole), whole) if as_places else whole
    parts = {"corpus": text[:36_000], "held_out": text[36_000:]}
    kept = from_code(plainly(lanes(ids[:36_000], rows=32, length=length)), **parts)
    leaked = from_code(plainly(lanes(ids, rows=32, length=length)), **parts)
    assert status(kept, "stream.split") == "pass"
    assert causes(leaked) == ["stream.split"]


def test_ids_of_another_text_are_not_judged() -> None:
    batches = plainly(lanes(training_of(words(40_000, seed=1))))
    assert status(from_code(batches, words(40_000)), "stream.split") == "skip"


def test_places_in_the_alphabet_are_read_as_bytes() -> None:
    text = np.frombuffer(words(1_000), dtype=np.uint8)
    alphabet, ids = np.unique(text, return_inverse=True)
    _, by_place = readings(text, len(alphabet) - 1)
    assert bytes(by_place(ids)) == bytes(text)


# Overlap


def test_windows_are_found_where_a_search_finds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_windows, "_BLOCK", 37)  # so that many windows lie across two blocks
    draw = np.random.default_rng(0)
    text = draw.integers(0, 2, 3_000).astype(np.uint8)
    rows = draw.integers(0, 2, (400, 8)).astype(np.uint8)
    rows = np.concatenate([rows, draw.integers(0, 3, (100, 8)).astype(np.uint8)])
    expected = [bytes(text).find(bytes(row)) >= 0 for row in rows]
    assert found_in(hashes_of_rows(rows), text, 8).tolist() == expected
    assert 0 < sum(expected) < len(expected)


def test_the_hash_of_a_window_does_not_depend_on_where_it_stands() -> None:
    data = np.frombuffer(words(500), dtype=np.uint8)
    rows = np.lib.stride_tricks.sliding_window_view(data, 64)
    assert np.array_equal(hashes(data, 64), hashes_of_rows(rows))
    assert len(np.unique(hashes(data, 64))) == len({bytes(row) for row in rows})


@pytest.mark.parametrize(("copied", "expected"), [(0, "pass"), (300, "warn"), (2_000, "fail")])
def test_a_copied_stretch_of_held_out_text_is_measured(copied: int, expected: str) -> None:
    text = bytearray(words(100_000))
    text[95_000 : 95_000 + copied] = text[1_000 : 1_000 + copied]
    found = examine(corpus=bytes(text), only=["stream.overlap"], show=False).examined[0].outcome
    training = bytes(text[:90_000])
    test = bytes(text[95_000:])
    windows = [test[start : start + 64] in training for start in range(len(test) - 63)]
    assert found.status == expected
    assert found.numbers["test"] == pytest.approx(sum(windows) / len(windows))


def test_real_text_does_not_overlap(tinyshakespeare: Path) -> None:
    found = examine(corpus=tinyshakespeare, only=["stream.overlap"], show=False).examined[0].outcome
    assert found.status == "pass"
    assert max(found.numbers.values()) < 0.001


# Tokenizers


class Bytes(Tokenizer):
    """The identity, with one fault at most."""

    vocab_size = 256

    def __init__(self, fault: str = "") -> None:
        self.fault = fault

    def encode(self, data: np.ndarray) -> np.ndarray:
        if self.fault == "ascii alone" and (data > 127).any():
            raise ValueError("ordinal not in range(128)")
        if self.fault == "drops returns":
            return data[data != 13]
        return np.where(data == 200, np.uint8(201), data) if self.fault == "mixes up" else data

    def decode(self, tokens: np.ndarray) -> bytes:
        return bytes(tokens)

    def byte_lengths(self, tokens: np.ndarray) -> np.ndarray:
        return np.full(len(tokens), 2 if self.fault == "counts two" else 1)


def with_tokenizer(tokenizer: Tokenizer, registry: Registry) -> Subject:
    corpus = Corpus("words", np.frombuffer(words(20_000), dtype=np.uint8), "made up")
    splits = split(corpus, train=0.9, validation=0.05, test=0.05)
    tokenizer.learn(splits.training.bytes)
    return Subject(
        title="words", registry=registry, data=Data(corpus, "", splits), tokenizer=tokenizer
    )


def test_every_installed_tokenizer_passes(registry: Registry) -> None:
    for registered in registry.registered("tokenizer"):
        spec: Any = registered.spec
        subject = with_tokenizer(spec.build(spec.options()), registry)
        for what in ("round_trip", "byte_count"):
            assert outcome(subject, f"stream.{what}").status == "pass", spec.name


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("mixes up", "all 256 byte values, byte '\\xc8' at 200 comes back as '\\xc9'"),
        ("drops returns", "all 256 byte values, byte '\\r' at 13 comes back as '\\x0e'"),
        ("ascii alone", "all 256 byte values, it raises ValueError: ordinal not in range(128)"),
    ],
)
def test_the_first_lost_byte_is_told(fault: str, said: str, registry: Registry) -> None:
    subject = with_tokenizer(Bytes(fault), registry)
    assert said in outcome(subject, "stream.round_trip").seen
    checks = select_checks(registry, ["stream.round_trip", "stream.byte_count"])
    found = diagnose(subject, checks)
    assert [each.check.name for each in found.causes] == ["stream.round_trip"]


def test_a_wrong_count_of_bytes_is_told_with_its_factor(registry: Registry) -> None:
    subject = with_tokenizer(Bytes("counts two"), registry)
    assert outcome(subject, "stream.round_trip").status == "pass"
    found = outcome(subject, "stream.byte_count")
    assert (found.status, found.numbers["factor"]) == ("fail", 0.5)


# Someone's own batches


def test_batches_of_one_target_for_many_inputs_are_refused_with_their_shapes() -> None:
    pairs = [(np.zeros((4, 5), dtype=int), np.zeros(4, dtype=int))]
    (found,) = examine(batches=pairs, only=["stream.aliasing"], show=False).examined
    assert found.crashed
    assert "inputs (4, 5) with targets (4,): one target for each row" in found.outcome.seen
