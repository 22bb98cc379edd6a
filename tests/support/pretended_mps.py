"""The CPU under the name of mps, with what mps refuses: float64, and NumPy without a copy.

A mode of torch sees every call. It remembers in an attribute which tensors are "on the device":
what was moved there, what was made there, and the results of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

__all__ = ["pretended_mps"]

_MPS = torch.device("mps")
_NEEDS_ONE_DEVICE = {
    "add", "addcmul_", "cat", "cross_entropy", "embedding", "gather", "index_select", "linear",
    "lstm", "matmul", "mul", "rnn_tanh", "gru", "stack", "sub", "where",
}  # fmt: skip


class _PretendedMps(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        attribute = getattr(getattr(func, "__self__", None), "__name__", "")
        given = tree_leaves((args, kwargs))
        on_device = any(map(_is_there, given))
        if name == "__get__" and attribute == "device":
            return _MPS if on_device else func(*args)
        if name == "numpy" and on_device:
            raise TypeError("can't convert mps:0 device type tensor to numpy")
        # The second is of nn.Module.to, whose tensors are moved one by one.
        if func is torch.device or name == "_parse_to":
            return func(*args, **kwargs)
        if on_device and name in _NEEDS_ONE_DEVICE:
            for leaf in given:
                if isinstance(leaf, Tensor) and leaf.ndim and not _is_there(leaf):
                    raise RuntimeError(f"Expected all tensors to be on the same device ({name})")
        args, kwargs = tree_map(_on_cpu, (args, kwargs))
        out = func(*args, **kwargs)
        if name == "__set__":
            _put(args[0], on_device)
            return out
        devices = [device for leaf in given if (device := _as_device(leaf)) is not None]
        if name == "cpu":
            devices = [torch.device("cpu")]
        there = devices[-1].type == "mps" if devices else on_device
        if there != on_device and args and out is args[0]:
            out = out.clone()  # a move to another device is a copy
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                if there and leaf.dtype == torch.float64:
                    raise TypeError(f"Cannot convert a MPS Tensor to float64 dtype ({name})")
                _put(leaf, there)
        return out


def _on_cpu(leaf: Any) -> Any:
    return torch.device("cpu") if _as_device(leaf) == _MPS else leaf


def _is_there(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and "_is_on_mps" in leaf.__dict__


def _put(tensor: Tensor, there: bool) -> None:
    if there:
        tensor.__dict__["_is_on_mps"] = True
    else:
        tensor.__dict__.pop("_is_on_mps", None)


def _as_device(leaf: Any) -> torch.device | None:
    if isinstance(leaf, torch.device):
        return leaf
    if isinstance(leaf, str) and leaf.split(":")[0] in ("cpu", "mps"):
        return torch.device(leaf)
    return None


@contextmanager
def pretended_mps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Inside, mps is available."""
    copied: Callable[..., Any] = nn.Parameter.__deepcopy__

    def copied_in_place(parameter: nn.Parameter, memo: dict[int, Any]) -> Any:
        out = copied(parameter, memo)  # the mode does not see it
        _put(out, _is_there(parameter))
        return out

    monkeypatch.setattr(nn.Parameter, "__deepcopy__", copied_in_place)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: torch.zeros(8, dtype=torch.uint8))
    monkeypatch.setattr(torch.mps, "set_rng_state", lambda state: None)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 1)
    with _PretendedMps():
        yield
