"""Laws of the parts that residual architectures share."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from seqzoo_plugins.residual.rms_norm import RMSNorm, unit_length


@pytest.mark.parametrize("shape", [(2, 5, 8), (2, 3, 4, 8), (1, 1, 8)])
def test_the_norm_and_its_gradients_equal_those_of_torch(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    norm = RMSNorm(8, eps=1e-3).double()
    torch.nn.init.normal_(norm.weight)
    x, d = torch.randn(2, *shape).double()
    x.requires_grad_()
    expected = F.rms_norm(x, (8,), norm.weight, 1e-3)
    torch.testing.assert_close(norm(x), expected)
    with torch.no_grad():
        torch.testing.assert_close(norm(x), expected)
    for one, other in zip(
        torch.autograd.grad(norm(x), (x, norm.weight), d),
        torch.autograd.grad(expected, (x, norm.weight), d),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_unit_length_and_its_gradient_are_those_of_the_equation() -> None:
    torch.manual_seed(0)
    x, d = torch.randn(2, 3, 4, 8).double()
    x.requires_grad_()
    expected = x / (x.square().sum(-1, keepdim=True) + 0.1).sqrt()
    torch.testing.assert_close(unit_length(x, eps=0.1), expected)
    (found,) = torch.autograd.grad(unit_length(x, eps=0.1), x, d)
    torch.testing.assert_close(found, *torch.autograd.grad(expected, x, d))


def test_a_row_of_zeros_is_normed_to_zeros_with_finite_gradients() -> None:
    x = torch.zeros(1, 8, requires_grad=True)
    y = RMSNorm(8)(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(y, torch.zeros(1, 8))
    assert bool(gradient.isfinite().all())


def test_a_second_derivative_of_the_norm_is_refused() -> None:
    x = torch.randn(2, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(RMSNorm(8)(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
