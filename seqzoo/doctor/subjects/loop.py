"""A watched training loop as a subject: its own batches, and the model before and after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property, partial
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor, nn

from seqzoo.doctor.checks import select_checks
from seqzoo.doctor.evidence.generation import Generate
from seqzoo.doctor.evidence.measure import measure
from seqzoo.doctor.evidence.missing import Missing, or_none
from seqzoo.doctor.evidence.network import Forward, Network, call_plainly
from seqzoo.doctor.evidence.recording import Recording
from seqzoo.doctor.evidence.trial import Point, Trial
from seqzoo.doctor.subject import Settings, Text
from seqzoo.doctor.subjects.code import CodeSubject, reinitialised
from seqzoo.doctor.subjects.code_batches import OneTargetPerRow
from seqzoo.doctor.subjects.code_fit import with_state_inside
from seqzoo.doctor.subjects.code_pipeline import SHORTEST_TEXT, Batches, CodePipeline
from seqzoo.doctor.subjects.code_windows import Windows
from seqzoo.doctor.watching.axes import reads_time_first
from seqzoo.doctor.watching.batches import (
    ONE_FOR_EACH_ROW,
    WatchedBatches,
    is_carried,
    watched_batches,
)
from seqzoo.doctor.watching.calls import call_as_seen
from seqzoo.doctor.watching.copies import load_values
from seqzoo.doctor.watching.recorder import Recorder
from seqzoo.doctor.watching.visit import ForwardPass, Visit
from seqzoo.plugin.check import Check
from seqzoo.plugin.registry import Registry

__all__ = ["Loop", "LoopSubject", "checks_of_loop", "subject_of_loop"]

_FEW_TOKENS = 1 << 15

# The others that are not quick train networks of their own.
_OF_THE_TRAINED = (
    "memory.carry",
    "memory.saturation",
    "optimisation.dead_units",
    "verdict.rung",
    "decoding.*",
)
# They look at a loss or an update of the doctor's own; checks of the loop look at the real ones.
_LEFT_OUT = (
    "model.loss",
    "model.gradients",
    "optimisation.gradient_norm",
    "optimisation.update_ratio",
    "environment.*",
)


@dataclass(frozen=True, kw_only=True)
class Loop:
    """A loop that has ended, and what the user gave to `watch`.

    before: a copy of the model from before the loop, None if there is none.
    """

    recorder: Recorder
    before: nn.Module | None
    text: Text
    batches: Batches | None = None
    forward: Forward | None = None
    generate: Generate | None = None
    carry_state: bool | None = None


def checks_of_loop(
    registry: Registry, visit: Visit, only: Sequence[str], *, quick: bool
) -> list[Check]:
    """What can be asked of a loop; without a training of the doctor's own if `quick`."""
    checks = select_checks(registry, only)
    if only:
        return checks
    trained = visit.steps_seen > 0
    return [
        check
        for check in checks
        if not _is_among(check, _LEFT_OUT)
        and (check.is_quick or not quick or (trained and _is_among(check, _OF_THE_TRAINED)))
    ]


def _is_among(check: Check, names: Sequence[str]) -> bool:
    return any(fnmatchcase(check.name, name) for name in names)


def subject_of_loop(
    loop: Loop, registry: Registry, *, quick: bool = True, seed: int = 1
) -> LoopSubject:
    """The loop as a subject; nothing is computed yet."""
    return LoopSubject(loop, registry, settings=Settings(seed=seed), quick=quick)


