"""The running sum of the GPU is that of torch, with its gradient."""

from __future__ import annotations

import pytest
import torch

from seqzoo.ops.running_sum import running_sum, running_sum_by_doubling


@pytest.mark.parametrize("length", [1, 2, 3, 31, 64])
@pytest.mark.parametrize("dim", [-1, -2])
def test_the_sum_by_doubling_is_the_running_sum(length: int, dim: int) -> None:
    generator = torch.Generator().manual_seed(length)
    shape = (2, 3, length, 5) if dim == -2 else (2, 3, length)
    x = torch.randn(shape, dtype=torch.float64, generator=generator, requires_grad=True)
    weights = torch.randn(shape, dtype=torch.float64, generator=generator)
    found, expected = running_sum_by_doubling(x, dim), x.cumsum(dim)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    (gradient,) = torch.autograd.grad((found * weights).sum(), x)
    (wanted,) = torch.autograd.grad((expected * weights).sum(), x)
    torch.testing.assert_close(gradient, wanted, rtol=0, atol=1e-12)
    assert torch.equal(running_sum(x, dim), expected)
