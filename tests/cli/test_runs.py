"""`seqzoo runs` and its commands, as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from commands import environment, seqzoo
from made_runs import make_run
from rich.cells import cell_len

from seqzoo.runs.changes import Change, Setting

WIDE = "漢" * 30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with runs/ in it: one run in each state, and a member of a sweep."""
    runs = tmp_path / "runs"
    make_run(runs / "finished", test=2.5)
    make_run(runs / "unscored", scored_at=None)
    make_run(runs / "stop ped", steps=(30,), scored_at=None)
    make_run(runs / "exploded", steps=(30,), scored_at=None).diverged.write_text("the loss\n")
    make_run(runs / "broken").recipe.write_text("{")
    make_run(runs / "sizes" / "a_long_name-hidden_size_64-batch_size_32-seed_1", test=2.5)
    return tmp_path


def test_there_is_a_row_for_every_run_and_it_fits_the_terminal(folder: Path) -> None:
    seqzoo("runs", "note", "runs/finished", f"my\x1b[31m {WIDE}", folder=folder)
    for width in (60, 80, 200):
        done = seqzoo("runs", folder=folder, COLUMNS=str(width))
        assert done.returncode == 0, done.stderr
        header, *rows = done.stdout.partition("\n\n")[0].splitlines()
        assert header.split() == ["run", "state", "step", "test", "size", "age", "note"]
        assert max(map(cell_len, done.stdout.partition("\n\n")[0].splitlines())) <= width
        assert {row.split("  ")[0].strip()[-6:] for row in rows} == {
            "nished", "scored", "op ped", "ploded", "broken", "seed_1",
        }  # fmt: skip
        text = done.stdout
        for expected in ("finished  ", "not scored", "stopped", "diverged", "damaged", "2.500"):
            assert expected in text
        assert "\x1b" not in text
        assert not [line for line in text.splitlines() if line != line.rstrip()]
    assert "exploded: the loss" in text
    assert "6 runs, " in text
    assert "2 can be resumed" in text


def test_json_has_what_the_table_has_unrounded(folder: Path) -> None:
    listed = json.loads(seqzoo("runs", "--json", folder=folder).stdout)
    assert len(listed) == 6
    (stopped,) = [each for each in listed if each["run"] == "stop ped"]
    assert (stopped["state"], stopped["step"], stopped["share"]) == ("stopped", 30, 0.5)
    assert stopped["budget"] == {"steps": 60}
    (finished,) = [each for each in listed if each["run"] == "finished"]
    assert finished["bits_per_byte"]["test"] == 2.5


def test_the_score_from_before_a_change_of_scoring_is_not_shown(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "runs" / "changed", test=2.5)
    change = Change(
        step=60,
        at=datetime(2999, 1, 1, tzinfo=UTC),
        recipe_sha256="of another recipe",
        settings=(Setting(key="evaluate.lanes", before=1, after=2),),
    )
    assert "2.500" in seqzoo("runs", folder=tmp_path).stdout
    directory.changes.write_text(json.dumps({"changes": [change.model_dump(mode="json")]}))
    assert "not scored" in (shown := seqzoo("runs", folder=tmp_path).stdout)
    assert "2.500" not in shown


def test_a_shown_run_has_the_values_of_its_recipe_and_all_of_it_as_json(tmp_path: Path) -> None:
    directory = make_run(tmp_path / "runs" / "a", test=2.5)
    options = "{hidden_size: 16, embedding_size: null, tied: false, words: [a b, c]}"
    recipe = directory.recipe.read_text().replace("{hidden_size: 16, dropout: 0.1}", options)
    directory.recipe.write_text(recipe)
    shown = seqzoo("runs", "show", "a", folder=tmp_path)
    assert 'embedding_size=null, tied=false, words=["a b", "c"]' in shown.stdout
    found = json.loads(seqzoo("runs", "show", "a", "--json", folder=tmp_path).stdout)
    [listed] = json.loads(seqzoo("runs", "--json", folder=tmp_path).stdout)
    assert {key: found[key] for key in listed} == listed
    assert found["recipe"]["architecture"]["options"]["embedding_size"] is None
    assert (found["changes"], found["checkpoints"]) == ([], [30, 60])


