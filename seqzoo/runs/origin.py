"""What a run was started with: origin.json, and the recipe that is stored beside it."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from seqzoo.errors import CheckpointError, require_known_format
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import Recipe, parse_recipe
from seqzoo.recipes.overrides import Overrides
from seqzoo.recipes.yaml_reader import MAX_BYTES
from seqzoo.regular_files import read_bytes, read_json
from seqzoo.results.result import MemberRecord, PluginRecord, StartRecord
from seqzoo.runs.directory import RunDirectory
from seqzoo.storage import write_whole
from seqzoo.version import __version__

if TYPE_CHECKING:  # a run's origin can be read without torch
    from seqzoo.runs.experiment import Experiment

__all__ = [
    "Origin",
    "plugins_of",
    "read_origin",
    "recipe_content",
    "require_same_origin",
    "stored_recipe",
    "write_origin",
]


class Origin(NamedTuple):
    """What `write_origin` stored.

    base: the recipe's folder. sha256: of the corpus. fell_back: whether that is the fallback.
    plugins: that provide architecture, tokenizer and stream; empty for runs of older versions.
    started_from: the weights of another run that training started from; None for new weights.
    id: 16 random digits; "" for runs of older versions.
    members: of an ensemble, the runs that it is made of; empty for a run that is trained.
    """

    base: Path
    sha256: str
    fell_back: bool
    plugins: Mapping[str, PluginRecord]
    started_from: StartRecord | None
    id: str = ""
    members: tuple[MemberRecord, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Of all but the base, which is another one after the run was moved to another machine."""
        start = self.started_from
        facts = [
            self.id,
            self.sha256,
            self.fell_back,
            {part: record.model_dump(mode="json") for part, record in self.plugins.items()},
            start and start.model_dump(mode="json"),
            *(member.model_dump(mode="json") for member in self.members),
        ]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def write_origin(
    directory: RunDirectory, experiment: Experiment, *, members: Sequence[MemberRecord] = ()
) -> None:
    """Store the recipe, and the facts that are not in it. members: of an ensemble."""
    recipe, data, start = experiment.recipe, experiment.data, experiment.start
    origin: dict[str, Any] = {
        "id": secrets.token_hex(8),  # other trackers than ours need a name that nobody else has
        "base": str(recipe.base.resolve()),
        "corpus": {"name": data.corpus.name, "sha256": data.sha256, "fell_back": data.fell_back},
        "plugins": {part: record.model_dump() for part, record in plugins_of(recipe).items()},
        "started_from": start and start.record.model_dump(),
    }
    if members:
        origin["members"] = [member.model_dump() for member in members]
    write_whole(directory.origin, json.dumps(origin, indent=1) + "\n")
    # Last, because a folder with a recipe is a run.
    write_whole(directory.recipe, recipe.to_yaml())


def read_origin(directory: RunDirectory) -> Origin:
    """What `write_origin` stored.

    Raises CheckpointError if it is missing or damaged, NewerFormatError if it is of a newer seqzoo.
    """
    try:
        origin = read_json(directory.origin)
        require_known_format(origin, directory.origin)
        corpus, start = origin["corpus"], origin.get("started_from")
        return Origin(
            Path(origin["base"]),
            str(corpus["sha256"]),
            bool(corpus["fell_back"]),
            {
                part: PluginRecord.model_validate(record)
                for part, record in origin.get("plugins", {}).items()
            },
            None if start is None else StartRecord.model_validate(start),
            str(origin.get("id", "")),
            tuple(map(MemberRecord.model_validate, origin.get("members", ()))),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{directory.origin} is missing or damaged, and without it the run's corpus and "
            f"relative paths are unknown; restore it from a copy, or start the run again from "
            f"{directory.recipe}."
        ) from error


def require_same_origin(directory: RunDirectory, state: Mapping[str, Any]) -> None:
    """Raises CheckpointError if origin.json is not the one that a checkpoint was saved with.

    state: its state.json.
    """
    recorded = state.get("origin")
    if recorded and recorded != read_origin(directory).fingerprint:
        raise CheckpointError(
            f"{directory.origin} has changed since step {state['step']} was saved: the corpus, the "
            f"plugins or the first weights that it names are not those of the run; restore it from "
            f"a copy."
        )


def recipe_content(directory: RunDirectory) -> bytes:
    """recipe.yaml of a run. Raises CheckpointError if there is none that can be read."""
    try:
        content = read_bytes(directory.recipe, limit=MAX_BYTES)
        content.decode()
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise CheckpointError(
            f"{directory.recipe} cannot be read ({cause}); put it back from a copy, or from "
            f"'recipe' in checkpoints/step-N/state.json."
        ) from error
    return content


def stored_recipe(
    directory: RunDirectory,
    registry: Registry,
    *,
    overrides: Overrides = (),
    content: str | bytes | None = None,
) -> Recipe:
    """The recipe of a run, with overrides; relative paths start from its original folder.

    content: is read in place of recipe.yaml. Raises CheckpointError if there is none that can be
    read, RecipeError for what is wrong in it.
    """
    return parse_recipe(
        recipe_content(directory) if content is None else content,
        registry,
        source=str(directory.recipe),
        base=read_origin(directory).base,
        overrides=overrides,
    )


def plugins_of(recipe: Recipe) -> dict[str, PluginRecord]:
    """The plugins that provide a recipe's architecture, tokenizer and stream."""
    choices = {
        "architecture": recipe.architecture,
        "tokenizer": recipe.tokenizer,
        "stream": recipe.train.stream,
    }
    records = {}
    for part, choice in choices.items():
        if choice is None:  # contiguous lanes are seqzoo's own
            records[part] = PluginRecord(
                plugin="seqzoo", distribution="seqzoo", version=__version__
            )
            continue
        owner = recipe.registry.owner(part, choice.name)
        records[part] = PluginRecord(
            plugin=owner.plugin, distribution=owner.distribution, version=owner.version
        )
    return records
