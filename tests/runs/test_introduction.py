"""What a run says before it trains agrees with what it then does."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from commands import SMALL, seqzoo

import seqzoo as package
from seqzoo.recipes.sections import BudgetSection
from seqzoo.runs import introduction

RECIPE = yaml.safe_load(SMALL)


def facts(err: str) -> dict[str, str]:
    """The block before training; a line that begins with blanks continues the one before."""
    found: dict[str, str] = {}
    name = ""
    for line in err.splitlines():
        if line.startswith("step "):
            break
        if line[:1] == " " and name:
            found[name] += " " + line.strip()
        elif "  " in line:
            name, _, value = line.partition("  ")
            found[name] = value.strip()
    return found


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.82, "0.82 times"),
        (4.284, "4.3 times"),
        (910.2, "910 times"),
        (91_000.4, "91,000 times"),
        (0.0123, "0.012 times"),
        (0.00091, "less than 0.01 times"),
    ],
)
def test_how_often_a_text_is_read_is_a_number_without_a_power_of_ten(
    share: float, words: str
) -> None:
    assert introduction._times(share) == words


def test_one_pass_is_singular() -> None:
    assert introduction._limits(BudgetSection(epochs=1)) == "1 pass over the training part"
    assert introduction._limits(BudgetSection(epochs=2)) == "2 passes over the training part"


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_the_facts_before_training_are_those_of_the_run(tmp_path: Path, columns: str) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    done = seqzoo("run", "small.yaml", "train.budget.steps=20", folder=tmp_path, COLUMNS=columns)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stderr.splitlines())) <= max(int(columns), 80)
    said, run = facts(done.stderr), package.open_run(tmp_path / "runs/small")
    assert run.result is not None
    splits = run.trained.experiment.data.splits
    for span in (splits.training, splits.validation, splits.test):
        assert f"{len(span):,} for" in said["corpus"]
    assert f"{run.result.corpus.bytes:,} bytes" in said["corpus"]
    assert f"{run.result.parameters:,} parameters" in said["architecture"]
    assert f"vocabulary of {run.tokenizer.vocab_size:,}" in said["tokenizer"]
    assert said["device"].startswith(f"{run.result.device}, {run.result.threads} thread")
    assert said["budget"].startswith("20 updates")
    assert f"{run.result.training_bytes:,} bytes" in said["budget"]
    assert "runs/small" in said["folder"]


def test_a_resumed_run_says_from_which_step_it_continues(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = package.run(RECIPE, {"train.budget.steps": 20}, root=tmp_path)
    import shutil

    shutil.rmtree(run.path / "checkpoints" / "step-20")
    (run.path / "result.json").unlink()
    package.resume(run.path, show_progress=True)
    assert facts(capfd.readouterr().err)["continues"] == "from step 10"
