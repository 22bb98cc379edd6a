"""What a row says beside its scores: settings that changed in training, and notes."""

from __future__ import annotations

from pathlib import Path

from small_result import leave

from seqzoo.leaderboards.board import read_board
from seqzoo.leaderboards.columns import chosen_columns
from seqzoo.leaderboards.filters import row_filter
from seqzoo.leaderboards.leaderboard import leaderboard
from seqzoo.leaderboards.views import board_to_markdown, notes
from seqzoo.results.note import read_note, write_note
from seqzoo.results.result import ChangeRecord

LONGER = ChangeRecord(step=400, key="train.budget.steps", before=400, after=800)


def test_a_row_says_what_changed_and_a_footnote_explains_it(tmp_path: Path) -> None:
    leave(tmp_path, "straight", fingerprint="a", seed=1)
    leave(tmp_path, "longer", fingerprint="b", seed=2, changes=(LONGER,))
    board = read_board(tmp_path)
    (line,) = [line for line in board_to_markdown(board, None).splitlines() if "longer" in line]
    assert "steps 400 to 800" in line
    assert any(note.startswith("changed:") for note in notes(board, None))
    rows = {row.name: row.changed for row in leaderboard(tmp_path)}
    assert (rows["longer"], rows["straight"]) == (("steps 400 to 800",), ())


def test_without_changes_there_is_no_column_and_no_footnote(tmp_path: Path) -> None:
    leave(tmp_path, "straight")
    board = read_board(tmp_path)
    assert "changed" not in "\n".join([board_to_markdown(board, None), *notes(board, None)])


def test_notes_of_a_rows_runs_can_be_shown_and_filtered_by(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        leave(tmp_path, f"a-seed_{seed}", fingerprint="a", seed=seed)
    leave(tmp_path, "b", fingerprint="b")
    write_note(tmp_path / "a-seed_1", "first\ntry")
    write_note(tmp_path / "a-seed_3", "by\x1b[31m hand")
    board = read_board(tmp_path, keep=row_filter(["note=first*"], kind="static"))
    (line,) = board_to_markdown(board, chosen_columns(["run", "note"])).splitlines()[4:]
    assert line == "| a | first try; by \\[31m hand |"
    assert "first try" not in board_to_markdown(read_board(tmp_path), None)
    write_note(tmp_path / "a-seed_1", "")
    assert not (tmp_path / "a-seed_1" / "note.txt").exists()
    assert read_note(tmp_path / "a-seed_1") == ""
