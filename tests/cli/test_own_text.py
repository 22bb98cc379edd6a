"""`seqzoo run NAME --text TEXT` from any folder: what a new user types first."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from commands import REPOSITORY, environment, seqzoo

TINY = (
    "architecture.options.hidden_size=8",
    "train.batch_size=4",
    "train.bptt_length=8",
    "train.budget.steps=3",
    "sample.length=8",
    "runtime.threads=1",
    "runtime.device=cpu",
)

WITHOUT_TORCH = """
import sys
from seqzoo.cli import main
from seqzoo.terminal.streams import results_stream
try:
    main()
finally:
    print("torch" in sys.modules, file=results_stream())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = "".join(f"line {n}: {n * n} of many\n" for n in range(2000))
    (tmp_path / "notes.txt").write_text(text)
    (tmp_path / "notes").mkdir()
    for name in ("a.md", "b.md", "c.txt"):
        (tmp_path / "notes" / name).write_text(text[:20_000])
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "run").mkdir()
    return tmp_path


def stored(run: Path) -> dict[str, object]:
    return dict(yaml.safe_load((run / "recipe.yaml").read_text()))


def test_a_run_on_own_text_can_be_sampled_and_scored_from_another_folder(folder: Path) -> None:
    done = seqzoo("run", "quick", "--text", "notes.txt", *TINY, folder=folder)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    kept = stored(folder / "runs" / "quick")
    assert kept["corpus"]["options"] == {"path": str(folder / "notes.txt")}  # type: ignore[index]
    prompt = kept["sample"]["prompt"]  # type: ignore[index]
    assert prompt in (folder / "notes.txt").read_text()
    assert f"'{prompt}'" in done.stderr
    elsewhere = folder / "run"
    again = seqzoo("eval", str(folder / "runs" / "quick"), "--split", "test", folder=elsewhere)
    assert again.returncode == 0, again.stderr
    sampled = seqzoo("sample", str(folder / "runs" / "quick"), "-n", "4", folder=elsewhere)
    assert sampled.returncode == 0, sampled.stderr


def test_text_from_a_pipe_can_be_scored_later(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "seqzoo", "run", "quick", "--text", "-", *TINY],
        cwd=folder,
        env=environment(SEQZOO_CACHE=str(folder / "cache")),
        input=(folder / "notes.txt").read_bytes(),
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    again = seqzoo("eval", "runs/quick", folder=folder, SEQZOO_CACHE=str(folder / "cache"))
    assert again.returncode == 0, again.stderr
    gone = seqzoo("eval", "runs/quick", folder=folder, SEQZOO_CACHE=str(folder / "other"))
    assert gone.returncode == 3
    assert "is no longer there; put the same bytes" in gone.stderr


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("quick", "notes.txt"), "quick --text notes.txt"),
        (("quick", "my notes.txt"), "quick --text 'my notes.txt'"),
        (("quick", "notes.txt", "empty.txt"), "quick --text notes.txt --text empty.txt"),
        (("quick", "notes"), "quick --text notes"),
        (("quick", "notes/*.md"), "quick --text 'notes/*.md'"),
        (("quick", "-"), "quick --text -"),
        (("quick", "text=notes.txt"), "quick --text notes.txt"),
        (("quick", "text=absent.txt"), "quick --text absent.txt"),
        (("quick", "corpus=notes.txt"), "quick --text notes.txt"),
        (("quick", "corpus.name=notes"), "quick --text notes"),
        (("quick", "corpus.path=notes.txt"), "quick --text notes.txt"),
        (("quick", "dataset=notes.txt", "train.seed=3"), "quick --text notes.txt train.seed=3"),
        (("text=notes.txt",), "quick --text notes.txt"),
        (("train.seed=3",), "quick train.seed=3"),
        (("--text", "notes.txt"), "quick --text notes.txt"),
        (("--text", "my notes.txt", "--name", "x"), "quick --text 'my notes.txt'"),
        (("notes.txt",), "quick --text notes.txt"),
        (("notes",), "quick --text notes"),
    ],
)
def test_a_text_without_its_option_is_answered_with_the_command(
    folder: Path, arguments: tuple[str, ...], meant: str
) -> None:
    (folder / "my notes.txt").write_text("x")
    done = seqzoo("run", *arguments, folder=folder)
    assert done.returncode == 2
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert f": seqzoo run {meant}" in error
    assert error.partition(f"seqzoo run {meant}")[2] in ("", ". See 'seqzoo run --help'.")