@pytest.mark.parametrize(("file", "key"), [("recipe.yaml", "recipe"), ("changes.json", "changes")])
def test_what_cannot_be_read_is_null_in_json(tmp_path: Path, file: str, key: str) -> None:
    (make_run(tmp_path / "runs" / "a").path / file).write_bytes(b"{\xff")
    done = seqzoo("runs", "show", "a", "--json", folder=tmp_path)
    found = json.loads(done.stdout)
    assert (found["state"], found[key]) == ("damaged", None)


MEMBER = "sizes/a_long_name-hidden_size_64-batch_size_32-seed_1"


@pytest.mark.parametrize(
    "command", ["runs show {}", "runs note {}", "runs mv {} other", "runs rm {} -y", "compare {}"]
)
def test_every_name_that_the_table_prints_is_accepted(folder: Path, command: str) -> None:
    table = seqzoo("runs", folder=folder, COLUMNS="60").stdout
    (shown,) = [line.split()[0] for line in table.splitlines() if "seed_1" in line]
    for name in (MEMBER, shown):
        done = seqzoo(*command.format(name).split(), folder=folder)
        assert done.returncode == 0, done.stderr
        if "mv" in command or "rm" in command:
            assert not (folder / "runs" / MEMBER).exists()
            make_run(folder / "runs" / MEMBER, test=2.5)
        if "mv" in command:
            seqzoo("runs", "rm", "sizes/other", "--yes", folder=folder)
            assert not (folder / "runs" / "sizes" / "other").exists()


