"""A copy of a model before its training, and one with the values of a step."""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seqzoo.doctor.evidence.missing import Missing
from seqzoo.doctor.evidence.network import Network
from seqzoo.model.runtime import random_state, restore_random_state

__all__ = ["copy_of", "load_values"]

# The checks of a larger model would take minutes on a CPU.
_MOST_VALUES = 30_000_000


def copy_of(model: nn.Module) -> nn.Module | None:
    """An independent copy; None if the model is large or cannot be copied."""
    # Keras builds and initialises a new model to copy one, which draws from every generator.
    before, drawn, drawn_by_numpy = random_state(), random.getstate(), np.random.get_state()
    try:
        if sum(each.numel() for each in model.parameters()) > _MOST_VALUES:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras's copies speak of an optimizer
            return Network(model, lambda: model).copied().module
    except Exception:  # such as a lazy layer or a lock inside; checks then say what is missing
        return None
    finally:
        restore_random_state(before)
        random.setstate(drawn)
        np.random.set_state(drawn_by_numpy)


def load_values(copied: nn.Module, values: Mapping[str, Tensor], *, model: nn.Module) -> None:
    """Give a copy of `model` the values that `values_of(model)` had at some step.

    Raises Missing if the names are others and the model is not one of Keras.
    """
    if copied.state_dict().keys() == values.keys():
        copied.load_state_dict(dict(values))
        return
    names = {each.data_ptr(): name for name, each in model.state_dict().items()}
    pairs: Any = zip(_variables(copied), _variables(model), strict=True)
    with torch.no_grad():
        for own, original in pairs:
            own.value.copy_(values[names[original.value.data_ptr()]])


def _variables(model: Any) -> list[Any]:
    """Keras numbers its layers: a copy has the same variables in the same order, with new names."""
    if not isinstance(found := getattr(model, "variables", None), list):
        raise Missing("a copy of the model has parameters of other names")
    return found