def test_a_setting_whose_value_is_the_name_of_a_file_stays_a_setting(folder: Path) -> None:
    (folder / "pastiche").mkdir()
    (folder / "lstn").write_text("x")
    for setting, says in (
        ("name=notes", "train.budget.steps"),
        ("corpus=pastiche", "train.budget.steps"),
        ("architecture=lstn", "architecture 'lstn' is not installed. Did you mean 'lstm'?"),
    ):
        done = seqzoo("run", "quick", setting, "train.budget.steps=-1", folder=folder)
        assert done.returncode == 2
        assert says in done.stderr
        assert "--text" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("quick", "--text", "note.txt"), "note.txt does not exist. Did you mean 'notes.txt'?"),
        (("quick", "--text", "https://a.org/b.txt"), "download it first: curl -LO https://a.org/b"),
        (("quick", "--text", "empty.txt"), "empty.txt is empty"),
        (("quick", "--text", "notes/*.pdf"), "matches '*.pdf'"),
        (("quick", "--text", "-"), "the piped text is empty"),
        (("quick", "--text", "notes/a.md", "notes/b.md"), "quote the pattern: --text 'notes/*.md'"),
        (("quick", "corpus.name=file", "corpus.options.path=note.txt"), "does not exist."),
        (("quick", "corpus.name=file", "corpus.options.path="), "path is empty"),
        (("quick", "train.start_from=runs/none"), "there is no run at"),
        (("quick", "--text", "notes.txt", "--name", "run", "--runs", "."), "never overwritten"),
        (("quikc",), "Did you mean 'quick'?"),
        (("recipes/quick.yaml",), "The recipe 'quick' comes with seqzoo"),
        (("quick", "plugins=[mine.py]"), "mine.py could not be loaded"),
    ],
)
def test_a_mistake_is_reported_before_torch_is_imported(
    folder: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "run", *arguments],
        cwd=folder,
        env=environment(PYTHONPATH=os.pathsep.join(sys.path)),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert says in " ".join(done.stderr.split())
    first, error = done.stderr.splitlines()
    assert first.endswith(f"reading the recipe {arguments[0]}")
    assert error.startswith("error: ")
    assert done.stdout == "False\n"
    if "does not exist" in says or "no run at" in says:
        assert str(folder) in done.stderr


