"""A prompt from the text itself: whole characters and words of a line, or nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqzoo.data.prompt import prompt_from


def array(data: bytes) -> npt.NDArray[np.uint8]:
    return np.frombuffer(data, dtype=np.uint8)


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("rest of a line\nThe second line.\nThird", "The second line."),
        ("17,3\n1001,Ada Lovelace,London\n", "1001,Ada Lovelace,London"),
        ("x\n}\n\n  return the value\n", "return the value"),
        ("x\n" + "word " * 30 + "\n", "word word word word word word word word"),
        ("x\n" + "é" * 60 + "\n", "é" * 20),
        ("x\r\nlines of Windows\r\n", "lines of Windows"),
        ("x\rlines of old Macs\rmore", "lines of old Macs"),
        ("x\na\tb\tcolumns here\n", "a\tb\tcolumns here"),
        ("x\n\x1b[31mred\x1b[0m and so on\nplain line\n", "plain line"),
        ("alf a word, and all in one line", "a word, and all in one line"),
        ("x\nprix\u00a0: 3\u00a0euros\n", "prix\u00a0: 3\u00a0euros"),
        ("}\n", "}"),
        ("\n\n\n", ""),
        ("", ""),
    ],
)
def test_the_prompt_is_the_start_of_a_line_that_can_be_shown(text: str, prompt: str) -> None:
    assert prompt_from(array(text.encode())) == prompt


@given(st.text(), st.integers(0, 3))
def test_the_prompt_is_part_of_the_text_and_short(text: str, cut: int) -> None:
    data = text.encode("utf-8", errors="replace")[cut:]
    prompt = prompt_from(array(data)).encode()
    assert prompt in data
    assert len(prompt) <= 40


@given(st.binary())
def test_any_bytes_give_a_prompt_that_is_part_of_them(data: bytes) -> None:
    assert prompt_from(array(data)).encode() in data
