from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_result import leave, make_result

from seqzoo.leaderboards.board import Board, read_board
from seqzoo.leaderboards.rows import Row
from seqzoo.results.ladder import Rung
from seqzoo.results.result import (
    AdaptiveSettings,
    ProtocolRecord,
    read_result,
    write_result,
)


def run_rows(board: Board) -> dict[str, Row]:
    return {row.name: row for group in board.groups for row in group.rows if row.kind == "run"}


def ranks(board: Board, kind: str = "static") -> dict[str, tuple[int, bool]]:
    return {
        name: (row.rankings[kind].rank, row.rankings[kind].is_shared)
        for name, row in run_rows(board).items()
        if kind in row.rankings
    }


def test_rows_are_sorted_by_score_and_those_without_one_come_last(tmp_path: Path) -> None:
    leave(tmp_path, "worse", test=2.9)
    leave(tmp_path, "better", test=2.2, learnt=2.1)
    (group,) = read_board(tmp_path).groups
    assert [(row.kind, row.name) for row in group.rows] == [
        ("floor", "true source"),
        ("run", "better"),
        ("baseline", "second"),
        ("run", "worse"),
        ("baseline", "first"),
        ("baseline", "fourth"),  # adaptive only, though 2.6 bits per byte
    ]
    (group,) = read_board(tmp_path, sort="adaptive").groups
    assert [row.name for row in group.rows] == [
        "true source", "better", "second", "fourth", "worse", "first",
    ]  # fmt: skip


def test_a_baseline_that_is_static_and_adaptive_is_one_row(tmp_path: Path) -> None:
    leave(tmp_path, "run")
    (group,) = read_board(tmp_path).groups
    (second,) = [row for row in group.rows if row.name == "second"]
    assert second.bits_per_byte == {"static": 2.7, "adaptive": 2.4}
    assert second.accuracy == 0.4


def test_static_and_adaptive_scores_are_ranked_apart(tmp_path: Path) -> None:
    leave(tmp_path, "a", test=2.2, learnt=2.1)
    leave(tmp_path, "b", test=2.3, learnt=2.0)
    leave(tmp_path, "c", test=2.05)
    board = read_board(tmp_path)
    assert ranks(board) == {"a": (2, False), "b": (3, False), "c": (1, False)}
    assert ranks(board, "adaptive") == {"a": (2, False), "b": (1, False)}


@pytest.mark.parametrize(
    "other",
    [
        {"sha256": "b" * 64},
        {"split": "0.8/0.1/0.1"},
        {"protocol": {"name": "static, 8 lanes", "lanes": 8}},
        {"protocol": {"name": "static, 1 lane", "warmup_tokens": 9}},
        {"protocol": {"name": "static, 1 lane", "adaptive": True}},
        {"blocks": [2.9, 2.9, 2.9]},
    ],
)
def test_results_that_are_not_comparable_are_never_ranked_together(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    leave(tmp_path, "one", test=2.2)
    leave(tmp_path, "other", **({"test": 2.9} | other))
    board = read_board(tmp_path)
    assert len(board.groups) == 2
    assert ranks(board) == {"one": (1, False), "other": (1, False)}


def test_scores_of_whole_splits_stand_above_those_of_their_first_bytes(tmp_path: Path) -> None:
    for limit in (500, None, 2000):
        protocol = {"name": "static, 1 lane", "max_bytes": limit}
        leave(tmp_path, f"first-{limit}", test=2.2, protocol=protocol)
    shown = [group.protocol.max_bytes for group in read_board(tmp_path).groups]
    assert shown[0] is None
    assert set(shown[1:]) == {500, 2000}


def test_a_corpus_is_its_bytes_and_not_its_name(tmp_path: Path) -> None:
    leave(tmp_path, "one")
    leave(tmp_path, "other", corpus_name="another name of the same bytes")
    assert len(read_board(tmp_path).groups) == 1


def test_a_recipe_run_twice_with_one_seed_is_two_rows_and_a_tie(tmp_path: Path) -> None:
    for name in ("run", "run-2"):
        leave(tmp_path, name, test=2.0, fingerprint="f", seed=1)
    board = read_board(tmp_path)
    assert ranks(board) == {"run": (1, True), "run-2": (1, True)}
    assert run_rows(board)["run"].ties == {"static": ("run-2",)}


def test_seeds_of_one_recipe_are_one_row(tmp_path: Path) -> None:
    for seed, test in enumerate((2.0, 2.2, 2.1), start=9):
        leave(tmp_path, f"lstm-seed_{seed}", test=test, fingerprint="f", seed=seed)
    leave(tmp_path, "other", test=2.4, fingerprint="g")
    rows = run_rows(read_board(tmp_path))
    assert set(rows) == {"lstm", "other"}
    ranking = rows["lstm"].rankings["static"]
    assert rows["lstm"].bits_per_byte["static"] == pytest.approx(2.1)
    assert ranking.seeds == 3
    assert ranking.spread == pytest.approx(0.1)
    assert [result.seed for result in rows["lstm"].results] == [9, 10, 11]
    assert rows["other"].rankings["static"].spread is None
    apart = read_board(tmp_path, each_run=True)
    assert len(run_rows(apart)) == 4


def test_a_repeated_seed_never_counts_as_another(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2), ("d", 2), ("e", 1)):
        leave(tmp_path, name, fingerprint="f", seed=seed)
    rows = run_rows(read_board(tmp_path)).values()
    assert sorted(len(row.results) for row in rows) == [1, 2, 2]
    assert all(len({result.seed for result in row.results}) == len(row.results) for row in rows)


