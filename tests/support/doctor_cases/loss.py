"""Outputs and losses that do not belong together."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional as F

from doctor_cases.case import Case
from doctor_cases.makers import carried, parts
from doctor_cases.models import Recurrent
from doctor_cases.proofs import gives_probabilities, has_another_loss

__all__ = ["CASES"]

_PROBABILITIES = (r"probabilit|softmax",)


def _ending(function: Any) -> Any:
    return carried(parts(Recurrent, end=lambda model, logits: function(logits)))


def _nll_of_logits(logits: Tensor, targets: Tensor) -> Tensor:
    return F.nll_loss(logits.flatten(0, 1), targets.flatten())


CASES = (
    Case(
        name="softmax before cross-entropy",
        source="github bkitano/llama-from-scratch#5",
        cause="The model ends in a softmax, and cross-entropy applies another.",
        named_by=("model.logits",),
        words=_PROBABILITIES,
        make=_ending(lambda y: y.softmax(-1)),
        proof=gives_probabilities,
    ),
    Case(
        name="NLLLoss of logits",
        source="github pytorch/examples#732, flashlight/flashlight#139",
        cause="The loss expects log-probabilities and gets logits: it can fall for ever.",
        named_by=("model.loss", "model.logits"),
        words=(r"log.?softmax|log.?probabilit|NLL|cross.?entropy",),
        make=carried(Recurrent, loss=_nll_of_logits),
        proof=has_another_loss,
    ),
    Case(
        name="log-softmax over time",
        source="github jadore801120/attention-is-all-you-need-pytorch#52",
        cause="Outputs are normalised over time instead of the vocabulary.",
        named_by=("model.logits", "model.causality"),
        words=(r"softmax|normalis",),
        make=_ending(lambda y: y.log_softmax(1)),
        proof=gives_probabilities,
    ),
)
