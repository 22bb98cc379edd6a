"""Makes the card of a finished run, or says why its training can never be repeated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqzoo.cards.card import Card, Need, SeedRecord
from seqzoo.errors import UsageError
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.trust import PluginFile
from seqzoo.recipes.choices import NamedPlugin, named_plugins
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.paths import recipe_paths
from seqzoo.recipes.sections import AdaptiveSection
from seqzoo.recipes.validation import dotted
from seqzoo.results.result import PluginRecord, Result, SplitScore
from seqzoo.runs.changed_recipe import edited_settings, require_as_trained
from seqzoo.runs.changes import DECIDING, is_within, read_changes
from seqzoo.runs.directory import RunDirectory, open_run_directory
from seqzoo.runs.origin import read_origin, stored_recipe
from seqzoo.runs.status import RunState, newest_state, status_of
from seqzoo.terminal.format import quoted
from seqzoo.training.checkpoint_files import weights_sha256

__all__ = ["card_of", "plugin_records"]

_DIGITS = 8
"""Of the bits of each block, wherever the point is: they add up to the score within a millionth,
as those of every result must, and the card is half as large."""


_DECIDING = ("corpus", "tokenizer", "architecture", "train")
"""The sections of a recipe whose plugins decide weights and scores."""


def card_of(paths: Sequence[Path], registry: Registry) -> Card:
    """The card of the first run; the others are its further seeds. Imports no torch.

    Raises UsageError for a run that is not finished, that was changed during training, or whose
    training nobody else can repeat, and for runs that differ in more than their seed.
    """
    first, *others = (open_run_directory(path) for path in paths)
    result, recipe = _finished(first, registry)
    needs, data = _needs(first, recipe, result)
    state = newest_state(first)
    seeds = [_seed(first, result, other, registry) for other in others]
    _require_different_seeds([result.seed, *(each.seed for each in seeds)])
    return Card(
        recipe=data,
        budget_by_clock=recipe.train.budget.seconds is not None,
        needs=tuple(needs),
        plugins=plugin_records(data, recipe.registry),
        kernels=state.get("runtime", {}).get("kernels", {}),
        result=_portable(result),
        seeds=tuple(seeds),
    )


def plugin_records(data: Mapping[str, Any], registry: Registry) -> dict[str, PluginRecord]:
    """Every plugin that a recipe's data names for training and scores, by kind and name."""
    records = {}
    for named in named_plugins(data, registry):
        if isinstance(named, NamedPlugin) and named.path[0] in _DECIDING:
            owner = registry.owner(named.kind, named.name)
            record = PluginRecord(
                plugin=owner.plugin, distribution=owner.distribution, version=owner.version
            )
            records[f"{named.kind} {named.name}"] = _without_path(record)
    return records


def _finished(directory: RunDirectory, registry: Registry) -> tuple[Result, Recipe]:
    """The result of a run, and the recipe that it was trained with from its first update on."""
    path, status = directory.path, status_of(directory)
    if status.state is not RunState.FINISHED or status.result is None:
        reason = f" ({status.reason})" if status.reason else ""
        raise UsageError(
            f"{path} is {status.state}{reason}, and a card is made of a finished run; finish it "
            f"with: seqzoo resume {quoted(path)}"
        )
    result, recipe, state = (
        status.result,
        stored_recipe(directory, registry),
        newest_state(directory),
    )
    require_as_trained(directory, recipe, state)
    for setting in edited_settings(directory, recipe, state):
        raise UsageError(
            f"{directory.recipe} was edited after the training: {setting.key} changed from "
            f"{setting.before_and_after}; set it back, and run the command again."
        )
    for change in read_changes(directory):
        for setting in change.settings:
            if change.step > 0 and is_within(setting.key, (*DECIDING, "runtime")):
                raise UsageError(
                    f"{path} was trained with {setting.key} changed from "
                    f"{setting.before_and_after} at step {change.step}, and a card describes a "
                    f"training with one recipe from start to end; start a new run with: "
                    f"seqzoo run {quoted(directory.recipe)}"
                )
    if result.members:
        members = ", ".join(each.run for each in result.members)
        raise UsageError(
            f"{path} is an ensemble of {members}, which is not trained itself; make a card of each "
            f"of these runs."
        )
    if result.ranks > 1:
        raise UsageError(
            f"{path} was trained by {result.ranks} processes together, and 'seqzoo reproduce' "
            f"trains in one; train it in one process to make a card of it."
        )
    if result.weights_sha256 != weights_sha256(directory.checkpoints, result.step):
        raise UsageError(
            f"{directory.result} has the scores of other weights than those of step {result.step}; "
            f"score the run again with: seqzoo eval {quoted(path)}"
        )
    return result, recipe


