"""Turns the calls of the hooks into a `Visit`.

Every method may be called from inside the user's loop, so each looks and changes nothing: no
random draw, no tensor in place, no graph kept. After the first steps only flags are counted.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from seqzoo.doctor.evidence.modes import modes_of
from seqzoo.doctor.watching.alive import Alive
from seqzoo.doctor.watching.gradients import Sampled, has_gradient, norm_of, values_of
from seqzoo.doctor.watching.graph import read_graph
from seqzoo.doctor.watching.inside import is_carried_inside, kept_in
from seqzoo.doctor.watching.likelihoods import watch_gradient
from seqzoo.doctor.watching.marks import mark
from seqzoo.doctor.watching.modes import has_time_first_layers
from seqzoo.doctor.watching.optimizers import Optimizers, groups_of, remembers
from seqzoo.doctor.watching.reading import look_at_input, look_at_output
from seqzoo.doctor.watching.returns import Returns
from seqzoo.doctor.watching.sizes import decay_beside_gradient, shrinkage_of
from seqzoo.doctor.watching.visit import (
    Backward,
    Clip,
    ForwardPass,
    RateChange,
    Step,
    Visit,
)

__all__ = ["LOOKED_AT", "Recorder"]

LOOKED_AT = 50
"""Steps that are looked at closely."""

_MOST_PASSES = 4_000
_SMALL = 2_000_000
_MOST_SNAPSHOTS = 16
_MOST_OPTIMIZERS = 100


class Recorder:
    """Records one loop.

    model: the module that the loop trains. visit: an empty one, to be filled.
    snapshots: its values after some steps, evenly spaced, if it is small.
    """

    def __init__(self, model: nn.Module, optimizer: Any, visit: Visit) -> None:
        self.model = model
        self.visit = visit
        self._event = 0
        self._parameters = dict(model.named_parameters())
        self._names = {id(each): name for name, each in self._parameters.items()}
        self._optimizers = Optimizers(self._parameters)
        self.visit.names = tuple(self._parameters)
        self.visit.dtypes = {n: str(p.dtype) for n, p in self._parameters.items()}
        self.visit.frozen = frozenset(n for n, p in self._parameters.items() if not p.requires_grad)
        self.visit.has_modes = modes_of(model)
        self.visit.has_time_first_layers = has_time_first_layers(model)
        self.visit.given_optimizer_is_foreign = (
            bool(groups_of(optimizer)) and not self._owned(optimizer)[1]
        )
        self._dirty: dict[int, set[str]] = {}
        self._in_step: dict[int, int] = {}
        self._used: set[str] = set()
        self._since = 0
        self._sampled: dict[int, Sampled] = {}
        self._had_memory: dict[int, bool] = {}
        self._losses, self._outputs = Alive(), Alive()
        self._flags = [0, 0]
        self._scale: float | None = None
        self.snapshots: dict[int, dict[str, Tensor]] = {}
        self._stride = 1
        self._one = min(
            (
                (name, each.detach().clone())
                for name, each in self._parameters.items()
                if each.requires_grad and not is_lazy(each) and 0 < each.numel() <= _SMALL
            ),
            key=lambda pair: pair[1].numel(),
            default=("", torch.empty(0)),
        )
        self._returns = Returns(self._parameters.get(self._one[0]))
        sized = [each for each in self._parameters.values() if not is_lazy(each)]
        self._is_small = sum(each.numel() for each in sized) <= _SMALL

    @property
    def is_close(self) -> bool:
        """Whether passes and steps are still looked at, and not only counted."""
        return self.visit.steps_seen < LOOKED_AT and len(self.visit.forwards) < _MOST_PASSES

    @property
    def optimizers(self) -> Optimizers:
        """Those that have made a step, and the one that was given."""
        return self._optimizers

    def forward_begins(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ForwardPass | None:
        """The model is called."""
        visit, with_gradients = self.visit, torch.is_grad_enabled()
        training = self.model.training
        visit.forwards_seen += 1
        if with_gradients:
            self._flags[training] += 1
        else:
            visit.scoring_passes += 1
            visit.scoring_passes_in_training += training
        if not self.is_close:
            return None
        seen = ForwardPass(when=self._next(), is_training=training, with_gradients=with_gradients)
        before = next((each for each in reversed(visit.forwards) if each.with_gradients), None)
        visit.forwards.append(seen)
        if with_gradients:
            look_at_input(seen, args, kwargs, before)
            seen.kept_before = kept_in(self.model)
            if before is not None and not seen.has_state:
                kept = before.kept_before, before.kept_after
                seen.has_state = is_carried_inside(seen.kept_before, *kept)
        return seen

    def forward_ends(self, seen: ForwardPass, output: Any) -> None:
        """The model has answered."""
        mark(output, seen.when)
        if seen.with_gradients:
            look_at_output(seen, output)
            self._outputs.add(output, seen.when)
            seen.kept_after = kept_in(self.model)

    def backward_begins(self, tensors: Any, retain: bool) -> Backward | None:
        """A backward pass is about to begin."""
        visit = self.visit
        visit.backwards_seen += 1
        self._since += 1
        if not self.is_close:
            return None
        loss = tensors if isinstance(tensors, Tensor) else next(iter(tensors), None)
        if not isinstance(loss, Tensor):
            return None
        graph = read_graph(loss)
        cleared = self._look_at_cleared()
        if cleared:
            self._since = 1
        seen = Backward(
            when=self._next(),
            value=float(loss.detach().float().mean()) if loss.numel() else None,
            retained=retain,
            nodes=graph.nodes,
            is_whole=graph.is_whole,
            forwards=tuple(sorted(graph.forwards)),
            terms=[term for term, _ in graph.terms],
            picked=[term for term, _ in graph.picked],
            log_softmaxes=graph.log_softmaxes,
            divergences=[each for each, _ in graph.divergences],
            reaches_parameters=bool(graph.leaves & self._names.keys()) or not graph.is_whole,
            all_cleared=cleared,
            scale=self._scale,
            in_step=any(self._in_step.values()),
        )
        for number in seen.forwards:
            each = self._pass(number)
            if each is not None and each.used_by is None:
                each.used_by = seen.when
        for term, node in graph.terms + graph.picked:
            watch_gradient(term, node)
        for part, node in graph.divergences:
            watch_gradient(part, node)
        # What the pass before this one used may still have a name in the loop.
        if len(visit.backwards) > 1:
            seen.losses = self._losses.counted(visit.backwards[-1].when)
            seen.outputs = self._outputs.counted(visit.backwards[-2].when)
        visit.backwards.append(seen)
        self._losses.add(loss, seen.when)
        return seen

    def backward_ends(self, seen: Backward) -> None:
        """It has ended, and the gradients have arrived."""
        seen.norm = norm_of(self._parameters.values())

    def step_begins(self, optimizer: Any, closure: bool) -> None:
        """An optimizer is about to make a step, if it has a parameter of the model."""
        key, own = self._owned(optimizer)
        if not own:
            self.visit.foreign_steps += 1
            return
        self._in_step[key] = 1
        visit = self.visit
        if self.is_close:
            self._returns.step_begins()
        rates = tuple(float(group["lr"]) for group in groups_of(optimizer))
        if key in visit.rates or len(visit.rates) < _MOST_OPTIMIZERS:
            visit.rates.setdefault(key, RateChange()).note(max(rates, default=0.0))
        if not self.is_close:
            self._count_modes(None)
            return
        seen = Step(
            when=self._next(),
            optimizer=key,
            kind=type(optimizer).__name__,
            parameters=own,
            maximizes=any(group.get("maximize") for group in groups_of(optimizer)),
            rates=rates,
            shrinkage=shrinkage_of(optimizer),
            has_closure=closure,
            is_fused_scaler=getattr(optimizer, "grad_scale", None) is not None,
        )
        visit.steps.append(seen)
        self._had_memory[key] = remembers(optimizer)
        parameters = {name: self._parameters[name] for name in own}
        if not closure:
            self._look_at_gradients(seen, parameters)
            seen.decay = decay_beside_gradient(optimizer, parameters)
        self._sampled[key] = Sampled(parameters, visit.steps_seen, has_gradients=not closure)

    def _look_at_gradients(self, seen: Step, parameters: dict[str, nn.Parameter]) -> None:
        """The gradients that a step uses. With a closure they are made inside the step."""
        visit, own = self.visit, set(parameters)
        filled = {name for name, each in parameters.items() if has_gradient(each)}
        seen.backwards = self._since
        seen.known, seen.empty = len(own), len(own) - len(filled)
        seen.dirty = len(filled & self._dirty.get(seen.optimizer, set()))
        seen.norm = norm_of(parameters.values())
        visit.with_gradient |= filled
        visit.without_gradient |= own - filled
        self._count_modes(seen)

    def step_ends(self, optimizer: Any) -> None:
        """The optimizer has made its step."""
        (key, own), visit = self._owned(optimizer), self.visit
        if not self._in_step.pop(key, 0):
            return
        seen = visit.steps[-1] if visit.steps else None
        if self.is_close and seen is not None and seen.optimizer == key:
            parameters = {name: self._parameters[name] for name in own}
            seen.is_first = not self._had_memory.pop(key, True) and remembers(optimizer)
            if seen.has_closure:
                self._look_at_gradients(seen, parameters)
            self._sampled.pop(key).compare(parameters, visit.moved)
            self._dirty[key] = set()
            self._used -= set(parameters)
            self._used |= {name for name, each in parameters.items() if has_gradient(each)}
            seen.ended = self._next()
            self._returns.step_ends()
        self._since = 0
        visit.steps_seen += 1
        if self._is_small and visit.steps_seen % self._stride == 0:
            self._keep_values(visit.steps_seen)

    def _keep_values(self, step: int) -> None:
        """Evenly spaced over the loop, however long it is: half of them go when there are many."""
        self.snapshots[step] = values_of(self.model)
        if len(self.snapshots) > _MOST_SNAPSHOTS:
            self._stride *= 2
            self.snapshots = {n: v for n, v in self.snapshots.items() if n % self._stride == 0}

    def clipped(self, limit: float, norm: float) -> None:
        """Gradients were clipped."""
        if self.is_close and len(self.visit.clips) < _MOST_PASSES:
            self.visit.clips.append(Clip(self._next(), limit, norm))

    def scaled(self, scale: float) -> None:
        """A gradient scaler multiplied a loss."""
        self._scale = scale

    def scheduler_stepped(self) -> None:
        """A scheduler of the learning rate made a step."""
        self.visit.scheduled = True
        if self.is_close and len(self.visit.scheduler_steps) < _MOST_PASSES:
            self.visit.scheduler_steps.append(self._next())

    def finish(self) -> None:
        """The loop has ended: what can only be seen now."""
        self.visit.put_back = self._returns.returned
        self.visit.changed_between = self._returns.changed
        name, value = self._one
        self.visit.moved_by_hand = name != "" and not torch.equal(
            self._parameters[name].detach(), value
        )
        now = dict(self.model.named_parameters())
        added = [pair for pair in now.items() if id(pair[1]) not in self._names]
        self.visit.late = self._optimizers.without(added)
        # Used as well: a gradient may also be wanted of a parameter that is to stay.
        unfrozen = [pair for pair in now.items() if pair[0] in self.visit.frozen]
        self.visit.unfrozen = self._optimizers.without(
            (name, each) for name, each in unfrozen if each.grad is not None
        )
        self.visit.frozen |= {
            name
            for name, each in now.items()
            if not each.requires_grad and name not in self.visit.owned
        }

    def _look_at_cleared(self) -> bool:
        """Which parameters still have the gradient that a step has used."""
        kept = {name for name in self._used if has_gradient(self._parameters[name])}
        for key, own in self._optimizers.of_all():
            known = self._dirty.setdefault(key, set())
            known -= {n for n in known if not has_gradient(self._parameters[n])}
            known |= kept & own
        self._used = set()
        return not any(has_gradient(each) for each in self._parameters.values())

    def _owned(self, optimizer: Any) -> tuple[int, frozenset[str]]:
        found = self._optimizers.look_up(optimizer)
        self.visit.owned, self.visit.twice = self._optimizers.owned, self._optimizers.twice
        return found

    def _count_modes(self, step: Step | None) -> None:
        in_eval, in_training = self._flags
        self._flags = [0, 0]
        if in_eval and not in_training:
            self.visit.training_passes_in_eval += 1
        if step is not None:
            step.eval_forwards, step.trained_forwards = in_eval, in_training

    def _pass(self, number: int) -> ForwardPass | None:
        for each in reversed(self.visit.forwards):
            if each.when == number:
                return each
        return None

    def _next(self) -> int:
        self._event += 1
        return self._event
