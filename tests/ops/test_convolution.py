"""Laws of the short convolution: equal to torch's, and cut anywhere."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seqzoo.ops import causal_convolution


@pytest.mark.parametrize("W", [1, 2, 4])
@pytest.mark.parametrize("T", [1, 2, 9])
def test_it_equals_the_grouped_convolution_of_torch(W: int, T: int) -> None:
    torch.manual_seed(0)
    inputs, before = torch.randn(2, T, 5).double(), torch.randn(2, W - 1, 5).double()
    weight, bias = torch.randn(W, 5).double(), torch.randn(5).double()
    read = torch.cat([before, inputs], dim=1)
    for constant in (bias, None):
        found, last = causal_convolution(inputs, weight, constant, before)
        expected = F.conv1d(read.mT, weight.T.unsqueeze(1), constant, groups=5).mT
        torch.testing.assert_close(found, expected)
        assert torch.equal(last, read[:, T:])


def test_any_cut_with_the_state_carried_gives_the_same() -> None:
    torch.manual_seed(0)
    inputs, weight = torch.randn(2, 11, 3).double(), torch.randn(4, 3).double()
    before = torch.zeros(2, 3, 3).double()
    whole, last = causal_convolution(inputs, weight, None, before)
    for piece in (1, 2, 5):
        state, pieces = before, []
        for part in inputs.split(piece, dim=1):
            outputs, state = causal_convolution(part, weight, None, state)
            pieces.append(outputs)
        torch.testing.assert_close(torch.cat(pieces, dim=1), whole)
        assert torch.equal(state, last)


@pytest.mark.parametrize("W", [1, 3])
@pytest.mark.parametrize("T", [1, 4])
@pytest.mark.parametrize("has_bias", [True, False])
def test_both_derivatives_equal_finite_differences(W: int, T: int, has_bias: bool) -> None:
    torch.manual_seed(0)
    shapes = [(2, T, 3), (W, 3), (2, W - 1, 3)] + [(3,)] * has_bias
    given = [torch.randn(shape).double().requires_grad_() for shape in shapes]

    def function(x: Tensor, weight: Tensor, before: Tensor, *bias: Tensor) -> tuple[Tensor, Tensor]:
        return causal_convolution(x, weight, bias[0] if bias else None, before)

    assert torch.autograd.gradcheck(function, given)
    assert torch.autograd.gradgradcheck(function, given)
