"""How the laws build a model, feed it, and compare logits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from seqzoo.model import state as states
from seqzoo.plugin.build import build_installed
from seqzoo.plugin.contexts import ArchitectureContext
from seqzoo.plugin.contracts import SequenceModel, State
from seqzoo.plugin.specs import ArchitectureSpec
from seqzoo.testing.given import Given
from seqzoo.testing.law import require
from seqzoo.testing.materials import SpelledIds

__all__ = ["VOCAB_SIZE", "Architecture", "changed", "difference", "in_pieces", "leaves", "tokens"]

VOCAB_SIZE = 13

_MOST_PARAMETERS = 3_000_000
"""A larger model would take longer than the laws are worth; its sizes are lowered."""


class Architecture(Given[ArchitectureSpec]):
    """An architecture with one choice of options, and a vocabulary of 13 ids."""

    context = ArchitectureContext(
        vocab_size=VOCAB_SIZE,
        tokenizer=SpelledIds(b"etaoin shrdlu"),  # so that there are words
        builder=build_installed,
    )

    def build(self, *, seed: int = 0) -> SequenceModel:
        """A new model in training mode, which has seen a training part as in a run."""
        torch.manual_seed(seed)
        model = self.spec.build(self.options, self.context)
        self.prepare(model)
        return model.train()

    def prepare(self, model: SequenceModel) -> None:
        """Show it a training part."""
        model.before_training(tokens(1, 300, seed=9)[0].numpy().astype("uint8"))

    def accept(self) -> None:
        """Refuses sizes that would take too long."""
        count = sum(each.numel() for each in self.build().parameters() if not is_lazy(each))
        if count > _MOST_PARAMETERS:
            raise ValueError(f"{count} parameters are more than the laws are tried with")

    def evaluated(self, precision: str = "float64", *, seed: int = 0) -> SequenceModel:
        """A new model in eval mode. precision: float32 where float64 is not supported."""
        model = self.build(seed=seed).eval()
        return model.double() if precision == "float64" and self.runs_in_float64() else model

    def runs_in_float64(self) -> bool:
        """Whether a forward pass works after `.double()`; `architecture.float64` reports it."""
        try:
            with torch.no_grad():
                logits, _ = self.build().eval().double()(tokens(1, 2))
        except Exception:
            return False
        return bool(logits.dtype == torch.float64)


def tokens(rows: int, length: int, *, seed: int = 1) -> Tensor:
    """(B, T) random ids."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(VOCAB_SIZE, (rows, length), generator=generator)


def changed(text: Tensor, position: int) -> Tensor:
    """The text with another token at one place of every row."""
    other = text.clone()
    other[:, position] = (other[:, position] + 1) % VOCAB_SIZE
    return other


def in_pieces(
    model: SequenceModel, text: Tensor, lengths: Sequence[int] | int, state: State = None
) -> tuple[Tensor, State]:
    """Logits of (B, T) text that is read in pieces with the state carried, and the last state."""
    pieces = []
    for piece in text.split(lengths if isinstance(lengths, int) else list(lengths), dim=1):
        logits, state = model(piece, state)
        pieces.append(logits)
    return torch.cat(pieces, dim=1), state


def difference(found: Tensor, expected: Tensor) -> float:
    """The largest difference of (B, T, V) logits, as a share of how much logits vary.

    Rounding grows with the size of the logits, so the unit is at least a thousandth of that. A
    single number does not vary; its unit is its size.
    """
    require(
        found.shape == expected.shape,
        f"the logits are {tuple(found.shape)}, expected {tuple(expected.shape)}",
    )
    if not found.numel():
        return 0.0
    found, expected = found.detach().double(), expected.detach().double()
    size = float(expected.abs().max())
    spread = float(expected.std(correction=0)) if expected.numel() > 1 else size
    unit = max(spread, 1e-3 * size, 1e-30)
    largest = float((found - expected).abs().max()) / unit
    return math.inf if math.isnan(largest) else largest


def tolerance(precision: torch.dtype) -> float:
    """The difference that rounding can make: a thousandth in float32, a millionth in float64."""
    return 1e-6 if precision == torch.float64 else 1e-3


def leaves(state: State) -> dict[str, Any]:
    """The tensors of a state by their path."""
    return dict(states.flatten(state))
