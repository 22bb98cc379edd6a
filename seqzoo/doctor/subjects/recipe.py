"""A recipe, or a run of a recipe, as a subject."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from seqzoo.data.corpus import Data
from seqzoo.data.tokens import EncodedTraining, encode
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.evidence.pipeline import Pipeline
from seqzoo.doctor.evidence.recording import Source
from seqzoo.doctor.evidence.trial import Trainer, Updated
from seqzoo.doctor.subject import Missing, RunSoFar, Settings, Subject, Text
from seqzoo.model.runtime import Runtime, make_runtime
from seqzoo.plugin.build import as_plugin_error
from seqzoo.plugin.contracts import Batch, SequenceModel, Stream
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.sections import BudgetSection
from seqzoo.runs.build import build_optimizer, open_stream
from seqzoo.runs.experiment import Experiment, new_experiment, new_model
from seqzoo.runs.metrics import read_metrics
from seqzoo.runs.reopen import Trained, load_trained
from seqzoo.scoring.adaptive import prepare_copy
from seqzoo.terminal.display import Display
from seqzoo.training.schedule import Constant
from seqzoo.training.updates import Training

__all__ = ["subject_of_recipe", "subject_of_run", "subject_of_trained"]


def subject_of_recipe(
    recipe: Recipe,
    *,
    title: str,
    device: str | None = None,
    settings: Settings | None = None,
    data: Data | None = None,
    display: Display | None = None,
) -> Subject:
    """Before any training: the model is newly initialised.

    data: of the recipe's corpus, if it is open already. display: None for a silent one.
    """
    runtime = make_runtime(recipe.runtime, device=device)
    experiment = new_experiment(recipe, runtime=runtime, data=data, display=display or Display())
    return _subject(experiment, title, settings=settings)


def subject_of_run(
    path: Path,
    registry: Registry,
    *,
    device: str | None = None,
    settings: Settings | None = None,
    display: Display | None = None,
) -> Subject:
    """During or after training: the weights are the best so far."""
    run = load_trained(path, registry, device=device, display=display or Display())
    return subject_of_trained(run, title=f"run {path}", settings=settings)


def subject_of_trained(run: Trained, *, title: str, settings: Settings | None = None) -> Subject:
    """The same of a run that is loaded already."""
    metrics = [line.values() for line in read_metrics(run.directory.metrics)]
    return _subject(run.experiment, title, settings=settings, run=RunSoFar(run, metrics))


def _subject(
    experiment: Experiment, title: str, *, settings: Settings | None, run: RunSoFar | None = None
) -> Subject:
    recipe, runtime, tokenizer = experiment.recipe, experiment.runtime, experiment.tokenizer
    training = experiment.training
    with as_plugin_error(recipe.registry, "tokenizer", recipe.tokenizer.name):
        held_out = encode(tokenizer, experiment.data.splits.validation.bytes)

    def build() -> torch.nn.Module:
        # The caller has set the seed that the network is to have; the recipe's would replace it.
        seeded = recipe.train.model_copy(update={"seed": torch.initial_seed() % 2**63})
        return new_model(recipe.model_copy(update={"train": seeded}), tokenizer, training.tokens)

    def network() -> Network:
        if run is not None:
            return Network(prepare_copy(experiment.model, training.tokens), build)
        torch.manual_seed(recipe.train.seed)
        return Network(build().to(runtime.device), build)

    return Subject(
        title=title,
        registry=recipe.registry,
        settings=settings,
        recipe=recipe,
        run=run,
        text=Text(
            data=experiment.data,
            tokenizer=tokenizer,
            tokens=training.tokens,
            held_out=held_out,
            bytes_per_token=training.bytes_per_token,
        ),
        vocab_size=tokenizer.vocab_size,
        network=network,
        pipeline=lambda: RecipePipeline(recipe, training, runtime),
    )


class RecipePipeline(Pipeline):
    """The recipe's stream, and its training."""

    numbered = True

    def __init__(
        self,
        recipe: Recipe,
        training: EncodedTraining,
        runtime: Runtime,
    ) -> None:
        self._recipe = recipe
        self._tokens = training.tokens
        self._documents = training.documents
        self._runtime = runtime
        self._bytes_per_token = training.bytes_per_token
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

    def trainer(
        self, network: Network, *, steps: int, factor: Callable[[int], float] | None = None
    ) -> Trainer:
        section = self._recipe.train
        warmup = min(section.schedule.warmup_steps, max(steps // 5, 1))
        schedule = section.schedule.model_copy(update={"warmup_steps": warmup})
        changed = {"budget": BudgetSection(steps=steps), "schedule": schedule}
        model: SequenceModel = network.module  # type: ignore[assignment]
        training = _RateControlled(
            model,
            open_stream(self._recipe, self._tokens, self._documents),
            section.model_copy(update=changed),
            optimizer=build_optimizer(self._recipe, model),
            schedule=Constant(),
            runtime=self._runtime,
            bytes_per_token=self._bytes_per_token,
            epoch_tokens=len(self._tokens),
        )
        training.factor = factor
        return _Trainer(network, training)

    def _source(self, tokens: npt.NDArray[Any]) -> Source:
        documents = self._documents
        if documents is not None:
            documents = documents[documents < len(tokens)]
        stream: Stream = open_stream(self._recipe, tokens, documents)
        return Source(lambda: stream.next(self.bptt_length), _copied)


class _RateControlled(Training):
    """A training whose learning rate a check can set for each update."""

    factor: Callable[[int], float] | None = None

    def _factor(self) -> float:
        return super()._factor() if self.factor is None else self.factor(self.step)


class _Trainer(Trainer):
    def __init__(self, network: Network, training: Training) -> None:
        self.network = network
        self.clip_norm = training.section.clip_norm
        self._training = training

    def update(self) -> Updated:
        return Updated(*self._training.update())


def _copied(batch: Batch) -> Batch:
    targets = batch.targets.clone()
    if batch.mask is not None:
        targets[~batch.mask] = -1  # the doctor takes a negative target for padding
    return Batch(inputs=batch.inputs.clone(), targets=targets, restarts=batch.restarts.clone())


def _numbers(count: int) -> npt.NDArray[np.uint32]:
    return np.arange(count, dtype=np.uint32)
