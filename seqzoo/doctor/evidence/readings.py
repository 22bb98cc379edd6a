"""Other ways in which models are called: token by token, one-hot, time first, state inside.

Each is a `Forward`. Which one a model needs is tried with a batch, see
seqzoo/doctor/subjects/code_fit.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo.doctor.evidence.calling import Forward, begun, call_plainly
from seqzoo.plugin.contracts import State

__all__ = ["ByToken", "OneHot", "StateInside", "TimeFirst", "reads_rows_as_time"]


@dataclass(frozen=True)
class ByToken:
    """The model reads one token of each row, (B,) or as a column (B, 1), and the state."""

    call: Forward = call_plainly
    is_column: bool = False

    @property
    def in_words(self) -> str:
        return "it reads one token of each row at a time"

    def __call__(self, module: nn.Module, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        parts = []
        for column in torch.split(tokens, 1, 1):
            given = column if self.is_column else column.squeeze(1)
            logits, state = self.call(module, given.contiguous(), state)
            if logits.ndim == 3:
                logits = logits.squeeze(1 if logits.shape[1] == 1 else 0)
            parts.append(logits)
        return torch.stack(parts, 1), state


@dataclass(frozen=True)
class OneHot:
    """The model reads one-hot rows, floating point."""

    one_hot_width: int

    @property
    def in_words(self) -> str:
        return f"it reads one-hot rows of {self.one_hot_width} numbers"

    def __call__(self, module: nn.Module, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        types = (p.dtype for p in module.parameters() if p.is_floating_point())
        rows = F.one_hot(tokens, self.one_hot_width)
        return call_plainly(module, rows.to(next(types, torch.float32)), state)


@dataclass(frozen=True)
class TimeFirst:
    """The model reads (T, B), and gives (T, B, V) or (T B, V)."""

    in_words = "it reads time first, (T, B)"

    def __call__(self, module: nn.Module, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        turned = tokens.T.contiguous()
        if state is None:
            state = begun(module, len(tokens))
        logits, state = call_plainly(module, turned, state)
        if logits.ndim == 2 and len(logits) == tokens.numel():
            logits = logits.unflatten(0, turned.shape)
        return logits.transpose(0, 1), state


@dataclass(frozen=True)
class StateInside:
    """The model keeps its state in attributes, and has a method that begins a new one.

    places: names of the part, "" for the model itself, and of its attribute. The attributes are as
    they were after a call. call: how the model is called; it is given no state.
    """

    places: tuple[tuple[str, str], ...]
    call: Forward = call_plainly

    @property
    def in_words(self) -> str:
        names = [".".join(part for part in place if part) for place in self.places]
        return f"its state is what it keeps in {' and '.join(names)}"

    def __call__(self, module: nn.Module, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        attributes = [(module.get_submodule(part), name) for part, name in self.places]
        before = [getattr(part, name) for part, name in attributes]
        try:
            given: Any = begun(module, len(tokens)) if state is None else state
            if given is not None:
                values = given if state is not None or len(attributes) > 1 else [given]
                for (part, name), value in zip(attributes, values, strict=True):
                    setattr(part, name, value)
            logits, _ = self.call(module, tokens, None)
            return logits, tuple(getattr(part, name) for part, name in attributes)
        finally:
            for (part, name), value in zip(attributes, before, strict=True):
                setattr(part, name, value)


def reads_rows_as_time(module: nn.Module, call: Callable[[], object]) -> bool:
    """Whether a recurrent layer gets (B, D) in a call: torch takes it for one row of B tokens."""
    found: list[bool] = []

    def note(_: nn.Module, given: tuple[Any, ...]) -> None:
        found.append(bool(given) and isinstance(given[0], Tensor) and given[0].ndim == 2)

    layers = [each for each in module.modules() if isinstance(each, nn.RNNBase)]
    handles = [layer.register_forward_pre_hook(note) for layer in layers]
    try:
        call()
    finally:
        for handle in handles:
            handle.remove()
    return any(found)
