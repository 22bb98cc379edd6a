"""Running out of memory, on any device, as one sentence that says what to lower."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

import torch

from seqzoo.errors import NotEnoughMemory, PluginError

__all__ = ["enough_memory", "is_out_of_memory"]

_PHRASES = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "MPS backend out of memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
"""What torch's plain RuntimeErrors say; only some allocators have an exception of their own."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception of torch, NumPy or Python says that there was not enough memory."""
    if isinstance(error, PluginError) and error.__cause__ is not None:
        error = error.__cause__  # a plugin is not broken because memory is short
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(phrase in str(error) for phrase in _PHRASES)


@contextlib.contextmanager
def enough_memory(
    task: str,
    device: torch.device,
    settings: Callable[[], Mapping[str, int]],
    *,
    saved: Callable[[], str] = str,
) -> Iterator[None]:
    """Raise NotEnoughMemory where the work inside runs out of memory.

    task: what is being done, e.g. "training".
    settings: returns those that take memory, with their values; a value of 1 cannot be lowered and
    is left out.
    saved: what is kept and how to continue, a clause that follows a semicolon, or "". It is added
    to what an inner context raises too.
    """
    try:
        yield
    except NotEnoughMemory as error:
        raise NotEnoughMemory(error.problem, error.saved or saved()) from error.__cause__
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        lower = [f"{name} ({value})" for name, value in settings().items() if value > 1]
        remedy = f"lower {' or '.join(lower)}" if lower else "use a smaller model or another device"
        problem = f"{task} needs more memory than {device} has free; {remedy}"
        raise NotEnoughMemory(problem, saved()) from error
