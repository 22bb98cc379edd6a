"""How surprising bytes are shown: the scale, and no character is lost or torn."""

from __future__ import annotations

import pytest

from seqzoo.terminal.characters import characters_of
from seqzoo.terminal.costs import COST_LEVELS, coloured_by_cost, cost_legend, cost_level


@pytest.mark.parametrize(
    ("bits", "level"),
    [(0.0, 0), (0.49, 0), (0.5, 1), (1.0, 2), (3.9, 3), (7.9, 4), (8.0, 5), (1e9, 5)],
)
def test_a_cost_is_in_the_level_that_its_words_say(bits: float, level: int) -> None:
    assert cost_level(bits) == level
    assert len(COST_LEVELS) == 6


@pytest.mark.parametrize(
    "data",
    [
        b"plain",
        "žluťoučký 🐎 ﷺ".encode(),
        bytes(range(256)),
        b"\xf0\x9f\x90",
        b"\xe2\x82A\xff",
        b"",
    ],
)
def test_characters_are_those_of_the_decoder_and_their_sizes_add_up(data: bytes) -> None:
    found = list(characters_of(data))
    assert sum(size for _, size in found) == len(data)
    start = 0
    for character, size in found:
        piece = data[start : start + size]
        start += size
        assert character == (piece.decode() if character != "\ufffd" else "\ufffd")
        assert character != "\ufffd" or size == 1 or piece == "\ufffd".encode()


def test_valid_utf_8_is_one_character_each() -> None:
    text = "aé€🐎\u202e\ufffd"
    assert "".join(character for character, _ in characters_of(text.encode())) == text


def test_a_character_has_the_costs_of_all_its_bytes() -> None:
    text = coloured_by_cost("a€".encode(), [0.1, 3.0, 3.0, 3.0])
    assert text.plain == "a€"
    (span,) = text.spans
    assert (span.start, span.end) == (1, 2)
    assert span.style == cost_legend().spans[-1].style  # 9 bits: the last level


def test_every_byte_is_shown_and_none_controls_the_terminal() -> None:
    shown = coloured_by_cost(bytes(range(128)), [9.0] * 128).plain
    assert not {character for character in shown if ord(character) < 32} - {"\n", "\t"}
    assert len(shown) == 128 + 1  # the line end is shown, and still ends the line
    assert "␍" in shown


def test_a_surprising_line_end_is_visible_and_still_ends_the_line() -> None:
    assert coloured_by_cost(b"a\nb c", [0, 9, 0, 9, 0]).plain == "a↵\nb␣c"
    assert coloured_by_cost(b"a\nb c", [0, 0, 0, 0, 0]).plain == "a\nb c"
