"""What the model expected in a passage, against the exact scores and predictions of the API."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from commands import SMALL

import seqzoo
from seqzoo.plugin.span import Span
from seqzoo.report.passage import TokenRead, passage_of, read_passage
from seqzoo.report.shown import token_labels


def span(text: bytes, start: int = 0) -> Span:
    return Span(np.frombuffer(text, dtype=np.uint8), start, len(text))


@pytest.mark.parametrize(
    ("text", "size", "expected"),
    [
        (b"short", 10, b"short"),
        (b"a line\n" * 400, 14, b"a line\na line\n"),
        (b"x" * 3000, 20, b"x" * 20),
        (b"one line\n" + b"y" * 30, 30, b"y" * 30),
    ],
)
def test_a_passage_has_its_size_and_begins_with_a_line_if_it_can(
    text: bytes, size: int, expected: bytes
) -> None:
    assert passage_of(span(text), size).bytes.tobytes() == expected


def test_costs_and_guesses_are_those_of_scoring_and_of_predicting(small: seqzoo.Run) -> None:
    text = b"KING: What now?\nThe day is long, my lord.\n"
    tokens = read_passage(small.trained.experiment, span(text, 16), num_guesses=4)
    assert b"".join(token.text for token in tokens) == text[16:]
    expected = small.score(text).bits[16:]
    np.testing.assert_allclose([token.bits for token in tokens], expected, rtol=1e-9, atol=1e-12)
    for place in (0, 7, 25):
        probabilities = small.predict(text[: 16 + place])
        best = np.argsort(-probabilities)[:4]
        guesses = tokens[place].guesses
        assert [guess.text[0] for guess in guesses] == best.tolist()
        np.testing.assert_allclose(
            [guess.probability for guess in guesses], probabilities[best], rtol=1e-6
        )


def test_tokens_of_several_bytes_and_parts_of_symbols_add_up(small_folder) -> None:  # type: ignore[no-untyped-def]
    folder = small_folder / "chars"
    recipe = {**yaml.safe_load(SMALL), "tokenizer": {"name": "chars"}}
    if not folder.exists():
        seqzoo.run(recipe, {"train.budget.steps": 5}, root=small_folder, name="chars")
    run = seqzoo.open_run(folder)
    text = "What now, \N{SNOWMAN}?\n\N{LATIN SMALL LETTER E WITH ACUTE}t\x01".encode()
    tokens = read_passage(run.trained.experiment, span(text), num_guesses=3)
    assert b"".join(token.text for token in tokens) == text
    total = sum(token.bits for token in tokens)
    assert total == pytest.approx(run.score(text).bits.sum(), rel=1e-9)


def test_a_character_of_several_tokens_stands_at_the_first_of_them() -> None:
    data = "aП\n€😀".encode() + b"\xd0x"
    one_each = [TokenRead(data[i : i + 1], 1.0, ()) for i in range(len(data))]
    shown = ["a", "П", "·", "↵", "€", "·", "·", "😀", "·", "·", "·", r"\xD0", "x"]
    assert token_labels(one_each) == shown
    pieces = [data[:2], data[2:5], data[5:9], data[9:]]
    assert token_labels([TokenRead(each, 1.0, ()) for each in pieces]) == ["П", "·€", "·😀", "·"]
