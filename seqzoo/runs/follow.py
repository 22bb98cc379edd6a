"""One training in several processes: rank 0 runs it, and the others follow.

Rank 0 alone has the folder, the logs, the validation and the scores. It sends the others all that
they need: the recipe, the tokens, and the state of the training.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqzoo.errors import SeqzooError, UsageError
from seqzoo.model.runtime import Runtime, make_runtime
from seqzoo.plugin.build import as_plugin_error
from seqzoo.plugin.contracts import SequenceModel
from seqzoo.plugin.registry import load_registry
from seqzoo.recipes.load import Recipe, parse_recipe
from seqzoo.runs.build import (
    build_model,
    build_optimizer,
    build_schedule,
    build_tokenizer,
    open_stream,
)
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.experiment import Experiment
from seqzoo.runs.interruption import Interruption
from seqzoo.torchrun import Place, for_processes, number_of_processes
from seqzoo.training.checkpoint import Checkpoint
from seqzoo.training.loop import Hooks, train
from seqzoo.training.ranks import Ranks
from seqzoo.training.updates import Training

__all__ = ["follow", "leading", "new_training", "require_first_rank", "require_same_ranks"]

_FOR_ANOTHER_S = 1.0
"""Rank 0 knows more of what has failed, so the others let it speak first."""


@dataclass(frozen=True)
class _Task:
    """What a follower trains. base: the folder of the recipe's relative paths."""

    recipe: str
    base: Path
    device: str
    threads: int
    tokens: npt.NDArray[Any]
    documents: npt.NDArray[np.int64] | None
    bytes_per_token: float
    tokenizer: Mapping[str, Any]
    checkpoint: Checkpoint
    is_saved_first: bool
    again: str


def new_training(
    recipe: Recipe,
    model: SequenceModel,
    runtime: Runtime,
    *,
    tokens: npt.NDArray[Any],
    documents: npt.NDArray[np.int64] | None,
    bytes_per_token: float,
) -> Training:
    """The training of a model on the tokens of its training part, at its first step."""
    stream = open_stream(recipe, tokens, documents)
    if recipe.runtime.compile:
        model.compile()
    return Training(
        model,
        stream,
        recipe.train,
        optimizer=build_optimizer(recipe, model),
        schedule=build_schedule(recipe),
        runtime=runtime,
        bytes_per_token=bytes_per_token,
        epoch_tokens=len(tokens),
    )


@contextmanager
def leading(
    experiment: Experiment, training: Training, *, is_saved_first: bool, again: str
) -> Iterator[None]:
    """In this context the processes that torchrun has started train together; this is rank 0.

    is_saved_first: whether a checkpoint is written before the first update. again: the command
    that continues the run.
    """
    place = Place.here()
    if place is None:
        yield
        return
    recipe, text = experiment.recipe, experiment.training
    in_order = recipe.runtime.gradient_sum == "in_order"
    ranks = Ranks.join(place, in_order=in_order, again=again)
    try:
        ranks.from_first(
            _Task(
                recipe=recipe.to_yaml(),
                base=recipe.base,
                device=training.runtime.device.type,
                threads=training.runtime.threads,
                tokens=np.asarray(text.tokens),
                documents=text.documents,
                bytes_per_token=text.bytes_per_token,
                tokenizer=experiment.tokenizer.state(),
                checkpoint=training.checkpoint({}),
                is_saved_first=is_saved_first,
                again=again,
            )
        )
        ranks.use(training.runtime.device)
        training.take_part(ranks)
        yield
    except BaseException as error:
        ranks.claim()
        _stay_to_report(error)
        raise
    finally:
        training.ranks = None
        ranks.leave()


def require_first_rank() -> Place | None:
    """This process's place. Raises UsageError where a script is started by torchrun."""
    place = Place.here()
    if place is not None and place.rank > 0:
        raise UsageError(
            "in several processes a run is started as a command: "
            + for_processes("seqzoo run RECIPE", place.count)
        )
    return place


def require_same_ranks(directory: RunDirectory, recorded: Mapping[str, Any]) -> None:
    """Raises UsageError where a run was trained by another number of processes than these.

    recorded: of its runtime.
    """
    before = recorded.get("ranks", {}).get("count", 1)
    if (count := number_of_processes()) != before:
        raise UsageError(
            f"{directory.path} was trained by {_counted(before)}, found "
            f"{_counted(count)}: each has its rows of a batch and its own random numbers. "
            f"Continue it with: {directory.to_continue_in(before)}"
        )


def _counted(count: int) -> str:
    """Such as "2 processes"."""
    return f"{count} process{'es' if count > 1 else ''}"


def follow(place: Place) -> int:
    """Train beside rank 0 until it stops, and return the exit code; one rank says what fails."""
    with Interruption(lambda number: "") as interruption:
        ranks = Ranks.join(place, should_end=lambda: interruption.received is not None)
        ranks.asks_to_stop = lambda: interruption.received is not None
        try:
            is_finished = _follow(ranks, place)
        except SeqzooError as error:
            time.sleep(_FOR_ANOTHER_S)
            if ranks.claim():
                _stay_to_report(error)
                raise
            return error.exit_code
        finally:
            ranks.leave()
        return 0 if is_finished else 128 + (interruption.received or signal.SIGTERM)


def _follow(ranks: Ranks, place: Place) -> bool:
    """Whether the budget was spent."""
    task: _Task = ranks.from_first()
    ranks.again = task.again
    recipe = parse_recipe(
        task.recipe, load_registry(trust=True), source="the recipe of rank 0", base=task.base
    )
    ranks.in_order = recipe.runtime.gradient_sum == "in_order"
    device = f"cuda:{place.local}" if task.device == "cuda" else task.device
    threads = recipe.runtime.model_copy(update={"threads": task.threads})
    runtime = make_runtime(threads, device=device)
    tokenizer = build_tokenizer(recipe)
    tokenizer.restore(task.tokenizer)
    model = build_model(recipe, tokenizer)
    with as_plugin_error(recipe.registry, "architecture", recipe.architecture.name):
        model.before_training(task.tokens)
    training = new_training(
        recipe,
        model.to(runtime.device),
        runtime,
        tokens=task.tokens,
        documents=task.documents,
        bytes_per_token=task.bytes_per_token,
    )
    training.warn = lambda text: None  # rank 0 says it
    training.restore(task.checkpoint)
    ranks.use(runtime.device)
    training.take_part(ranks)
    if task.is_saved_first:
        training.checkpoint({})
    hooks = Hooks(
        log=lambda line, times: None,
        validate=ranks.from_first,
        save=lambda is_needed: _send_state(training),
        stop=lambda: ranks.all_stop,
    )
    return train(training, hooks)


def _stay_to_report(error: BaseException) -> None:
    """torchrun ends the other processes when one has failed, also the one that says why."""
    if isinstance(error, SeqzooError) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _send_state(training: Training) -> None:
    training.checkpoint({})
