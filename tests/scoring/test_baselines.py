from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seqzoo import BaselineContext
from seqzoo.data.corpus import Splits, split
from seqzoo.plugin.contracts import Corpus
from seqzoo.plugin.hooks import hookimpl
from seqzoo.plugin.registry import Owner, Registry
from seqzoo.plugin.span import Span
from seqzoo.plugin.specs import SPLITS, BaselineScore, BaselineSpec, Options
from seqzoo.results.ladder import Ladder, Rung
from seqzoo.scoring import baselines
from seqzoo.scoring.baseline_cache import read_rungs, write_rungs
from seqzoo.scoring.baselines import Baselines, baselines_of, ladder
from seqzoo.storage import cache_directory

SHA256 = "0" * 64


class Counting:
    """A baseline of `bits` for every byte, which records its calls."""

    def __init__(self, name: str, bits: float = 4.0, rate: float | None = 0.0) -> None:
        """rate: declared seconds per megabyte."""
        self.name = name
        self.bits = bits
        self.rate = rate
        self.calls: list[dict[str, Any]] = []

    def score(self, options: Options, context: BaselineContext) -> Iterable[BaselineScore | float]:
        self.calls.append({"training": context.training, "splits": dict(context.splits)})
        bits = {name: self.bits * len(span) for name, span in context.splits.items()}
        accuracy = dict.fromkeys(context.splits, 0.25)
        yield BaselineScore(name=self.name, bits=bits, accuracy=accuracy)


class Failing(Counting):
    """Gives one rung, then raises."""

    def score(self, options: Options, context: BaselineContext) -> Iterable[BaselineScore | float]:
        yield from super().score(options, context)
        raise RuntimeError("no\nmore")


