"""Runs side by side: result.json of every run in a folder -> groups that may be compared.

Only results of one corpus (by its hash), one split and one protocol stand in a group, and only
they are ranked. Within it static scores rank among static ones and adaptive among adaptive ones.
Runs of one recipe that differ by their seed are one row; a run repeated with the same seed is a
row of its own. Baselines stand between the runs, unranked: their blocks are not known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seqzoo.errors import UsageError
from seqzoo.leaderboards.rows import Row, ladder_rows, ranked, run_rows, united_ladder
from seqzoo.results.comparable import ScoreIdentity, score_identity
from seqzoo.results.result import Result, read_result

__all__ = ["Board", "Group", "read_board"]


@dataclass(frozen=True)
class Group:
    """Results that may be compared, with their ladder; rows from best to worst.

    scored: the split that is ranked on. Rows without a score of the kind that the board is sorted
    by stand behind the others.
    """

    corpus: str
    corpus_sha256: str
    split: str
    protocol: str
    scored: str
    rows: tuple[Row, ...]

    @property
    def title(self) -> str:
        """What the rows have in common."""
        corpus = f"{self.corpus} ({self.corpus_sha256[:8]})"
        reading = self.protocol.removeprefix("static, ")  # the columns say which is which
        scored = self.scored.replace("_", "-")
        return f"{corpus}, {self.split}, {reading}: {scored} bits per byte"


@dataclass(frozen=True)
class Board:
    """Groups, and a sentence for each result that could not be read or cannot be true.

    sorted_by: the kind of score that ranks.
    """

    groups: tuple[Group, ...]
    sorted_by: str = "static"
    warnings: tuple[str, ...] = ()


def read_board(
    runs: Path,
    *,
    split: str = "test",
    sort: str = "static",
    each_run: bool = False,
    keep: Callable[[Group, Row], bool] = lambda group, row: True,
) -> Board:
    """All results under a folder, those of sweeps in it included; none gives an empty board.

    split: the one to rank on. sort: a kind of score. each_run: a row for every run, seeds apart.
    keep: which rows of a group to show; ranks are among all.
    """
    comparable: dict[ScoreIdentity, list[Result]] = {}
    warnings: list[str] = []
    for path in sorted([*runs.glob("*/result.json"), *runs.glob("*/*/result.json")]):
        try:
            # The folder may have been copied or renamed since; its name is what commands take.
            name = path.parent.relative_to(runs).as_posix()
            result = read_result(path).model_copy(update={"run": name})
            identity = _comparable_identity(path, result, split)
        except UsageError as error:
            warnings.append(str(error))
            continue
        comparable.setdefault(identity, []).append(result)
    groups = []
    for results in comparable.values():
        group = _group(results, split=split, each_run=each_run)
        rows = sorted(ranked(group.rows, split=split), key=lambda row: _place(row, sort))
        warnings += [f"{row.name}: {words}" for row in rows for words in row.warnings]
        if kept := [row for row in rows if keep(group, row)]:
            groups.append(replace(group, rows=tuple(kept)))
    groups.sort(key=lambda group: group.title)
    return Board(tuple(groups), sort, tuple(warnings))


def _comparable_identity(path: Path, result: Result, split: str) -> ScoreIdentity:
    """What groups a result. Raises UsageError where a score is missing or has no blocks."""
    identity = score_identity(result, split)
    learnt = result.adaptive is not None and split in result.adaptive.scores
    if identity is None or (learnt and score_identity(result, split, adaptive=True) is None):
        raise UsageError(
            f"{path} has no score for {split} that is kept in blocks; score the run again with "
            f"'seqzoo eval {path.parent}'."
        )
    return identity


def _group(results: Sequence[Result], *, split: str, each_run: bool) -> Group:
    newest = max(results, key=lambda result: result.created)
    ladder = united_ladder(results)
    rows = (
        *run_rows(results, ladder, split=split, each_run=each_run),
        *ladder_rows(ladder, split=split, num_bytes=newest.scores[split].bytes),
    )
    corpus = newest.corpus
    return Group(corpus.name, corpus.sha256, newest.split, newest.protocol.name, split, rows)


def _place(row: Row, sort: str) -> tuple[bool, float, str]:
    """Sorted by the kind asked for; what has no such score stands behind, by its other."""
    bits = row.bits_per_byte
    return sort not in bits, bits.get(sort, min(bits.values())), row.name