def test_each_result_without_a_fingerprint_is_its_own_row(tmp_path: Path) -> None:
    leave(tmp_path, "a", seed=1)
    leave(tmp_path, "b", seed=2)
    assert set(run_rows(read_board(tmp_path))) == {"a", "b"}


@pytest.mark.parametrize("other", ["none", "another way"])
def test_an_adaptive_mean_is_over_all_seeds_made_in_one_way_or_is_not_there(
    tmp_path: Path, other: str
) -> None:
    leave(tmp_path, "x-seed_1", fingerprint="f", seed=1, learnt=2.0)
    leave(tmp_path, "x-seed_2", fingerprint="f", seed=2, learnt=2.2)
    (row,) = run_rows(read_board(tmp_path)).values()
    assert row.bits_per_byte["adaptive"] == pytest.approx(2.1)
    assert row.rankings["adaptive"].seeds == 2
    third = make_result(run="x-seed_3", fingerprint="f", seed=3, learnt=1.0)
    assert third.adaptive is not None
    changed = third.adaptive.model_copy(update={"method": other}) if other != "none" else None
    (tmp_path / "x-seed_3").mkdir()
    write_result(
        tmp_path / "x-seed_3" / "result.json", third.model_copy(update={"adaptive": changed})
    )
    board = read_board(tmp_path)
    (row,) = run_rows(board).values()
    assert "adaptive" not in row.bits_per_byte
    assert row.rankings["static"].seeds == 3
    assert any("seeds have adaptive scores" in warning for warning in board.warnings)


@pytest.mark.parametrize("settings", [(1e-3, 1e-3), (1e-3, 3e-4), (None, 3e-4), (None, None)])
def test_adaptive_settings_are_compared_as_data_where_both_results_have_them(
    tmp_path: Path, settings: tuple[float | None, float | None]
) -> None:
    for seed, rate in enumerate(settings):
        result = make_result(run=f"x-seed_{seed}", fingerprint="f", seed=seed, learnt=2.0)
        assert result.adaptive is not None
        learnt = rate and AdaptiveSettings(method="dynamic_evaluation", learning_rate=rate)
        adaptive = result.adaptive.model_copy(update={"settings": learnt})
        leave(tmp_path, result.run, fingerprint="f", seed=seed, adaptive=adaptive)
    (row,) = run_rows(read_board(tmp_path)).values()
    # Where one of them is an old result, the words decide, and they are equal here.
    assert ("adaptive" in row.bits_per_byte) == (settings != (1e-3, 3e-4))


def test_adaptive_scores_of_another_protocol_are_not_ranked_with_the_newest(tmp_path: Path) -> None:
    newest = make_result().created.replace(year=2030)
    leave(tmp_path, "new", test=2.3, learnt=2.0, created=newest)
    old = make_result(learnt=1.9)
    assert old.adaptive is not None
    protocol = ProtocolRecord(name="adaptive, 8 lanes", adaptive=True, lanes=8)
    leave(tmp_path, "old", adaptive=old.adaptive.model_copy(update={"protocol": protocol}))
    board = read_board(tmp_path)
    assert len(board.groups) == 1
    assert ranks(board, "adaptive") == {"new": (1, False)}
    assert set(ranks(board)) == {"new", "old"}
    (warning,) = board.warnings
    assert warning.startswith("old: its adaptive scores are not shown: new and old differ in")
    assert "adaptive, 8 lanes" in warning


