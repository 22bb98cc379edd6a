"""What callers of the Python API give, checked: texts, paths, names and whole numbers."""

from __future__ import annotations

import operator
import os
from collections.abc import Mapping
from pathlib import Path
from typing import SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

from seqzoo.errors import UsageError, require_type

__all__ = ["Text", "bytes_of", "path_of", "refuse_samplers", "whole_number"]

Text: TypeAlias = "bytes | str | os.PathLike[str]"
"""Bytes as they are, a str as its UTF-8 bytes, a path as the bytes of its file."""


def path_of(name: str, value: str | os.PathLike[str], *, expected: str) -> Path:
    """A path. Raises UsageError for anything else, bytes too."""
    require_type(name, value, (str, os.PathLike), expected=expected)
    return Path(value)


def refuse_samplers(samplers: Mapping[str, object]) -> None:
    """Raises UsageError, with the chain to write, if there are any outside of the chain."""
    if samplers:
        chain = [{name: value} for name, value in samplers.items()]
        raise UsageError(
            f"generate has no argument {' and '.join(map(repr, samplers))}; a sampler belongs in "
            f"the chain: chain={f'{chain}':.200}."
        )


def whole_number(name: str, value: SupportsIndex, most: int) -> int:
    """A whole number from 0 to `most`; NumPy's integers too."""
    try:
        number = operator.index(value)
    except TypeError:
        raise UsageError(f"{name} is {value!r}, expected a whole number.") from None
    if not 0 <= number <= most:
        raise UsageError(f"{name} is {number}, expected a whole number from 0 to {most}.")
    return number


def bytes_of(text: Text) -> npt.NDArray[np.uint8]:
    """(N,) uint8. Raises UsageError for a path that cannot be read and for anything else."""
    if isinstance(text, str):
        try:
            data: bytes | bytearray | memoryview = text.encode()
        except UnicodeEncodeError:
            raise UsageError("the text holds half a surrogate pair; give its bytes.") from None
    elif isinstance(text, os.PathLike):
        path = Path(text)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    elif isinstance(text, (bytes, bytearray, memoryview)):
        data = text
    else:
        raise UsageError(f"the text is {text!r:.60}, expected bytes, a str or a path.")
    return np.frombuffer(data, dtype=np.uint8)
