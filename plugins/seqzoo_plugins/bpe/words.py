"""The words of a text, which merges do not cross."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

__all__ = ["words_of"]

# As in GPT-2 (Radford et al. 2019, section 2.2), but of bytes, because a text need not be UTF-8: a
# run of letters, digits or other signs with the space before it, or white space. All bytes above
# ASCII are letters. A word has an end, so that binary data is not one word of any length.
_WORD = re.compile(
    rb"""
      [ ]? [A-Za-z\x80-\xff]{1,64}
    | [ ]? [0-9]{1,64}
    | [ ]? [^\sA-Za-z0-9\x80-\xff]{1,64}
    | \s{1,64} (?!\S)
    | \s{1,64}
    """,
    re.VERBOSE,
)


def words_of(data: npt.NDArray[np.uint8]) -> Iterator[bytes]:
    """The words of (N,) bytes in their order; together they are all bytes."""
    for match in _WORD.finditer(np.ascontiguousarray(data).data):
        yield match.group()