def registry_of(*scorers: Counting, version: int = 1, distribution_version: str = "1") -> Registry:
    specs = [
        BaselineSpec(
            name=each.name,
            summary="",
            score=each.score,
            version=version,
            seconds_per_megabyte=each.rate,
        )
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
        def score(self, options: Any, context: BaselineContext) -> Iterable[BaselineScore]:
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
    registry = registry_of(scorer)
    first = make_ladder(registry, corpus, splits)
    assert make_ladder(registry, corpus, splits) == first
    assert len(scorer.calls) == 1


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


def sealed(text: str, **changed: Any) -> str:
    """The cached scores with other values, and with a hash that fits them."""
    stored = json.loads(text)
    stored["rungs"][0] |= changed
    plain = json.dumps(stored["rungs"], sort_keys=True)
    return json.dumps(stored | {"sha256": hashlib.sha256(plain.encode()).hexdigest()})


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
        lambda text: "[" * 200_000,
        lambda text: text.replace("4.0", "[" * 100_000 + "]" * 100_000, 1),
        lambda text: text.replace("4.0", "9" * 5000, 1),
        lambda text: sealed(text, bits_per_byte={"validation": 4.0}),
        lambda text: sealed(text, bits_per_byte=dict.fromkeys(SPLITS, 1e999)),
        lambda text: sealed(text, bits_per_byte=dict.fromkeys(SPLITS, -1.0)),
        lambda text: sealed(text, bits_per_byte=[4.0]),
        lambda text: sealed(text, accuracy={"test": 1.5}),
        lambda text: sealed(text, failure="it failed"),
        lambda text: sealed(text, name=None),
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


def test_a_pipe_in_the_cache_is_replaced(corpus: Corpus, splits: Splits) -> None:
    make_ladder(registry_of(Counting("four")), corpus, splits)
    (path,) = (cache_directory() / "baselines").iterdir()
    path.unlink()
    os.mkfifo(path)
    make_ladder(registry_of(Counting("four")), corpus, splits)
    assert path.is_file()


def test_scores_that_json_has_no_form_for_are_no_error() -> None:
    key = {"baseline": "one", "version": 1}
    write_rungs(key, [Rung("a", {"test": 1.5}, context_length=np.int64(3))])  # type: ignore[arg-type]
    assert read_rungs(key) is None


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
        def score(self, options: Any, context: BaselineContext) -> Iterable[BaselineScore]:
            for name, bits in (("slow", 3.0), ("quick", 2.0)):
                clock.now += bits
                yield BaselineScore(name=name, bits=dict.fromkeys(context.splits, bits))

    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("seqzoo.scoring.baselines.time.perf_counter", lambda: clock.now)
    found = make_ladder(registry_of(Two("two")), corpus, splits)
    assert {rung.name: rung.seconds for rung in found.rungs} == {"slow": 3.0, "quick": 2.0}


def test_without_baselines_the_ladder_is_empty(corpus: Corpus, splits: Splits) -> None:
    assert make_ladder(Registry(), corpus, splits) == Ladder(())


def test_a_rung_is_restored_completely_from_the_cache() -> None:
    key = {"baseline": "one", "version": 1}
    rungs = [
        Rung("a", {"test": 1.5}, {"test": 0.5}, True, 0.25, title="an A", meaning="It is an A."),
        Rung("b", {"test": 1e-17}),
    ]
    write_rungs(key, rungs)
    assert read_rungs(key) == rungs
    assert read_rungs(key | {"version": 2}) is None


PER_SECOND = 1e6 / 1100  # a rate that makes a second of the corpus of these tests, with its splits


@pytest.fixture
def reference_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Declared rates are seconds here."""
    monkeypatch.setattr(baselines, "slowness", lambda: 1.0)


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Time that passes only where a test says so."""
    now = SimpleNamespace(now=100.0)
    for module in ("baselines", "baseline_budget", "baseline_cost"):
        monkeypatch.setattr(f"seqzoo.scoring.{module}.time.perf_counter", lambda: now.now)
    return now


def baselines_for(corpus: Corpus, splits: Splits, *scorers: Counting, **more: Any) -> Baselines:
    registry = registry_of(*scorers)
    return baselines_of(registry, corpus, splits, **({"corpus_sha256": SHA256} | more))


@pytest.mark.usefixtures("reference_machine")
@pytest.mark.parametrize(
    ("limit", "scored"),
    [
        (0, ["free"]),
        (1.5, ["free", "a-one"]),
        (5.5, ["free", "a-one", "b-three"]),  # 1 s, and a half more than 3 s
        (5.4, ["free", "a-one"]),
    ],
)
def test_the_quickest_baselines_come_first_and_the_others_are_left_out(
    corpus: Corpus, splits: Splits, limit: float, scored: list[str]
) -> None:
    order: list[str] = []

    class Noting(Counting):
        def score(self, *arguments: Any) -> Iterable[BaselineScore | float]:
            order.append(self.name)
            return super().score(*arguments)

    rates = {"b-three": 3, "a-one": 1, "c-nine": 9, "free": 0}
    scorers = [Noting(name, rate=rate * PER_SECOND) for name, rate in rates.items()]
    found = baselines_for(corpus, splits, *scorers).ladder(max_seconds=limit + 1e-6)
    assert order == scored
    assert {rung.name for rung in found.rungs} == set(scored)
    assert {each.reason for each in found.left_out} <= {"time"}
    expected: dict[str, Any] = {
        name: pytest.approx(rate) for name, rate in rates.items() if name not in scored
    }
    assert {each.name: each.expected_seconds for each in found.left_out} == expected


@pytest.mark.usefixtures("reference_machine")
def test_a_known_baseline_costs_nothing_and_is_never_left_out(
    corpus: Corpus, splits: Splits, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file, so that only this object knows the scores")
    scorer = Counting("slow", rate=99 * PER_SECOND)
    known = baselines_for(corpus, splits, scorer)
    assert known.expected_seconds() == {"slow": pytest.approx(99)}
    assert known.ladder(max_seconds=9).rungs == ()
    whole = known.ladder()
    assert known.expected_seconds() == {"slow": 0.0}
    assert known.ladder(max_seconds=0) == whole
    assert len(scorer.calls) == 1


@pytest.mark.parametrize("start", [0.0, 0.3])
def test_a_rate_that_is_not_declared_is_measured_on_the_first_bytes(
    stopwatch: SimpleNamespace, start: float
) -> None:
    """Without the seconds that it takes to start, which all bytes together take once."""

    class Linear(Counting):
        def score(self, options: Any, context: BaselineContext) -> Iterable[BaselineScore]:
            num_bytes = len(context.training) + sum(map(len, context.splits.values()))
            stopwatch.now += start + num_bytes * 1e-5
            return ()

    data = np.zeros(1_000_000, dtype=np.uint8)
    spans = {"a": Span(data, 900_000, 950_000), "b": Span(data, 950_000, 1_000_000)}
    linear = Baselines(registry_of(Linear("l", rate=None)), data[:900_000], spans, key=None)
    # Whole bytes of each part are taken, so that the share is not exact.
    assert linear.expected_seconds()["l"] == pytest.approx(start + 10, rel=1e-3)
    assert stopwatch.now < 102


def test_what_takes_long_for_a_few_bytes_is_stopped_while_it_is_measured(
    corpus: Corpus, splits: Splits, stopwatch: SimpleNamespace
) -> None:
    ended = []

    class Endless(Counting):
        def score(self, options: Any, context: BaselineContext) -> Iterable[BaselineScore | float]:
            try:
                while True:
                    stopwatch.now += 0.1
                    yield 0.0
            finally:
                ended.append(stopwatch.now)

    before = stopwatch.now
    data = np.zeros(1_000_000, dtype=np.uint8)
    spans = {"test": Span(data, 900_000, 1_000_000)}
    hanging = Baselines(registry_of(Endless("h", rate=None)), data[:900_000], spans, key=None)
    assert hanging.ladder(max_seconds=30).rungs == ()
    assert [at - before for at in ended] == [pytest.approx(2, abs=0.3)]


def test_a_baseline_that_fails_while_it_is_measured_is_scored_and_reported(
    corpus: Corpus, splits: Splits
) -> None:
    found = baselines_for(corpus, splits, Failing("broken", rate=None)).ladder(max_seconds=0)
    assert "RuntimeError: no more" in [rung.failure for rung in found.rungs]
    assert found.left_out == ()


@pytest.mark.usefixtures("reference_machine")
@pytest.mark.parametrize("reports_shares", [True, False])
def test_a_baseline_that_takes_much_longer_than_expected_is_stopped(
    corpus: Corpus, splits: Splits, stopwatch: SimpleNamespace, reports_shares: bool
) -> None:
    class Endless(Counting):
        def score(self, *arguments: Any) -> Iterable[BaselineScore | float]:
            (first,) = super().score(*arguments)
            try:
                for number in itertools.count():
                    stopwatch.now += 1
                    yield 0.5 if reports_shares and number else replace(first, name=f"r{number}")  # type: ignore[type-var]
            finally:
                ended.append(stopwatch.now)

    ended: list[float] = []
    endless = Endless("endless", rate=PER_SECOND)
    found = baselines_for(corpus, splits, endless).ladder(max_seconds=10)
    assert ended == [110.0]  # the limit after the start
    assert "r0" in {rung.name for rung in found.rungs}
    assert [(each.name, each.reason) for each in found.left_out] == [("endless", "stopped")]
    assert not (cache_directory() / "baselines").exists()


@pytest.mark.usefixtures("reference_machine")
def test_progress_is_the_share_of_the_expected_time(
    corpus: Corpus, splits: Splits, stopwatch: SimpleNamespace
) -> None:
    class Halves(Counting):
        def score(self, *arguments: Any) -> Iterable[BaselineScore | float]:
            yield 0.5
            yield from super().score(*arguments)

    class Silent(Counting):
        def score(self, *arguments: Any) -> Iterable[BaselineScore | float]:
            stopwatch.now += 3
            return super().score(*arguments)

    shown: list[tuple[float, str]] = []
    announced: list[tuple[list[str], float]] = []
    scorers = Halves("a", rate=PER_SECOND), Silent("b", rate=4 * PER_SECOND)
    known = baselines_for(corpus, splits, *scorers)
    for _ in range(2):
        known.ladder(
            show=lambda share, name: shown.append((round(share, 4), name)),
            announce=lambda names, seconds: announced.append((names, round(seconds, 4))),
        )
    assert announced == [(["a", "b"], 5.0)]
    # Half of one of five seconds; then three of four seconds after the first one.
    assert shown == [(0.0, "a"), (0.1, "a"), (0.1, "a"), (0.2, "b"), (0.8, "b")]


def test_a_step_that_is_neither_a_score_nor_a_share_is_a_failed_rung(
    corpus: Corpus, splits: Splits
) -> None:
    class Odd(Counting):
        def score(self, *arguments: Any) -> Any:
            return ["half"]

    (rung,) = make_ladder(registry_of(Odd("odd")), corpus, splits).rungs
    assert "half" in rung.failure


def test_a_limit_of_bytes_scores_the_first_bytes_and_has_its_own_cache(
    corpus: Corpus, splits: Splits
) -> None:
    scorer = Counting("four")
    baselines_for(corpus, splits, scorer).ladder()
    baselines_for(corpus, splits, scorer, max_bytes=30).ladder()
    assert [len(span) for span in scorer.calls[1]["splits"].values()] == [30, 30, 30]
    assert len(scorer.calls[1]["training"]) == 900


def test_a_missing_package_is_named(corpus: Corpus, splits: Splits) -> None:
    class Needy(Counting):
        def score(self, *arguments: Any) -> Iterable[BaselineScore]:
            raise ImportError("the package 'press' is not installed", name="press")

    (rung,) = make_ladder(registry_of(Needy("needy")), corpus, splits).rungs
    assert rung.package == "press"


def test_the_title_and_the_meaning_of_a_baseline_are_in_its_rung(
    corpus: Corpus, splits: Splits
) -> None:
    class Titled(Counting):
        def score(self, *arguments: Any) -> Iterable[BaselineScore]:
            for score in super().score(*arguments):
                assert isinstance(score, BaselineScore)
                yield replace(score, title="a table", meaning="It counts.")

    for _ in range(2):  # the second time from the cache
        (rung,) = make_ladder(registry_of(Titled("titled")), corpus, splits).rungs
        assert (rung.title, rung.meaning) == ("a table", "It counts.")
