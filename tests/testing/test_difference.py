"""How the laws of architectures measure a difference."""

from __future__ import annotations

import pytest
import torch

from seqzoo.testing.architectures.given import difference


def test_the_unit_is_how_much_the_numbers_vary() -> None:
    expected = torch.tensor([-1.0, 1.0])  # a standard deviation of 1
    assert difference(expected + 0.1, expected) == pytest.approx(0.1)


def test_a_single_number_differs_by_a_share_of_its_size() -> None:
    assert difference(torch.tensor([50.5]), torch.tensor([50.0])) == pytest.approx(0.01)
