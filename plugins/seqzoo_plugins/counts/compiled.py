"""Loops that numba compiles to machine code at their first call, and stores on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numba
import numpy.typing as npt

__all__ = ["Array", "compiled"]

Array: TypeAlias = npt.NDArray[Any]
"""An array in a loop, which is compiled for each type that it gets."""

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """The same function as machine code. It runs without Python's lock.

    Sums are added in the order in which they are written, so a processor gives the same bits.
    """
    try:
        loop = numba.njit(function, cache=True, nogil=True, error_model="numpy")
    except RuntimeError:  # no folder can be written
        loop = numba.njit(function, nogil=True, error_model="numpy")
    return cast(Function, loop)
