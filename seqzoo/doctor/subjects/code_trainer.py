"""Updates of a user's own network on their own batches, with their own optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeAlias

import torch
from torch import Tensor, nn

from seqzoo.doctor.evidence.missing import Unusable
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.evidence.recording import Source
from seqzoo.doctor.evidence.trial import Trainer, Updated
from seqzoo.doctor.subjects.code_windows import AtEachPlace
from seqzoo.errors import DivergedError, UsageError
from seqzoo.model import state as states
from seqzoo.plugin.contracts import Batch, State

__all__ = ["CodeTrainer", "MakeOptimizer"]

MakeOptimizer: TypeAlias = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


class CodeTrainer(Trainer):
    """Raises Unusable if no optimizer can be made of the network's parameters."""

    def __init__(
        self,
        network: Network,
        source: Source,
        make_optimizer: MakeOptimizer,
        *,
        factor: Callable[[int], float] | None,
        clip_norm: float | None,
    ) -> None:
        self.network = network
        self.clip_norm = clip_norm
        self._source = source
        self._parameters = [p for p in network.module.parameters() if p.requires_grad]
        self.optimizer = self._optimizer = _made(make_optimizer, self._parameters)
        self._rates = [group["lr"] for group in self._optimizer.param_groups]
        self._factor = factor
        self._state: State = None
        self._rows = 0
        self._step = 0

    def update(self) -> Updated:
        batch = self._source.read(self._source.take())
        self.network.module.train()
        if self._factor is not None:
            for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
                group["lr"] = rate * self._factor(self._step)
        self._optimizer.zero_grad()
        # A last batch may have fewer rows; the state of another number of rows does not fit.
        is_carried = not batch.restarts.all() and len(batch.inputs) == self._rows
        logits, state = self._called(batch.inputs, self._state if is_carried else None)
        self._state = None if state is None else states.detach(state)
        self._rows = len(batch.inputs)
        loss = self.network.loss(logits, self._counted(batch).to(logits.device))
        torch.autograd.backward(loss)
        norm = self._gradient_norm()
        value = float(loss.detach())
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise DivergedError(f"loss {value:g} and gradient norm {norm:g} at update {self._step}")
        if self.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters, self.clip_norm)
        self._optimizer.step()
        self._step += 1
        return Updated(value, norm)

    def _called(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        call = self.network.forward
        if not isinstance(call, AtEachPlace):
            return self.network(inputs, state)
        logits, _ = replace(self.network, forward=call.of_the_last)(inputs)
        return logits[:, -1:], None

    def _counted(self, batch: Batch) -> Tensor:
        """The targets of the logits that `_called` gives."""
        is_last = isinstance(self.network.forward, AtEachPlace)
        return batch.targets[:, -1:] if is_last else batch.targets

    def _gradient_norm(self) -> float:
        gradients: list[Tensor] = [p.grad for p in self._parameters if p.grad is not None]
        values = [each.coalesce().values() if each.is_sparse else each for each in gradients]
        return float(torch.nn.utils.get_total_norm(values))


def _made(make: MakeOptimizer, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    try:
        optimizer = make(parameters)
        _require_parameters(optimizer, parameters)
    except Exception as error:
        raise Unusable("the optimizer cannot be used", reported_by="model.gradients") from error
    return optimizer


def _require_parameters(optimizer: object, parameters: list[nn.Parameter]) -> None:
    groups = getattr(optimizer, "param_groups", None)
    if groups is None:
        raise UsageError(
            f"optimizer gave {type(optimizer).__name__}; expected a torch optimizer of the "
            f"parameters that it is called with."
        )
    known = {id(parameter) for parameter in parameters}
    others = [p for group in groups for p in group["params"] if id(p) not in known]
    if others:
        raise UsageError(
            f"the optimizer has {len(others)} other parameters, of another model or of this one "
            f"before it was built again, so it moves nothing of the model that is trained; the "
            f"doctor trains a copy, so give examine a function that uses its argument, lambda p: "
            f"Adam(p)."
        )
