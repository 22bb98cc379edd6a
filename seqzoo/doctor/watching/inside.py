"""The state that a model keeps in itself: what it has before a pass, and after it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from seqzoo.doctor.evidence.calling import can_begin, takes_a_state
from seqzoo.doctor.evidence.network import tensors_in

__all__ = ["is_carried_inside", "kept_in"]


def kept_in(model: nn.Module) -> dict[tuple[str, str], float]:
    """Sums of the floating-point tensors that the model and its parts keep in attributes.

    Only of a model that has a method that begins a state, and whose call takes none; {} for others.
    """
    if not can_begin(model) or takes_a_state(model):
        return {}
    return {
        (part, name): sum(float(leaf.detach().double().sum()) for leaf in leaves)
        for part, module in model.named_modules()
        if not isinstance(module, _NormBase)  # its statistics are no state
        for name, value in [*vars(module).items(), *module._buffers.items()]
        if not name.startswith("_")
        and (leaves := [each for each in tensors_in(value) if each.is_floating_point()])
    }


def is_carried_inside(
    now: Mapping[tuple[str, str], float],
    before: Mapping[tuple[str, str], float],
    after: Mapping[tuple[str, str], float],
) -> bool:
    """Whether a pass begins with what another has changed.

    now: sums at its begin. before, after: sums around the other pass.
    """
    return any(
        total == after[place] != before.get(place) and total != 0.0
        for place, total in now.items()
        if place in after
    )
