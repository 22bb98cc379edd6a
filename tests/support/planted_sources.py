"""Corpora, baselines, trackers and checks with one fault each, and the law that each breaks."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from planted_architectures import Planted

from seqzoo import (
    BaselineContext,
    BaselineScore,
    BaselineSpec,
    Check,
    Corpus,
    CorpusContext,
    CorpusSpec,
    CorpusUnavailable,
    Outcome,
    Tracker,
    TrackerContext,
    TrackerSpec,
)

__all__ = ["BASELINES", "CHECKS", "CORPORA", "TRACKERS", "healthy_sources"]

_TEXT = b"It was a dark and stormy night; the rain fell in torrents. " * 20


def read_only(data: bytes) -> np.ndarray:
    return np.frombuffer(data, dtype=np.uint8)


def corpus(opened: Callable[[], Corpus]) -> CorpusSpec:
    def opens(options: Any, context: CorpusContext) -> Corpus:
        return opened()

    return CorpusSpec(name="mine", summary="a text", open=opens)


def source(data: np.ndarray | None = None, **further: Any) -> Corpus:
    return Corpus("mine", read_only(_TEXT) if data is None else data, "made here", **further)


_counter = itertools.count()


def other_bytes() -> Corpus:
    return source(read_only(_TEXT[:-1] + bytes([next(_counter) % 256])))


def other_length() -> Corpus:
    return source(read_only(_TEXT + b"!" * next(_counter)))


def bits_of(value: float) -> Callable[[int, int], np.ndarray]:
    return lambda start, stop: np.full(stop - start, value)


def bits_from_start(start: int, stop: int) -> np.ndarray:
    return np.arange(1.0, stop - start + 1)


def fails_in_lines() -> Corpus:
    raise CorpusUnavailable("cannot be downloaded\nbecause the network is down")


def fails_as_it_is() -> Corpus:
    raise ConnectionError("[Errno 111] refused")


CORPORA: dict[str, Planted] = {
    "other bytes at each open": Planted(corpus(other_bytes), "same_bytes"),
    "another length at each open": Planted(corpus(other_length), "same_bytes"),
    "a writeable array": Planted(
        corpus(lambda: source(np.array(read_only(_TEXT)))), "read_only"
    ),
    "a floor of 0 bits": Planted(
        corpus(lambda: source(code_lengths=bits_of(0.0))), "code_lengths"
    ),
    "negative bits": Planted(corpus(lambda: source(code_lengths=bits_of(-1.0))), "code_lengths"),
    "bits that depend on the cut": Planted(
        corpus(lambda: source(code_lengths=bits_from_start)), "code_lengths"
    ),
    "an error of two lines": Planted(corpus(fails_in_lines), "opens"),
    "an error of the network": Planted(corpus(fails_as_it_is), "opens"),
    "no bytes": Planted(corpus(lambda: source(read_only(b""))), "opens"),
}  # fmt: skip


class Frequencies:
    """A table of the bytes of the training part, in which every byte has occurred once more."""

    def __call__(self, options: Any, context: BaselineContext) -> Iterator[BaselineScore]:
        counts = self.counts(context.training)
        bits = {
            name: self.bits(counts, span.bytes, np.asarray(context.training))
            for name, span in context.splits.items()
        }
        yield self.made(bits)

    def made(self, bits: Mapping[str, float]) -> BaselineScore:
        return BaselineScore(name="table", bits=bits)

    def counts(self, training: np.ndarray) -> np.ndarray:
        return np.bincount(training, minlength=256) + 1.0

    def bits(self, counts: np.ndarray, data: np.ndarray, training: np.ndarray) -> float:
        return float(-np.log2(counts[data] / counts.sum()).sum())


class CountsTheSplit(Frequencies):
    def bits(self, counts: np.ndarray, data: np.ndarray, training: np.ndarray) -> float:
        return super().bits(np.bincount(data, minlength=256).astype(float), data, training)


class CountsTheSplitToo(Frequencies):
    def bits(self, counts: np.ndarray, data: np.ndarray, training: np.ndarray) -> float:
        return super().bits(counts + 30 * np.bincount(data, minlength=256), data, training)


class NotNormalised(Frequencies):
    def bits(self, counts: np.ndarray, data: np.ndarray, training: np.ndarray) -> float:
        return float(-np.log2(counts[data] / counts.max()).sum())


class NotANumber(Frequencies):
    def made(self, bits: Mapping[str, float]) -> BaselineScore:
        return BaselineScore(name="table", bits=dict.fromkeys(bits, np.nan))


class Negative(Frequencies):
    def made(self, bits: Mapping[str, float]) -> BaselineScore:
        return BaselineScore(name="table", bits=dict.fromkeys(bits, -5.0))


class NoSplits(Frequencies):
    def made(self, bits: Mapping[str, float]) -> BaselineScore:
        return BaselineScore(name="table", bits={})


class InPercent(Frequencies):
    def made(self, bits: Mapping[str, float]) -> BaselineScore:
        return BaselineScore(name="table", bits=bits, accuracy=dict.fromkeys(bits, 50.0))


class CountsAgain(Frequencies):
    total: Any = 0.0

    def counts(self, training: np.ndarray) -> np.ndarray:
        self.total = self.total + super().counts(training) * (1 + next(_counter))
        return np.asarray(self.total) + 100 * (next(_counter) % 7)


class NeverSeen(Frequencies):
    def counts(self, training: np.ndarray) -> np.ndarray:
        counts = np.bincount(training, minlength=256).astype(float)
        return np.where(counts.sum() > 0, counts, 1.0)

    def bits(self, counts: np.ndarray, data: np.ndarray, training: np.ndarray) -> float:
        with np.errstate(divide="ignore"):
            return super().bits(counts, data, training)


class SplitsTogether(Frequencies):
    def __call__(self, options: Any, context: BaselineContext) -> Iterator[BaselineScore]:
        counts = self.counts(context.training) + 50.0 * len(context.splits)
        yield self.made({n: self.bits(counts, s.bytes, s.data) for n, s in context.splits.items()})


class WritesTraining(Frequencies):
    def counts(self, training: np.ndarray) -> np.ndarray:
        training.sort()
        return super().counts(training)


def baseline(score: Any) -> BaselineSpec:
    return BaselineSpec(name="mine", summary="a table", score=score)


BASELINES: dict[str, Planted] = {
    "counts the split itself": Planted(
        baseline(CountsTheSplit()), "no_free_bits", "one_byte few_symbols"
    ),
    "counts the split too": Planted(baseline(CountsTheSplitToo()), "no_free_bits", "one_byte"),
    "not normalised": Planted(baseline(NotNormalised()), "one_byte", "no_free_bits"),
    "not a number": Planted(baseline(NotANumber()), "complete"),
    "negative bits": Planted(baseline(Negative()), "complete"),
    "no splits": Planted(baseline(NoSplits()), "complete"),
    "accuracy in percent": Planted(baseline(InPercent()), "complete"),
    "counts are kept": Planted(
        baseline(CountsAgain()), "repeatable", "splits_apart only_earlier_bytes one_byte"
    ),
    "nothing for what is new": Planted(baseline(NeverSeen()), "new_bytes"),
    "splits are mixed": Planted(baseline(SplitsTogether()), "splits_apart"),
    "writes into its data": Planted(baseline(WritesTraining()), "complete"),
}


class Lines(Tracker):
    """A file of lines in the folder of the run."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lines.txt"

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{step} {dict(metrics)}\n")


