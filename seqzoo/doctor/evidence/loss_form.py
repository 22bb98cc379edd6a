"""A user's own loss, called with logits and targets in the shape that it takes."""

from __future__ import annotations

import torch
from torch import Tensor

from seqzoo.doctor.evidence.missing import Unusable
from seqzoo.doctor.evidence.network import Loss

__all__ = ["AdaptedLoss", "shift_of"]


class AdaptedLoss:
    """Calls a loss with logits and targets as they are or, if it takes only those, flattened to
    (B T, V) and (B T,), as nn.CrossEntropyLoss() does.

    shift: how many tokens later the loss looks for the target of a place, see `shift_of`. Targets
    are given as the next tokens, and moved to where the loss looks for them.

    Which shape works is tried once, with B, T and V all different: a loss that takes axis 1 for
    classes would accept T = V, with another meaning. Raises Unusable if neither works.
    """

    def __init__(self, loss: Loss, shift: int = 0) -> None:
        self.given = loss
        self.shift = shift
        self._form: str | None = None

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        if self._form is None:
            self._form = self._tried(logits)
        if self.shift:
            targets = torch.cat([targets[:, : self.shift], targets[:, : -self.shift]], 1)
        # As those of a training are: a loss may use view.
        logits, targets = logits.contiguous(), targets.contiguous()
        if self._form == "flattened":
            return self.given(logits.flatten(0, 1), targets.flatten())
        try:
            return self.given(logits, targets)
        except Exception as error:
            if self._form == "neither":
                raise Unusable("the loss cannot be computed", reported_by="model.loss") from error
            raise

    def _tried(self, logits: Tensor) -> str:
        B, T = [size for size in (2, 3, 4) if size != logits.shape[-1]][:2]
        outputs = logits.new_zeros(B, T, logits.shape[-1])
        targets = torch.zeros(B, T, dtype=torch.int64, device=logits.device)
        if _works(self.given, outputs, targets):
            return "as they are"
        flat = _works(self.given, outputs.flatten(0, 1), targets.flatten())
        return "flattened" if flat else "neither"


def shift_of(loss: Loss, vocab_size: int) -> int:
    """1 if the loss compares logits at t with targets at t + 1, as many models' own losses do;
    0 if it does not, or cannot be called.
    """
    generator = torch.Generator().manual_seed(0)
    shape = (2, 7, max(vocab_size, 8))
    logits = torch.randn(shape, generator=generator, requires_grad=True)
    targets = torch.randint(vocab_size, shape[:2], generator=generator)
    try:
        (gradient,) = torch.autograd.grad(AdaptedLoss(loss)(logits, targets).sum(), logits)
    except Exception:  # model.loss reports it
        return 0
    # The loss falls fastest with the logit of the target.
    fastest = gradient.argmin(-1)
    return int(
        bool((fastest[:, :-1] == targets[:, 1:]).all()) and not torch.equal(fastest, targets)
    )


def _works(loss: Loss, logits: Tensor, targets: Tensor) -> bool:
    try:
        loss(logits, targets)
    except Exception:
        return False
    return True
