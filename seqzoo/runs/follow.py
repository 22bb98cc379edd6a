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

from seqzoo import torchrun
from seqzoo.model.memory import enough_memory
from seqzoo.model.runtime import make_runtime
from seqzoo.plugin.registry import load_registry
from seqzoo.plugin.trust import Trust, refuse
from seqzoo.recipes.load import parse_recipe
from seqzoo.runs.build import build_tokenizer, new_training
from seqzoo.runs.experiment import Experiment, new_model
from seqzoo.runs.interruption import Interruption
from seqzoo.training.checkpoint import Checkpoint
from seqzoo.training.loop import Hooks, train
from seqzoo.training.rank_store import wait_for_first
from seqzoo.training.ranks import LostRank, Ranks
from seqzoo.training.updates import Training

__all__ = ["follow", "leading"]

_FOR_ANOTHER_S = 1.0
"""A rank that failed by itself knows more than those that only miss it, and speaks first."""


@dataclass(frozen=True)
class _Task:
    """What a follower trains, besides the tokens.

    base: the folder of the recipe's relative paths. trusted: its plugin files and their hashes.
    """

    recipe: str
    base: Path
    trusted: Mapping[str, str]
    device: str
    threads: int
    documents: npt.NDArray[np.int64] | None
    bytes_per_token: float
    tokenizer: Mapping[str, Any]
    checkpoint: Checkpoint
    is_saved_first: bool
    again: str


@contextmanager
def leading(
    experiment: Experiment, training: Training, *, is_saved_first: bool, again: str
) -> Iterator[None]:
    """In this context the processes that torchrun has started train together; this is rank 0.

    is_saved_first: whether a checkpoint is written before the first update. again: the command
    that continues the run.
    """
    place = torchrun.here()
    if place is None:
        yield
        return
    recipe, text = experiment.recipe, experiment.training
    ranks = Ranks.join(place)
    ranks.again = again
    try:
        ranks.from_first(
            _Task(
                recipe=recipe.to_yaml(),
                base=recipe.base,
                trusted=dict(recipe.registry.trust.accepted),
                device=training.runtime.device.type,
                threads=training.runtime.threads,
                documents=text.documents,
                bytes_per_token=text.bytes_per_token,
                tokenizer=experiment.tokenizer.state(),
                checkpoint=training.checkpoint({}),
                is_saved_first=is_saved_first,
                again=again,
            )
        )
        ranks.array_from_first(np.asarray(text.tokens))
        ranks.use(training.runtime.device, in_order=recipe.runtime.gradient_sum == "in_order")
        training.take_part(ranks)
        yield
    except BaseException as error:
        if not _speaks(ranks, error, seconds=_FOR_ANOTHER_S):
            raise SystemExit(LostRank.exit_code) from None
        raise
    finally:
        training.ranks = None
        ranks.leave()


def follow(place: torchrun.Place) -> int:
    """Train beside rank 0 until it stops, and return the exit code; one rank says what fails."""
    with Interruption(lambda number: "") as interruption:

        def is_stopped() -> bool:
            return interruption.received is not None

        if not wait_for_first(place, is_stopped):
            return 0
        ranks = Ranks.join(place)
        ranks.asks_to_stop = is_stopped
        try:
            is_finished = _follow(ranks, place)
        except Exception as error:
            if _speaks(ranks, error, seconds=2 * _FOR_ANOTHER_S):
                raise
            return LostRank.exit_code
        finally:
            ranks.leave()
        return 0 if is_finished else 128 + (interruption.received or signal.SIGTERM)


def _follow(ranks: Ranks, place: torchrun.Place) -> bool:
    """Whether the budget was spent."""
    task: _Task = ranks.from_first()
    tokens = ranks.array_from_first()
    ranks.again = task.again
    remedy = "run the command again with --trust."
    trust = Trust(refuse, remedy, is_named=False, accepted=dict(task.trusted))
    recipe = parse_recipe(
        task.recipe,
        load_registry().trusting(trust),
        source="the recipe of rank 0",
        base=task.base,
    )
    device = f"cuda:{place.local}" if task.device == "cuda" else task.device
    section = recipe.runtime.model_copy(update={"threads": task.threads})
    runtime = make_runtime(section, device=device)
    sizes: dict[str, int] = {}
    with enough_memory("training", runtime.device, lambda: sizes):
        tokenizer = build_tokenizer(recipe)
        tokenizer.restore(task.tokenizer)
        training = new_training(
            recipe,
            new_model(recipe, tokenizer, tokens).to(runtime.device),
            runtime,
            tokens=tokens,
            documents=task.documents,
            bytes_per_token=task.bytes_per_token,
        )
        sizes |= training.sizes
        training.warn = lambda text: None  # rank 0 says it
        training.restore(task.checkpoint)
        ranks.use(runtime.device, in_order=recipe.runtime.gradient_sum == "in_order")
        training.take_part(ranks)
        if task.is_saved_first:
            training.take_part_in_checkpoint()
        hooks = Hooks(
            log=lambda line, times: None,
            validate=ranks.from_first,
            save=lambda is_needed: training.take_part_in_checkpoint(),
            stop=lambda: ranks.all_stop,
        )
        return train(training, hooks)


def _speaks(ranks: Ranks, error: BaseException, *, seconds: float) -> bool:
    """Whether this rank says why all end: one that failed by itself does, else the first.

    seconds: to wait for another one where this rank only misses it.
    """
    if isinstance(error, Exception) and threading.current_thread() is threading.main_thread():
        # torchrun ends the other processes when one has failed, also the one that says why.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if isinstance(error, LostRank):
        time.sleep(seconds)
        return ranks.claim()
    ranks.claim()
    return True
