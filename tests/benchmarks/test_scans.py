"""Prints how much faster the scans of seqzoo.ops are than their naive forms (-m benchmark -s).

One update: forward, and backward through everything. Asserts no time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seqzoo.ops import Removal, linear_scan, linear_scan_by_step, matrix_scan, matrix_scan_by_step

pytestmark = pytest.mark.benchmark

ROUNDS = 5


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    for result in work():
        result.sum().backward(retain_graph=True)
    return time.perf_counter() - started


def printed(title: str, forms: dict[str, Callable[[], Any]]) -> None:
    """The median time of each form as a ratio to the first, the fast one."""
    times: dict[str, list[float]] = {name: [] for name in forms}
    for number in range(ROUNDS + 1):
        for name, form in forms.items():
            taken = seconds(form)
            if number:
                times[name].append(taken)
    medians = {name: statistics.median(each) for name, each in times.items()}
    first = next(iter(medians.values()))
    ratios = ", ".join(f"{name} {median / first:.2f}" for name, median in medians.items())
    print(f"\n{title}: {ratios}")
    assert first > 0


def scan_in_log_steps(factors: Tensor, inputs: Tensor) -> Tensor:
    """Hillis and Steele 1986: log2(T) passes over everything, with autograd's gradient."""
    joined = 1
    while joined < inputs.shape[1]:
        added = factors[:, joined:] * inputs[:, :-joined]
        inputs = torch.cat([inputs[:, :joined], inputs[:, joined:] + added], dim=1)
        products = factors[:, joined:] * factors[:, :-joined]
        factors = torch.cat([factors[:, :joined], products], dim=1)
        joined *= 2
    return inputs


def scan_in_logarithms(factors: Tensor, inputs: Tensor) -> Tensor:
    """The form of minGRU's paper, for positive inputs: appendix B, with logcumsumexp."""
    logs = factors.log().cumsum(1)
    result: Tensor = (logs + (inputs.log() - logs).logcumsumexp(1)).exp()
    return result


@pytest.mark.parametrize(("B", "T", "H"), [(32, 256, 256), (8, 256, 64), (1, 1024, 256)])
def test_the_linear_scan(B: int, T: int, H: int) -> None:
    factors = (0.5 + torch.rand(B, T, H) / 2).requires_grad_()
    inputs = (0.1 + torch.rand(B, T, H)).requires_grad_()
    printed(
        f"linear_scan, B{B} T{T} H{H}, time over linear_scan",
        {
            "linear_scan": lambda: [linear_scan(factors, inputs)],
            "by step": lambda: [linear_scan_by_step(factors, inputs)],
            "log2(T) passes": lambda: [scan_in_log_steps(factors, inputs)],
            "logarithms": lambda: [scan_in_logarithms(factors, inputs)],
        },
    )


@pytest.mark.parametrize("each_key", [False, True], ids=["head", "key"])
@pytest.mark.parametrize("removes", [False, True], ids=["kept", "removed"])
def test_the_matrix_scan(each_key: bool, removes: bool) -> None:
    B, N, T, K, E = 32, 4, 256, 64, 64
    keys = F.normalize(torch.randn(B, N, T, K), dim=-1)
    logs = -0.2 * torch.rand((B, N, T, K) if each_key else (B, N, T))
    queries, values = torch.randn(B, N, T, K), torch.randn(B, N, T, E)
    parts = [part.requires_grad_() for part in (queries, keys, values, logs)]
    removal = Removal(keys, -0.5 * keys.detach()) if removes else None

    def scanned(scan: Callable[..., Any], **options: int) -> Callable[[], Any]:
        return lambda: scan(*parts, None, removal, **options)

    forms = {f"chunk {chunk}": scanned(matrix_scan, chunk=chunk) for chunk in (32, 16, 64)}
    forms["by step"] = scanned(matrix_scan_by_step)
    printed(f"matrix_scan, B{B} T{T}, {N} heads of {K}, time over chunks of 32", forms)
