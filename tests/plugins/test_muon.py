"""Muon in float32 is torch's Muon without its rounding, and is taken where that one is slow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from seqzoo_plugins.optimizers.muon import Float32Muon, make_muon, orthogonalised


def ours(matrix: nn.Parameter, rate: float) -> Float32Muon:
    return Float32Muon([matrix], lr=rate, weight_decay=0.1, momentum=0.9)


def torchs(matrix: nn.Parameter, rate: float) -> torch.optim.Muon:
    return torch.optim.Muon([matrix], lr=rate, weight_decay=0.1, momentum=0.9)


@pytest.mark.parametrize("shape", [(12, 12), (20, 8), (8, 20)])
def test_updates_equal_torchs_up_to_the_rounding_of_bfloat16(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    mine = nn.Parameter(torch.randn(shape))
    theirs = nn.Parameter(mine.detach().clone())
    optimizers = (ours(mine, 0.02), torchs(theirs, 0.02))
    for _ in range(4):
        mine.grad = torch.randn(shape)
        theirs.grad = mine.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    # Four updates move an entry by about 4 * 0.02 / sqrt(8) = 0.03. bfloat16 keeps 8 bits, and the
    # iterations enlarge small singular values, with their rounding, up to 3.4 times each.
    torch.testing.assert_close(mine, theirs, atol=2e-3, rtol=0)
    assert not torch.equal(mine, theirs)


@pytest.mark.parametrize("shape", [(10, 10), (16, 6), (6, 16)])
def test_orthogonalised_is_the_polynomial_of_the_singular_values(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(0).normal(size=shape)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    values = values / np.linalg.norm(values)
    for _ in range(5):
        values = 3.4445 * values - 4.775 * values**3 + 2.0315 * values**5
    found = orthogonalised(torch.from_numpy(matrix).float())
    np.testing.assert_allclose(found.numpy(), (left * values) @ right, atol=1e-4)


@pytest.mark.parametrize(("capability", "is_ours"), [("AVX2", True), ("AVX512", False)])
def test_the_form_follows_what_the_processor_can(
    monkeypatch: pytest.MonkeyPatch, capability: str, is_ours: bool
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    matrix = nn.Parameter(torch.randn(4, 4))
    made = make_muon([{"params": [matrix], "lr": 0.1, "weight_decay": 0.0}], momentum=0.9)
    assert isinstance(made, Float32Muon) == is_ours


def test_blocks_are_updated_like_matrices_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    torch.manual_seed(0)
    blocks = nn.Parameter(torch.randn(2, 3, 6, 4))
    alone = [nn.Parameter(block.clone()) for block in blocks.detach().flatten(0, 1)]
    optimizers = (
        make_muon([{"params": [blocks], "lr": 0.1, "weight_decay": 0.2}], momentum=0.9),
        Float32Muon(alone, lr=0.1, weight_decay=0.2, momentum=0.9),
    )
    for _ in range(3):
        blocks.grad = torch.randn_like(blocks)
        for each, gradient in zip(alone, blocks.grad.flatten(0, 1), strict=True):
            each.grad = gradient.clone()
        for optimizer in optimizers:
            optimizer.step()
    assert torch.equal(blocks.flatten(0, 1), torch.stack(list(alone)))


def test_moments_go_from_one_form_to_the_other() -> None:
    matrix = nn.Parameter(torch.randn(4, 4))
    matrix.grad = torch.randn(4, 4)
    optimizers: list[torch.optim.Optimizer] = [ours(matrix, 0.1), torchs(matrix, 0.1)]
    for optimizer in optimizers:
        optimizer.step()
    names = {tuple(state) for form in optimizers for state in form.state.values()}
    assert names == {("momentum_buffer",)}
