"""The rows of one table: runs that differ by their seed, baselines, the floor; and their ranks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np

from seqzoo.leaderboards.ranking import Ranking, rankings
from seqzoo.results.ladder import LUCK_BITS, Ladder, Rung
from seqzoo.results.result import AdaptiveRecord, Result, SplitScore

__all__ = ["SCORE_KINDS", "Row", "RowKind", "ladder_rows", "ranked", "run_rows", "united_ladder"]

SCORE_KINDS = ("static", "adaptive")
"""The score of a frozen model, and of one that learns from the bytes that it was scored on."""

RowKind: TypeAlias = Literal["run", "baseline", "floor"]
_FLOOR_NAME = "true source"


@dataclass(frozen=True)
class Row:
    """One row: runs that differ by their seed, a baseline, or the floor.

    bits_per_byte: by kind of score, on the board's split; means over seeds. accuracy: static.
    other_splits: static bits per byte of the further splits. other_adaptive: adaptive ones of them.
    rankings: of runs, by kind of score. ties: by kind of score, names of the nearest rows that are
    neither certainly better nor certainly worse; the ranking counts them all. results: of runs, by
    seed. passed: the best static baseline that is worse than a run's static score. warnings: what
    is wrong with the row's scores, a sentence each. note: what users have noted of its runs.
    unfinished: how far runs that are not finished are trained, and which step their scores are of.
    proven: kinds of score that every run of the row has proven.
    """

    name: str
    kind: RowKind
    bits_per_byte: dict[str, float]
    accuracy: float | None = None
    other_splits: dict[str, float] = field(default_factory=dict)
    other_adaptive: dict[str, float] = field(default_factory=dict)
    rankings: dict[str, Ranking] = field(default_factory=dict)
    ties: dict[str, tuple[str, ...]] = field(default_factory=dict)
    results: tuple[Result, ...] = ()
    passed: str = ""
    warnings: tuple[str, ...] = ()
    note: str = ""
    unfinished: str = ""
    proven: tuple[str, ...] = ()

    @property
    def started_from(self) -> tuple[str, ...]:
        """The runs whose weights training started from; empty where it started from new ones."""
        starts = [result.started_from for result in self.results]
        return tuple(dict.fromkeys(start.path for start in starts if start is not None))

    @property
    def members(self) -> tuple[str, ...]:
        """Of an ensemble, the names of the runs that it is made of; empty for other runs."""
        return tuple(member.run for result in self.results for member in result.members)

    @property
    def changed(self) -> tuple[str, ...]:
        """Settings that changed during training, as text, e.g. "steps 400 to 800"."""
        return tuple(
            dict.fromkeys(
                f"{change.key.rpartition('.')[2]} {_or_none(change.before)} to "
                f"{_or_none(change.after)}"
                for result in self.results
                for change in result.changes
            )
        )


def _or_none(value: object) -> str:
    return "none" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def run_rows(
    results: Iterable[Result], ladder: Ladder, *, split: str, each_run: bool
) -> Iterator[Row]:
    """A row for each recipe, or for each run; not ranked yet."""
    for seeds in _by_recipe(results, each_run):
        scores = {kind: _scores(seeds, kind, split) for kind in SCORE_KINDS}
        static = scores["static"]
        bits = {kind: _mean(found) for kind, found in scores.items() if found}
        others = sorted(set.intersection(*(set(result.scores) for result in seeds)) - {split})
        other_adaptive = {other: _scores(seeds, "adaptive", other) for other in others}
        placement = ladder.place(bits["static"], split)
        yield Row(
            _name(seeds),
            "run",
            bits,
            accuracy=float(np.mean([score.accuracy for score in static])),
            other_splits={
                other: _mean([result.scores[other] for result in seeds]) for other in others
            },
            other_adaptive={
                other: _mean(found) for other, found in other_adaptive.items() if found
            },
            results=seeds,
            passed=placement.passed.name if placement.passed is not None else "none",
            proven=tuple(
                kind
                for kind, found in scores.items()
                if found and all(score.proven_bytes is not None for score in found)
            ),
            warnings=(
                *_impossible(
                    ladder,
                    [score.bits_per_byte for found in scores.values() for score in found],
                    split=split,
                    num_bytes=static[0].bytes,
                ),
                *_mixed(seeds, scores["adaptive"]),
            ),
        )


def ladder_rows(ladder: Ladder, *, split: str, num_bytes: int) -> Iterator[Row]:
    """A row for each rung's name, its frozen and its adaptive form side by side; and the floor."""
    rungs = [rung for rung in ladder.rungs if split in rung.bits_per_byte]
    for name in dict.fromkeys(rung.name for rung in rungs):
        forms = {SCORE_KINDS[rung.adaptive]: rung for rung in rungs if rung.name == name}
        bits = {kind: rung.bits_per_byte[split] for kind, rung in forms.items()}
        static, adaptive = (forms.get(kind, Rung(name)) for kind in SCORE_KINDS)
        yield Row(
            name,
            "baseline",
            bits,
            accuracy=static.accuracy.get(split),
            other_splits=_without(static.bits_per_byte, split),
            other_adaptive=_without(adaptive.bits_per_byte, split),
            warnings=tuple(_impossible(ladder, bits.values(), split=split, num_bytes=num_bytes)),
        )
    if split in ladder.floor:
        bits = dict.fromkeys(SCORE_KINDS, ladder.floor[split])
        others = _without(ladder.floor, split)
        yield Row(_FLOOR_NAME, "floor", bits, other_splits=others, other_adaptive=others)