def test_a_shortened_name_of_two_runs_is_none(folder: Path) -> None:
    make_run(folder / "runs" / "sizes" / "another-seed_1")
    done = seqzoo("runs", "show", "…-seed_1", folder=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no run at runs/…-seed_1.")


def test_a_mistyped_member_is_answered_with_its_neighbour(folder: Path) -> None:
    done = seqzoo("runs", "show", f"{MEMBER}2", folder=folder)
    assert done.returncode == 2
    assert MEMBER.rpartition("/")[2] in done.stderr


def test_runs_in_another_folder_are_named_with_the_option(folder: Path) -> None:
    (folder / "runs").rename(folder / "old")
    for command in ("runs show", "runs note", "runs prune --dry-run", "compare"):
        done = seqzoo(*command.split(), "finished", "--runs", "old", folder=folder)
        assert done.returncode == 0, done.stderr
    for command in ("runs show finished", "runs prune", "compare finished"):
        done = seqzoo(*command.split(), "--runs", "nowhere", folder=folder)
        assert done.returncode == 2
        assert "nowhere" in done.stderr
        assert "command" not in done.stderr
    seqzoo("runs", "mv", "finished", "first", "--runs", "old", folder=folder)
    assert (folder / "old" / "first").is_dir()
    seqzoo("runs", "rm", "first", "--yes", "--runs", "old", folder=folder)
    assert not (folder / "old" / "first").exists()


@pytest.mark.parametrize("terminal", ["dumb", "xterm-256color"])
def test_a_folder_or_one_run_can_be_given(folder: Path, terminal: str) -> None:
    sweep = seqzoo("runs", "runs/sizes", folder=folder, TERM=terminal).stdout
    assert "seed_1" in sweep
    assert "1 run, " in sweep
    one = seqzoo("runs", "runs/finished", folder=folder, TERM=terminal).stdout
    assert one.splitlines()[1].startswith("finished  finished  60 of 60  2.500")


def test_a_missing_folder_and_a_mistyped_command_are_one_sentence(folder: Path) -> None:
    meant = {"rusn": "runs", "prnue": "prune", "delete": "rm", "ls": "list"}
    for typed, expected in ((typed, f"Did you mean '{name}'") for typed, name in meant.items()):
        done = seqzoo("runs", typed, folder=folder)
        assert (done.returncode, expected in done.stderr) == (2, True)
    assert seqzoo("runs", folder=folder / "runs" / "sizes").returncode == 0
    assert "Did you mean 'rm'" in seqzoo("runs", "delete", "x", folder=folder).stderr
    assert "Did you mean 'runs rm'" in seqzoo("rm", "runs/finished", folder=folder).stderr


@pytest.mark.parametrize(
    ("answer", "is_deleted"), [("y", True), ("yes\n", True), ("n\n", False), ("\n", False)]
)
def test_deleting_asks_first(folder: Path, answer: str, is_deleted: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "seqzoo", "runs", "rm", "runs/finished", "runs/broken"],
        cwd=folder,
        env=environment(),
        input=answer,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Delete 2 runs" in done.stderr
    assert (folder / "runs" / "finished").exists() is not is_deleted
    assert (folder / "runs" / "broken").exists() is not is_deleted
    assert (folder / "runs" / "unscored").exists()


def test_without_an_answer_nothing_is_deleted(folder: Path) -> None:
    done = seqzoo("runs", "rm", "runs/finished", folder=folder)
    assert done.returncode == 2
    assert "give --yes" in done.stderr
    assert seqzoo("runs", "rm", "--yes", "runs/finished", folder=folder).returncode == 0
    assert not (folder / "runs" / "finished").exists()


def test_nothing_is_deleted_if_one_of_the_folders_is_no_run(folder: Path) -> None:
    done = seqzoo("runs", "rm", "--yes", "runs/finished", "runs/sizes", folder=folder)
    assert done.returncode == 2
    assert (folder / "runs" / "finished").exists()


def test_files_of_the_user_are_not_deleted_without_a_question(folder: Path) -> None:
    thesis = folder / "runs" / "finished" / "thesis.tex"
    thesis.write_text("")
    done = seqzoo("runs", "rm", "--yes", "runs/finished", folder=folder)
    assert (done.returncode, thesis.exists()) == (2, True)
    assert "also contains thesis.tex" in done.stderr


def test_pruning_says_what_it_frees(folder: Path) -> None:
    dry = seqzoo("runs", "prune", "--dry-run", folder=folder)
    assert "would be freed, of 2 finished runs" in dry.stdout
    wet = seqzoo("runs", "prune", folder=folder)
    assert wet.stdout == dry.stdout.replace("would be freed", "freed")
    assert "0 B freed" in seqzoo("runs", "prune", "runs/finished", folder=folder).stdout
    refused = seqzoo("runs", "prune", "runs/stop ped", folder=folder)
    assert (refused.returncode, "is stopped, and only finished" in refused.stderr) == (2, True)


def test_a_note_is_kept_shown_and_removed(folder: Path) -> None:
    assert seqzoo("runs", "note", "runs/finished", "first", "try", folder=folder).returncode == 0
    assert seqzoo("runs", "note", "runs/finished", folder=folder).stdout == "first try\n"
    assert "first try" in seqzoo("runs", folder=folder).stdout
    assert seqzoo("runs", "note", "runs/finished", "", folder=folder).returncode == 0
    assert seqzoo("runs", "note", "runs/finished", folder=folder).stdout == ""
    assert seqzoo("runs", "note", "runs/fnished", "x", folder=folder).returncode == 2


def test_a_run_is_renamed(folder: Path) -> None:
    done = seqzoo("runs", "mv", "runs/finished", "done", folder=folder)
    assert (done.returncode, "runs/finished is runs/done now" in done.stderr) == (0, True)
    assert (folder / "runs" / "done" / "recipe.yaml").exists()


@pytest.mark.parametrize("name", ["finished", "broken", "exploded", "unscored"])
def test_one_run_is_shown_whatever_its_state(folder: Path, name: str) -> None:
    done = seqzoo("runs", "show", f"runs/{name}", folder=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split() == ["run", f"runs/{name}"]
    assert ("lstm (hidden_size=16" in done.stdout) is (name != "broken")


def test_the_leaderboard_counts_the_runs_without_a_result(folder: Path) -> None:
    done = seqzoo("leaderboard", folder=folder)
    assert "3 runs have no result yet: seqzoo runs lists them" in done.stderr
    listed = json.loads(seqzoo("leaderboard", "--json", folder=folder).stdout)
    assert listed["unscored"] == ["exploded", "stop ped", "unscored"]
    for name in ("finished", "broken", "sizes"):
        (folder / "runs" / name).rename(folder / name)
    for arguments in (("leaderboard", "runs"), ("leaderboard", "--runs", "runs")):
        none = seqzoo(*arguments, folder=folder)
        assert none.returncode == 0
        assert "There are no results in runs yet" in none.stderr
        assert "3 runs have no result yet" in none.stderr
    both = seqzoo("leaderboard", "runs", "--runs", "sizes", folder=folder)
    assert (both.returncode, "two folders" in both.stderr) == (2, True)


def test_without_adaptive_scores_the_leaderboard_says_how_to_make_one(folder: Path) -> None:
    done = seqzoo("leaderboard", "--sort", "adaptive", folder=folder)
    assert done.returncode == 0
    assert "seqzoo eval RUN --adaptive" in done.stderr
    assert "--adaptive" not in seqzoo("leaderboard", folder=folder).stderr


def test_a_run_that_was_trained_further_since_its_scores_is_marked(folder: Path) -> None:
    make_run(folder / "runs" / "longer", budget="{steps: 120}", scored_at=30)
    done = seqzoo("leaderboard", folder=folder)
    assert "1 ranked run is not finished: seqzoo runs lists them" in done.stderr
    assert "step 30, now 60 of 120" in done.stdout
    assert json.loads(seqzoo("leaderboard", "--json", folder=folder).stdout)["unfinished"] == [
        "longer"
    ]
    shown = seqzoo("runs", "show", "longer", folder=folder).stdout
    assert "The scores are of step 30, and the run is not finished." in shown
    assert "The scores are of" not in seqzoo("runs", "show", "finished", folder=folder).stdout


def test_only_folders_of_runs_and_close_commands_are_proposed(folder: Path) -> None:
    (folder / "mv.out").write_text("")
    (folder / "empty").mkdir()
    far = seqzoo("runs", "zzzzz", folder=folder).stderr
    assert far.endswith("Choose from: runs.\n")
    assert "Did you mean 'mv'" in seqzoo("runs", "rn", "first", folder=folder).stderr
    for words in (("--runs", "sizes"), ("--json", "--runs=sizes"), ("list", "--runs", "sizes")):
        done = seqzoo("runs", *words, folder=folder)
        assert (done.returncode, done.stderr.endswith("seqzoo runs sizes\n")) == (2, True)


def test_a_score_of_the_first_bytes_is_marked(folder: Path) -> None:
    whole = seqzoo("runs", folder=folder).stdout
    assert "~" not in whole
    path = folder / "runs" / "finished" / "result.json"
    result = json.loads(path.read_text())
    result["protocol"]["max_bytes"] = 1000
    path.write_text(json.dumps(result))
    marked = seqzoo("runs", folder=folder).stdout
    assert marked.count("~2.500") == 1
    assert "~: only the first bytes" in marked


def test_a_note_of_several_lines_is_joined_and_says_so(folder: Path) -> None:
    done = seqzoo("runs", "note", "finished", "two\nlines", folder=folder)
    assert (done.returncode, "the lines were joined: two lines" in done.stderr) == (0, True)
    assert seqzoo("runs", "note", "finished", "one line", folder=folder).stderr == ""
