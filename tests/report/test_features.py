"""Features of a text against the same in a naive loop over its bytes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from seqzoo.report.features import FEATURES

TEXTS = {
    "play": b'ROMEO:\nIs the day so young?\n\nBENVOLIO:\nBut nine.\n\n  (Aside.) "Ay" me!\n',
    "code": b"if (a[1] == {2}) {\n\t\treturn <b>12</b>;\n    }\n\n\n   x\n",
    "unclosed": b"a ( b " + b"x" * 500 + b') c "\n\nd" e\n',
    "bytes": bytes(range(256)) * 2,
    "one": b"a",
}


def is_letter(byte: int) -> bool:
    return bytes([byte]).isalpha() or byte >= 0x80


def column(data: bytes, place: int) -> float:
    return place - data.rfind(b"\n", 0, place + 1) if b"\n" in data[: place + 1] else place + 1


def lines_since_empty(data: bytes, place: int) -> float:
    count = 0
    for index in range(place, -1, -1):
        if data[index] == 10:
            if index == 0 or data[index - 1] == 10:
                return count
            count += 1
    return count


def indentation(data: bytes, place: int) -> float:
    start = data.rfind(b"\n", 0, place + 1)
    if data[place] == 10:
        return 0
    line = data[start + 1 : place + 1]
    return len(line) - len(line.lstrip(b" \t"))


def inside(opening: bytes, closing: bytes) -> Callable[[bytes, int], float]:
    def of(data: bytes, place: int) -> float:
        before = data[: place + 1]
        opened = before.rfind(opening)
        return float(opened >= 0 and opened > before.rfind(closing) and place - opened < 400)

    return of


def quotes(data: bytes, place: int) -> float:
    count = 0
    for index in range(place + 1):
        if data[index] == 10 and (index == 0 or data[index - 1] == 10):
            count = 0
        count += data[index] == ord('"')
    return count % 2


def in_a_row(belongs: Callable[[int], bool], most: int) -> Callable[[bytes, int], float]:
    def of(data: bytes, place: int) -> float:
        count = 0
        while count <= place and belongs(data[place - count]):
            count += 1
        return min(count, most)

    return of


def next_is(belongs: Callable[[int], bool]) -> Callable[[bytes, int], float]:
    return lambda data, place: float(place + 1 < len(data) and belongs(data[place + 1]))


def is_upper(byte: int) -> bool:
    return 65 <= byte <= 90


NAIVE: dict[str, Callable[[bytes, int], float]] = {
    "position in the line": column,
    "distance from the last line end, logarithm": lambda data, place: math.log2(
        1 + column(data, place)
    ),
    "lines since an empty line": lines_since_empty,
    "first line after an empty line": lambda data, place: float(
        lines_since_empty(data, place) == 0 and data[place] != 10
    ),
    "indentation of the line": indentation,
    "inside quotes": quotes,
    "inside (…)": inside(b"(", b")"),
    "inside […]": inside(b"[", b"]"),
    "inside {…}": inside(b"{", b"}"),
    "inside <…>": inside(b"<", b">"),
    "capitals in a row": in_a_row(is_upper, 8),
    "a capital comes next": next_is(is_upper),
    "letters of the word so far": in_a_row(is_letter, 15),
    "the word ends here": lambda data, place: float(
        is_letter(data[place]) and not (place + 1 < len(data) and is_letter(data[place + 1]))
    ),
    "a line end comes next": next_is(lambda byte: byte == 10),
    "inside a number": lambda data, place: float(chr(data[place]) in "0123456789"),
    "after a space": lambda data, place: float(data[place] == 32),
    "after punctuation": lambda data, place: float(data[place] in b".,;:!?"),
}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_feature_is_that_of_a_loop_over_the_bytes(feature: object, text: str) -> None:
    data = TEXTS[text]
    found = feature.of(np.frombuffer(data, dtype=np.uint8))  # type: ignore[attr-defined]
    expected = [NAIVE[feature.name](data, place) for place in range(len(data))]  # type: ignore[attr-defined]
    np.testing.assert_allclose(found, expected, atol=1e-12)
