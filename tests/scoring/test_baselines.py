from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seqzoo.data.corpus import Splits, split
from seqzoo.plugin.contracts import Corpus
from seqzoo.plugin.hooks import hookimpl
from seqzoo.plugin.registry import Owner, Registry
from seqzoo.plugin.specs import BaselineScore, BaselineSpec, Options, Span
from seqzoo.results.ladder import Ladder, Rung
from seqzoo.scoring import baselines
from seqzoo.scoring.baselines import ladder
from seqzoo.storage import cache_directory

SHA256 = "0" * 64


class Counting:
    """A baseline of `bits` for every byte, which records its calls."""

    def __init__(self, name: str, bits: float = 4.0) -> None:
        self.name = name
        self.bits = bits
        self.calls: list[dict[str, Any]] = []

    def score(
        self, options: Options, training: np.ndarray, splits: Mapping[str, Span]
    ) -> Iterable[BaselineScore]:
        self.calls.append({"training": training, "splits": dict(splits)})
        bits = {name: self.bits * len(span) for name, span in splits.items()}
        yield BaselineScore(name=self.name, bits=bits, accuracy=dict.fromkeys(splits, 0.25))


class Failing(Counting):
    """Gives one rung, then raises."""

    def score(
        self, options: Options, training: np.ndarray, splits: Mapping[str, Span]
    ) -> Iterable[BaselineScore]:
        yield from super().score(options, training, splits)
        raise RuntimeError("no\nmore")


def registry_of(*scorers: Counting, version: int = 1, distribution_version: str = "1") -> Registry:
    specs = [
        BaselineSpec(name=each.name, summary="", score=each.score, version=version)
        for each in scorers
    ]

    @hookimpl
    def register_baselines() -> Iterable[BaselineSpec]:
        return specs

    registry = Registry()
    plugin = SimpleNamespace(register_baselines=register_baselines)
    registry.add(plugin, Owner("test", "seqzoo-test", distribution_version))
    return registry


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQZOO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def corpus() -> Corpus:
    return Corpus("noise", np.arange(1000, dtype=np.uint32).astype(np.uint8), "a test")


@pytest.fixture
def splits(corpus: Corpus) -> Splits:
    return split(corpus, train=0.9, validation=0.05, test=0.05)


def make_ladder(registry: Registry, corpus: Corpus, splits: Any, **changes: Any) -> Ladder:
    return ladder(registry, corpus, splits, **({"corpus_sha256": SHA256} | changes))


def test_each_split_is_scored_with_only_the_training_part(corpus: Corpus, splits: Splits) -> None:
    scorer = Counting("four")
    (rung,) = make_ladder(registry_of(scorer), corpus, splits).rungs
    assert rung.bits_per_byte == {"validation": 4.0, "test": 4.0, "held_out": 4.0}
    assert rung.accuracy == {"validation": 0.25, "test": 0.25, "held_out": 0.25}
    (call,) = scorer.calls
    assert np.shares_memory(call["training"], corpus.data)
    assert len(call["training"]) == 900
    spans = call["splits"]
    assert (spans["held_out"].start, spans["held_out"].stop) == (900, 1000)


def test_rungs_are_sorted_from_worst_to_best_with_failed_ones_last(
    corpus: Corpus, splits: Splits
) -> None:
    scorers = Counting("a-good", 2.0), Failing("b-broken", 5.0), Counting("c-bad", 7.0)
    found = make_ladder(registry_of(*scorers), corpus, splits)
    assert [rung.name for rung in found.rungs] == ["c-bad", "b-broken", "a-good", "b-broken"]
    assert found.rungs[-1].failure == "RuntimeError: no more"
    assert found.rungs[-1].bits_per_byte == {}


@pytest.mark.parametrize("bits", [float("nan"), float("inf"), -1.0])
def test_impossible_bits_are_a_failed_rung(corpus: Corpus, splits: Splits, bits: float) -> None:
    (rung,) = make_ladder(registry_of(Counting("odd", bits)), corpus, splits).rungs
    assert "expected 0 or more" in rung.failure


def test_bits_for_a_missing_split_are_a_failed_rung(corpus: Corpus, splits: Splits) -> None:
    class WithoutSplits(Counting):
        def score(self, options: Any, training: Any, splits: Any) -> Iterable[BaselineScore]:
            yield BaselineScore(name="incomplete", bits={"test": 1.0})

    (rung,) = make_ladder(registry_of(WithoutSplits("incomplete")), corpus, splits).rungs
    assert "None bits for validation" in rung.failure


def test_a_split_without_bytes_is_left_out(corpus: Corpus) -> None:
    tail = Span(corpus.data, 900, 1000)
    parts = SimpleNamespace(
        training=Span(corpus.data, 0, 900),
        validation=Span(corpus.data, 900, 900),
        test=tail,
        held_out=tail,
        identity="0.9/0/0.1",
    )
    (rung,) = make_ladder(registry_of(Counting("four")), corpus, parts).rungs
    assert set(rung.bits_per_byte) == {"test", "held_out"}


