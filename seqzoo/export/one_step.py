"""One step of a model as a module, for exporters: (token, leaves) to (logits, next leaves)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from seqzoo.model import state as states
from seqzoo.plugin.contracts import SequenceModel

__all__ = ["OneStep", "program_of"]

_ROWS = 3
"""Rows of the example. Not 1, which torch.export takes for a constant."""


class OneStep(nn.Module):
    """A model that reads one token of each row; the state is a tuple of its leaves.

    names: of the leaves, in their order. first: they before the first token, for one row.
    """

    def __init__(self, model: SequenceModel) -> None:
        super().__init__()
        self.model = model
        self._like = model.initial_state(1)
        # A copy: the leaves of a state may share memory, and a file stores each of them.
        self.first = {name: leaf.clone() for name, leaf in states.flatten(self._like).items()}
        self.names = tuple(self.first)

    def forward(
        self, token: Tensor, leaves: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """token: (B,) int64. Logits (B, V) and the leaves of the next state."""
        state = states.unflatten(dict(zip(self.names, leaves, strict=True)), self._like)
        logits, state = self.model(token.unsqueeze(1), state)
        after = states.flatten(state)
        return logits[:, 0], tuple(after[name] for name in self.names)

    def example(self) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Arguments of `forward` for some rows."""
        leaves = states.flatten(self.model.initial_state(_ROWS)).values()
        return torch.zeros(_ROWS, dtype=torch.int64), tuple(leaf.clone() for leaf in leaves)


def program_of(step: OneStep) -> torch.export.ExportedProgram:
    """The step as a program for any number of rows; raises what torch raises where it cannot."""
    rows: Any = {0: torch.export.Dim.DYNAMIC}
    with torch.no_grad():
        # Tables that a model makes once and keeps must exist before: the exporter's own tensors
        # have no values.
        step(*step.example())
        return torch.export.export(
            step,
            step.example(),
            dynamic_shapes=(rows, tuple(rows for _ in step.names)),
            strict=False,
            # A row count of 1 is allowed, although the example has more.
            prefer_deferred_runtime_asserts_over_guards=True,
        )