def test_rows_and_their_names_do_not_depend_on_when_a_run_was_scored(tmp_path: Path) -> None:
    for number in range(1, 12):
        leave(tmp_path, f"q-{number}", fingerprint="f", seed=number % 2)
    before = run_rows(read_board(tmp_path))
    assert "q-1 +1" in before
    assert [result.run for result in before["q-9 +1"].results] == ["q-10", "q-9"]
    newer = make_result().created.replace(year=2030)
    path = tmp_path / "q-1" / "result.json"
    write_result(path, read_result(path).model_copy(update={"created": newer}))
    after = run_rows(read_board(tmp_path))
    assert {name: [r.run for r in row.results] for name, row in after.items()} == {
        name: [r.run for r in row.results] for name, row in before.items()
    }


def test_sweeps_folders_are_read_and_named(tmp_path: Path) -> None:
    leave(tmp_path, "alone")
    leave(tmp_path, "sweep/member")
    assert set(run_rows(read_board(tmp_path))) == {"alone", "sweep/member"}


def test_each_baseline_is_once_in_each_group_and_none_is_lost(tmp_path: Path) -> None:
    newer = make_result().created.replace(year=2027)
    leave(tmp_path, "a")
    few = (Rung("first", {"test": 7.9}), Rung("fourth", failure="not installed"))
    leave(tmp_path, "b", created=newer, rungs=few)
    (group,) = read_board(tmp_path).groups
    rungs = {row.name: row.bits_per_byte for row in group.rows if row.kind == "baseline"}
    assert rungs == {
        "first": {"static": 7.9},
        "second": {"static": 2.7, "adaptive": 2.4},
        "fourth": {"adaptive": 2.6},
    }


def test_a_damaged_result_is_a_warning_and_not_the_end(tmp_path: Path) -> None:
    leave(tmp_path, "good")
    leave(tmp_path, "bad")
    leave(tmp_path, "empty", scores={})
    (tmp_path / "bad" / "result.json").write_text("{")
    board = read_board(tmp_path)
    assert list(ranks(board)) == ["good"]
    assert len(board.warnings) == 2
    assert str(tmp_path / "bad" / "result.json") in board.warnings[0]


def test_a_score_without_blocks_is_refused(tmp_path: Path) -> None:
    score = make_result().scores["test"].model_copy(update={"blocks": ()})
    leave(tmp_path, "run", scores={"test": score})
    board = read_board(tmp_path)
    assert board.groups == ()
    assert "kept in blocks" in board.warnings[0]


def test_a_score_below_the_floor_by_more_than_luck_is_reported(tmp_path: Path) -> None:
    leave(tmp_path, "lucky", test=1.5 - 19 / 2000)
    leave(tmp_path, "leaking", test=1.5 - 21 / 2000)
    leave(tmp_path, "learning", learnt=1.0)
    cheat = (Rung("cheat", dict.fromkeys(("test",), 1.0), adaptive=True),)
    leave(tmp_path, "beside", rungs=cheat)
    board = read_board(tmp_path)
    warned = {warning.split(":")[0] for warning in board.warnings}
    assert warned == {"leaking", "learning", "cheat"}
    assert "21 bits below the true source" in next(w for w in board.warnings if "leaking" in w)


def test_rows_that_are_shown_keep_their_rank_among_all(tmp_path: Path) -> None:
    for name, test in (("a", 2.0), ("b", 2.1), ("c", 2.2)):
        leave(tmp_path, name, test=test)
    board = read_board(tmp_path, keep=lambda group, row: row.name in ("b", "c"))
    assert ranks(board) == {"b": (2, False), "c": (3, False)}
    assert len(board.groups[0].rows) == 2
    assert read_board(tmp_path, keep=lambda group, row: False).groups == ()


def test_another_split_can_be_ranked_on(tmp_path: Path) -> None:
    result = make_result(test=2.0)
    scores = {**result.scores, "validation": make_result(test=3.0).scores["test"]}
    leave(tmp_path, "run", scores=scores)
    (row,) = run_rows(read_board(tmp_path, split="validation")).values()
    assert row.bits_per_byte["static"] == 3.0
    assert row.other_splits == {"held_out": 2.0, "test": 2.0}


@given(seeds=st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_every_run_is_in_exactly_one_row(
    tmp_path_factory: pytest.TempPathFactory, seeds: list[int]
) -> None:
    runs = tmp_path_factory.mktemp("runs")
    for number, seed in enumerate(seeds):
        leave(runs, f"r{number}", fingerprint="f", seed=seed)
    rows = run_rows(read_board(runs)).values()
    named = [result.run for row in rows for result in row.results]
    assert sorted(named) == sorted(f"r{number}" for number in range(len(seeds)))
