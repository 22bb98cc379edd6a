"""The state of all random generators that a training loop may draw from."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from seqzoo.model.runtime import random_state, restore_random_state

__all__ = ["generators", "set_generators"]


def generators() -> tuple[Any, Any, Any]:
    """Those of Python, NumPy and torch."""
    return random.getstate(), np.random.get_state(), random_state()


def set_generators(states: tuple[Any, Any, Any]) -> None:
    """As `generators` returned them."""
    random.setstate(states[0])
    np.random.set_state(states[1])
    restore_random_state(states[2])