def test_the_second_ladder_is_read_from_the_cache(corpus: Corpus, splits: Splits) -> None:
    scorer = Counting("four")
    announced: list[str] = []
    registry = registry_of(scorer)
    first = make_ladder(registry, corpus, splits, announce=announced.append)
    assert make_ladder(registry, corpus, splits, announce=announced.append) == first
    assert len(scorer.calls) == 1
    assert announced == ["four"]


def test_use_cache_false_neither_reads_nor_writes(corpus: Corpus, splits: Splits) -> None:
    scorer = Counting("four")
    for _ in range(2):
        make_ladder(registry_of(scorer), corpus, splits, use_cache=False)
    assert len(scorer.calls) == 2
    assert not cache_directory().exists()


@pytest.mark.parametrize(
    "change", ["corpus", "splits", "version", "distribution", "options", "name"]
)
def test_cached_scores_are_not_used_if_anything_they_depend_on_changes(
    corpus: Corpus, splits: Splits, change: str
) -> None:
    make_ladder(registry_of(Counting("four")), corpus, splits)
    scorer = Counting("other" if change == "name" else "four")
    registry = registry_of(
        scorer,
        version=2 if change == "version" else 1,
        distribution_version="2" if change == "distribution" else "1",
    )
    if change == "options":

        class Changed(Options):
            depth: int = 3

        (registered,) = registry.registered("baseline")
        object.__setattr__(registered.spec, "options", Changed)
    if change == "splits":
        splits = split(corpus, train=0.8, validation=0.1, test=0.1)
    make_ladder(registry, corpus, splits, corpus_sha256="1" * 64 if change == "corpus" else SHA256)
    assert len(scorer.calls) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace("4.0", '"four"', 1),
        lambda text: text.replace("four", "five", 1),
        lambda text: json.dumps({"key": json.loads(text)["key"]}),
        lambda text: json.dumps(json.loads(text) | {"rungs": []}),
        lambda text: text.replace("4.0", "NaN", 1),
    ],
)
def test_scores_of_a_damaged_cache_file_are_computed_again(
    corpus: Corpus, splits: Splits, damage: Any
) -> None:
    first = make_ladder(registry_of(Counting("four")), corpus, splits)
    (path,) = (cache_directory() / "baselines").iterdir()
    path.write_text(damage(path.read_text()))
    scorer = Counting("four")
    again = make_ladder(registry_of(scorer), corpus, splits)
    assert len(scorer.calls) == 1
    assert [rung.bits_per_byte for rung in again.rungs] == [
        rung.bits_per_byte for rung in first.rungs
    ]
    make_ladder(registry_of(scorer), corpus, splits)
    assert len(scorer.calls) == 1


def test_failures_are_not_cached(corpus: Corpus, splits: Splits) -> None:
    scorer = Failing("broken")
    for _ in range(2):
        make_ladder(registry_of(scorer), corpus, splits)
    assert len(scorer.calls) == 2


def test_a_cache_that_cannot_be_written_is_no_error(
    corpus: Corpus, splits: Splits, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file instead of the folder")
    assert len(make_ladder(registry_of(Counting("four")), corpus, splits).rungs) == 1


def test_the_floor_is_the_code_length_of_the_true_source(
    splits: Splits, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    bits = np.random.default_rng(0).random(1000)
    requested = []

    def code_lengths(start: int, stop: int) -> np.ndarray:
        requested.append(stop - start)
        return bits[start:stop]

    monkeypatch.setattr(baselines, "_CHUNK_BYTES", 7)
    known = Corpus("known", corpus.data, "a test", code_lengths)
    floor = make_ladder(registry_of(), known, splits).floor
    assert floor["test"] == pytest.approx(bits[950:].mean(), rel=1e-12)
    assert floor["held_out"] == pytest.approx(bits[900:].mean(), rel=1e-12)
    assert max(requested) == 7
    assert make_ladder(registry_of(), corpus, splits).floor == {}


def test_seconds_are_counted_from_the_previous_rung(
    corpus: Corpus, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Two(Counting):
        def score(self, options: Any, training: Any, splits: Any) -> Iterable[BaselineScore]:
            for name, bits in (("slow", 3.0), ("quick", 2.0)):
                clock.now += bits
                yield BaselineScore(name=name, bits=dict.fromkeys(splits, bits))

    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("seqzoo.scoring.baselines.time.perf_counter", lambda: clock.now)
    found = make_ladder(registry_of(Two("two")), corpus, splits)
    assert {rung.name: rung.seconds for rung in found.rungs} == {"slow": 3.0, "quick": 2.0}


def test_without_baselines_the_ladder_is_empty(corpus: Corpus, splits: Splits) -> None:
    assert make_ladder(Registry(), corpus, splits) == Ladder(())


def test_a_rung_is_restored_completely_from_the_cache() -> None:
    path = cache_directory() / "baselines" / "one.json"
    rungs = [Rung("a", {"test": 1.5}, {"test": 0.5}, True, 0.25), Rung("b", {"test": 1e-17})]
    baselines._write(path, {"key": 1}, rungs)
    assert baselines._read(path, {"key": 1}) == rungs
    assert baselines._read(path, {"key": 2}) is None
