"""Whether the backward pass of an update stays within the text that the update reads.

Method: three updates in training mode; between them the state is detached, as in training, the
graph is freed by the backward pass, and the parameters change in place by a small step. Cost: three
updates. Pass rule: no backward pass reaches the graph of an earlier update, for which torch raises
an error. Source: truncated backpropagation through time, Williams and Peng 1990.
"""

from __future__ import annotations

import torch

from seqzoo.doctor.checks.model._passes import length_for, seeded
from seqzoo.doctor.evidence.gradients import without_sparse_gradients
from seqzoo.doctor.evidence.network import mean_nats
from seqzoo.doctor.subject import Subject
from seqzoo.model import state as states
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_UPDATES = 3
_REFUSALS = ("backward through the graph a second time", "modified by an inplace operation")


def examine(subject: Subject) -> Outcome:
    network = subject.network.copied()
    network.module.train()
    without_sparse_gradients(network.module)
    parameters = [p for p in network.module.parameters() if p.requires_grad]
    text = subject.random_tokens(4, length_for(subject))
    if not parameters:
        return Outcome.skipped("no parameter is trained")
    state = None
    for update in range(1, _UPDATES + 1):
        with seeded(update):
            logits, state = network(text, state)
            # Not the user's own loss: model.loss checks whether that can be differentiated.
            loss = mean_nats(logits, text.roll(-1, 1).to(logits.device))
        state = states.detach(state)
        try:
            gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        except RuntimeError as error:
            if not any(refusal in str(error) for refusal in _REFUSALS):
                raise
            return _failed(update)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                if gradient is not None:
                    parameter.sub_(1e-4 * gradient)
    return Outcome.passed(
        f"{_UPDATES} updates, none reached back into the one before", updates=_UPDATES
    )


def _failed(update: int) -> Outcome:
    return Outcome.failed(
        f"update {update} goes back into the graph of the one before, although the state was "
        "detached between them",
        why="The module keeps a tensor with its graph. Training stops with an error, or with "
        "retain_graph=True takes more time and memory with every update.",
        remedy="Do not keep the state in the module: take it as an argument and return it. Or "
        "detach what is kept: self.state = state.detach().",
        numbers={"update": float(update)},
    )
