"""A recipe, or a run of one, as the subject of a visit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from seqzoo.data.corpus import Data
from seqzoo.data.tokens import encode
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.evidence.pipeline import Pipeline
from seqzoo.doctor.evidence.recording import Source
from seqzoo.doctor.evidence.trial import Trainee, Updated
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.model.runtime import Runtime, make_runtime
from seqzoo.plugin.build import as_plugin_error
from seqzoo.plugin.contracts import Batch, Stream
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.sections import BudgetSection
from seqzoo.runs.build import (
    build_model,
    build_tokenizer,
    open_data,
    open_stream,
    try_model,
)
from seqzoo.runs.metrics import read_metrics
from seqzoo.runs.reopen import load_trained
from seqzoo.scoring.adaptive import prepared_again
from seqzoo.terminal.display import TerminalDisplay
from seqzoo.training.loop import Training

__all__ = ["subject_of_recipe", "subject_of_run"]


def subject_of_recipe(
    recipe: Recipe,
    *,
    title: str,
    device: str | None = None,
    announce: Callable[[str], None] = lambda text: None,
    **further: Any,
) -> Subject:
    """Before any training: the model is newly initialised.

    announce: hears of a corpus's fallback. further: as `Subject` takes it.
    """
    runtime = make_runtime(recipe.runtime, device=device)
    data = open_data(recipe, announce=announce)
    tokenizer = build_tokenizer(recipe)
    with as_plugin_error(recipe.registry, "tokenizer", recipe.tokenizer.name):
        tokenizer.learn(data.splits.training.bytes)
    return _subject(recipe, runtime, data, tokenizer, title=title, **further)


def subject_of_run(
    path: Path, registry: Registry, *, device: str | None = None, **further: Any
) -> Subject:
    """During or after training: the weights are the best so far. further: as `Subject` takes it."""
    run = load_trained(path, registry, device=device, display=TerminalDisplay())
    experiment = run.experiment
    return _subject(
        experiment.recipe,
        experiment.runtime,
        experiment.data,
        experiment.tokenizer,
        title=str(path),
        run=run,
        metrics=[line.values() for line in read_metrics(run.directory.metrics)],
        **further,
    )


def _subject(
    recipe: Recipe, runtime: Runtime, data: Data, tokenizer: Any, **further: Any
) -> Subject:
    with as_plugin_error(recipe.registry, "tokenizer", recipe.tokenizer.name):
        tokens = encode(tokenizer, data.splits.training.bytes)
        held_out = encode(tokenizer, data.splits.validation.bytes)
    bytes_per_token = len(data.splits.training) / max(len(tokens), 1)
    run = further.get("run")

    def build() -> torch.nn.Module:
        # The seed is the network's own, set before this is called; the recipe's would undo it.
        seeded = recipe.train.model_copy(update={"seed": torch.initial_seed() % 2**63})
        model = build_model(
            recipe.model_copy(update={"train": seeded}), vocab_size=tokenizer.vocab_size
        )
        with as_plugin_error(recipe.registry, "architecture", recipe.architecture.name):
            model.prepare(tokens)
        try_model(recipe, model, vocab_size=tokenizer.vocab_size)
        return model

    def network() -> Network:
        if run is not None:
            return Network(prepared_again(run.experiment.model, tokens), build)
        torch.manual_seed(recipe.train.seed)
        return Network(build().to(runtime.device), build)

    return Subject(
        registry=recipe.registry,
        recipe=recipe,
        data=data,
        tokenizer=tokenizer,
        tokens=tokens,
        held_out=held_out,
        bytes_per_token=bytes_per_token,
        vocab_size=tokenizer.vocab_size,
        network=network,
        pipeline=partial(RecipePipeline, recipe, tokens, runtime, bytes_per_token),
        **further,
    )


class RecipePipeline(Pipeline):
    """The recipe's stream and its way of training."""

    numbered = True

    def __init__(
        self,
        recipe: Recipe,
        tokens: npt.NDArray[Any],
        runtime: Runtime,
        bytes_per_token: float,
    ) -> None:
        self._recipe = recipe
        self._tokens = tokens
        self._runtime = runtime
        self._bytes_per_token = bytes_per_token
        self.batch_size = recipe.train.batch_size
        stages = recipe.train.bptt_length
        self.bptt_length = (
            stages if isinstance(stages, int) else max(stage.length for stage in stages)
        )

    def source(self) -> Source:
        return self._source(_numbers(len(self._tokens)))

    def real_source(self) -> Source:
        return self._source(self._tokens)

    def short_source(self, num_tokens: int) -> Source:
        if num_tokens > len(self._tokens):
            raise Missing("the training text is too short to be cut")
        return self._source(_numbers(num_tokens))

    def trainee(
        self, network: Network, *, steps: int, factor: Callable[[int], float] | None = None
    ) -> Trainee:
        section = self._recipe.train
        warmup = min(section.schedule.warmup_steps, max(steps // 5, 1))
        schedule = section.schedule.model_copy(
            update={"warmup_steps": warmup, "decay": "constant", "final_fraction": 1.0}
        )
        changed = {"budget": BudgetSection(steps=steps), "schedule": schedule}
        training = _Watched(
            network.module,  # type: ignore[arg-type]
            open_stream(self._recipe, self._tokens),
            section.model_copy(update=changed),
            runtime=self._runtime,
            bytes_per_token=self._bytes_per_token,
            epoch_tokens=len(self._tokens),
        )
        training.factor = factor
        return _Trainee(network, training)

    def _source(self, tokens: npt.NDArray[Any]) -> Source:
        stream: Stream = open_stream(self._recipe, tokens)
        return Source(lambda: stream.next(self.bptt_length), _copied)


class _Watched(Training):
    """A training whose learning rate may be led by hand."""

    factor: Callable[[int], float] | None = None

    def _factor(self) -> float:
        return super()._factor() if self.factor is None else self.factor(self.step)


class _Trainee(Trainee):
    def __init__(self, network: Network, training: Training) -> None:
        self.network = network
        self.clip_norm = training.section.clip_norm
        self._training = training

    def update(self) -> Updated:
        return Updated(*self._training.update())


def _copied(batch: Batch) -> Batch:
    return batch._replace(
        inputs=batch.inputs.clone(), targets=batch.targets.clone(), restarts=bool(batch.restarts)
    )


def _numbers(count: int) -> npt.NDArray[np.uint32]:
    return np.arange(count, dtype=np.uint32)
