"""What the plugin API was before, so that plugins that were written for it still work for now.

Before API 1, each kind was built from its own list of arguments instead of a context.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any

from seqzoo.plugin.roles import ParameterRole

if TYPE_CHECKING:
    from torch import nn

__all__ = ["RENAMED_METHODS", "EarlierApiWarning", "adapted", "warn", "with_hidden_matrices"]

_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "architecture": ("vocab_size",),
    "tokenizer": (),
    "stream": ("tokens", "batch_size"),
    "sampler": (),
    "corpus": ("base",),
    "baseline": ("training", "splits"),
    "tracker": ("run_directory",),
}
"""What functions received after the options; each is a field of the context now."""

RENAMED_METHODS: Mapping[str, str] = {"prepare": "before_training", "adapt": "start_adapting"}
"""Optional methods of models, by their earlier names."""


class EarlierApiWarning(DeprecationWarning):
    """A plugin uses the API before version 1, which the next version of seqzoo may refuse."""


def warn(what: str) -> None:
    """Report a form of the API before 1, at the line of the plugin that uses it."""
    warnings.warn(what, EarlierApiWarning, stacklevel=4)


def adapted(
    kind: str, function: Callable[..., Any], *, api: int
) -> tuple[Callable[[Any, Any], Any], str]:
    """A function of a spec, called with (options, context); and its earlier form, "" if none.

    api: 0 if the plugin says that it was written for the earlier API; otherwise the names of the
    arguments show it. Raises TypeError if the function can be called in neither form.
    """
    earlier = _ARGUMENTS.get(kind)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions of C have none
        return function, ""
    if earlier is None:
        return function, ""
    given = list(signature.parameters.values())[1:]
    if api == 0 or (not _takes(signature, 2) and not earlier and _takes(signature, 1)):
        named = [name for name in earlier if name in signature.parameters]
    else:
        named = [parameter.name for parameter in given if parameter.name in earlier]
        if not named:
            if not _takes(signature, 2):
                raise TypeError(f"takes {signature}, expected (options, context)")
            return function, ""
    by_place = () if named else earlier

    @wraps(function)
    def call(options: Any, context: Any) -> Any:
        return function(
            options,
            *(getattr(context, name) for name in by_place),
            **{name: getattr(context, name) for name in named},
        )

    return call, f"({', '.join(('options', *earlier))})"


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def with_hidden_matrices(
    model: nn.Module, matrices: Iterable[nn.Parameter], roles: Mapping[str, ParameterRole]
) -> dict[str, ParameterRole]:
    """The roles, where the matrices are those that a model's `hidden_matrices` gave."""
    warn(f"{type(model).__name__} overrides hidden_matrices, which parameter_roles replaces")
    hidden = set(map(id, matrices))
    uses = {
        name: "matrix" if id(parameter) in hidden else "other"
        for name, parameter in model.named_parameters()
        if (id(parameter) in hidden) != (roles[name].use == "matrix")
    }
    return {
        name: replace(role, use=uses.get(name, role.use))  # type: ignore[arg-type]
        for name, role in roles.items()
    }
