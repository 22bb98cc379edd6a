"""How a case says in one line which model it is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from doctor_cases.case import Make
from doctor_cases.models import Attention, Recurrent

__all__ = ["carried", "changed", "parts", "windowed"]


def windowed(kind: Callable[[int, int, int], nn.Module], **further: Any) -> Make:
    """A model of (V, H, T) on windows of bytes at random places, nothing carried."""
    return lambda setting: setting.stateless(lambda: kind(256, setting.H, setting.T), **further)


def carried(kind: Callable[[int, int], nn.Module], **further: Any) -> Make:
    """A model of (V, H) on rows of bytes that continue from batch to batch."""
    return lambda setting: setting.stateful(lambda: kind(256, setting.H), **further)


def parts(base: type[nn.Module] = Attention, **methods: Any) -> type[Any]:
    """A model with some of its steps replaced."""
    return type(base.__name__, (base,), methods)


def changed(change: Callable[[Any], Any], kind: Any = Recurrent) -> Callable[..., nn.Module]:
    """A model that is changed after it was built."""

    def build(*sizes: int) -> nn.Module:
        model: nn.Module = kind(*sizes)
        change(model)
        return model

    return build
