"""Someone's own loss, given logits and targets in the form that it takes."""

from __future__ import annotations

import torch
from torch import Tensor

from seqzoo.doctor.evidence.missing import Unusable
from seqzoo.doctor.evidence.network import Loss

__all__ = ["InItsForm"]


class InItsForm:
    """A loss that is given logits and targets as they are or, where it takes those alone, flattened
    to (B T, V) and (B T,), as nn.CrossEntropyLoss() does.

    Which one is tried once, with B, T and V all different: a loss that takes axis 1 for classes
    would go through with T = V, and mean something else. Raises Unusable where neither works.
    """

    def __init__(self, loss: Loss) -> None:
        self._loss = loss
        self._form: str | None = None

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        if self._form is None:
            self._form = self._tried(logits)
        if self._form == "flattened":
            return self._loss(logits.flatten(0, 1), targets.flatten())
        try:
            return self._loss(logits, targets)
        except Exception as error:
            if self._form == "neither":
                raise Unusable("the loss cannot be computed", told_by="model.loss") from error
            raise

    def _tried(self, logits: Tensor) -> str:
        B, T = [size for size in (2, 3, 4) if size != logits.shape[-1]][:2]
        outputs = logits.new_zeros(B, T, logits.shape[-1])
        targets = torch.zeros(B, T, dtype=torch.int64, device=logits.device)
        if _works(self._loss, outputs, targets):
            return "as they are"
        flat = _works(self._loss, outputs.flatten(0, 1), targets.flatten())
        return "flattened" if flat else "neither"


def _works(loss: Loss, logits: Tensor, targets: Tensor) -> bool:
    try:
        loss(logits, targets)
    except Exception:
        return False
    return True
