"""The leaderboard as plain objects, for scripts and notebooks: `seqzoo.leaderboard("runs")`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqzoo.errors import UsageError, did_you_mean, require_type
from seqzoo.leaderboards.board import Group, read_board, require_runs_folder
from seqzoo.leaderboards.rows import Row, RowKind
from seqzoo.plugin.specs import SPLITS
from seqzoo.terminal.caller import warn_caller

__all__ = ["LeaderboardRow", "leaderboard"]


@dataclass(frozen=True)
class LeaderboardRow:
    """One row: runs of one recipe that differ by their seed, a baseline, or the floor.

    name: as the command prints it. kind: "run", "baseline" or "floor".

    group: rows with the same number, from 0, are comparable; group_title says what they share.
    split: the one that is ranked on. ranked_by: "static" or "adaptive".

    rank: one more than the number of rows that are certainly better; None for a baseline, the
    floor, and a run without a score of the kind that ranks. is_shared: a tied row has the same
    rank. num_tied: how many rows are neither certainly better nor certainly worse. tied_with: names
    of the nearest of these, at most 20. In a group of more than 1,000 rows, ranks after the 100th
    and counts of ties are estimates.

    static, adaptive: bits per byte by split, mean over seeds; empty where there are none.
    interval: 95 % interval of the score that ranks, over blocks of the split and over seeds.
    spread: standard deviation over seeds, None for one seed. accuracy: static, on `split`.

    runs: folders, relative to the root. seeds: theirs, in the same order. training_seconds: mean
    over seeds. peak_memory_bytes: the largest. started_from: the runs whose weights training
    started from. members: of an ensemble, the runs that it mixes. changed: settings that changed
    during training, such as "steps 400 to 800".
    passed: the best static baseline that is worse than the static score. Fields of runs are None,
    or empty, for a baseline and for the floor.
    """

    name: str
    kind: RowKind
    group: int
    group_title: str
    corpus: str
    corpus_sha256: str
    split: str
    ranked_by: str
    rank: int | None
    is_shared: bool
    tied_with: tuple[str, ...]
    static: dict[str, float]
    adaptive: dict[str, float]
    interval: tuple[float, float] | None
    spread: float | None
    accuracy: float | None
    runs: tuple[str, ...]
    seeds: tuple[int, ...]
    recipe: str | None
    architecture: str | None
    tokenizer: str | None
    parameters: int | None
    training_bytes: int | None
    training_seconds: float | None
    peak_memory_bytes: int | None
    passed: str | None
    started_from: tuple[str, ...]
    changed: tuple[str, ...] = ()
    num_tied: int = 0
    members: tuple[str, ...] = ()


def leaderboard(
    root: str | os.PathLike[str] = "runs",
    *,
    split: str = "test",
    sort: str = "static",
    each_run: bool = False,
    with_started: bool = False,
) -> tuple[LeaderboardRow, ...]:
    """The rows of `seqzoo leaderboard`, group by group, each from best to worst.

    root: the folder that contains the runs. split: "test", "validation" or "held_out". sort: the
    kind of score that ranks, "static" or "adaptive". each_run: a row for every run, seeds not
    averaged. with_started: rank runs that started from another run's weights together with those
    from scratch; otherwise they are a group of their own.

    Prints nothing and needs neither torch nor plugins. A result that cannot be read, or cannot be
    true, is a SeqzooWarning. Raises UsageError for a wrong folder, split or kind of score.
    """
    require_type("root", root, (str, os.PathLike), expected="a folder that contains runs")
    require_type("split", split, str, expected="the name of a split")
    require_type("sort", sort, str, expected="'static' or 'adaptive'")
    if split not in SPLITS:
        raise UsageError(f"'{split}' is not a split.{did_you_mean(split, SPLITS)}")
    folder = Path(root)
    require_runs_folder(folder)
    board = read_board(folder, split=split, sort=sort, each_run=each_run, with_started=with_started)
    for sentence in board.warnings:
        warn_caller(sentence)
    return tuple(
        _row(row, group, number, ranked_by=sort)
        for number, group in enumerate(board.groups)
        for row in group.rows
    )


def _row(row: Row, group: Group, number: int, *, ranked_by: str) -> LeaderboardRow:
    ranking = row.rankings.get(ranked_by)
    results = row.results
    first = results[0] if results else None
    bits = row.bits_per_byte
    return LeaderboardRow(
        name=row.name,
        kind=row.kind,
        group=number,
        group_title=group.title,
        corpus=group.corpus,
        corpus_sha256=group.corpus_sha256,
        split=group.scored,
        ranked_by=ranked_by,
        rank=ranking.rank if ranking else None,
        is_shared=ranking.is_shared if ranking else False,
        tied_with=row.ties.get(ranked_by, ()),
        static=_by_split(group.scored, bits.get("static"), row.other_splits),
        adaptive=_by_split(group.scored, bits.get("adaptive"), row.other_adaptive),
        interval=ranking.interval if ranking else None,
        spread=ranking.spread if ranking else None,
        accuracy=row.accuracy,
        runs=tuple(result.run for result in results),
        seeds=tuple(result.seed for result in results),
        recipe=first.recipe if first else None,
        architecture=first.architecture if first else None,
        tokenizer=first.tokenizer if first else None,
        parameters=first.parameters if first else None,
        training_bytes=first.training_bytes if first else None,
        training_seconds=(
            float(np.mean([result.training_seconds for result in results])) if results else None
        ),
        peak_memory_bytes=max((result.peak_memory_bytes for result in results), default=None),
        passed=row.passed if row.passed not in ("", "none") else None,
        started_from=row.started_from,
        members=row.members,
        changed=row.changed,
        num_tied=ranking.num_ties if ranking else 0,
    )


def _by_split(split: str, score: float | None, others: dict[str, float]) -> dict[str, float]:
    scores = others if score is None else {split: score, **others}
    return {name: scores[name] for name in SPLITS if name in scores}
