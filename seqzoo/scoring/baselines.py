"""Scores every installed baseline on a corpus's splits: registry -> Ladder, cached.

A baseline gets the training part and nothing else. A baseline that fails becomes a rung without
scores, with the cause of the failure; the other baselines are still scored.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter

from seqzoo.plugin.registry import Registered, Registry
from seqzoo.plugin.specs import SPLITS, BaselineScore, BaselineSpec, Span
from seqzoo.results.ladder import Ladder, Rung
from seqzoo.storage import cache_directory, write_whole

if TYPE_CHECKING:
    from seqzoo.data.corpus import Splits
    from seqzoo.plugin.contracts import Corpus

__all__ = ["ladder"]

_CHUNK_BYTES = 1 << 20


def ladder(
    registry: Registry,
    corpus: Corpus,
    splits: Splits,
    *,
    corpus_sha256: str,
    use_cache: bool = True,
    wanted: Callable[[BaselineSpec], bool] = lambda spec: True,
    announce: Callable[[str], None] | None = None,
) -> Ladder:
    """Every registered baseline, with its default options, on validation, test and held_out.

    Splits without bytes are left out. wanted: whether a baseline is included. announce: called with
    the name of each baseline that is not in the cache, for progress.
    """
    spans: dict[str, Span] = {name: getattr(splits, name) for name in SPLITS}
    scored = {name: span for name, span in spans.items() if len(span)}
    rungs: list[Rung] = []
    for registered in registry.registered("baseline"):
        if not wanted(registered.spec):
            continue
        key = _key(registered, corpus_sha256, splits.identity)
        path = cache_directory() / "baselines" / _file_name(registered.spec.name, key)
        found = _read(path, key) if use_cache else None
        if found is None:
            if announce is not None:
                announce(registered.spec.name)
            found = _score(registered.spec, splits.training.bytes, scored)
            if use_cache and not any(rung.failure for rung in found):
                _write(path, key, found)
        rungs.extend(found)
    return Ladder(tuple(sorted(rungs, key=_sort_key, reverse=True)), _floor(corpus, scored))


def _sort_key(rung: Rung) -> float:
    return rung.bits_per_byte.get("held_out", -math.inf)


def _score(spec: BaselineSpec, training: np.ndarray, splits: Mapping[str, Span]) -> list[Rung]:
    """The rungs of one baseline; if it fails, the rungs that it gave before are kept."""
    rungs: list[Rung] = []
    begun = time.perf_counter()
    try:
        for score in spec.score(spec.options(), training, splits):
            rung = _rung(score, splits)
            now = time.perf_counter()
            rungs.append(replace(rung, seconds=now - begun))
            begun = now
    except Exception as error:
        cause = " ".join(f"{type(error).__name__}: {error}".split())
        rungs.append(Rung(spec.name, failure=cause, seconds=time.perf_counter() - begun))
    return rungs


def _rung(score: BaselineScore, splits: Mapping[str, Span]) -> Rung:
    """A score as a rung, in bits per byte. Raises ValueError if bits are missing or impossible."""
    for split in splits:
        bits = score.bits.get(split)
        if bits is None or not math.isfinite(bits) or bits < 0:
            raise ValueError(f"{score.name} gave {bits} bits for {split}, expected 0 or more")
    return Rung(
        name=score.name,
        bits_per_byte={split: float(score.bits[split]) / len(splits[split]) for split in splits},
        accuracy={
            split: float(score.accuracy[split]) for split in splits if split in score.accuracy
        },
        adaptive=score.adaptive,
        context_length=score.context_length,
    )


def _floor(corpus: Corpus, splits: Mapping[str, Span]) -> dict[str, float]:
    if corpus.code_lengths is None:
        return {}
    floor = {}
    for split, span in splits.items():
        bits = [
            float(corpus.code_lengths(start, min(start + _CHUNK_BYTES, span.stop)).sum())
            for start in range(span.start, span.stop, _CHUNK_BYTES)
        ]
        floor[split] = math.fsum(bits) / len(span)
    return floor


def _key(registered: Registered[BaselineSpec], corpus_sha256: str, identity: str) -> dict[str, Any]:
    """Everything that the scores depend on."""
    spec = registered.spec
    return {
        "corpus": corpus_sha256,
        "splits": identity,
        "baseline": spec.name,
        "version": spec.version,
        "options": spec.options().model_dump(mode="json"),
        "distribution": registered.owner.distribution,
        "distribution_version": registered.owner.version,
    }


def _file_name(name: str, key: Mapping[str, Any]) -> str:
    return f"{name}-{_digest(key)[:16]}.json"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


_RUNGS = TypeAdapter(list[Rung])


def _read(path: Path, key: Mapping[str, Any]) -> list[Rung] | None:
    """Cached rungs; None if there are none, or if the file is damaged or has another key."""
    try:
        stored = json.loads(path.read_bytes())
        if stored["key"] != key or stored["sha256"] != _digest(stored["rungs"]):
            return None
        return _RUNGS.validate_python(stored["rungs"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, key: Mapping[str, Any], rungs: list[Rung]) -> None:
    """Write the cache. If that fails, only time is lost, so it is not an error."""
    plain = [asdict(rung) for rung in rungs]
    stored = {"key": key, "rungs": plain, "sha256": _digest(plain)}
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(stored, indent=1) + "\n")
