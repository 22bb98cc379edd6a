"""Updates on a GPU with kernels that add in one order, where torch has them.

Some kernels add with atomic operations, whose order differs from run to run: the backward pass of
fused attention is one. torch uses others only if it is asked to, and raises RuntimeError where it
has none. It is asked for updates alone: a forward pass has the same bits anyway, and the operations
of a sampler need not have such a kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["deterministic_kernels", "missing_kernel"]


@contextmanager
def deterministic_kernels() -> Iterator[None]:
    """Inside, an operation without such a kernel raises RuntimeError."""
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    # This would fill every new tensor, against code that reads memory before it writes it.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn_only)


def missing_kernel(error: RuntimeError) -> str:
    """The operation that has no such kernel; "" if the error is another one."""
    name, found, _ = str(error).partition(" does not have a deterministic implementation")
    if found:
        return name.split()[-1]
    return "cuBLAS without CUBLAS_WORKSPACE_CONFIG" if "because it uses CuBLAS" in name else ""
