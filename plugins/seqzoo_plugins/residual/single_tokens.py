"""The naive form of a model: one token after the other; declarations import this without torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

    from seqzoo import ArchitectureContext, SequenceModel, State

__all__ = ["read_single_tokens", "token_by_token"]


class _HasBothForms(Protocol):
    token_by_token: bool


Model = TypeVar("Model", bound=_HasBothForms)


def token_by_token(
    build: Callable[[Any, ArchitectureContext], Model],
) -> Callable[[Any, ArchitectureContext], Model]:
    """The `step_by_step` of a declaration: what `build` makes, set to read one token at a time."""

    def step_by_step(options: Any, context: ArchitectureContext) -> Model:
        model = build(options, context)
        model.token_by_token = True
        return model

    return step_by_step


def read_single_tokens(model: SequenceModel, tokens: Tensor, state: State) -> tuple[Tensor, State]:
    """(B, T) tokens, each in a call of its own with the state carried: (B, T, V) and the state."""
    import torch

    pieces = []
    for token in tokens.split(1, dim=1):
        logits, state = model(token, state)
        pieces.append(logits)
    return torch.cat(pieces, dim=1), state