def _needs(
    directory: RunDirectory, recipe: Recipe, result: Result
) -> tuple[list[Need], dict[str, Any]]:
    """What the reader must have, and the recipe as data, with the names of these files alone."""
    data = recipe.as_data()
    corpus = data["corpus"]
    if read_origin(directory).fell_back:
        corpus |= corpus["fallback"]
    corpus["fallback"] = None  # never another text than that of the scores
    data["trackers"] = []
    data["baselines"]["add"] = []  # programs of this machine; they say nothing about the training
    data["evaluate"]["adaptive"] = _adaptive_section(result)
    needs = []
    is_text = recipe.registry.get("corpus", corpus["name"]).for_texts is not None
    for place in recipe_paths(data, recipe.registry):
        value, name = _replaced_by_name(data, place)
        if place[0] == "corpus":
            is_text = True
        elif place[0] == "plugins":
            file = PluginFile.read(recipe.base / value)
            needs.append(Need(kind="plugin file", name=name, sha256=file.sha256))
        elif place == ("train", "start_from"):
            start = result.started_from
            sha256 = start.weights_sha256 if start else ""
            needs.append(Need(kind="weights", name=name, sha256=sha256))
        else:
            raise UsageError(
                f"{directory.path}: {dotted(place)} is the path of something whose content no run "
                f"records, so that nobody could tell whether they have the same; a card can name "
                f"texts, plugin files and runs to start from."
            )
    if is_text:
        needs.append(Need(kind="text", name=_text_name(data), sha256=result.corpus.sha256))
    return needs, data


def _replaced_by_name(data: Any, place: Sequence[str | int]) -> tuple[str, str]:
    """The path at a place, and its name, which replaces it."""
    for part in place[:-1]:
        data = data[part]
    value = data[place[-1]]
    data[place[-1]] = Path(value).name or "."
    return value, data[place[-1]]


def _text_name(data: Mapping[str, Any]) -> str:
    """What the text is called where it is one file or folder; else the name of its corpus."""
    options = data["corpus"]["options"]
    return str(options["path"]) if "path" in options else str(data["corpus"]["name"])


def _adaptive_section(result: Result) -> dict[str, Any] | None:
    """The settings that the adaptive scores were made with, which need not be the recipe's."""
    if result.adaptive is None or result.adaptive.settings is None:
        return None
    return AdaptiveSection.of(result.adaptive.settings).model_dump(mode="json")


def _seed(
    first: RunDirectory, result: Result, other: RunDirectory, registry: Registry
) -> SeedRecord:
    found, _ = _finished(other, registry)
    for reason in _unlike(result, found):
        raise UsageError(
            f"{other.path} has another {reason} than {first.path}; the further runs of a card "
            f"differ from the first only in their seed."
        )
    return SeedRecord(
        seed=found.seed,
        weights_sha256=found.weights_sha256,
        test=_short(found.scores["test"]),
    )


def _unlike(one: Result, other: Result) -> Iterator[str]:
    """What must be equal and is not."""
    starts = [each.started_from and each.started_from.weights_sha256 for each in (one, other)]
    for name, is_equal in {
        "recipe": one.fingerprint == other.fingerprint,
        "corpus": one.corpus.sha256 == other.corpus.sha256,
        "split": one.split == other.split,
        "protocol": one.protocol.fields == other.protocol.fields,
        "start": starts[0] == starts[1],
    }.items():
        if not is_equal:
            yield name


def _require_different_seeds(seeds: Sequence[int]) -> None:
    for seed in seeds:
        if seeds.count(seed) > 1:
            raise UsageError(
                f"two of the runs have seed {seed}, and the same training twice is not a second "
                f"sample; give runs with different seeds."
            )


def _portable(result: Result) -> Result:
    """A result without baselines, without folders of this machine, and with few digits."""
    start, learnt = result.started_from, result.adaptive
    if learnt is not None:
        scores = {split: _short(score) for split, score in learnt.scores.items()}
        learnt = learnt.model_copy(update={"scores": scores}) if learnt.settings else None
    return result.model_copy(
        update={
            "corpus": result.corpus.model_copy(update={"origin": ""}),
            "scores": {split: _short(score) for split, score in result.scores.items()},
            "adaptive": learnt,
            "started_from": start and start.model_copy(update={"path": Path(start.path).name}),
            "plugins": {part: _without_path(each) for part, each in result.plugins.items()},
            "rungs": (),
            "left_out": (),
            "floor": {},
            "placement": "",
        }
    )


def _short(score: SplitScore) -> SplitScore:
    return score.model_copy(
        update={
            "blocks": tuple(float(f"{bits:.{_DIGITS}g}") for bits in score.blocks),
            "by_class": (),
            "by_distance": (),
        }
    )


def _without_path(record: PluginRecord) -> PluginRecord:
    """The record; a plugin file has its path in place of a distribution."""
    is_file = record.distribution.endswith(".py")
    return record.model_copy(update={"distribution": ""}) if is_file else record
