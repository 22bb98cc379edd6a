"""Laws of the matrix scan: equal to the equation, its gradients right, cut anywhere."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seqzoo.ops import Removal, matrix_scan, matrix_scan_by_step


class Case(NamedTuple):
    """What the state is made of: a decay for each key element or head, with removal or without."""

    each_key: bool
    removes: bool


every_case = pytest.mark.parametrize(
    "case",
    [Case(False, False), Case(False, True), Case(True, False), Case(True, True)],
    ids=["head", "head-removal", "key", "key-removal"],
)
K, E = 6, 5


def drawn(
    case: Case, T: int, *, decay: float = 0.6, dtype: torch.dtype = torch.float64
) -> list[Tensor]:
    """queries, keys, values, log decay, state, and read and write of the removal if there is one.

    decay: the largest; the logarithms are between -decay and 0.
    """
    generator = torch.Generator().manual_seed(T)

    def normal(*shape: int) -> Tensor:
        return torch.randn(2, 2, *shape, generator=generator, dtype=torch.float64)

    keys = F.normalize(normal(T, K), dim=-1)
    shape = (T, K) if case.each_key else (T,)
    logs = -decay * torch.rand(2, 2, *shape, generator=generator, dtype=torch.float64)
    parts = [normal(T, K), keys, normal(T, E), logs, normal(K, E)]
    if case.removes:
        strength = torch.rand(2, 2, T, 1, generator=generator, dtype=torch.float64)
        parts += [-keys, keys * strength]
    return [part.to(dtype).requires_grad_() for part in parts]


def scanned(scan: Any, parts: list[Tensor], **options: Any) -> tuple[Tensor, Tensor]:
    removal = Removal(*parts[5:]) if len(parts) > 5 else None
    result: tuple[Tensor, Tensor] = scan(*parts[:5], removal, **options)
    return result


def by_the_equation(parts: list[Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """In NumPy, from the first lines of seqzoo/ops/matrix_state.py."""
    q, k, v, logs, S, *removal = (part.detach().numpy() for part in parts)
    outputs = np.empty(v.shape)
    for row, head in np.ndindex(2, 2):
        state = S[row, head]
        for time in range(q.shape[2]):
            at = (row, head, time)
            decay = np.diag(np.broadcast_to(np.exp(logs[at]), K))
            after = decay @ state + np.outer(k[at], v[at])
            if removal:
                after += np.outer(removal[1][at], removal[0][at] @ state)
            state = after
            outputs[at] = q[at] @ state
        S[row, head] = state
    return outputs, S


@every_case
@pytest.mark.parametrize("T", [1, 7, 64, 75])
def test_it_equals_the_equation_in_numpy(case: Case, T: int) -> None:
    parts = drawn(case, T)
    found = [scanned(scan, parts) for scan in (matrix_scan, matrix_scan_by_step)]
    outputs, state = by_the_equation(parts)  # last, because it overwrites the state
    for each in found:
        np.testing.assert_allclose(each[0].detach().numpy(), outputs, atol=1e-9)
        np.testing.assert_allclose(each[1].detach().numpy(), state, atol=1e-9)


@every_case
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_gradients_equal_those_of_the_naive_form(
    case: Case, dtype: torch.dtype, tolerance: float
) -> None:
    parts = drawn(case, 75, dtype=dtype)
    weight = torch.randn(2, 2, 75, E, dtype=dtype)
    gradients = []
    for scan in (matrix_scan, matrix_scan_by_step):
        outputs, state = scanned(scan, parts)
        gradients.append(torch.autograd.grad((outputs * weight).sum() + state.sum(), parts))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance)


@every_case
def test_derivatives_equal_finite_differences(case: Case) -> None:
    parts = drawn(case, 6)

    def function(*given: Tensor) -> tuple[Tensor, Tensor]:
        return scanned(matrix_scan, list(given), chunk=4)

    assert torch.autograd.gradcheck(function, tuple(parts))


@every_case
@pytest.mark.parametrize("piece", [1, 5, 32, 40])
def test_any_cut_with_the_state_carried_gives_the_same(case: Case, piece: int) -> None:
    parts = drawn(case, 70)
    outputs, last = scanned(matrix_scan, parts)
    pieces, state = [], parts[4]
    for start in range(0, 70, piece):
        cut = [part[:, :, start : start + piece] for part in parts]
        cut[4] = state
        found, state = scanned(matrix_scan, cut)
        pieces.append(found)
    torch.testing.assert_close(torch.cat(pieces, dim=2), outputs, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(state, last, atol=1e-9, rtol=1e-9)


@every_case
@pytest.mark.parametrize("chunk", [1, 8, 64])
def test_the_chunk_does_not_change_the_result(case: Case, chunk: int) -> None:
    parts = drawn(case, 70)
    expected, found = scanned(matrix_scan, parts), scanned(matrix_scan, parts, chunk=chunk)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("removes", [False, True])
def test_a_decay_of_each_head_may_be_as_strong_as_it_likes(removes: bool) -> None:
    parts = drawn(Case(False, removes), 70, decay=1000.0, dtype=torch.float32)
    (found, last), (expected, _) = (
        scanned(scan, parts) for scan in (matrix_scan, matrix_scan_by_step)
    )
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    gradients = torch.autograd.grad(found.sum() + last.sum(), parts)
    assert all(bool(each.isfinite().all()) for each in gradients)


@pytest.mark.parametrize("removes", [False, True])
def test_a_decay_of_each_key_may_sum_up_to_80_over_half_a_chunk(removes: bool) -> None:
    parts = drawn(Case(True, removes), 70, dtype=torch.float32)
    parts[3] = torch.full_like(parts[3], -79 / 16).requires_grad_()
    (found, last), (expected, _) = (
        scanned(scan, parts) for scan in (matrix_scan, matrix_scan_by_step)
    )
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    gradients = torch.autograd.grad(found.sum() + last.sum(), parts)
    assert all(bool(each.isfinite().all()) for each in gradients)


@every_case
@pytest.mark.parametrize("T", [1, 40])
def test_keys_and_queries_may_be_shared_by_the_heads(case: Case, T: int) -> None:
    parts = drawn(case, T)
    shared = [part[:, :1] if place < 2 else part for place, part in enumerate(parts)]
    copied = [part.expand(2, 2, T, K) if place < 2 else part for place, part in enumerate(shared)]
    for one, other in zip(
        scanned(matrix_scan, shared), scanned(matrix_scan_by_step, copied), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-9, rtol=1e-9)


def test_no_state_is_a_state_of_zeros_also_where_the_heads_share_their_keys() -> None:
    q, k, v, logs, state = drawn(Case(False, False), 7)
    found = matrix_scan(q[:, :1], k[:, :1], v, logs)
    expected = matrix_scan(q[:, :1], k[:, :1], v, logs, torch.zeros_like(state))
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("each_key", [False, True])
@pytest.mark.parametrize("T", [1, 40])
def test_a_removal_is_written_at_the_keys_unless_another_place_is_given(
    each_key: bool, T: int
) -> None:
    parts = drawn(Case(each_key, True), T)[:6]
    q, k, v, logs, state, read = parts

    def results(scan: Any, removal: Removal) -> tuple[Tensor, ...]:
        outputs, last = scan(q, k, v, logs, state, removal)
        gradients = torch.autograd.grad((outputs * v).sum() + last.square().sum(), parts)
        return (outputs, last, *gradients)

    expected = results(matrix_scan_by_step, Removal(read, k))
    for scan in (matrix_scan, matrix_scan_by_step):
        for one, other in zip(results(scan, Removal(read)), expected, strict=True):
            torch.testing.assert_close(one, other, atol=1e-9, rtol=1e-9)
