"""Muon in float32, for processors that multiply bfloat16 matrices slowly.

torch.optim.Muon orthogonalises in bfloat16. Without AVX-512 torch has no fast product of such
matrices: a 384 x 384 product was measured 30 times slower than in float32
(docs/decisions/0023-muon-in-float32.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Float32Muon", "make_muon"]

# Jordan's quintic: its slope at zero is large, and singular values end between 0.7 and 1.2.
_A, _B, _C = 3.4445, -4.775, 2.0315
_ITERATIONS = 5
_EPSILON = 1e-7


def make_muon(groups: Iterable[dict[str, Any]], *, momentum: float) -> torch.optim.Optimizer:
    """torch's Muon where its bfloat16 products are fast, else the same algorithm in float32.

    groups: of matrices, (rows, columns), or of blocks of them, (..., rows, columns), which torch's
    Muon refuses.
    """
    groups = list(groups)
    matrices = [matrix for group in groups for matrix in group["params"]]
    on_cpu = all(matrix.device.type == "cpu" for matrix in matrices)
    is_slow = on_cpu and torch.backends.cpu.get_cpu_capability() != "AVX512"
    has_blocks = any(matrix.ndim > 2 for matrix in matrices)
    muon = Float32Muon if is_slow or has_blocks else torch.optim.Muon
    return muon(groups, momentum=momentum)


class Float32Muon(torch.optim.Optimizer):
    """Jordan 2024, https://kellerjordan.github.io/posts/muon, with Nesterov momentum.

    m <- momentum m + (1 - momentum) g;  u = orthogonalised((1 - momentum) g + momentum m);
    w <- (1 - lr * weight_decay) w - lr * sqrt(max(1, rows / columns)) u

    A parameter of more than two dimensions is a stack of matrices, each treated by itself.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        *,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Update every matrix that has a gradient."""
        for group in self.param_groups:
            momentum, rate = group["momentum"], group["lr"]
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(matrix)
                mean = state["momentum_buffer"].lerp_(matrix.grad, 1 - momentum)
                update = orthogonalised(matrix.grad.lerp(mean, momentum))
                rows, columns = matrix.shape[-2:]
                matrix.mul_(1 - rate * group["weight_decay"])
                matrix.add_(update, alpha=-rate * math.sqrt(max(1.0, rows / columns)))


def orthogonalised(matrix: Tensor) -> Tensor:
    """U V^T of a matrix U S V^T, approximately, by five Newton-Schulz iterations in float32."""
    if matrix.ndim > 2:
        return torch.stack([orthogonalised(block) for block in matrix])
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if is_tall else matrix).float()
    x = x / x.norm().clamp(min=_EPSILON)  # the iteration needs singular values of at most 1
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=_B, alpha=_C), x, beta=_A)
    return (x.T if is_tall else x).to(matrix.dtype)
