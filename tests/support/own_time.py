"""A limit for the processor time of a few lines of a test.

Not for speed: it finds text that a reader takes forever over. The time is that of this thread, and
the garbage of all tests before is not collected in it, which alone can take a second.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["soon_done"]

# Where coverage traces every line, everything takes longer.
_LIMIT_S = 1.0 if sys.gettrace() is None else 5.0


@contextmanager
def soon_done() -> Iterator[None]:
    """Fails if what stands in it needs more than a second of this thread."""
    collects = gc.isenabled()
    gc.disable()
    begin = time.thread_time()
    try:
        yield
        assert time.thread_time() - begin < _LIMIT_S
    finally:
        if collects:
            gc.enable()
