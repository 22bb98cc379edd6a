"""Text from anywhere is shown and not obeyed, and every stream can encode it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqzoo.terminal.characters import LOOKALIKES, visible

_REORDERING = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}


def _controls_a_terminal(character: str) -> bool:
    is_control = unicodedata.category(character) in ("Cc", "Zl", "Zp") and character not in "\n\t"
    return is_control or unicodedata.bidirectional(character) in _REORDERING


@given(st.text())
def test_no_character_of_visible_text_controls_a_terminal(text: str) -> None:
    assert not any(map(_controls_a_terminal, visible(text)))


@pytest.mark.parametrize("code", [*range(0x100), *range(0x2000, 0x2070), 0xFEFF, 0xE0041])
def test_each_character_that_controls_or_hides_is_replaced_by_one_that_is_seen(code: int) -> None:
    character = chr(code)
    shown = visible(character)
    assert len(shown) == 1
    if _controls_a_terminal(character) or code in (0x200B, 0x2060, 0xFEFF, 0xE0041):
        assert shown != character
        assert unicodedata.category(shown) == "So"


@pytest.mark.parametrize("text", ["a\tb\nc", "Größe", "नमस्ते", "👩‍💻", "שלום", "–…±", "─│"])
def test_ordinary_text_of_any_language_is_unchanged(text: str) -> None:
    assert visible(text) == text


@given(st.text(alphabet=st.characters()), st.sampled_from(["ascii", "latin-1", "koi8-r", "utf-8"]))
def test_every_text_can_be_encoded_and_what_is_known_is_unchanged(text: str, encoding: str) -> None:
    encoded = text.encode(encoding, LOOKALIKES)
    for character in text:
        try:
            assert character.encode(encoding) in encoded
        except UnicodeEncodeError:
            assert character.encode(encoding, LOOKALIKES).isascii()


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("5–6 … ±0.1 −2", "5-6 ... +/-0.1 -2"),
        ("╭─┬╮│├┼┤╰┴╯", "+-++|++++++"),
        ("⠀⣿", " ."),
        ("\udcff", "\\xff"),
        ("␛[31m", "\\x1b[31m"),
        ("ü☃", "\\xfc\\u2603"),
    ],
)
def test_ascii_has_lookalikes_for_our_own_characters_and_escapes_for_others(
    text: str, form: str
) -> None:
    assert text.encode("ascii", LOOKALIKES).decode() == form
