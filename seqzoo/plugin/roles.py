"""What each parameter of a model is for, so that optimizers can treat it accordingly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from seqzoo.errors import did_you_mean

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ParameterRole", "Use", "default_roles", "fault_in_roles"]

Use: TypeAlias = Literal["matrix", "embedding", "head", "other"]


@dataclass(frozen=True, kw_only=True)
class ParameterRole:
    """What a parameter is for.

    use: "matrix" for the weight of a linear map from hidden to hidden units, (out, in), or blocks
    of such weights, (..., out, in): muon orthogonalises each. "embedding": vectors of tokens.
    "head": from hidden units to logits. "other": gains, biases, rates, filters.
    decay: whether weight decay acts on it.
    rate: factor of the learning rate.
    """

    use: Use
    decay: bool
    rate: float = 1.0

    def __post_init__(self) -> None:
        if not self.rate >= 0:
            raise ValueError(f"rate of a ParameterRole is {self.rate}, expected 0 or more")


def default_roles(model: nn.Module) -> dict[str, ParameterRole]:
    """The role of every parameter by the module that has it; a tied parameter has its first name.

    Weights of linear and of recurrent layers are matrices. Those of an embedding, also where they
    are tied to another module, and of the child `head` are not. A parameter of a module of another
    kind is "other", because nothing says that it is the weight of a linear map. What has two or
    more dimensions decays. A child that is a SequenceModel gives its own roles.
    """
    from torch import nn

    layers = (nn.Linear, nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention)
    embedded = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, (nn.Embedding, nn.EmbeddingBag))
        for parameter in module.parameters()
    }
    head = getattr(model, "head", None)
    of_head = set(map(id, head.parameters())) if isinstance(head, nn.Module) else set()
    inner: dict[str, ParameterRole] = {}
    for prefix, module in _models_inside(model):
        roles = module.parameter_roles()
        inner |= {f"{prefix}.{name}": role for name, role in roles.items()}

    def use_of(name: str, parameter: nn.Parameter) -> Use:
        if parameter.ndim < 2:
            return "other"
        if id(parameter) in embedded:
            return "embedding"
        if id(parameter) in of_head:
            return "head"
        owner = model.get_submodule(name.rpartition(".")[0])
        return "matrix" if parameter.ndim == 2 and isinstance(owner, layers) else "other"

    return {
        name: inner.get(name)
        or ParameterRole(use=use_of(name, parameter), decay=parameter.ndim >= 2)
        for name, parameter in model.named_parameters()
    }


def fault_in_roles(model: nn.Module, roles: Any) -> str:
    """What is wrong with the roles that a model gives, as "found"; "" if nothing is."""
    if not isinstance(roles, Mapping):
        return type(roles).__name__
    names = [name for name, _ in model.named_parameters()]
    for name, role in roles.items():
        if name not in names:
            first = _first_name(model, name)
            meant = f" It is '{first}'." if first else did_you_mean(str(name), names)
            return f"a role for '{name}'.{meant}".rstrip(".")
        if not isinstance(role, ParameterRole):
            return f"{type(role).__name__} for '{name}'"
        if role.use == "matrix" and model.get_parameter(name).ndim < 2:
            return f"use 'matrix' for '{name}', which has less than two dimensions"
    missing = [name for name in names if name not in roles]
    return f"no role for '{missing[0]}'" if missing else ""


def _models_inside(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """The outermost modules below `model` that give roles, with their names."""
    for name, child in model.named_children():
        if hasattr(child, "parameter_roles"):
            yield name, child
        else:
            for inner, module in _models_inside(child):
                yield f"{name}.{inner}", module


def _first_name(model: nn.Module, name: str) -> str:
    """The name under which the parameters list a tied parameter; "" if there is none."""
    aliases = dict(model.named_parameters(remove_duplicate=False))
    names = model.named_parameters() if name in aliases else ()
    return next((first for first, each in names if each is aliases[name]), "")
