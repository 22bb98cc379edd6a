"""Training by truncated backpropagation through time over a stream of batches, state carried.

`Training` has everything that the next update depends on; a checkpoint stores it, and a resumed run
restores it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqzoo.errors import CheckpointError, DivergedError, PluginError
from seqzoo.model import state as states
from seqzoo.model.runtime import Runtime, peak_memory_bytes, random_state, restore_random_state
from seqzoo.plugin.contracts import Batch, Schedule, SequenceModel, State, Stream
from seqzoo.recipes.sections import TrainSection
from seqzoo.training.average import new_average
from seqzoo.training.checkpoint import Checkpoint
from seqzoo.training.deterministic import deterministic_kernels, missing_kernel
from seqzoo.training.finite import require_finite
from seqzoo.training.optimizers import Optimizer
from seqzoo.training.ranks import Ranks, rank_of_generators
from seqzoo.training.schedule import learning_rate_factor

__all__ = ["Best", "Effort", "Training", "Update"]

_NOT_COUNTED = -100
_SEEDS_APART = 1_000_003
"""Between the seeds of two ranks: the next seed of a recipe is not that of the next rank."""


class Best(NamedTuple):
    """The step with the lowest validation score so far."""

    step: int
    bits_per_byte: float


@dataclass(frozen=True)
class Effort:
    """Cost of training: updates, raw bytes with repeats, seconds with validation, peak memory."""

    steps: int
    bytes: int
    seconds: float
    peak_memory_bytes: int


class Update(NamedTuple):
    """Result of one update: mean loss in nats per token, gradient norm before clipping."""

    loss_nats: float
    gradient_norm: float


class Training:
    """A model being trained: parameters, moments, stream, carried state and counters."""

    def __init__(
        self,
        model: SequenceModel,
        stream: Stream,
        section: TrainSection,
        *,
        optimizer: Optimizer,
        schedule: Schedule,
        runtime: Runtime,
        bytes_per_token: float,
        epoch_tokens: int,
    ) -> None:
        """optimizer, schedule: what the section names.

        epoch_tokens: tokens of the training part, which the stream reads.
        """
        self.model = model
        self.stream = stream
        self.section = section
        self.runtime = runtime
        self.bytes_per_token = bytes_per_token
        self.epoch_tokens = epoch_tokens
        self.optimizer = optimizer
        self.schedule = schedule
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.average = new_average(section.average, model)
        self.uses_average = False
        self.carried: State | None = None
        self.step = 0
        self.tokens_seen = 0
        self.seconds = 0.0
        self.earlier_peak_bytes = 0
        self.best: Best | None = None
        # Sums since the last logged line; a resumed run continues with the same sums.
        self.interval_nats = 0.0
        self.interval_norms = 0.0
        self.interval_updates = 0
        self.is_deterministic = runtime.device.type == "cuda"
        self.warn: Callable[[str], None] = warnings.warn
        self.ranks: Ranks | None = None
        self._is_compared = False
        self._other_generators: dict[str, Tensor] = {}

    def take_part(self, ranks: Ranks) -> None:
        """From here on, train with this process's rows of each batch, beside the other ranks.

        A rank without a stored random generator gets one of its own.
        """
        self.ranks = ranks
        if self.carried is not None:
            self.carried = states.map_tensors(ranks.own, self.carried)
        if ranks.is_first:
            return
        if stored := rank_of_generators(self._other_generators, ranks.rank):
            restore_random_state(stored)
        else:
            torch.manual_seed(self.section.seed + _SEEDS_APART * ranks.rank)

    @property
    def bytes_seen(self) -> int:
        """Raw bytes trained on so far, repeats counted."""
        return round(self.tokens_seen * self.bytes_per_token)

    @property
    def sizes(self) -> dict[str, int]:
        """The settings that memory grows with, and their values at this moment."""
        length = self.section.bptt_length_at(self.progress)
        sizes = {"train.batch_size": self.section.batch_size, "train.bptt_length": length}
        if self.section.average is not None and self.section.average.last_k is not None:
            sizes["train.average.last_k.k"] = self.section.average.last_k.k
        return sizes

    @property
    def progress(self) -> float:
        """Spent share of the budget; training ends at 1."""
        return self.section.budget.share(
            steps=self.step,
            bytes=self.bytes_seen,
            epochs=self.tokens_seen / self.epoch_tokens,
            seconds=self.seconds,
        )

    @property
    def learning_rate(self) -> float:
        """The optimizer's option `learning_rate` at the next update; it can have further rates."""
        return self.section.optimizer.options.learning_rate * self._factor()

    def update(self) -> Update:
        """One optimizer step over `accumulation_steps` batches.

        Raises DivergedError, without changing the parameters, if loss or gradient is not finite.
        """
        if not self.is_deterministic:
            return self._update()
        before = self.stream.state(), self.carried, self.tokens_seen, random_state()
        try:
            with deterministic_kernels():
                return self._update()
        except RuntimeError as error:
            if not (operation := missing_kernel(error)):
                raise
        self.is_deterministic = False
        self.warn(
            f"{operation} has no kernel on {self.runtime.device} that adds in one order: the last "
            f"bits of this run's weights are not repeatable, and not the same after a stop."
        )
        place, self.carried, self.tokens_seen, generators = before
        self.stream.restore(place)
        restore_random_state(generators)
        return self._update()

    def _update(self) -> Update:
        self.model.train()
        self.optimizer.zero_grad()
        parts = self.section.accumulation_steps
        length = self.section.bptt_length_at(self.progress)
        losses, auxiliary = [], []
        for _ in range(parts):
            batch = self.stream.next(length)
            loss, further = self._losses(batch)
            losses.append(loss.detach())
            if further is not None:
                auxiliary.append(further.detach())
                loss = loss + further
            (loss / parts if parts > 1 else loss).backward()
            self.tokens_seen += batch.num_targets
        nats = torch.stack([each.to(self.runtime.device) for each in (*losses, *auxiliary)])
        if self.ranks is not None:
            nats = self.ranks.add_up(self.parameters, nats)
        # All are read at once, because each reading waits for the device.
        *found, norm = torch.cat([nats, self._clip().to(nats.device).reshape(1)]).tolist()
        loss_nats = math.fsum(found[:parts]) / parts
        total_nats = loss_nats + math.fsum(found[parts:]) / parts
        if not (math.isfinite(total_nats) and math.isfinite(norm)):
            what = "loss" if not math.isfinite(total_nats) else "gradient norm"
            raise DivergedError(
                f"the {what} stopped being finite at step {self.step + 1}; the update was not "
                f"applied. In a new run, lower train.optimizer.learning_rate "
                f"({self.learning_rate:.2g} here), set train.clip_norm, or lengthen "
                f"train.schedule.warmup_steps."
            )
        self.optimizer.step(self._factor())
        if self.ranks is not None and not self._is_compared:
            # At once: where the weights differ, all further updates are worthless.
            self._is_compared = True
            self.ranks.require_same(self.model)
        self.step += 1
        if self.average is not None:
            self.average.after_update(self.step)
        self.interval_nats += loss_nats
        self.interval_norms += norm
        self.interval_updates += 1
        return Update(loss_nats, norm)

    def agreed(self, seconds: float) -> float:
        """The seconds of rank 0, where the budget depends on them."""
        if self.ranks is None or self.section.budget.seconds is None:
            return seconds
        return float(self.ranks.from_first(seconds))

    def validated(self, scores: Mapping[str, float]) -> bool:
        """Take the scores of this step; from here on the better weights are the ones in use.

        scores: `validation_bits_per_byte`, of the better weights; where there are averaged ones,
        `validation_bits_per_byte_trained` too. Returns whether it is the best score so far.
        """
        bits_per_byte = scores["validation_bits_per_byte"]
        trained = scores.get("validation_bits_per_byte_trained", bits_per_byte)
        self.uses_average = bits_per_byte < trained
        if self.best is not None and bits_per_byte >= self.best.bits_per_byte:
            return False
        self.best = Best(self.step, bits_per_byte)
        return True

    def weights_in_use(self) -> AbstractContextManager[None]:
        """In this context the model has the weights that a checkpoint of this moment is of.

        They are the averaged ones if those were better at the last validation.
        """
        if self.average is None or not self.uses_average:
            return nullcontext()
        return self.average.in_place()

    def take_interval(self) -> dict[str, float]:
        """Means since the last call, as a line of metrics."""
        updates = max(self.interval_updates, 1)
        line = {
            "step": self.step,
            "bits_per_byte": self.to_bits_per_byte(self.interval_nats / updates),
            "gradient_norm": self.interval_norms / updates,
            "learning_rate": self.learning_rate,
            "bytes": self.bytes_seen,
            "epoch": self.stream.epoch,
        }
        self.interval_nats = self.interval_norms = 0.0
        self.interval_updates = 0
        return line

    def to_bits_per_byte(self, nats_per_token: float) -> float:
        """A training loss on the scale of the scores; exact if a token is a byte."""
        return nats_per_token / math.log(2) / self.bytes_per_token

    def effort(self) -> Effort:
        """The cost of training so far, earlier processes of the same run included."""
        peak = max(self.earlier_peak_bytes, peak_memory_bytes(self.runtime.device))
        return Effort(self.step, self.bytes_seen, self.seconds, peak)

    def checkpoint(self, extra: Mapping[str, Any]) -> Checkpoint:
        """Everything that the next update depends on, and `extra`, which is plain data.

        With several ranks all of them call this at the same step; what rank 0 gets is complete.
        Raises DivergedError if a weight or a moment is not finite.
        """
        moments = self.optimizer.tensors()
        require_finite(dict(self.model.named_parameters()), moments, step=self.step)
        carried = {} if self.carried is None else states.flatten(self.carried)
        generators, runtime = random_state(), self.runtime.record()
        if self.ranks is not None:
            self.ranks.require_same(self.model)
            carried, generators = self.ranks.collected(carried, generators)
            runtime["ranks"] = self.ranks.record()
        weights: Mapping[str, Tensor] = self.model.state_dict()
        average: Mapping[str, Tensor] = {}
        if self.average is not None:
            weights, average = self.average.stored(self.model, is_used=self.uses_average)
        return Checkpoint(
            step=self.step,
            model=weights,
            optimizer=moments,
            carried=carried,
            generators={**self._other_generators, **generators},
            state={
                "stream": self.stream.state(),
                "tokens_seen": self.tokens_seen,
                "spent": asdict(self.effort()),
                "best": self.best,
                "averaged": self.uses_average,
                "interval": [self.interval_nats, self.interval_norms, self.interval_updates],
                "runtime": runtime,
                **extra,
            },
            average=average,
        )

    def take_part_in_checkpoint(self) -> None:
        """What the other ranks call where rank 0 calls `checkpoint`."""
        self.checkpoint({})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Restore what `checkpoint` stored. Raises CheckpointError if it does not fit."""
        try:
            self.model.load_state_dict(dict(checkpoint.model))
            self._restore_average(checkpoint)
            self.optimizer.restore(dict(checkpoint.optimizer))
            if checkpoint.carried:
                like = self.model.initial_state(self.stream.batch_size)
                carried = states.unflatten(checkpoint.carried, like)
                states.require_rows(carried, self.stream.batch_size)
                self.carried = states.to(carried, self.runtime.device)
            generators = dict(checkpoint.generators)
            own = rank_of_generators(generators, 0)
            restore_random_state(own)
            self._other_generators = {k: v for k, v in generators.items() if k not in own}
            state = checkpoint.state
            self.stream.restore(state["stream"])
            self.tokens_seen = state["tokens_seen"]
            self.seconds = state["spent"]["seconds"]
            self.earlier_peak_bytes = state["spent"]["peak_memory_bytes"]
            self.best = Best(*state["best"]) if state["best"] else None
            self.interval_nats, self.interval_norms, self.interval_updates = state["interval"]
        except (KeyError, TypeError, ValueError, IndexError, OverflowError, RuntimeError) as error:
            raise CheckpointError(
                f"step {checkpoint.step} does not fit this run's model and recipe: {error}"
            ) from error
        self.step = checkpoint.step

    def _restore_average(self, checkpoint: Checkpoint) -> None:
        """Where averaged weights were used, this also gives the model its trained ones."""
        self.uses_average = bool(checkpoint.state.get("averaged", False))
        if self.average is not None:
            step = checkpoint.step
            self.average.restore(checkpoint.average, step=step, is_used=self.uses_average)
        elif checkpoint.average or self.uses_average:
            raise ValueError("it has averaged weights, and the recipe has no train.average")

    def _factor(self) -> float:
        progress = self.progress
        # An update's own bytes are counted before its rate is asked for. If the first update
        # spends the whole budget it is the only one, and at the rate of the end it learns nothing.
        if self.step == 0 and progress >= 1:
            progress = 0.0
        return learning_rate_factor(
            self.schedule,
            warmup_steps=self.section.schedule.warmup_steps,
            step=self.step,
            progress=progress,
        )

    def _losses(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Mean nats per token, and the model's auxiliary loss; updates the carried state.

        With several ranks, this rank's part of both.
        """
        device, counted = self.runtime.device, batch.num_targets
        if self.ranks is not None:
            batch = self.ranks.rows_of(batch)
        # torch waits for the device at every copy from ordinary memory that is not `non_blocking`.
        inputs = batch.inputs.to(device, non_blocking=True)
        targets = batch.targets.to(device, non_blocking=True)
        state = states.reset_rows(self.carried, batch.restarts, self.model)
        positions = batch.positions
        if positions is not None:
            positions = positions.to(device, non_blocking=True)
        with self.runtime.autocast():
            logits, state = self.model.forward_in_training(inputs, state, positions)
            if batch.mask is not None:
                targets = targets.masked_fill(
                    ~batch.mask.to(device, non_blocking=True), _NOT_COUNTED
                )
            if logits.dtype != torch.float64:
                logits = logits.float()
            loss = F.cross_entropy(
                logits.flatten(0, 1),
                targets.flatten(),
                ignore_index=_NOT_COUNTED,
                reduction="mean" if self.ranks is None else "sum",
            )
            further = self.model.auxiliary_loss()
        if further is not None and getattr(further, "shape", None) != ():
            found = tuple(getattr(further, "shape", ())) or type(further).__name__
            raise PluginError(
                f"auxiliary_loss of {type(self.model).__name__} gave {found}, expected a tensor "
                f"without dimensions, in nats per token, or None."
            )
        self.carried = states.detach(state)
        if self.ranks is not None:
            loss = loss / counted
            further = None if further is None else further / self.ranks.count
        return loss, further

    def _clip(self) -> Tensor:
        limit = self.section.clip_norm
        return torch.nn.utils.clip_grad_norm_(self.parameters, math.inf if limit is None else limit)
