"""Outputs and losses that do not belong together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from doctor_cases.case import Case
from doctor_cases.makers import carried, parts
from doctor_cases.models import Recurrent
from doctor_cases.proofs import built, first_batch, gives_probabilities, has_another_loss

__all__ = ["CASES"]

_PROBABILITIES = (r"probabilit|softmax",)


def _ending(function: Any) -> Any:
    return carried(parts(Recurrent, end=lambda model, logits: function(logits)))


def _nll_of_logits(logits: Tensor, targets: Tensor) -> Tensor:
    return F.nll_loss(logits.flatten(0, 1), targets.flatten())


def _nll_of_probabilities(outputs: Tensor, targets: Tensor) -> Tensor:
    return F.nll_loss(outputs.flatten(0, 1), targets.flatten())


def _shifted_again(logits: Tensor, targets: Tensor) -> Tensor:
    """As in models whose labels are their inputs; these batches are shifted already."""
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), targets[:, 1:].flatten())


def _viewed(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy takes (B, V, T): here by view, which mixes symbols and times."""
    B, T, V = logits.shape
    return F.cross_entropy(logits.reshape(B, V, T), targets)


def _binary(logits: Tensor, targets: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, F.one_hot(targets, logits.shape[-1]).float())


def _flattened_in_another_order(logits: Tensor, targets: Tensor) -> Tensor:
    """Targets are transposed to (T, B), logits are not."""
    return F.cross_entropy(logits.flatten(0, 1), targets.t().reshape(-1))


def _negated(logits: Tensor, targets: Tensor) -> Tensor:
    """The likelihood is to be raised, and optimizers lower what they are given."""
    return logits.log_softmax(-1).gather(-1, targets[..., None]).mean()


def _softmax_inside(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits.softmax(-1).flatten(0, 1), targets.flatten())


def _stays_between_1(arguments: Mapping[str, Any]) -> bool:
    """Whether logits of a model with a hundred times larger weights are between -1 and 1."""
    module, call = built(arguments)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(100)
        return bool((call(first_batch(arguments)[0], None)[0].abs() <= 1).all())


def _goes_up(arguments: Mapping[str, Any]) -> bool:
    """Whether an update moves a weight with a gradient of 1 up."""
    weight = nn.Parameter(torch.zeros(1))
    weight.grad = torch.ones(1)
    arguments["optimizer"]([weight]).step()
    return bool(weight > 0)


CASES = (
    Case(
        name="a loss of the wrong sign",
        source="discuss.pytorch.org, negative loss while training, log likelihood",
        cause="The log-likelihood is given to an optimizer, which lowers it.",
        named_by=("model.loss",),
        words=(r"sign",),
        make=carried(Recurrent, loss=_negated),
        proof=has_another_loss,
    ),
    Case(
        name="an optimizer that maximises",
        source="torch.optim.Adam, maximize",
        cause="maximize=True was left from another task: each update raises the loss.",
        named_by=("model.loss",),
        words=(r"maximize",),
        make=carried(Recurrent, optimizer=lambda p: torch.optim.Adam(p, maximize=True)),
        proof=_goes_up,
    ),
    Case(
        name="softmax inside the loss",
        source="torch.nn.CrossEntropyLoss: the input is expected to contain unnormalised logits",
        cause="The loss of one's own applies a softmax, and cross-entropy another.",
        named_by=("model.loss",),
        words=(r"applies a softmax",),
        make=carried(Recurrent, loss=_softmax_inside),
        proof=has_another_loss,
    ),
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
    Case(
        name="NLLLoss of probabilities",
        source="github AnubhavGupta3377/Text-Classification-Models-Pytorch#9",
        cause="The model ends in a softmax, and NLLLoss expects its logarithm.",
        named_by=("model.loss", "model.logits"),
        words=(r"log|probabilit",),
        make=carried(
            parts(Recurrent, end=lambda model, logits: logits.softmax(-1)),
            loss=_nll_of_probabilities,
        ),
        proof=has_another_loss,
    ),
    Case(
        name="log-softmax over the batch",
        source="github clcarwin/sphereface_pytorch#24, "
        "jadore801120/attention-is-all-you-need-pytorch#19",
        cause="The old default axis of three-dimensional outputs is 0, the batch.",
        named_by=("model.logits", "model.rows"),
        words=(r"softmax|normalis|rows",),
        make=_ending(lambda y: y.log_softmax(0)),
        proof=gives_probabilities,
    ),
    Case(
        name="ReLU before the loss",
        source="github pytorch/examples#117, fastai/fastai#965",
        cause="Logits below 0 are cut to 0 and get no gradient.",
        named_by=("model.logits",),
        words=(r"relu|negative|nonnegative|below 0",),
        make=_ending(lambda y: y.relu()),
        proof=gives_probabilities,
    ),
    Case(
        name="tanh after the head",
        source="torch.nn.CrossEntropyLoss: unnormalised logits, which do not need to be positive",
        cause="Logits are between -1 and 1, so that no symbol can be probable.",
        named_by=("model.logits",),
        words=(r"tanh",),
        make=_ending(lambda y: y.tanh()),
        proof=_stays_between_1,
    ),
    Case(
        name="clamped logits",
        source="torch.clamp, for logits that were not finite",
        cause="Logits are clamped to -1 and 1.",
        named_by=("model.logits",),
        words=(r"clamp",),
        make=_ending(lambda y: y.clamp(-1, 1)),
        proof=_stays_between_1,
    ),
    Case(
        name="targets shifted by the batches and by the loss",
        source="github huggingface/transformers#47394, #44642",
        cause="Both shift by one, so that the model learns the token after the next.",
        named_by=("model.loss", "stream.targets"),
        words=(r"shift|ahead|after next|off by one",),
        make=carried(Recurrent, loss=_shifted_again),
        proof=has_another_loss,
    ),
    Case(
        name="logits viewed as (B, V, T)",
        source="github voiler/IMPALA#3",
        cause="Cross-entropy wants the vocabulary on axis 1: a view mixes it with time.",
        named_by=("model.loss",),
        make=carried(Recurrent, loss=_viewed),
        proof=has_another_loss,
    ),
    Case(
        name="targets flattened in another order",
        source="github markhliu/DGAI#7",
        cause="Logits are flattened row by row, and targets time by time.",
        named_by=("model.loss",),
        make=carried(Recurrent, loss=_flattened_in_another_order),
        proof=has_another_loss,
    ),
    Case(
        name="binary cross-entropy for each symbol",
        source="github wanasit/katakana#3, akshat0123/GPT-1#10",
        cause="Each symbol is a yes or no of its own, and almost all are no.",
        named_by=("model.loss",),
        make=carried(Recurrent, loss=_binary),
        proof=has_another_loss,
    ),
)
