"""What plugins of earlier versions still use: it works, with a DeprecationWarning."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from seqzoo.plugin.roles import ParameterRole

if TYPE_CHECKING:
    from torch import nn

__all__ = ["with_hidden_matrices"]


def with_hidden_matrices(
    model: nn.Module, matrices: Iterable[nn.Parameter], roles: Mapping[str, ParameterRole]
) -> dict[str, ParameterRole]:
    """The roles, where the matrices are those that a model's `hidden_matrices` gave."""
    warnings.warn(
        f"{type(model).__name__} overrides hidden_matrices, which parameter_roles replaces; see "
        f"docs/plugins.md",
        DeprecationWarning,
        stacklevel=2,
    )
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
