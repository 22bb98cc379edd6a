"""The cache of baseline scores: one file per baseline, corpus, cut, options and version."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from seqzoo.plugin.command import program_sha256
from seqzoo.recipes.commands import option_commands
from seqzoo.regular_files import read_json
from seqzoo.results.ladder import Rung
from seqzoo.scoring.baseline import Baseline
from seqzoo.storage import cache_directory, write_whole

__all__ = ["cache_key", "read_rungs", "write_rungs"]

# Raised where a rung has more in it than the scores of before, so that they are computed again.
_FORM = 2


def cache_key(baseline: Baseline, corpus_sha256: str, identity: str) -> dict[str, Any]:
    """Everything that the scores depend on. identity: which bytes of the corpus are which part."""
    spec, commands = baseline.spec, option_commands(baseline.options)
    programs = [program_sha256(each.words) for each in commands]
    return {
        "form": _FORM,
        "corpus": corpus_sha256,
        "splits": identity,
        "baseline": spec.name,
        "version": spec.version,
        "options": baseline.options.model_dump(mode="json"),
        "distribution": baseline.owner.distribution,
        "distribution_version": baseline.owner.version,
        # Another version of a program gives other scores; most baselines run none.
        **({"label": baseline.label} if baseline.is_added else {}),
        **({"programs": programs} if programs else {}),
    }


_RUNGS = TypeAdapter(list[Rung])


def read_rungs(key: Mapping[str, Any], splits: Iterable[str] = ()) -> list[Rung] | None:
    """Cached rungs; None if there are none, or if the file is damaged or has another key.

    splits: each rung must have a score of each.
    """
    try:
        stored = read_json(_path(key))
        if stored["key"] != key or stored["sha256"] != _digest(stored["rungs"]):
            return None
        rungs = _RUNGS.validate_python(stored["rungs"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return rungs if all(_is_possible(rung, set(splits)) for rung in rungs) else None


def write_rungs(key: Mapping[str, Any], rungs: list[Rung]) -> None:
    """Write the cache. If that fails, only time is lost, so it is not an error."""
    # TypeError: a plugin gave a value that JSON has no form for.
    with contextlib.suppress(OSError, TypeError, ValueError):
        plain = [asdict(rung) for rung in rungs]
        stored = {"key": key, "rungs": plain, "sha256": _digest(plain)}
        write_whole(_path(key), json.dumps(stored, indent=1) + "\n")


def _is_possible(rung: Rung, splits: set[str]) -> bool:
    """Whether a baseline can have these scores; failures are not cached."""
    return (
        not rung.failure
        and splits <= rung.bits_per_byte.keys()
        and all(0 <= bits < math.inf for bits in rung.bits_per_byte.values())
        and all(0 <= share <= 1 for share in rung.accuracy.values())
    )


def _path(key: Mapping[str, Any]) -> Path:
    return cache_directory() / "baselines" / f"{key['baseline']}-{_digest(key)[:16]}.json"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
