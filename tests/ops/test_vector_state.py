"""Laws of the linear scan: equal to the equation, its gradients right, cut anywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from seqzoo.ops import linear_scan, linear_scan_by_step

# Narrow states are scanned in blocks, wide ones step by step; lengths that no block divides.
SHAPES = [(2, 1, (3,)), (2, 2, (3,)), (1, 101, (5,)), (3, 40, (2, 4)), (2, 33, (3000,))]
every_shape = pytest.mark.parametrize(
    ("B", "T", "rest"), SHAPES, ids=lambda each: str(each).replace(" ", "")
)


def drawn(B: int, T: int, rest: tuple[int, ...], dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Factors with signs, inputs, and a state before."""
    generator = torch.Generator().manual_seed(B * T)
    factors = torch.rand(B, T, *rest, generator=generator, dtype=torch.float64) * 1.9 - 0.95
    inputs = torch.randn(B, T, *rest, generator=generator, dtype=torch.float64)
    before = torch.randn(B, *rest, generator=generator, dtype=torch.float64)
    return tuple(each.to(dtype).requires_grad_() for each in (factors, inputs, before))


@every_shape
def test_it_equals_the_equation_in_numpy(B: int, T: int, rest: tuple[int, ...]) -> None:
    factors, inputs, before = drawn(B, T, rest, torch.float64)
    a, b, h = (each.detach().numpy() for each in (factors, inputs, before))
    expected = np.empty_like(b)
    for time in range(T):
        h = a[:, time] * h + b[:, time]
        expected[:, time] = h
    for scan in (linear_scan, linear_scan_by_step):
        found = scan(factors, inputs, before).detach().numpy()
        np.testing.assert_allclose(found, expected, atol=1e-12)


@every_shape
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_gradients_equal_those_of_the_naive_form(
    B: int, T: int, rest: tuple[int, ...], dtype: torch.dtype, tolerance: float
) -> None:
    given = drawn(B, T, rest, dtype)
    weight = torch.randn(B, T, *rest, dtype=dtype)
    found, expected = (
        torch.autograd.grad((scan(*given) * weight).sum(), given)
        for scan in (linear_scan, linear_scan_by_step)
    )
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance)


def test_first_and_second_derivatives_equal_finite_differences() -> None:
    given = drawn(2, 7, (3,), torch.float64)
    assert torch.autograd.gradcheck(linear_scan, given)
    assert torch.autograd.gradgradcheck(linear_scan, given)


@pytest.mark.parametrize("piece", [1, 2, 13, 39])
def test_any_cut_with_the_state_carried_gives_the_same(piece: int) -> None:
    factors, inputs, before = drawn(2, 40, (6,), torch.float64)
    pieces, state = [], before
    for a, b in zip(factors.split(piece, 1), inputs.split(piece, 1), strict=True):
        pieces.append(linear_scan(a, b, state))
        state = pieces[-1][:, -1]
    torch.testing.assert_close(torch.cat(pieces, dim=1), linear_scan(factors, inputs, before))


def test_no_state_is_zeros_and_shapes_broadcast() -> None:
    factors, inputs, before = drawn(2, 9, (4,), torch.float64)
    one = factors[..., :1]
    torch.testing.assert_close(
        linear_scan(one, inputs), linear_scan(one.expand(2, 9, 4), inputs, torch.zeros_like(before))
    )


def test_what_is_given_is_not_changed() -> None:
    given = drawn(2, 9, (4,), torch.float64)
    copies = [each.detach().clone() for each in given]
    linear_scan(*given).sum().backward()
    for each, copy in zip(given, copies, strict=True):
        assert torch.equal(each, copy)


def test_half_precision_is_computed_in_float32() -> None:
    factors, inputs, before = drawn(1, 300, (4,), torch.float64)
    half = [each.detach().bfloat16() for each in (factors, inputs, before)]
    found = linear_scan(*half)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, linear_scan_by_step(*(each.float() for each in half)))
