"""The cache of baseline scores: one file per baseline, corpus, cut, options and version."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from seqzoo.plugin.registry import Registered
from seqzoo.plugin.specs import BaselineSpec
from seqzoo.results.ladder import Rung
from seqzoo.storage import cache_directory, write_whole

__all__ = ["cache_key", "read_rungs", "write_rungs"]

# Raised where a rung has more in it than the scores of before, so that they are computed again.
_FORM = 2


def cache_key(
    registered: Registered[BaselineSpec], corpus_sha256: str, identity: str
) -> dict[str, Any]:
    """Everything that the scores depend on. identity: which bytes of the corpus are which part."""
    spec = registered.spec
    return {
        "form": _FORM,
        "corpus": corpus_sha256,
        "splits": identity,
        "baseline": spec.name,
        "version": spec.version,
        "options": spec.options().model_dump(mode="json"),
        "distribution": registered.owner.distribution,
        "distribution_version": registered.owner.version,
    }


_RUNGS = TypeAdapter(list[Rung])


def read_rungs(key: Mapping[str, Any]) -> list[Rung] | None:
    """Cached rungs; None if there are none, or if the file is damaged or has another key."""
    try:
        stored = json.loads(_path(key).read_bytes())
        if stored["key"] != key or stored["sha256"] != _digest(stored["rungs"]):
            return None
        return _RUNGS.validate_python(stored["rungs"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_rungs(key: Mapping[str, Any], rungs: list[Rung]) -> None:
    """Write the cache. If that fails, only time is lost, so it is not an error."""
    plain = [asdict(rung) for rung in rungs]
    stored = {"key": key, "rungs": plain, "sha256": _digest(plain)}
    path = _path(key)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(stored, indent=1) + "\n")


def _path(key: Mapping[str, Any]) -> Path:
    return cache_directory() / "baselines" / f"{key['baseline']}-{_digest(key)[:16]}.json"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