def united_ladder(results: Iterable[Result]) -> Ladder:
    """Every baseline that any of the runs was compared with; of equal ones the newest score."""
    rungs: dict[tuple[str, bool], Rung] = {}
    floor: dict[str, float] = {}
    for result in sorted(results, key=lambda result: result.created):
        floor |= result.floor
        for rung in result.rungs:
            if not rung.failure:
                rungs[rung.name, rung.adaptive] = rung
    return Ladder(tuple(rungs.values()), floor)


def ranked(rows: Sequence[Row], *, split: str) -> list[Row]:
    """The rows; those of runs with their ranking for each kind of score."""
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

    A seed that is repeated starts another row: the same run twice is not a second sample. Runs are
    taken in the order of their names, which scoring them again does not change.
    """
    rows: list[dict[int, Result]] = []
    of_recipe: dict[tuple[str, str], list[dict[int, Result]]] = {}
    repeats: Counter[tuple[str, str, int]] = Counter()
    for result in sorted(results, key=lambda result: _natural(result.run)):
        # Results that are older than fingerprints each have a row of their own. A recipe names
        # the run that it starts from, but not which of its weights; so does that of an ensemble.
        start = result.started_from.weights_sha256 if result.started_from else ""
        start += "".join(f" {member.weights_sha256}" for member in result.members)
        recipe = (result.fingerprint or result.run, start)
        same_recipe = of_recipe.setdefault(recipe, [])
        # The first row without this seed: those before it have it, one each.
        place = repeats[*recipe, result.seed]
        repeats[*recipe, result.seed] += 1
        if each_run or place == len(same_recipe):
            same_recipe.append({})
            rows.append(same_recipe[-1])
        same_recipe[-1 if each_run else place][result.seed] = result
    return [tuple(row[seed] for seed in sorted(row)) for row in rows]


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """A key that puts run-9 before run-10."""
    parts = re.findall(r"\d+|\D+", name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def _name(results: Sequence[Result]) -> str:
    """The run's name; for several the name they share before "-seed_N", else the first's "+N"."""
    names = sorted((result.run for result in results), key=_natural)
    stems = {re.sub(r"[-_.]seed[-_.]?\d+$", "", name) for name in names}
    if len(names) == 1:
        return names[0]
    return stems.pop() if len(stems) == 1 else f"{names[0]} +{len(names) - 1}"


def _scores(results: Sequence[Result], kind: str, split: str) -> list[SplitScore]:
    """The scores of a kind of all these runs; none unless all have one, made in one way."""
    if kind == "static":
        return [result.scores[split] for result in results]
    records = [result.adaptive for result in results if result.adaptive is not None]
    scores = [record.scores[split] for record in records if split in record.scores]
    return scores if len(scores) == len(results) and _num_ways(records) == 1 else []


def _num_ways(records: Sequence[AdaptiveRecord]) -> int:
    """In how many ways adaptive scores were made. Older results have their settings in words."""
    if all(record.settings is not None for record in records):
        return len({record.settings for record in records})
    return len({record.method for record in records})


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
                f"its score on {split} is {below:.0f} bits below the true source's own, and luck "
                f"explains at most {LUCK_BITS:.0f}; there is a leak or a counting error."
            )


def _mixed(results: Sequence[Result], shown: Sequence[SplitScore]) -> Iterator[str]:
    """Adaptive scores that only some of the seeds have, or that were made in several ways."""
    records = [result.adaptive for result in results if result.adaptive is not None]
    if records and not shown:
        ways = _num_ways(records)
        yield (
            f"{len(records)} of {len(results)} seeds have adaptive scores, made in {ways} "
            f"way{'s' if ways > 1 else ''}, so the row has none; rows for each run show "
            f"them. To compare, score the runs again in one way: seqzoo eval RUN --adaptive"
        )