class RaisesInOpen(Lines):
    def __init__(self, folder: Path) -> None:
        raise RuntimeError("no account")


class RaisesInLog(Lines):
    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        if step == 3:
            raise RuntimeError("the server is down")


class RaisesInClose(Lines):
    def close(self) -> None:
        raise RuntimeError("not closed")


class Exits(Lines):
    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        sys.exit("enough")


class NoTextOfTwoLines(Lines):
    def log_text(self, step: int, name: str, text: str) -> None:
        assert text.isascii()


class NeedsResult(Lines):
    def finish(self, result: Any, status: str) -> None:
        result["scores"]


class FileForEach(Lines):
    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        for name in metrics:
            (self.path.parent / name.replace("/", "_")).write_text(str(metrics[name]))


class NoNan(Lines):
    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        assert all(value == value for value in metrics.values())


class FixedColumns(Lines):
    columns: Any = None

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        self.columns = self.columns or list(metrics)
        super().log(step, {name: metrics[name] for name in self.columns})


class OnlyOnce(Lines):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path.touch(exist_ok=False)


class InWorkingDirectory(Lines):
    def __init__(self, folder: Path) -> None:
        super().__init__(Path())


class PopsMetrics(Lines):
    def log(self, step: int, metrics: Any) -> None:
        metrics.pop("seconds", None)


