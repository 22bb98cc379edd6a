"""What `examine` and `watch` were given, checked before anything runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from seqzoo.errors import UsageError

__all__ = [
    "names_of",
    "require_batches",
    "require_flag",
    "require_function",
    "require_limit",
    "require_loop_optimizer",
    "require_model",
    "require_optimizer",
]


def require_model(model: Any) -> None:
    """A torch module, or what builds one."""
    if not (model is None or isinstance(model, nn.Module) or callable(model)):
        raise UsageError(
            f"model is {_shown(model)}; give a torch module, or a function that builds one."
        )


def require_batches(batches: Any) -> None:
    """Something to iterate over, or a function that returns it."""
    is_text = isinstance(batches, (str, bytes))
    if not (batches is None or callable(batches) or isinstance(batches, Iterable)) or is_text:
        raise UsageError(
            f"batches is {_shown(batches)}; give pairs (inputs, targets) to iterate over, or a "
            f"function that returns them."
        )


def require_function(name: str, value: Any, arguments: str, answer: str) -> None:
    """None or callable. arguments, answer: how it is called, and what it returns."""
    if not (value is None or callable(value)):
        raise UsageError(
            f"{name} is {_shown(value)}; give a function ({arguments}) that returns {answer}."
        )


def require_optimizer(optimizer: Any) -> None:
    """None, or a function of the parameters."""
    if optimizer is None or callable(optimizer):
        return
    if hasattr(optimizer, "param_groups"):
        name = type(optimizer).__name__
        raise UsageError(
            f"optimizer is {name}, already built for one model, but the doctor trains a copy; "
            f"give a function of the parameters: lambda p: {name}(p)."
        )
    raise UsageError(
        f"optimizer is {_shown(optimizer)}; give a function of the parameters that returns a torch "
        f"optimizer: lambda p: torch.optim.Adam(p)."
    )


def require_loop_optimizer(optimizer: Any) -> None:
    """None, or an optimizer of a training loop: torch's, or one with `apply` as Keras has."""
    is_other = isinstance(optimizer, (type, nn.Module))
    has_one = hasattr(optimizer, "param_groups") or hasattr(optimizer, "apply")
    if optimizer is None or (has_one and not is_other):
        return
    raise UsageError(
        f"optimizer is {_shown(optimizer)}; give the optimizer object that the loop steps, or "
        f"leave it out, then every torch optimizer of the model is watched."
    )


def require_limit(name: str, value: Any) -> None:
    """None, or a number above 0."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value is not None and not (is_number and value > 0 and not math.isnan(value)):
        raise UsageError(f"{name} is {_shown(value)}; give a number above 0, or None for none.")


def require_flag(name: str, value: Any, *, or_none: bool = False) -> None:
    """True or False."""
    if value not in (True, False) and not (or_none and value is None):
        allowed = "True, False or None" if or_none else "True or False"
        raise UsageError(f"{name} is {_shown(value)}, expected {allowed}.")


def names_of(only: Any) -> Sequence[str]:
    """The names of checks, of one as well."""
    if isinstance(only, str):
        return [only]
    names = list(only) if isinstance(only, Iterable) else [only]
    if not all(isinstance(name, str) for name in names):
        raise UsageError(
            f"only is {_shown(only)}; give names of checks, such as ['stream', 'model.causality']."
        )
    return names


def _shown(value: Any) -> str:
    if isinstance(value, (str, bytes, int, float, type(None))):
        return f"{value!r:.60}"
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
