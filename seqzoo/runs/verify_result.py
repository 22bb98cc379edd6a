"""Compares the result of a run with what its files and a fresh evaluation of its weights give."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from seqzoo.plugin.specs import SPLITS
from seqzoo.recipes.sections import AdaptiveSection
from seqzoo.results.result import AdaptiveRecord, Result, read_result
from seqzoo.runs.changed_recipe import edited_settings
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.run import Run
from seqzoo.runs.score import result_of
from seqzoo.runs.status import newest_state
from seqzoo.runs.verdict import Broken, Skipped
from seqzoo.scoring.splits import adaptive_scores, named_splits, static_scores
from seqzoo.scoring.static import Protocol
from seqzoo.terminal.format import quoted
from seqzoo.version import __version__

__all__ = ["stored_result", "verify_result"]

_TOLERANCE = 1e-6
"""Relative: another processor or number of threads adds the same numbers in another order."""

_PARTS_TOLERANCE_BITS = 1e-3
"""Absolute, for the parts of a score: their errors do not average out."""

_PARTS = ("blocks", "by_class", "by_distance")

# The folder and the text may have another name or place now, and the clock is another.
_FREE = frozenset({"created", "run", "corpus.origin"})
_SENTENCES = frozenset({"placement", "protocol.name", "adaptive.protocol.name", "adaptive.method"})
_SHOWN = 4


def verify_result(run: Run) -> str:
    """What is equal. Raises Broken with what differs, Skipped if the run has no result."""
    stored = stored_result(run)
    differing = list(_differences(*_compared(stored, run)))
    if differing:
        more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
        raise Broken(
            f"result.json is not what the run's files and a fresh evaluation give: "
            f"{'; '.join(differing[:_SHOWN])}{more}; to score it again: "
            f"seqzoo eval {quoted(run.path)}"
        )
    kinds = "static and adaptive scores" if stored.adaptive is not None else "scores"
    return (
        f"the {kinds} of {', '.join(stored.scores)} are equal to those of a fresh evaluation, and "
        f"all else in it is what the run's files say."
    )


def stored_result(run: Run) -> Result:
    """What result.json has. Raises Skipped if there is none, Broken if it lacks a split."""
    path = RunDirectory(run.path).result
    if not path.exists():
        raise Skipped(f"the run is not scored; score it with: seqzoo resume {quoted(run.path)}")
    result = read_result(path)
    if set(result.scores) != set(SPLITS):
        raise Broken(
            f"result.json has scores of {', '.join(sorted(result.scores)) or 'nothing'}, expected "
            f"{', '.join(SPLITS)}; to score it again: seqzoo eval {quoted(run.path)}"
        )
    return result


def _compared(stored: Result, run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """What can be compared of a result, and of one that is made now. Baselines are not scored."""
    trained, record = run.trained, stored.protocol
    experiment = trained.experiment
    protocol = Protocol(
        lanes=max(1, record.lanes),  # 0 lanes then differ, and are not read
        warmup_tokens=record.warmup_tokens,
        chunk_length=experiment.recipe.evaluate.chunk_length,
        max_bytes=record.max_bytes,
    )
    scores = static_scores(
        experiment.model,
        experiment.tokenizer,
        named_splits(experiment.data.splits, stored.scores),
        runtime=experiment.runtime,
        protocol=protocol,
        display=experiment.display,
    )
    fresh = result_of(trained, scores=scores, protocol=protocol, ladder=stored.ladder)
    fresh = fresh.model_copy(update={"adaptive": _adaptive(stored.adaptive, run)})
    left_out = _FREE
    if stored.versions.get("seqzoo") != __version__:  # which may say the same in other words
        left_out |= _SENTENCES
    state = newest_state(trained.directory)
    if edited_settings(trained.directory, experiment.recipe, state):
        left_out |= {"fingerprint"}
    # An older version may have written fewer fields.
    found = dict(_flat(stored.model_dump(mode="json", exclude_unset=True)))
    compared = {
        name: value
        for name, value in found.items()
        # A proof takes minutes; that it is of this score was checked when it was read.
        if name not in left_out and not name.endswith(".proven_bytes")
    }
    return compared, dict(_flat(fresh.model_dump(mode="json")))


def _adaptive(stored: AdaptiveRecord | None, run: Run) -> AdaptiveRecord | None:
    """The adaptive scores, made again with the settings that they were made with."""
    if stored is None or stored.settings is None:
        return stored
    experiment = run.trained.experiment
    try:
        section = AdaptiveSection.of(stored.settings)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Broken(
            f"result.json has a wrong adaptive.settings.{where}: {first['msg']}."
        ) from None
    return adaptive_scores(
        experiment.model,
        experiment.tokenizer,
        named_splits(experiment.data.splits, stored.scores),
        training=lambda: experiment.training,
        runtime=experiment.runtime,
        section=section,
        display=experiment.display,
        max_bytes=stored.protocol.max_bytes,
    )


def _differences(stored: Mapping[str, Any], fresh: Mapping[str, Any]) -> Iterator[str]:
    """In words, what one mapping of dotted names has otherwise than another, within rounding."""
    for name, value in stored.items():
        if name not in fresh:
            yield f"{name} is {_shown(value)}, and nothing is expected"
        elif not _is_equal(name, value, fresh[name], stored):
            yield f"{name} is {_shown(value)}, expected {_shown(fresh[name])}"


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The plain values in nested data, by their dotted names; lists also have their length."""
    if isinstance(value, list):
        yield f"{name}.length", len(value)
    items: Iterable[tuple[Any, Any]]
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        yield name, value
        return
    for key, inner in items:
        yield from _flat(inner, f"{name}.{key}" if name else str(key))


def _is_equal(name: str, one: Any, other: Any, stored: Mapping[str, Any]) -> bool:
    if isinstance(one, bool | int | str | None) and isinstance(other, bool | int | str | None):
        return type(one) is type(other) and one == other
    if not isinstance(one, float | int) or not isinstance(other, float | int):
        return False
    tolerance = 0.0
    if any(part in _PARTS for part in name.split(".")):
        tolerance = _PARTS_TOLERANCE_BITS
    if name.endswith(".accuracy"):  # two tokens may be equally probable but for rounding
        tolerance = 1.5 / stored.get(name.replace(".accuracy", ".bytes"), math.inf)
    return math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=tolerance)


def _shown(value: Any) -> str:
    words = f"{value:.9g}" if isinstance(value, float) else repr(value)
    return words if len(words) <= 60 else f"{words[:57]}..."
