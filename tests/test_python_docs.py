"""docs/python.md and examples/ are run as they stand."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import REPOSITORY, environment

PAGE = REPOSITORY / "docs" / "python.md"
EXAMPLES = sorted((REPOSITORY / "examples").glob("*.py"))


def page_blocks() -> list[str]:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) > 8
    return blocks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with recipes/, and a corpus that needs no network."""
    shutil.copytree(REPOSITORY / "recipes", tmp_path / "recipes")
    recipe = tmp_path / "recipes" / "quick.yaml"
    corpus = "corpus: {name: pastiche, options: {size_bytes: 60000}}"
    text, count = re.subn(r"^corpus: .*$", corpus, recipe.read_text(), flags=re.MULTILINE)
    assert count == 1
    recipe.write_text(text)
    return tmp_path


def run_script(script: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", script],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_pages_blocks_work_one_after_another(folder: Path) -> None:
    page = "\n".join(page_blocks())
    assert page.count('seqzoo.run("quick"') == 1
    out = run_script(page.replace('"quick"', '"recipes/quick.yaml"'), folder)
    assert "Did you mean 'hidden_size'?" in out
    assert "StartRecord" in out or "path=" in out


def test_the_pages_names_are_the_public_ones() -> None:
    import seqzoo

    table = PAGE.read_text(encoding="utf-8").split("## Names")[1]
    named = set(re.findall(r"`(\w+)\(", table)) | set(re.findall(r"`(?:Run)?\.(\w+)", table))
    public = {name for name in dir(seqzoo.Run) if not name.startswith("_")} - {"trained"}
    functions = {
        "run",
        "ensemble",
        "resume",
        "open_run",
        "recipe",
        "leaderboard",
        "examine",
        "watch",
    }
    assert functions <= set(seqzoo.__all__)
    assert named == public | functions


@pytest.mark.slow
def test_the_page_works_in_a_notebook(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="pip install 'seqzoo[notebooks]'")
    nbclient = pytest.importorskip("nbclient", reason="pip install 'seqzoo[notebooks]'")
    # A kernel talks to its notebook over sockets of this machine.
    monkeypatch.undo()
    monkeypatch.setenv("SEQZOO_CACHE", str(folder / "cache"))
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(block) for block in page_blocks()]
    client = nbclient.NotebookClient(
        notebook, timeout=900, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    written = "".join(output.get("text", "") for cell in notebook.cells for output in cell.outputs)
    assert "Did you mean 'hidden_size'?" in written


def test_examples_are_short_and_numbered() -> None:
    assert [path.name[:2] for path in EXAMPLES] == ["1_", "2_", "3_", "4_", "5_"]
    for path in EXAMPLES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 40, path.name


def test_the_examples_run_one_after_another(tmp_path: Path) -> None:
    for path in EXAMPLES:
        done = subprocess.run(
            [sys.executable, str(path)],
            cwd=tmp_path,
            env=environment(OMP_NUM_THREADS="1"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{path.name}: {done.stderr}"
        assert done.stdout.strip(), path.name
    assert "['stream.aliasing']" in done.stdout


CONSUMER = """
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import seqzoo


def use(path: Path) -> float:
    run: seqzoo.Run = seqzoo.run("quick.yaml", {"train.budget.steps": 3}, root=path)
    again: seqzoo.Run = seqzoo.resume(run.path)
    opened = seqzoo.open_run(again.path).at(step=3)
    recipe: seqzoo.Recipe = seqzoo.recipe({"name": "x"}, ["train.batch_size=3"])
    result: seqzoo.Result | None = opened.result
    columns: dict[str, NDArray[np.float64]] = opened.metrics()
    score: seqzoo.TextScore = opened.score(b"text")
    bits: NDArray[np.float64] = score.bits
    text: str = "".join(opened.generate("A", length=3, chain=[{"top_p": 0.9}, "greedy"], seed=1))
    next_byte: NDArray[np.float64] = opened.predict(Path("file"))
    rows: tuple[seqzoo.LeaderboardRow, ...] = seqzoo.leaderboard("runs")
    model: seqzoo.SequenceModel = opened.model
    tokenizer: seqzoo.Tokenizer = opened.tokenizer
    leaves = [leaf.shape for leaf in opened.states("text").values()]
    print(recipe.name, result, columns, bits, text, next_byte, rows, model, tokenizer, leaves)
    return score.bits_per_byte + score.accuracy
"""


def test_a_consumers_file_passes_mypy_strict(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is a development dependency")
    (tmp_path / "consumer.py").write_text(CONSUMER)
    wrong = CONSUMER.replace("float:", "str:").replace("run.path", "run.paths")
    (tmp_path / "wrong.py").write_text(wrong)
    for name, errors in (("consumer.py", 0), ("wrong.py", 2)):
        done = subprocess.run(
            [sys.executable, "-m", "mypy", "--strict", "--config-file=", name],
            cwd=tmp_path,
            env=environment(MYPYPATH=str(REPOSITORY)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.count(" error: ") == errors, done.stdout
