"""Scores the installed baselines on the parts of a corpus: registry -> Ladder, cached.

A baseline gets the training part and nothing else. A baseline that fails becomes a rung without
scores, with the cause of the failure; the other baselines are still scored. The quick ones come
first, and what would take too long is left out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from seqzoo.errors import SeqzooError
from seqzoo.plugin.registry import Registry
from seqzoo.plugin.span import Span
from seqzoo.plugin.specs import SPLITS, BaselineScore, BaselineSpec
from seqzoo.results.ladder import Ladder, LeftOut, Rung
from seqzoo.scoring.baseline import Baseline
from seqzoo.scoring.baseline_budget import Clock, within
from seqzoo.scoring.baseline_cache import cache_key, read_rungs, write_rungs
from seqzoo.scoring.baseline_cost import expected_seconds, slowness

if TYPE_CHECKING:
    from seqzoo.data.corpus import Splits
    from seqzoo.plugin.contracts import Corpus
    from seqzoo.recipes.sections import AddedBaseline

__all__ = ["Baselines", "baselines_of", "ladder"]

_CHUNK_BYTES = 1 << 20


class Baselines:
    """The baselines of a registry on one training part and its splits.

    Scores are kept here and in the cache, so that a second ladder computes nothing again.
    """

    def __init__(
        self,
        registry: Registry,
        training: npt.NDArray[np.uint8],
        splits: Mapping[str, Span],
        *,
        key: tuple[str, str] | None,
        added: Sequence[AddedBaseline] = (),
        floor: Callable[[], Mapping[str, float]] = dict,
        require_unchanged: Callable[[], None] = lambda: None,
    ) -> None:
        """splits: those without bytes are left out. floor: gives the true source's bits per byte.

        key: what the cache knows the bytes by, the hash of the corpus and its cut; None: no cache.
        added: those of a checked recipe, which are scored with their options.
        require_unchanged: raises if the bytes are no longer those of the key.
        """
        self._require_unchanged = require_unchanged
        registered = registry.registered("baseline")
        installed = [Baseline.installed(each) for each in registered if not each.spec.needs_options]
        by_name = {each.spec.name: each for each in registered}
        further = [Baseline.added(by_name[each.name], each) for each in added]
        self._baselines = {each.label: each for each in installed + further}
        self._training = training
        self._splits = {name: span for name, span in splits.items() if len(span)}
        self._key = key
        self._make_floor = floor
        self._found: dict[str, list[Rung]] = {}
        self._expected: dict[str, float] = {}

    def names(self, wanted: Callable[[str], bool] = lambda name: True) -> list[str]:
        """The names of all baselines, or of those that are wanted."""
        return [name for name in self._baselines if wanted(name)]

    def expected_seconds(self, names: Sequence[str] | None = None) -> dict[str, float]:
        """How long each baseline will take, about right within a factor of two.

        names: all of them by default. 0 for what is known already. Takes well below a second,
        and at most about 2 s more for each baseline that declares no rate.
        """
        found = {}
        for name in self.names() if names is None else names:
            if self._known(name) is not None:
                found[name] = 0.0
                continue
            if name not in self._expected:
                self._expected[name] = expected_seconds(
                    self._baselines[name],
                    self._training,
                    self._splits,
                    slowness=self._slowness,
                )
            found[name] = self._expected[name]
        return found

    def ladder(
        self,
        names: Sequence[str] | None = None,
        *,
        max_seconds: float = math.inf,
        announce: Callable[[list[str], float], None] | None = None,
        show: Callable[[float, str], None] | None = None,
    ) -> Ladder:
        """The baselines of these names, by default all.

        max_seconds: what would take longer, all together, is left out, beginning with the slowest;
        a baseline that takes much longer than was expected is stopped, and its rungs so far kept.
        announce: called before anything is scored, with the names and the seconds that it will
        take. show: called with the finished share of these seconds and the name of a baseline.
        """
        names = self.names() if names is None else list(names)
        # Where nobody asks, nothing is measured.
        is_asked = math.isfinite(max_seconds) or announce is not None or show is not None
        expected = self.expected_seconds(names) if is_asked else dict.fromkeys(names, 0.0)
        chosen, left_out = within(expected, max_seconds)
        missing = [name for name in chosen if self._known(name) is None]
        if announce is not None and missing:
            announce(missing, sum(expected[name] for name in missing))
        clock = Clock(expected, missing, max_seconds, show)
        rungs: list[Rung] = []
        for name in chosen:
            found = self._known(name)
            if found is None:
                found, is_whole = self._score(name, clock)
                if not is_whole:
                    left_out.append(LeftOut(name, "stopped", expected[name]))
            rungs.extend(found)
        return Ladder(
            tuple(sorted(rungs, key=_sort_key, reverse=True)), self._floor, tuple(left_out)
        )

    @cached_property
    def _floor(self) -> Mapping[str, float]:
        return self._make_floor()

    @cached_property
    def _slowness(self) -> float:
        return slowness()

    def _known(self, name: str) -> list[Rung] | None:
        """The scores of a baseline, if they were computed before."""
        if name not in self._found and self._key is not None:
            key = cache_key(self._baselines[name], *self._key)
            stored = read_rungs(key, self._splits)
            if stored is not None:
                self._found[name] = stored
        return self._found.get(name)

    def _score(self, name: str, clock: Clock) -> tuple[list[Rung], bool]:
        """The rungs of one baseline, and whether it was not stopped by the clock."""
        baseline = self._baselines[name]
        rungs, is_whole = _score(baseline, self._training, self._splits, clock)
        if is_whole:
            self._found[name] = rungs
            if self._key is not None and not any(rung.failure for rung in rungs):
                self._require_unchanged()
                write_rungs(cache_key(baseline, *self._key), rungs)
        return rungs, is_whole


def baselines_of(
    registry: Registry,
    corpus: Corpus,
    splits: Splits,
    *,
    corpus_sha256: str,
    max_bytes: int | None = None,
    added: Sequence[AddedBaseline] = (),
    use_cache: bool = True,
    require_unchanged: Callable[[], None] = lambda: None,
) -> Baselines:
    """The baselines on validation, test and held_out of a corpus; on the first bytes of each.

    max_bytes: how many bytes of each split; None for all. added, require_unchanged: see
    `Baselines`.
    """
    spans: dict[str, Span] = {name: getattr(splits, name) for name in SPLITS}
    cut = splits.identity
    if max_bytes is not None:
        spans = {name: span.first(max_bytes) for name, span in spans.items()}
        cut += f", first {max_bytes} bytes"
    return Baselines(
        registry,
        splits.training.bytes,
        spans,
        key=(corpus_sha256, cut) if use_cache else None,
        added=added,
        floor=lambda: _floor(corpus, spans),
        require_unchanged=require_unchanged,
    )


def ladder(
    registry: Registry,
    corpus: Corpus,
    splits: Splits,
    *,
    corpus_sha256: str,
    use_cache: bool = True,
    wanted: Callable[[BaselineSpec], bool] = lambda spec: True,
) -> Ladder:
    """Every registered baseline that is wanted, however long it takes."""
    baselines = baselines_of(
        registry, corpus, splits, corpus_sha256=corpus_sha256, use_cache=use_cache
    )
    return baselines.ladder(baselines.names(lambda name: wanted(registry.get("baseline", name))))


def _score(
    baseline: Baseline,
    training: npt.NDArray[np.uint8],
    splits: Mapping[str, Span],
    clock: Clock,
) -> tuple[list[Rung], bool]:
    """The rungs of one baseline; if it fails or is stopped, those that it gave before are kept."""
    rungs: list[Rung] = []
    begun = time.perf_counter()
    share = 0.0
    try:
        with closing(baseline.steps(training, splits)) as steps:
            clock.tick(baseline.label, share)
            for step in steps:
                if isinstance(step, BaselineScore):
                    now = time.perf_counter()
                    rungs.append(replace(baseline.rung(step, splits), seconds=now - begun))
                    begun = now
                else:
                    share = float(step)
                if not clock.tick(baseline.label, share):
                    return rungs, False
    except Exception as error:
        # What a user can fix says itself what to do.
        said = str(error) if isinstance(error, SeqzooError) else f"{type(error).__name__}: {error}"
        cause = " ".join(said.split())
        package = (error.name or "") if isinstance(error, ImportError) else ""
        took = time.perf_counter() - begun
        rungs.append(Rung(baseline.label, failure=cause, seconds=took, package=package))
    return rungs, True


def _sort_key(rung: Rung) -> float:
    return rung.bits_per_byte.get("held_out", -math.inf)


def _floor(corpus: Corpus, splits: Mapping[str, Span]) -> dict[str, float]:
    if corpus.code_lengths is None:
        return {}
    floor = {}
    for split, span in splits.items():
        bits = [
            float(corpus.code_lengths(start, min(start + _CHUNK_BYTES, span.stop)).sum())
            for start in range(span.start, span.stop, _CHUNK_BYTES)
        ]
        if bits:
            floor[split] = math.fsum(bits) / len(span)
    return floor
