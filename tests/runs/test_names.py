"""Text that becomes a path stays in the folder it belongs to."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import seqzoo
from seqzoo.errors import CheckpointError, UsageError
from seqzoo.runs.renaming import rename_run
from seqzoo.sweep.grid import read_grid
from seqzoo.sweep.members import members_of
from seqzoo.training.checkpoint import load, load_best, load_newest
from seqzoo.training.checkpoint_files import checkpoint_steps, stored_state

RECIPE = {
    "name": "small",
    "corpus": {"name": "pastiche", "options": {"size_bytes": 30000}},
    "tokenizer": {"name": "bytes"},
    "architecture": {"name": "lstm", "options": {"hidden_size": 8}},
    "train": {
        "batch_size": 4,
        "bptt_length": 8,
        "budget": {"steps": 2},
        "checkpoint": {"every_steps": 1},
    },
    "sample": {"length": 4},
    "baselines": {"include": []},
    "runtime": {"threads": 1, "device": "cpu"},
}
NAMES = {
    "nothing": "",
    "here": ".",
    "above": "..",
    "outside": "../outside",
    "inside out": "a/../../outside",
    "below": "a/b",
    "absolute": "/tmp/outside",
    "home": "~/outside",
    "hidden": ".hidden",
    "an option": "--runs=x",
    "a dash": "-x",
    "NUL": "a\0b",
    "a new line": "a\nb",
    "escape": "a\x1b[2Jb",
    "C1": "a\x9bb",
    "a backslash": "a\\b",
    "long": "x" * 300,
    "half a pair": "a\udc80",
    "bidirectional": "a\u202eb",
    "fullwidth dots": "\uff0e\uff0e/x",
    "other digits": "step-\u0663",
    "a blank at the end": "a ",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seqzoo.run(RECIPE, root=tmp_path_factory.mktemp("runs")).path


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "runs" / "small"))


def by_argument(name: str, folder: Path) -> object:
    return seqzoo.run(RECIPE, root=folder / "runs", name=name)


def by_recipe(name: str, folder: Path) -> object:
    return seqzoo.run({**RECIPE, "name": name}, root=folder / "runs")


def by_override(name: str, folder: Path) -> object:
    return seqzoo.run(RECIPE, {"name": name}, root=folder / "runs")


def by_renaming(name: str, folder: Path) -> object:
    return rename_run(folder / "runs" / "small", name)


def by_grid(name: str, folder: Path) -> object:
    (folder / "grid.yaml").write_text(json.dumps({"name": name, "recipes": ["quick"]}))
    return read_grid(folder / "grid.yaml")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("use", [by_argument, by_recipe, by_override, by_renaming, by_grid])
def test_a_name_that_is_no_name_of_a_folder_is_refused(
    use: Callable[[str, Path], object], name: str, run: Path, tmp_path: Path
) -> None:
    before = sorted(path for path in tmp_path.rglob("*") if path.name != "grid.yaml")
    with pytest.raises(UsageError) as caught:
        use(NAMES[name], tmp_path)
    assert len(str(caught.value)) < 600
    assert sorted(path for path in tmp_path.rglob("*") if path.name != "grid.yaml") == before


@pytest.mark.parametrize("value", NAMES)
def test_whatever_a_grid_varies_its_members_are_folders_of_the_sweep(
    value: str, tmp_path: Path
) -> None:
    values = json.dumps([NAMES[value], 1]).replace("\\u0000", "0").replace("\\udc80", "8")
    (tmp_path / "grid.yaml").write_text(
        f"name: g\nrecipes: [quick]\ngrid:\n  corpus.options.path: {values}\n"
    )
    for member in members_of(read_grid(tmp_path / "grid.yaml")):
        assert Path(member.name).parts == (member.name,)
        assert member.name not in ("", ".", "..")
        assert member.name.isascii()
        assert member.name.isprintable()
        assert len(member.name) <= 100
        assert member.name[0] not in ".-"


# What the files of a run say


STEPS = (
    "../../outside/step-2",
    "/tmp/step-2",
    "2/../../../outside/step-2",
    1.5,
    True,
    None,
    -1,
    ["2"],
    {"2": 2},
    "2\0",
)


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_a_step_of_a_checkpoint_is_no_path(step: object, run: Path) -> None:
    """A checkpoint outside of the folder is not read, also where a file says that it is there."""
    outside = run.parent.parent / "outside"
    shutil.copytree(run / "checkpoints", outside)
    (run / "checkpoints" / "step-..").mkdir()
    with pytest.raises(CheckpointError):
        load(run / "checkpoints", step)  # type: ignore[arg-type]
    newest = load_newest(run / "checkpoints", warn=lambda _: None)
    newest.state["best"] = [step, 1.0]  # type: ignore[index]
    warned: list[str] = []
    assert load_best(run / "checkpoints", newest, warn=warned.append) is newest
    assert len(warned) == 1


@pytest.mark.parametrize("name", ["../../../outside", "/etc/passwd", "..", ".", "", "a\0b"])
def test_a_manifest_names_no_file_outside(name: str, run: Path) -> None:
    step = max(checkpoint_steps(run / "checkpoints"))
    manifest = run / "checkpoints" / f"step-{step}" / "MANIFEST.json"
    stored = json.loads(manifest.read_text())
    stored["files"][name] = {"bytes": 1, "sha256": "0" * 64}
    manifest.write_text(json.dumps(stored))
    with pytest.raises(CheckpointError) as caught:
        stored_state(run / "checkpoints", step)
    assert "bytes, expected" not in str(caught.value)  # the size of a file of the user
    with pytest.raises(CheckpointError):
        load(run / "checkpoints", step)
