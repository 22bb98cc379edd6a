"""Text that must not be read, text that is lost, and bytes that are counted wrongly."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from installed_tokenizers import tokenizers_in
from made_streams import (
    Batches,
    Bytes,
    T,
    batch_of,
    causes,
    from_code,
    lanes,
    numbered,
    outcome,
    plainly,
    status,
    training_of,
    with_tokenizer,
    words,
)

from seqzoo import TokenizerContext
from seqzoo.doctor import examine
from seqzoo.doctor.checks import select_checks
from seqzoo.doctor.checks.stream import _hashes as _windows
from seqzoo.doctor.checks.stream._corpus_ids import readings
from seqzoo.doctor.checks.stream._hashes import found_in, hashes, hashes_of_rows
from seqzoo.doctor.diagnosis import diagnose
from seqzoo.plugin.registry import Registry

pytestmark = pytest.mark.usefixtures("fast_reader")


@pytest.mark.parametrize("by", [-1_000, 1_000])
def test_positions_outside_the_split_are_reported(by: int, registry: Registry) -> None:
    def beyond(tokens: np.ndarray) -> Batches:
        for batch in lanes(tokens):
            yield batch_of(batch.inputs + by, batch.targets + by, batch.restarts)

    subject = numbered(beyond, registry, num_tokens=1_000)
    assert outcome(subject, "stream.split").status == "fail"


def test_ids_outside_the_vocabulary_are_reported(registry: Registry) -> None:
    subject = numbered(lanes, registry)
    subject.tokens[5] = 2  # with a vocabulary of 2
    found = outcome(subject, "stream.split")
    assert (found.status, found.numbers["largest_id"]) == ("fail", 2)


@pytest.mark.parametrize("length", [1, T, 64])
@pytest.mark.parametrize("as_places", [False, True], ids=["bytes", "places in the alphabet"])
def test_rows_of_the_held_out_text_are_reported(length: int, as_places: bool) -> None:
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


def test_windows_are_found_where_a_search_finds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_windows, "_BLOCK", 37)  # so that many windows lie across two blocks
    draw = np.random.default_rng(0)
    text = draw.integers(0, 2, 3_000).astype(np.uint8)
    rows = draw.integers(0, 2, (400, 8)).astype(np.uint8)
    rows = np.concatenate([rows, draw.integers(0, 3, (100, 8)).astype(np.uint8)])
    expected = [bytes(text).find(bytes(row)) >= 0 for row in rows]
    assert found_in(hashes_of_rows(rows), text, 8).tolist() == expected
    assert 0 < sum(expected) < len(expected)


def test_the_hash_of_a_window_does_not_depend_on_its_position() -> None:
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


@pytest.mark.parametrize(("count", "usual"), [(400, 32), (60, 64)])
def test_what_a_text_of_few_words_repeats_by_chance_is_no_copy(count: int, usual: int) -> None:
    draw = random.Random(2)
    letters = "абвгдежзиклмнопрст"
    vocabulary = ["".join(draw.choices(letters, k=draw.randint(2, 8))) for _ in range(count)]
    shares = [1 / (rank + 1) for rank in range(count)]
    text = " ".join(draw.choices(vocabulary, shares, k=12_000)).encode()
    cut = len(text) * 9 // 10
    windows = [text[start : start + usual] for start in range(cut, len(text) - usual, 7)]
    assert sum(each in text[:cut] for each in windows) > len(windows) / 100, "chance is at work"
    found = examine(corpus=text, only=["stream.overlap"], show=False).examined[0].outcome
    assert found.status == "pass", found.seen
    copied = text[:cut] + text[: len(text) - cut]
    found = examine(corpus=copied, only=["stream.overlap"], show=False).examined[0].outcome
    assert found.status == "fail", found.seen


def test_real_text_does_not_overlap(tinyshakespeare: Path) -> None:
    found = examine(corpus=tinyshakespeare, only=["stream.overlap"], show=False).examined[0].outcome
    assert found.status == "pass"
    assert max(found.numbers.values()) < 0.001


def test_every_installed_tokenizer_passes(registry: Registry) -> None:
    for name in tokenizers_in(registry):
        spec: Any = registry.get("tokenizer", name)
        subject = with_tokenizer(spec.build(spec.options(), TokenizerContext()), registry)
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
def test_the_first_lost_byte_is_reported(fault: str, said: str, registry: Registry) -> None:
    subject = with_tokenizer(Bytes(fault), registry)
    assert said in outcome(subject, "stream.round_trip").seen
    checks = select_checks(registry, ["stream.round_trip", "stream.byte_count"])
    found = diagnose(subject, checks)
    assert [each.check.name for each in found.causes] == ["stream.round_trip"]


def test_a_wrong_count_of_bytes_is_reported_with_its_factor(registry: Registry) -> None:
    subject = with_tokenizer(Bytes("counts two"), registry)
    assert outcome(subject, "stream.round_trip").status == "pass"
    found = outcome(subject, "stream.byte_count")
    assert (found.status, found.numbers["factor"]) == ("fail", 0.5)


def test_batches_of_one_target_for_many_inputs_are_refused_with_their_shapes() -> None:
    pairs = [(np.zeros((4, 5), dtype=int), np.zeros(4, dtype=int))]
    (found,) = examine(batches=pairs, only=["stream.aliasing"], show=False).examined
    assert found.crashed
    assert "inputs (4, 5) with targets (4,): one target for each row" in found.outcome.seen