class Greets(Lines):
    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        print("hello")


def tracker(kind: type[Lines]) -> TrackerSpec:
    def opens(options: Any, context: TrackerContext) -> Tracker:
        return kind(context.run_directory)

    return TrackerSpec(name="mine", summary="lines", open=opens)


TRACKERS: dict[str, Planted] = {
    "raises in open": Planted(tracker(RaisesInOpen), "calls"),
    "raises in log": Planted(tracker(RaisesInLog), "calls"),
    "raises in close": Planted(tracker(RaisesInClose), "calls"),
    "calls sys.exit": Planted(tracker(Exits), "calls"),
    "only ASCII texts": Planted(tracker(NoTextOfTwoLines), "calls"),
    "needs a result": Planted(tracker(NeedsResult), "closes"),
    "a file for each metric": Planted(tracker(FileForEach), "odd_metrics"),
    "no nan": Planted(tracker(NoNan), "odd_metrics"),
    "fixed columns": Planted(tracker(FixedColumns), "changing_metrics"),
    "can be opened only once": Planted(tracker(OnlyOnce), "closes", "silent"),
    "writes into the working directory": Planted(tracker(InWorkingDirectory), "own_folder"),
    "changes the metrics": Planted(tracker(PopsMetrics), "metrics_kept"),
    "prints": Planted(tracker(Greets), "silent"),
}


def look(subject: Any) -> Any:
    logits, _ = subject.network.copied()(subject.batch.inputs)
    return Outcome.passed(f"logits of shape {tuple(logits.shape)}")


def a_text(subject: Any) -> Any:
    return "all is well"


def raises(subject: Any) -> Any:
    raise ZeroDivisionError("division by zero")


def trains(subject: Any) -> Any:
    module = subject.network.module
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    logits, _ = subject.network(subject.batch.inputs)
    logits.square().mean().backward()
    optimizer.step()
    return Outcome.passed("trained")


def to_eval(subject: Any) -> Any:
    subject.network.module.eval()
    return Outcome.passed("evaluated")


def by_chance(subject: Any) -> Any:
    statuses = (Outcome.passed("even"), Outcome.skipped("odd"))
    return statuses[next(_counter) % 2]


def speaks(subject: Any) -> Any:
    print("looking")
    return Outcome.passed("looked")


def no_remedy(subject: Any) -> Any:
    return Outcome.failed("broken", why="", remedy="")


def check(examine: Callable[[Any], Any], **further: Any) -> Check:
    return Check(name="mine.looks", summary="it looks", examine=examine, **further)


CHECKS: dict[str, Planted] = {
    "returns a text": Planted(check(a_text), "outcome"),
    "raises": Planted(check(raises), "outcome"),
    "says no remedy": Planted(check(no_remedy), "outcome"),
    "trains the model": Planted(check(trains), "untouched"),
    "leaves eval mode": Planted(check(to_eval), "untouched"),
    "by chance": Planted(check(by_chance), "repeatable"),
    "prints": Planted(check(speaks), "silent"),
    "explains no check": Planted(check(look, explains=("loss",)), "explains"),
}

healthy_sources: dict[str, Callable[[], Any]] = {
    "corpus": lambda: corpus(lambda: source(code_lengths=bits_of(2.0))),
    "baseline": lambda: baseline(Frequencies()),
    "tracker": lambda: tracker(Lines),
    "check": lambda: check(look),
}
