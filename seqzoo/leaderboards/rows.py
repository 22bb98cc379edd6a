"""The lines of one table: runs that differ by their seed, baselines, the floor; and their ranks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from seqzoo.leaderboards.ranking import Ranking, rankings
from seqzoo.results.ladder import LUCK_BITS, Ladder, Rung
from seqzoo.results.result import Result, SplitScore

__all__ = ["SCORE_KINDS", "Row", "ladder_rows", "ranked", "run_rows", "united_ladder"]

_FLOOR = "true source"
SCORE_KINDS = ("static", "adaptive")
"""Of scores: a frozen model's, and one's that learns from the bytes it was scored on."""


@dataclass(frozen=True)
class Row:
    """One line: runs that differ by their seed, a baseline, or the floor.

    bits_per_byte: by kind of score, on the board's split; means over seeds. accuracy: static.
    other_splits: static bits per byte of the further splits. rankings: of runs, by kind.
    ties: names of the rows that it cannot be told apart from, by kind. results: of runs, by seed.
    passed: the best static rung that a run's static score is below. warnings: what is wrong with
    the row's scores, a sentence each.
    """

    name: str
    bits_per_byte: dict[str, float]
    accuracy: float | None = None
    other_splits: dict[str, float] = field(default_factory=dict)
    rankings: dict[str, Ranking] = field(default_factory=dict)
    ties: dict[str, tuple[str, ...]] = field(default_factory=dict)
    results: tuple[Result, ...] = ()
    passed: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """run, baseline, or floor."""
        if self.results:
            return "run"
        return "floor" if self.name == _FLOOR else "baseline"


def run_rows(
    results: Iterable[Result], ladder: Ladder, *, split: str, each_run: bool
) -> Iterator[Row]:
    """A row for each recipe, or for each run; not ranked yet."""
    for alike in _by_recipe(results, each_run):
        scores = {kind: _scores(alike, kind, split) for kind in SCORE_KINDS}
        static = scores["static"]
        bits = {kind: _mean(found) for kind, found in scores.items() if found}
        others = sorted(set.intersection(*(set(result.scores) for result in alike)) - {split})
        placement = ladder.place(bits["static"], split)
        yield Row(
            _name(alike),
            bits,
            accuracy=float(np.mean([score.accuracy for score in static])),
            other_splits={
                other: _mean([result.scores[other] for result in alike]) for other in others
            },
            results=alike,
            passed=placement.passed.name if placement.passed is not None else "none",
            warnings=(
                *_impossible(
                    ladder,
                    [score.bits_per_byte for found in scores.values() for score in found],
                    split=split,
                    num_bytes=static[0].bytes,
                ),
                *_mixed(alike, scores["adaptive"]),
            ),
        )


def ladder_rows(ladder: Ladder, *, split: str, num_bytes: int) -> Iterator[Row]:
    """A row for each rung's name, its frozen and its adaptive form side by side; and the floor."""
    rungs = [rung for rung in ladder.rungs if split in rung.bits_per_byte]
    for name in dict.fromkeys(rung.name for rung in rungs):
        forms = {SCORE_KINDS[rung.adaptive]: rung for rung in rungs if rung.name == name}
        bits = {kind: rung.bits_per_byte[split] for kind, rung in forms.items()}
        static = forms.get("static", Rung(name))
        yield Row(
            name,
            bits,
            accuracy=static.accuracy.get(split),
            other_splits=_without(static.bits_per_byte, split),
            warnings=tuple(_impossible(ladder, bits.values(), split=split, num_bytes=num_bytes)),
        )
    if split in ladder.floor:
        bits = dict.fromkeys(SCORE_KINDS, ladder.floor[split])
        yield Row(_FLOOR, bits, other_splits=_without(ladder.floor, split))


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
    """The rows, those of runs with their rankings of each kind among them."""
    found = list(rows)
    for kind in SCORE_KINDS:
        places = [i for i, row in enumerate(rows) if row.results and kind in row.bits_per_byte]
        if not places:
            continue
        scores = [_scores(rows[place].results, kind, split) for place in places]
        blocks = [np.array([score.blocks for score in seeds]) for seeds in scores]
        sizes = np.array(scores[0][0].block_sizes)
        for place, ranking in zip(places, rankings(blocks, sizes), strict=True):
            found[place] = replace(
                found[place],
                rankings=found[place].rankings | {kind: ranking},
                ties=found[place].ties | {kind: tuple(rows[places[i]].name for i in ranking.ties)},
            )
    return found


def _by_recipe(results: Iterable[Result], each_run: bool) -> list[tuple[Result, ...]]:
    """Runs of one recipe with distinct seeds, in the order of their seeds.

    A seed that comes again begins another row: twice the same is no second sample. Runs are taken
    in the order of their names, which no scoring changes.
    """
    rows: list[dict[int, Result]] = []
    of_recipe: dict[str, list[dict[int, Result]]] = {}
    for result in sorted(results, key=lambda result: _natural(result.run)):
        # Results of before there were fingerprints stand alone.
        alike = of_recipe.setdefault(result.fingerprint or result.run, [])
        row = next((row for row in alike if result.seed not in row), None)
        if row is None or each_run:
            row = {}
            rows.append(row)
            alike.append(row)
        row[result.seed] = result
    return [tuple(row[seed] for seed in sorted(row)) for row in rows]


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """A key that puts run-9 before run-10."""
    parts = re.findall(r"\d+|\D+", name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def _name(results: Sequence[Result]) -> str:
    """The run's name; of a sweep's seeds what stands before the seed, of other runs the first's."""
    names = sorted((result.run for result in results), key=_natural)
    before = {re.sub(r"[-_.]seed[-_.]?\d+$", "", name) for name in names}
    if len(names) == 1:
        return names[0]
    return before.pop() if len(before) == 1 else f"{names[0]} +{len(names) - 1}"


def _scores(results: Sequence[Result], kind: str, split: str) -> list[SplitScore]:
    """The scores of a kind of all these runs; none where not all have one, made alike."""
    if kind == "static":
        return [result.scores[split] for result in results]
    learnt = [result.adaptive for result in results if result.adaptive is not None]
    scores = [record.scores[split] for record in learnt if split in record.scores]
    is_one = len(scores) == len(results) and len({record.method for record in learnt}) == 1
    return scores if is_one else []


def _mean(scores: Sequence[SplitScore]) -> float:
    return float(np.mean([score.bits_per_byte for score in scores]))


def _without(scores: Mapping[str, float], split: str) -> dict[str, float]:
    return {other: bits for other, bits in scores.items() if other != split}


def _impossible(
    ladder: Ladder, scores: Iterable[float], *, split: str, num_bytes: int
) -> Iterator[str]:
    for bits_per_byte in scores:
        if ladder.is_impossible(bits_per_byte, split, num_bytes):
            below = (ladder.floor[split] - bits_per_byte) * num_bytes
            yield (
                f"its score on {split} lies {below:.0f} bits below the true source's own, and luck "
                f"reaches {LUCK_BITS:.0f}; something leaks, or counts wrongly."
            )


def _mixed(results: Sequence[Result], shown: Sequence[SplitScore]) -> Iterator[str]:
    """Adaptive scores that some of the seeds have, or that were made in several ways."""
    learnt = [result.adaptive for result in results if result.adaptive is not None]
    if learnt and not shown:
        ways = len({record.method for record in learnt})
        yield (
            f"{len(learnt)} of {len(results)} seeds have adaptive scores, made in {ways} "
            f"way{'s' if ways > 1 else ''}, so the row has none; --each-run shows them, 'seqzoo "
            f"eval RUN --adaptive' makes them alike."
        )