def test_a_text_is_warned_of_once_and_still_trained_on(folder: Path) -> None:
    packed = gzip.compress(os.urandom(30_000))
    (folder / "notes.gz").write_bytes(packed)
    done = seqzoo("run", "quick", "--text", "notes.gz", *TINY, folder=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is a gzip archive") == 1
    assert "gunzip -k notes.gz" in done.stderr


def test_init_makes_a_copy_that_runs_and_never_overwrites(folder: Path) -> None:
    made = seqzoo("init", "quick", "run/mine.yaml", "--text", "notes/*.md", folder=folder)
    assert made.returncode == 0, made.stderr
    assert "seqzoo run run/mine.yaml" in made.stderr
    text = (folder / "run" / "mine.yaml").read_text()
    assert "#" not in text
    assert "description" not in text
    assert "name: mine\n" in text
    assert "ROMEO" not in text
    done = seqzoo("run", "../run/mine.yaml", *TINY, folder=folder / "notes")
    assert done.returncode == 0, done.stderr
    result = json.loads((folder / "notes" / "runs" / "mine" / "result.json").read_text())
    assert result["corpus"]["name"] == "notes"
    again = seqzoo("init", "quick", "run/mine.yaml", folder=folder)
    assert again.returncode == 2
    assert "run/mine.yaml already exists and was not changed." in again.stderr
    assert (folder / "run" / "mine.yaml").read_text() == text


def test_relative_paths_of_a_copy_stay_right(folder: Path) -> None:
    text = (REPOSITORY / "recipes" / "quick.yaml").read_text()
    own = "corpus: {name: file, options: {path: ../notes.txt}}  # mine"
    (folder / "run" / "own.yaml").write_text(
        text.replace("corpus: {name: tinyshakespeare, fallback: pastiche}", own)
    )
    made = seqzoo("init", "run/own.yaml", "copy.yaml", folder=folder)
    assert made.returncode == 0, made.stderr
    copied = (folder / "copy.yaml").read_text()
    assert "corpus: {name: file, options: {path: notes.txt}}  # mine" in copied
    default = seqzoo("init", folder=folder)
    assert default.returncode == 0, default.stderr
    assert (folder / "quick.yaml").read_text().startswith("name: quick\ndescription: ")


def test_a_copy_keeps_the_schema_only_where_it_is_and_its_name_only_where_it_must(
    folder: Path,
) -> None:
    line = "# yaml-language-server: $schema=s.json\n"
    source = (REPOSITORY / "recipes" / "quick.yaml").read_text()
    (folder / "own.yaml").write_text(line + source)
    (folder / "run" / "s.json").write_text("{}")
    for target, start in (("run/a.yaml", f"{line}name: a\n"), ("a b.yaml", "name: quick\n")):
        made = seqzoo("init", "own.yaml", target, folder=folder)
        assert made.returncode == 0, made.stderr
        assert (folder / target).read_text().startswith(start)


def test_recipes_are_listed_and_shown(folder: Path) -> None:
    listed = seqzoo("list", "recipes", "--json", folder=folder)
    rows = {row["name"]: row for row in json.loads(listed.stdout)}
    assert rows["shakespeare_best"]["architecture"] == "ngram_lstm"
    assert "quick" in seqzoo("list", "recipe", folder=folder).stdout
    source = (REPOSITORY / "recipes" / "quick.yaml").read_text()
    assert seqzoo("show", "quick", folder=folder).stdout.strip() == source.strip()
    assert seqzoo("show", "recipe", "quick", folder=folder).stdout.strip() == source.strip()
    assert "path of the file" in seqzoo("show", "corpus", "file", folder=folder).stdout
    for wrong in (("corpus", "quick"), ("recipe", "file"), ("thing", "file"), ("qiuck",)):
        refused = seqzoo("show", *wrong, folder=folder)
        assert refused.returncode == 2
        assert refused.stderr.count("\n") == 1


def test_the_doctor_takes_a_recipe_by_name(folder: Path) -> None:
    done = seqzoo("doctor", "quick", "--only", "environment.torch", folder=folder)
    assert done.returncode == 0, done.stderr


def test_a_sweep_takes_recipes_by_name_and_paths_from_the_grid(folder: Path) -> None:
    settings = dict(setting.split("=") for setting in TINY)
    numbers = {key: int(value) if value.isdigit() else value for key, value in settings.items()}
    corpus = {"name": "file", "options": {"path": "../notes.txt"}}
    grid = {"name": "two", "recipes": ["quick"], "set": {"corpus": corpus, **numbers}, "seeds": [1]}
    (folder / "run" / "grid.yaml").write_text(json.dumps(grid))
    done = seqzoo("sweep", "run/grid.yaml", folder=folder)
    assert done.returncode == 0, done.stderr
    (run,) = [path.parent for path in (folder / "runs" / "two").glob("*/recipe.yaml")]
    kept = stored(run)["corpus"]
    assert Path(kept["options"]["path"]).resolve() == folder / "notes.txt"  # type: ignore[index]
    again = seqzoo("sweep", "../run/grid.yaml", "--runs", "../runs", folder=folder / "notes")
    assert again.returncode == 0, again.stderr
