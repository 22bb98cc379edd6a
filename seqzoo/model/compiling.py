"""What torch's compiler raises, as one sentence."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from seqzoo.errors import EnvironmentFault

__all__ = ["compiler_faults"]

_COMPILER = ("torch._dynamo", "torch._inductor")


@contextmanager
def compiler_faults() -> Iterator[None]:
    """A failure of torch's compiler is an EnvironmentFault in here; its hints are not shown."""
    try:
        with warnings.catch_warnings():
            # They are for people who write models, such as that float32 is not rounded to TF32.
            warnings.filterwarnings("ignore", module=r"torch\._(dynamo|inductor)")
            yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not type(cause).__module__.startswith(_COMPILER):
            cause = cause.__cause__
        if cause is None:
            raise
        first = next((line.strip() for line in str(cause).splitlines() if line.strip()), "")
        raise EnvironmentFault(
            f"the model could not be compiled (runtime.compile): {type(cause).__name__}: "
            f"{first[:200].rstrip('.')}. Train without it (runtime.compile=false), or install a "
            f"C++ compiler and Python's header files."
        ) from error
