"""Makes an ensemble of runs: fits its shares on validation, and writes it as a run of its own.

The folder has a recipe whose architecture mixes those of the runs, and a checkpoint with all their
weights, so that every command treats it like a run. It is not trained: what the training of its
members cost is added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from seqzoo.ensembles.costs import first_distributions, nats_of_tokens
from seqzoo.ensembles.members import Member, open_members
from seqzoo.ensembles.recipe import combining_architecture, ensemble_recipe
from seqzoo.ensembles.shares import Vector, fitted_shares, mixture_nats
from seqzoo.model.runtime import make_runtime
from seqzoo.plugin.build import as_plugin_error, require
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.specs import Combination
from seqzoo.recipes.load import Recipe
from seqzoo.results.result import Result
from seqzoo.runs.directory import RunDirectory, create_run_directory, require_free
from seqzoo.runs.disk import room_for
from seqzoo.runs.experiment import Experiment
from seqzoo.runs.interruption import stopping
from seqzoo.runs.memory import enough_memory_in
from seqzoo.runs.origin import read_origin, write_origin
from seqzoo.runs.probe import probe_of
from seqzoo.runs.reopen import Trained
from seqzoo.runs.runner import removed_without_checkpoint
from seqzoo.runs.score import finish_run
from seqzoo.terminal.display import Display
from seqzoo.training import checkpoint as checkpoints
from seqzoo.training.checkpoint import Checkpoint
from seqzoo.training.updates import Effort

__all__ = ["make_ensemble"]

_DEFAULT_NAME = "ensemble"


@stopping("Stopped before the ensemble was made; nothing is saved.")
def make_ensemble(
    paths: Sequence[Path],
    registry: Registry,
    *,
    root: Path,
    name: str | None = None,
    device: str | None = None,
    display: Display,
) -> tuple[RunDirectory, Result]:
    """A new run in `root`, the mixture of the runs at `paths`, scored and with samples.

    name: of its folder, which must not exist; None for `ensemble`, with a number if that exists.
    device: None for that of the first run. Raises UsageError where the runs cannot be mixed.
    """
    if name is not None:
        require_free(root / name)
    architecture, combination = combining_architecture(registry)
    members = open_members(paths, registry, device=device, display=display)
    first = members[0].experiment
    recipe = ensemble_recipe(
        members, architecture, combination, name=name or _DEFAULT_NAME, registry=registry
    )
    shares = _fitted(members, display)
    runtime = make_runtime(recipe.runtime, device=device)
    weights = _combined(members, recipe, combination, shares)
    experiment = Experiment(
        recipe,
        runtime=runtime,
        display=display,
        tokenizer=first.tokenizer,
        open_data=lambda: first.data,
        weights=weights,
    )
    _require_mixture(experiment, members, shares)
    directory = create_run_directory(root, name or _DEFAULT_NAME, numbered=name is None)
    with (
        removed_without_checkpoint(directory),
        directory.locked(),
        room_for(directory, is_new=True),
    ):
        records = [member.record(float(w)) for member, w in zip(members, shares, strict=True)]
        write_origin(directory, experiment, members=records)
        return directory, _saved_and_scored(directory, experiment, weights)


def _fitted(members: Sequence[Member], display: Display) -> Vector:
    """The shares that predict the validation part best; the test part is not read."""
    first = members[0].experiment
    span, protocol = first.data.splits.validation, first.protocol
    costs = []
    for member in members:
        display.note(f"{member.path}: reading the validation part")
        costs.append(nats_of_tokens(member.experiment, span, protocol))
    nats = np.stack(costs)
    shares = fitted_shares(nats)
    display.facts(_facts(members, shares, nats, len(protocol.part(span))))
    return shares


def _facts(
    members: Sequence[Member], shares: Vector, nats: npt.NDArray[np.float64], num_bytes: int
) -> dict[str, str]:
    """What each run and their mixture cost on validation, in words."""
    costs = (*nats, mixture_nats(nats, shares))
    scores = [f"{each.sum() / np.log(2) / num_bytes:.4f} bits per byte" for each in costs]
    facts = {
        str(member.path): f"{score} on validation, weight {share:.3f}"
        for member, score, share in zip(members, scores, shares, strict=False)
    }
    return {**facts, "together": f"{scores[-1]} on validation"}


def _combined(
    members: Sequence[Member], recipe: Recipe, combination: Combination, shares: Vector
) -> Checkpoint:
    """The checkpoint of the ensemble, as training would write it."""
    stored = [member.experiment.weights for member in members]
    efforts = [member.trained.effort for member in members]
    effort = Effort(
        steps=sum(each.steps for each in efforts),
        bytes=sum(each.bytes for each in efforts),
        seconds=sum(each.seconds for each in efforts),
        peak_memory_bytes=max(each.peak_memory_bytes for each in efforts),
    )
    with as_plugin_error(recipe.registry, "architecture", recipe.architecture.name):
        weights = combination.weights(
            [each.model for each in stored if each is not None], shares.tolist()
        )
    # As of a training on one process; how many each member had is in its own folder.
    runtime = {key: value for key, value in members[0].trained.record.items() if key != "ranks"}
    state = {
        "stream": {},
        "tokens_seen": 0,
        "spent": asdict(effort),
        "best": None,
        "interval": [0.0, 0.0, 0],
        "runtime": runtime,
        "tokenizer": members[0].experiment.tokenizer.state(),
        "logs": {"metrics": 0, "timing": 0},
        "recipe": recipe.to_yaml(),
    }
    return Checkpoint(
        step=effort.steps, model=weights, optimizer={}, carried={}, generators={}, state=state
    )


def _require_mixture(experiment: Experiment, members: Sequence[Member], shares: Vector) -> None:
    """Raises PluginError if the architecture does not mix the members' probabilities."""
    span = experiment.data.splits.validation
    recipe = experiment.recipe
    with as_plugin_error(recipe.registry, "architecture", recipe.architecture.name):
        found = first_distributions(experiment, span)
        expected = sum(
            share * first_distributions(member.experiment, span)
            for share, member in zip(shares.tolist(), members, strict=True)
        )
        error = float((found - torch.as_tensor(expected)).abs().max())
        require(
            error < 1e-4,
            found=f"probabilities that differ from it by up to {error:.2g}",
            expected="the weighted mean of the members' probabilities",
        )


def _saved_and_scored(
    directory: RunDirectory, experiment: Experiment, weights: Checkpoint
) -> Result:
    origin, warn = read_origin(directory), experiment.display.warn
    validation = experiment.data.splits.validation
    asked = {
        "origin": origin.fingerprint,
        "probe": probe_of(experiment.tokenizer, validation).answered_by(experiment.model),
    }
    saved = replace(weights, state={**weights.state, **asked})
    checkpoints.save(directory.checkpoints, saved, keep=1, best=None, run=origin.id, warn=warn)
    trained = Trained.up_to(saved, directory, experiment, weights=saved)
    with (
        stopping("Stopped. The ensemble is saved; score it with", command=directory.to_continue),
        enough_memory_in(directory, "scoring", experiment.runtime, dict),
    ):
        return finish_run(trained)
