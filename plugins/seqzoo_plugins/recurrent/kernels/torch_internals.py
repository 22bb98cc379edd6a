"""The parts of torch that its documentation does not promise, in one place.

Each has a plain form in documented calls, which serves where a version of torch lacks the part.
The results are equal within rounding; the plain form is slower.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

__all__ = [
    "add_embedding_gradient",
    "direct_parameters",
    "is_tracing",
    "is_watched",
    "packed_product",
    "sigmoid_backward",
    "tanh_backward",
    "write_marks",
]

_KNOWN_VERSIONS = ((2, 9), (3, 0))
"""From the first, up to the second, which is left out: a new major version may change meanings."""


def _is_known(version: str) -> bool:
    numbers = tuple(int(part) for part in version.split(".")[:2])
    return _KNOWN_VERSIONS[0] <= numbers < _KNOWN_VERSIONS[1]


def _find(root: object, path: str) -> Any:
    """What stands at a dotted path below an object, or None where any part of it is missing."""
    if not _is_known(torch.__version__):
        return None
    found: Any = root
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except (AttributeError, RuntimeError):  # RuntimeError: an operator is missing
            return None
    return found


_sigmoid_backward = _find(torch.ops, "aten.sigmoid_backward.grad_input")
_tanh_backward = _find(torch.ops, "aten.tanh_backward.grad_input")
_embedding_backward = _find(torch.ops, "aten.embedding_dense_backward")
_is_tracing = _find(torch, "jit.is_tracing")  # documented, but not declared as exported
_pack = _find(torch.ops, "mkldnn._reorder_linear_weight")
_multiply_packed = _find(torch.ops, "mkldnn._linear_pointwise.binary")
_modules_are_known = all(
    _find(nn.Module(), name) is not None
    for name in (
        "_modules",
        "_parameters",
        "_forward_hooks",
        "_forward_pre_hooks",
        "_backward_hooks",
        "_backward_pre_hooks",
    )
)
_writes_are_counted = _find(torch.zeros(()), "_version") is not None


def sigmoid_backward(gradient: Tensor, output: Tensor, *, out: Tensor) -> Tensor:
    """gradient * output * (1 - output), written to `out`. output: of the sigmoid."""
    if _sigmoid_backward is not None:
        result: Tensor = _sigmoid_backward(gradient, output, grad_input=out)
        return result
    return torch.mul(gradient, output * (1 - output), out=out)


def tanh_backward(gradient: Tensor, output: Tensor, *, out: Tensor) -> Tensor:
    """gradient * (1 - output^2), written to `out`. output: of the tanh."""
    if _tanh_backward is not None:
        result: Tensor = _tanh_backward(gradient, output, grad_input=out)
        return result
    return torch.mul(gradient, 1 - output * output, out=out)


def add_embedding_gradient(rows: Tensor, gradients: Tensor, tokens: Tensor) -> None:
    """Add to rows (V, N) the gradients (T, B, N) of the rows that tokens (T, B) selected."""
    if _embedding_backward is not None:
        rows += _embedding_backward(gradients, tokens, len(rows), -1, False)
    else:
        rows.index_add_(0, tokens.flatten(), gradients.flatten(0, 1))


def packed_product(matrix: Tensor, batch_size: int) -> Callable[[Tensor, Tensor], Tensor] | None:
    """(x (B, K), added (B, N)) -> added + x @ matrix.T in oneDNN, with the matrix laid out once.

    None where this build of torch or this processor has no such product.
    """
    if _pack is None or _multiply_packed is None or not torch.backends.mkldnn.is_available():
        return None
    multiply, packed = _multiply_packed, _pack(matrix.contiguous(), batch_size)
    return lambda x, added: multiply(x, added, packed, None, "add")


def is_tracing() -> bool:
    """Whether torch.jit records the operations."""
    return _is_tracing is not None and bool(_is_tracing())


def is_watched(module: nn.Module) -> bool:
    """Whether a hook waits for calls of the module, or this cannot be known."""
    return not _modules_are_known or bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


def direct_parameters(module: nn.Module) -> list[Any] | None:
    """The parameters of a module's direct children; None where a forward hook waits for one.

    It is None too where hooks cannot be looked up, because there may be some.
    """
    if not _modules_are_known:
        return None
    parameters: list[Any] = []
    for child in module._modules.values():
        assert child is not None
        if child._forward_hooks or child._forward_pre_hooks:
            return None
        parameters += child._parameters.values()
    return parameters


def write_marks(tensors: Sequence[Tensor]) -> list[tuple[int, int, int, bool]] | None:
    """Of each tensor: identity, address, how many writes torch counted, whether it has no gradient.

    None where the writes are not counted, as of tensors that were made in inference mode.
    """
    if not _writes_are_counted:
        return None
    try:
        return [(id(t), t.data_ptr(), t._version, t.grad is None) for t in tensors]
    except RuntimeError:
        return None
