"""Settings of torch's native libraries, which they read once, when torch is imported.

OpenMP: torch divides an operation between threads and lets them wait for each other at its end.
A waiting thread of libgomp (Linux) spins 300,000 times before it sleeps, LLVM's and Intel's OpenMP
(macOS, Windows) for 200 ms. A small network has thousands of such ends in a second. On a quiet
machine spinning is the fastest way to wait. Beside another busy process it takes the processor away
from the thread that all others wait for: two threads on two cores trained at 1.3 kB/s beside one
busy process, and at 16.6 with 1,000 spins, which cost about a tenth of the speed of a quiet machine
(docs/performance.md). 1 ms is the shortest time above zero that every version of the others knows.

cuBLAS: its results are the same in every run only with a workspace of a fixed size.

A setting of the user is never replaced: neither one of these names nor `OMP_WAIT_POLICY`, from
which the libraries derive the same numbers.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in seqzoo/cores.py
if TYPE_CHECKING:
    from collections.abc import Container, MutableMapping

__all__ = ["WAITING", "set_defaults"]

WAITING = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1"}
"""How long a thread of OpenMP waits actively: spins (libgomp), milliseconds (LLVM, Intel)."""

_DECIDED_BY = ("OMP_WAIT_POLICY", "KMP_LIBRARY", *WAITING)
_CUBLAS_WORKSPACE = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}


def set_defaults(environment: MutableMapping[str, str], imported: Container[str]) -> None:
    """Add the defaults to `environment`; without effect if torch is among the `imported` modules.

    It is too late then: the libraries have read their settings.
    """
    if "torch" in imported:
        return
    if not any(name in environment for name in _DECIDED_BY):
        environment.update(WAITING)
    for name, value in _CUBLAS_WORKSPACE.items():
        environment.setdefault(name, value)
