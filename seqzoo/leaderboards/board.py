"""Runs side by side: result.json of every run in a folder -> groups that may be compared.

A group has the results whose scores are comparable (see seqzoo.results.comparable), and only they
are ranked. Within it static scores rank among static ones and adaptive among adaptive ones. Runs of
one recipe that differ by their seed are one row; a run repeated with the same seed is a row of its
own. Runs that started from the weights of another run are a group of their own, unless asked for
otherwise: what the earlier training cost is not in their figures. Baselines are listed between the
runs, without a rank: their blocks are not known.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from seqzoo.errors import UsageError, did_you_mean
from seqzoo.leaderboards.compact import Compact
from seqzoo.leaderboards.rows import (
    SCORE_KINDS,
    Row,
    ladder_rows,
    ranked,
    run_rows,
    united_ladder,
)
from seqzoo.results.comparable import ScoreIdentity, score_identity, why_not_comparable
from seqzoo.results.note import read_note
from seqzoo.results.result import ProtocolRecord, Result, read_result
from seqzoo.terminal.characters import one_line
from seqzoo.terminal.format import quoted

__all__ = ["Board", "Group", "Starts", "read_board", "require_runs_folder"]

Starts: TypeAlias = Literal["scratch", "started", "any"]
"""Whether the runs of a group began with new weights, with another run's, or with either."""


@dataclass(frozen=True)
class Group:
    """Results that may be compared, with their baselines; rows from best to worst.

    split: how the corpus was cut. protocol: how the parts were read. scored: the part that is
    ranked on. Rows without a score of the kind that the board is sorted by come last.
    """

    corpus: str
    corpus_sha256: str
    split: str
    protocol: ProtocolRecord
    scored: str
    starts: Starts
    rows: tuple[Row, ...]

    @property
    def title(self) -> str:
        """What the rows have in common, in words, on one line."""
        protocol = self.protocol
        parts = [
            f"{self.corpus} ({self.corpus_sha256[:8]})",
            self.split,
            # Columns say which scores are static and which adaptive.
            protocol.words if protocol.adaptive else protocol.reading,
        ]
        if self.starts == "started":
            parts.append("started from other runs")
        return one_line(f"{', '.join(parts)}: {self.scored.replace('_', '-')} bits per byte")


@dataclass(frozen=True)
class Board:
    """Groups, and a sentence for each result that could not be read or cannot be true.

    sorted_by: the kind of score that ranks. unscored: names of the runs without a result.
    unfinished: names of those that have one and are not finished.
    """

    groups: tuple[Group, ...]
    sorted_by: str = "static"
    warnings: tuple[str, ...] = ()
    unscored: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()

    @property
    def lacks_sorted_score(self) -> bool:
        """Whether there are runs, and none has a score of the kind that ranks."""
        rows = [row for group in self.groups for row in group.rows if row.kind == "run"]
        return bool(rows) and not any(self.sorted_by in row.bits_per_byte for row in rows)


def read_board(
    runs: Path,
    *,
    split: str = "test",
    sort: str = "static",
    each_run: bool = False,
    with_started: bool = False,
    keep: Callable[[Group, Row], bool] = lambda group, row: True,
    progress: Callable[[Path, Result], str] = lambda run, result: "",
) -> Board:
    """All results in a folder, including those of sweeps in it; without any an empty board.

    split: the one to rank on. sort: the kind of score to rank by. each_run: a row for every run,
    seeds not averaged. with_started: rank runs that started from another run's weights together
    with those from scratch. keep: which rows of a group to show; ranks are among all of them.
    progress: how far a run with this result is trained, e.g. "130 of 5000"; empty where it is
    finished.
    Raises UsageError for a kind of score that does not exist.
    """
    if sort not in SCORE_KINDS:
        raise UsageError(f"'{sort}' is not a kind of score.{did_you_mean(sort, SCORE_KINDS)}")
    comparable: dict[tuple[ScoreIdentity, Starts], list[Result]] = {}
    warnings: list[str] = []
    unfinished: dict[str, str] = {}
    compact = Compact(split)
    scored, trained = _folders_with("result.json", runs), _folders_with("recipe.yaml", runs)
    can_be_unfinished = set(trained)
    for name in scored:
        path = runs / name / "result.json"
        try:
            # The folder may have been copied or renamed since; its name is what commands take.
            result = read_result(path).model_copy(update={"run": name})
            identity = _identity(path, result, split)
        except UsageError as error:
            warnings.append(str(error))
            continue
        if name in can_be_unfinished and (reached := progress(runs / name, result)):
            unfinished[name] = reached
        starts = _starts(result, with_started)
        comparable.setdefault((identity, starts), []).append(compact(result))
    groups = []
    for (_, starts), results in comparable.items():
        warnings += _other_adaptive_protocols(results, split)
        shown = _with_one_adaptive_protocol(results, split)
        group = _group(shown, split=split, starts=starts, each_run=each_run)
        noted = [
            replace(row, note=_notes(row, runs), unfinished=_unfinished(row, unfinished))
            for row in ranked(group.rows, split=split)
        ]
        rows = sorted(noted, key=lambda row: _place(row, sort))
        warnings += [f"{row.name}: {words}" for row in rows for words in row.warnings]
        if kept := [row for row in rows if keep(group, row)]:
            groups.append(replace(group, rows=tuple(kept)))
    groups.sort(key=_order)
    has_result = set(scored)
    unscored = tuple(name for name in trained if name not in has_result)
    return Board(tuple(groups), sort, tuple(warnings), unscored, tuple(unfinished))


