"""The lines of one table: runs that differ by their seed, baselines, the floor; and their ranks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

import numpy as np

from seqzoo.ladder import LUCK_BITS, Ladder, Rung
from seqzoo.leaderboard.standings import Standing, standings
from seqzoo.results import Result, SplitScore

__all__ = ["FLOOR", "KINDS", "Row", "ladder_rows", "ranked", "run_rows", "united_ladder"]

FLOOR = "true source"
KINDS = ("static", "adaptive")
"""Of scores: a frozen model's, and one's that learns from the bytes it was scored on."""


@dataclass(frozen=True)
class Row:
    """One line: runs that differ by their seed, a baseline, or the floor.

    bits_per_byte: by kind of score, on the board's split; means over seeds. accuracy: static.
    other_splits: static bits per byte of the further splits. standings: of runs, by kind.
    ties: names of the rows that it cannot be told apart from, by kind. results: of runs, by seed.
    passed: the best static rung that a run's static score is below. impossible: why a score
    cannot be, where it cannot.
    """

    name: str
    bits_per_byte: dict[str, float]
    accuracy: float | None = None
    other_splits: dict[str, float] = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)
    ties: dict[str, tuple[str, ...]] = field(default_factory=dict)
    results: tuple[Result, ...] = ()
    passed: str = ""
    impossible: str = ""

    @property
    def kind(self) -> str:
        """run, baseline, or floor."""
        if self.results:
            return "run"
        return "floor" if self.name == FLOOR else "baseline"


def run_rows(
    results: Iterable[Result], ladder: Ladder, *, split: str, each_run: bool
) -> Iterator[Row]:
    """A row for each recipe, or for each run; not ranked yet."""
    names: list[str] = []
    for alike in _by_recipe(results, each_run):
        names.append(_common_name(alike))
        scores = {kind: _scores(alike, kind, split) for kind in KINDS}
        static = scores["static"]
        bits = {kind: _mean(found) for kind, found in scores.items() if found}
        others = sorted(set.intersection(*(set(result.scores) for result in alike)) - {split})
        placement = ladder.place(bits["static"], split)
        again = names.count(names[-1])  # the seeds were run several times
        yield Row(
            f"{names[-1]} ({again})" if again > 1 else names[-1],
            bits,
            accuracy=float(np.mean([score.accuracy for score in static])),
            other_splits={
                other: _mean([result.scores[other] for result in alike]) for other in others
            },
            results=alike,
            passed=placement.passed.name if placement.passed is not None else "none",
            impossible=_impossible(
                ladder,
                [score.bits_per_byte for found in scores.values() for score in found],
                split=split,
                num_bytes=static[0].bytes,
            ),
        )


def ladder_rows(ladder: Ladder, *, split: str, num_bytes: int) -> Iterator[Row]:
    """A row for each rung's name, its frozen and its adaptive form side by side; and the floor."""
    rungs = [rung for rung in ladder.rungs if split in rung.bits_per_byte]
    for name in dict.fromkeys(rung.name for rung in rungs):
        forms = {KINDS[rung.adaptive]: rung for rung in rungs if rung.name == name}
        bits = {kind: rung.bits_per_byte[split] for kind, rung in forms.items()}
        static = forms.get("static", Rung(name))
        yield Row(
            name,
            bits,
            accuracy=static.accuracy.get(split),
            other_splits=_without(static.bits_per_byte, split),
            impossible=_impossible(ladder, bits.values(), split=split, num_bytes=num_bytes),
        )
    if split in ladder.floor:
        bits = dict.fromkeys(KINDS, ladder.floor[split])
        yield Row(FLOOR, bits, other_splits=_without(ladder.floor, split))


def united_ladder(results: Iterable[Result]) -> Ladder:
    """Every rung that any of the runs was held against; of equal ones the newest that scored."""
    rungs: dict[tuple[str, bool], Rung] = {}
    floor: dict[str, float] = {}
    for result in sorted(results, key=lambda result: result.created):
        floor |= result.floor
        for rung in result.rungs:
            if not rung.failure:
                rungs[rung.name, rung.adaptive] = rung
    return Ladder(tuple(rungs.values()), floor)


def ranked(rows: Sequence[Row], *, split: str) -> list[Row]:
    """The rows, those of runs with their standings of each kind among them."""
    found = list(rows)
    for kind in KINDS:
        places = [i for i, row in enumerate(rows) if row.results and kind in row.bits_per_byte]
        if not places:
            continue
        scores = [_scores(rows[place].results, kind, split) for place in places]
        blocks = [np.array([score.blocks for score in seeds]) for seeds in scores]
        sizes = np.array(scores[0][0].block_sizes)
        for place, standing in zip(places, standings(blocks, sizes), strict=True):
            found[place] = replace(
                found[place],
                standings=found[place].standings | {kind: standing},
                ties=found[place].ties | {kind: tuple(rows[places[i]].name for i in standing.ties)},
            )
    return found


def _by_recipe(results: Iterable[Result], each_run: bool) -> list[tuple[Result, ...]]:
    """Runs of one recipe with distinct seeds, in the order of their seeds.

    A seed that comes again begins another row: twice the same is no second sample.
    """
    rows: list[dict[int, Result]] = []
    of_recipe: dict[str, list[dict[int, Result]]] = {}
    for result in sorted(results, key=lambda result: (result.created, result.run)):
        # Results of before there were fingerprints stand alone.
        alike = of_recipe.setdefault(result.fingerprint or result.run, [])
        row = next((row for row in alike if result.seed not in row), None)
        if row is None or each_run:
            row = {}
            rows.append(row)
            alike.append(row)
        row[result.seed] = result
    return [tuple(row[seed] for seed in sorted(row)) for row in rows]


def _scores(results: Sequence[Result], kind: str, split: str) -> list[SplitScore]:
    """Scores of a kind that may be averaged: of adaptive ones, those that learnt as the newest."""
    if kind == "static":
        return [result.scores[split] for result in results]
    newest_first = sorted(results, key=lambda result: result.created, reverse=True)
    learnt = [result.adaptive for result in newest_first if result.adaptive is not None]
    return [
        record.scores[split]
        for record in (result.adaptive for result in results)
        if record is not None and record.method == learnt[0].method and split in record.scores
    ]


def _mean(scores: Sequence[SplitScore]) -> float:
    return float(np.mean([score.bits_per_byte for score in scores]))


def _without(scores: Mapping[str, float], split: str) -> dict[str, float]:
    return {other: bits for other, bits in scores.items() if other != split}


def _common_name(results: Sequence[Result]) -> str:
    """The one run's name, or what the names of several begin with."""
    names = [result.run for result in results]
    if len(names) == 1:
        return names[0]
    columns = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    common = "".join(letters[0] for letters in columns)
    if any(name[len(common) : len(common) + 1].isdigit() for name in names):
        common = common.rstrip("0123456789")  # seeds 10 and 11 begin alike
    return re.sub(r"[-_.]*(seed)?[-_.=]*$", "", common).rstrip("/") or results[0].recipe


def _impossible(ladder: Ladder, scores: Iterable[float], *, split: str, num_bytes: int) -> str:
    for bits_per_byte in scores:
        if ladder.is_impossible(bits_per_byte, split, num_bytes):
            below = (ladder.floor[split] - bits_per_byte) * num_bytes
            return (
                f"its score on {split} lies {below:.0f} bits below the true source's own, and luck "
                f"reaches {LUCK_BITS:.0f}; something leaks, or counts wrongly."
            )
    return ""
