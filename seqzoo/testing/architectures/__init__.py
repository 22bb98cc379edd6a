"""The laws of architectures."""

from __future__ import annotations

from seqzoo.testing.architectures import calls, forms, outputs, states, training, weights
from seqzoo.testing.architectures.given import Architecture
from seqzoo.testing.law import Law

__all__ = ["GIVEN", "LAWS"]

GIVEN = Architecture
LAWS: tuple[Law, ...] = (
    *calls.LAWS,
    *outputs.LAWS,
    *states.LAWS,
    *training.LAWS,
    *weights.LAWS,
    *forms.LAWS,
)
