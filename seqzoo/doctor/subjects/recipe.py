"""A recipe, or a run of a recipe, as a subject."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
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
from seqzoo.doctor.evidence.trial import Trainer, Updated
from seqzoo.doctor.subject import Missing, RunSoFar, Settings, Subject, Text
from seqzoo.errors import UsageError
from seqzoo.model.runtime import Runtime, make_runtime
from seqzoo.plugin.contracts import Batch, Stream, Tokenizer
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.sections import BudgetSection
from seqzoo.runs.build import (
    blaming,
    build_model,
    build_tokenizer,
    open_data,
    open_stream,
    try_model,
)
from seqzoo.runs.reopen import load_trained, reopen_data
from seqzoo.scoring.adaptive import prepared_again
from seqzoo.training.loop import Training

__all__ = ["subject_of_recipe", "subject_of_run"]


def subject_of_recipe(
    recipe: Recipe,
    *,
    title: str,
    device: str | None = None,
    settings: Settings | None = None,
    announce: Callable[[str], None] = lambda text: None,
) -> Subject:
    """Before any training: the model is newly initialised.

    announce: called with a sentence if a corpus is replaced by its fallback.
    """
    runtime = make_runtime(recipe.runtime, device=device)
    data = open_data(recipe, announce=announce)
    tokenizer = build_tokenizer(recipe)
    with blaming(recipe.registry, "tokenizer", recipe.tokenizer.name):
        tokenizer.learn(data.splits.training.bytes)
    return _subject(recipe, runtime, _text(recipe, data, tokenizer), title, settings=settings)


def subject_of_run(
    path: Path,
    registry: Registry,
    *,
    device: str | None = None,
    settings: Settings | None = None,
) -> Subject:
    """During or after training: the weights are the best so far."""
    run = load_trained(path, registry, device=device)
    data = reopen_data(run.directory, run.recipe)
    return _subject(
        run.recipe,
        run.runtime,
        _text(run.recipe, data, run.tokenizer),
        str(path),
        settings=settings,
        run=RunSoFar(run, _metrics(run.directory.metrics)),
    )


@dataclass(frozen=True)
class _Tokens:
    """The text of a recipe: training split and validation split as tokens."""

    data: Data
    tokenizer: Tokenizer
    training: npt.NDArray[Any]
    held_out: npt.NDArray[Any]

    @property
    def bytes_per_token(self) -> float:
        return len(self.data.splits.training) / max(len(self.training), 1)


def _text(recipe: Recipe, data: Data, tokenizer: Tokenizer) -> _Tokens:
    with blaming(recipe.registry, "tokenizer", recipe.tokenizer.name):
        return _Tokens(
            data,
            tokenizer,
            encode(tokenizer, data.splits.training.bytes),
            encode(tokenizer, data.splits.validation.bytes),
        )


def _subject(
    recipe: Recipe,
    runtime: Runtime,
    text: _Tokens,
    title: str,
    *,
    settings: Settings | None,
    run: RunSoFar | None = None,
) -> Subject:
    tokens, vocab_size = text.training, text.tokenizer.vocab_size

    def build() -> torch.nn.Module:
        # The caller has set the seed that the network is to have; the recipe's would replace it.
        seeded = recipe.train.model_copy(update={"seed": torch.initial_seed() % 2**63})
        model = build_model(recipe.model_copy(update={"train": seeded}), vocab_size=vocab_size)
        with blaming(recipe.registry, "architecture", recipe.architecture.name):
            model.prepare(tokens)
        try_model(recipe, model, vocab_size=vocab_size)
        return model

    def network() -> Network:
        if run is not None:
            return Network(prepared_again(run.trained.model, tokens), build)
        torch.manual_seed(recipe.train.seed)
        return Network(build().to(runtime.device), build)

    return Subject(
        title=title,
        registry=recipe.registry,
        settings=settings,
        recipe=recipe,
        run=run,
        text=Text(
            data=text.data,
            tokenizer=text.tokenizer,
            tokens=tokens,
            held_out=text.held_out,
            bytes_per_token=text.bytes_per_token,
        ),
        vocab_size=vocab_size,
        network=network,
        pipeline=lambda: RecipePipeline(recipe, tokens, runtime, text.bytes_per_token),
    )


class RecipePipeline(Pipeline):
    """The recipe's stream, and its training."""

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

    def trainer(
        self, network: Network, *, steps: int, factor: Callable[[int], float] | None = None
    ) -> Trainer:
        section = self._recipe.train
        warmup = min(section.schedule.warmup_steps, max(steps // 5, 1))
        schedule = section.schedule.model_copy(
            update={"warmup_steps": warmup, "decay": "constant", "final_fraction": 1.0}
        )
        changed = {"budget": BudgetSection(steps=steps), "schedule": schedule}
        training = _RateControlled(
            network.module,  # type: ignore[arg-type]
            open_stream(self._recipe, self._tokens),
            section.model_copy(update=changed),
            runtime=self._runtime,
            bytes_per_token=self._bytes_per_token,
            epoch_tokens=len(self._tokens),
        )
        training.factor = factor
        return _Trainer(network, training)

    def _source(self, tokens: npt.NDArray[Any]) -> Source:
        stream: Stream = open_stream(self._recipe, tokens)
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
    return batch._replace(
        inputs=batch.inputs.clone(), targets=batch.targets.clone(), restarts=bool(batch.restarts)
    )


def _numbers(count: int) -> npt.NDArray[np.uint32]:
    return np.arange(count, dtype=np.uint32)


def _metrics(path: Path) -> list[dict[str, float]]:
    """The lines that a run has logged; an incomplete last line is left out."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    metrics = []
    for number, line in enumerate(lines, start=1):
        try:
            metrics.append(json.loads(line))
        except json.JSONDecodeError:
            if number < len(lines):
                raise UsageError(f"{path}:{number}: this is not a line of metrics.") from None
    return metrics