class LoopSubject(CodeSubject):
    """`network` is the model as it was before the loop, `trained_network` as it is after it."""

    def __init__(self, loop: Loop, registry: Registry, *, settings: Settings, quick: bool) -> None:
        self._loop = loop
        self._leaves_out_training = quick
        self._gives_time_first = loop.recorder.visit.has_time_first_layers
        batches = loop.batches
        super().__init__(
            title="training loop",
            registry=registry,
            settings=settings,
            text=loop.text,
            visit=loop.recorder.visit,
            generate=loop.generate,
            network=self.network_before,
            pipeline=(
                partial(WatchedPipeline, self)
                if batches is None
                else lambda: CodePipeline(
                    batches,
                    self.make_optimizer,
                    carry_state=self._carries_state,
                    model=self.network_before,
                )
            ),
        )

    @property
    def _carries_state(self) -> bool:
        """Whether the loop passes on what the model returns beside the logits.

        If nothing is returned, the state may be inside the model.
        """
        if self._loop.carry_state is not None:
            return self._loop.carry_state
        passes = [each for each in self.visit.forwards if each.used_by is not None]
        returns_a_state = any(each.state_sums for each in passes)
        return not returns_a_state or is_carried(passes)

    @cached_property
    def watched(self) -> WatchedBatches:
        """The batches of the loop. Raises Missing with the reason if they are not known."""
        carry_state = self._loop.carry_state
        return self._failures.made(
            lambda: watched_batches(self.visit, carry_state=carry_state),
            "the batches of the loop cannot be joined",
        )

    @cached_property
    def recording(self) -> Recording:
        if self._loop.batches is not None:
            return super().recording
        pipeline = self.pipeline
        batches = self.watched.batches
        if isinstance(pipeline, WatchedPipeline):
            batches = pipeline.batches
        return Recording(batches, self.watched.changed, False)

    @cached_property
    def queued_recording(self) -> Recording | None:
        return None if self._loop.batches is None else super().queued_recording

    @cached_property
    def network(self) -> Network:
        network = super().network
        if or_none(lambda: self.pipeline) is not None:
            return network
        return replace(network, longest=self._longest_row)

    @property
    def held_out(self) -> npt.NDArray[Any]:
        """Less of it for a model that reads a whole window for each token: it is scored often."""
        whole, rows = super().held_out, self._rows
        return whole[: _FEW_TOKENS // rows.length] if isinstance(rows, Windows) else whole

    @property
    def _longest_row(self) -> int | None:
        """Tokens of the longest row that the loop read, None if it read one token at a time."""
        time = 0 if self._gives_time_first else 1
        lengths = [
            each.ids.shape[time]
            for each in self.visit.forwards
            if each.ids is not None and each.ids.ndim == 2
        ]
        longest = max(lengths, default=0)
        return longest if longest >= SHORTEST_TEXT else None

    @property
    def trained_network(self) -> Network:
        network = self.network
        if network.longest is not None and not self.visit.steps_seen:
            return network
        return replace(network, module=self._loop.recorder.model).copied()

    @cached_property
    def trial(self) -> Trial:
        """The loop itself, scored at the steps whose values were kept."""
        if not self.visit.steps_seen:
            raise Missing("no step was made")
        trial = Trial(self.trained_network, None)
        trial.losses = [each.value or 0.0 for each in self.visit.backwards]
        held_out = or_none(lambda: self.held_out)
        if held_out is not None:
            for step, values in self._values():
                module = replace(self.network, module=self._loop.recorder.model).copied().module
                load_values(module, values, model=self._loop.recorder.model)
                found = measure(replace(self.network, module=module), held_out)
                trial.points.append(Point(step, 0, found.bits_per_token, found.accuracy))
        return trial

    def make_optimizer(self, parameters: Any) -> torch.optim.Optimizer:
        """One like that of the loop, for other parameters; Adam if it is not torch's."""
        seen = self._loop.recorder.optimizers
        if seen.kind is not None and not issubclass(seen.kind, torch.optim.LBFGS):
            try:
                return seen.kind(parameters, **seen.defaults)
            except (TypeError, ValueError):
                return torch.optim.Adam(parameters)
        return torch.optim.Adam(parameters)

    def _values(self) -> Iterator[tuple[int, dict[str, Tensor]]]:
        recorder = self._loop.recorder
        yield from recorder.snapshots.items()
        if self.visit.steps_seen not in recorder.snapshots:
            yield self.visit.steps_seen, dict(recorder.model.state_dict())

    def network_before(self) -> Network:
        """The model as it was before the loop, called as in the loop; Missing if it cannot be."""
        before = self._loop.before
        if before is None:
            raise Missing("the model is too large to be copied, or cannot be copied")
        forward = self._loop.forward
        network = Network(
            before, partial(reinitialised, before), forward or call_plainly, builds_new=False
        )
        if forward is not None:
            return network
        seen = next((each for each in self.visit.forwards if each.ids is not None), None)
        if seen is None or seen.ids is None:
            raise Missing(f"{_UNKNOWN_CALL}: it does not read token ids")
        if self._gives_no_logits(seen):
            raise Missing(
                f"what the model gives, {seen.output_shape}, are not the logits that the loss "
                "reads; watch the module that gives those"
            )
        ids = seen.ids[:, None] if seen.ids.ndim == 1 else seen.ids
        try:
            is_time_first = self._is_time_first(seen, network)
            network = replace(network, forward=call_as_seen(seen, is_time_first=is_time_first))
            copied = network.copied()
            with torch.no_grad():
                if self._has_one_target:
                    copied.forward(copied.module, ids.to(copied.device), None)
                    return network
                copied(ids := ids.T if is_time_first else ids)
        except Exception as error:
            raise Missing(f"{_UNKNOWN_CALL} ({error})") from error
        self._gives_time_first = is_time_first
        return with_state_inside(network, ids) or network

    def _gives_no_logits(self, seen: ForwardPass) -> bool:
        """Whether layers outside the model make the logits, of another number of classes."""
        terms = [term for each in self.visit.backwards for term in each.terms]
        classes = {term.num_classes for term in terms if term.num_classes}
        return bool(classes and seen.output_shape) and not classes & set(seen.output_shape)

    @property
    def _has_one_target(self) -> bool:
        if self._loop.batches is not None:
            return any(len(each.output_shape) == 2 for each in self.visit.forwards)
        watched = or_none(lambda: self.watched)
        return watched is not None and watched.has_one_target

    def _is_time_first(self, seen: ForwardPass, network: Network) -> bool:
        watched = or_none(lambda: self.watched)
        if watched is not None:
            return watched.is_time_first
        given = [each.ids for each in self.visit.forwards if each.ids is not None]
        given = [each for each in given if each.ndim == 2]
        if not given or seen.ids is None or seen.ids.ndim == 1:
            return False
        as_given = replace(network, forward=call_as_seen(seen, is_time_first=False))
        return reads_time_first(as_given, given)


_UNKNOWN_CALL = "the doctor cannot call the model in the way of the loop; give watch(forward=...)"


class WatchedPipeline(CodePipeline):
    """The batches that the loop has read, again and again from the first."""

    def __init__(self, subject: LoopSubject) -> None:
        watched = subject.watched
        items = [
            (each.inputs, each.targets.flatten() if watched.has_one_target else each.targets)
            for each in watched.batches
        ]
        try:
            super().__init__(
                lambda: items,
                subject.make_optimizer,
                carry_state=watched.is_carried,
                model=subject.network_before,
            )
        except OneTargetPerRow as error:
            raise Missing(ONE_FOR_EACH_ROW) from error
        self.is_flat = watched.is_flat
        self.restarts_anywhere = False  # they end where the watch stopped to look
        self.batches = watched.batches
        """What was read, as the checks see it."""
        if watched.has_one_target:
            self.batches = tuple(map(self._read, items))