def _order(group: Group) -> tuple[str, str, bool, str, str]:
    """By corpus, scores of whole splits before those of their first bytes."""
    is_partial = group.protocol.max_bytes is not None
    title = replace(group, starts="any").title
    return group.corpus, group.corpus_sha256, is_partial, title, group.starts


def _notes(row: Row, runs: Path) -> str:
    notes = [read_note(runs / result.run) for result in row.results]
    return "; ".join(dict.fromkeys(note for note in notes if note))


def _unfinished(row: Row, unfinished: Mapping[str, str]) -> str:
    """E.g. "step 30, now 130 of 5000"; empty for a row of finished runs."""
    return "; ".join(
        f"step {result.steps}, now {unfinished[result.run]}"
        for result in row.results
        if result.run in unfinished
    )


def _folders_with(file: str, runs: Path) -> list[str]:
    """Folders in `runs`, and in its folders, that have a file of this name; in order."""
    found = [
        os.path.dirname(path)
        for pattern in ("*", "*/*")
        for path in glob.glob(f"{pattern}/{file}", root_dir=runs, include_hidden=True)
    ]
    return sorted(found, key=lambda name: name.split("/"))


def require_runs_folder(runs: Path, *, may_be_missing: bool = False) -> None:
    """Raises UsageError for a folder that cannot be meant; one without runs is fine."""
    if runs.exists() and not runs.is_dir():
        raise UsageError(f"{runs} is not a folder; give the folder that contains the runs.")
    if (runs / "recipe.yaml").exists():
        raise UsageError(f"{runs} is a run; give the folder that contains it, {runs.parent}.")
    if not runs.exists() and not may_be_missing:
        siblings = runs.parent.iterdir() if runs.parent.is_dir() else ()
        names = [path.name for path in siblings if path.is_dir()]
        raise UsageError(f"{runs} does not exist.{did_you_mean(runs.name, names)}")


def _identity(path: Path, result: Result, split: str) -> ScoreIdentity:
    """What groups a result. Raises UsageError where a score is missing or has no blocks."""
    identity = score_identity(result, split)
    has_adaptive = result.adaptive is not None and split in result.adaptive.scores
    if identity is None or (has_adaptive and score_identity(result, split, adaptive=True) is None):
        raise UsageError(
            f"{path} has no score for {split} that is kept in blocks; score the run again with: "
            f"seqzoo eval {quoted(path.parent)}"
        )
    return identity


def _starts(result: Result, with_started: bool) -> Starts:
    if with_started:
        return "any"
    starts = [result.started_from, *(member.started_from for member in result.members)]
    return "scratch" if all(start is None for start in starts) else "started"


def _newest_adaptive(results: Sequence[Result], split: str) -> Result | None:
    scored = [each for each in results if each.adaptive and split in each.adaptive.scores]
    return max(scored, key=lambda result: result.created, default=None)


def _other_adaptive_protocols(results: Sequence[Result], split: str) -> Iterator[str]:
    """A sentence for each result whose adaptive score may not be ranked with the newest one."""
    newest = _newest_adaptive(results, split)
    for result in results:
        if newest is None or result.adaptive is None or split not in result.adaptive.scores:
            continue
        names = newest.run, result.run
        if why := why_not_comparable(newest, result, split, adaptive=True, names=names):
            yield f"{result.run}: its adaptive scores are not shown: {why}."


def _with_one_adaptive_protocol(results: Sequence[Result], split: str) -> list[Result]:
    """The results, without the adaptive scores that may not be ranked with the newest one."""
    newest = _newest_adaptive(results, split)
    if newest is None:
        return list(results)
    identity = score_identity(newest, split, adaptive=True)
    return [
        result
        if score_identity(result, split, adaptive=True) in (identity, None)
        else result.model_copy(update={"adaptive": None})
        for result in results
    ]


def _group(results: Sequence[Result], *, split: str, starts: Starts, each_run: bool) -> Group:
    newest = max(results, key=lambda result: result.created)
    ladder = united_ladder(results)
    rows = (
        *run_rows(results, ladder, split=split, each_run=each_run),
        *ladder_rows(ladder, split=split, num_bytes=newest.scores[split].bytes),
    )
    corpus = newest.corpus
    return Group(corpus.name, corpus.sha256, newest.split, newest.protocol, split, starts, rows)


def _place(row: Row, sort: str) -> tuple[bool, float, str]:
    """By the kind of score that was asked for; rows without one come last, by their other score."""
    bits = row.bits_per_byte
    return sort not in bits, bits.get(sort, min(bits.values())), row.name
