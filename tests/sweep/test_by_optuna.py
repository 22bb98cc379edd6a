"""Settings asked of Optuna: what is asked depends on scores alone, not on time, jobs or kills."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from commands import SMALL, seqzoo

from seqzoo.errors import Problem, RecipeError, UsageError
from seqzoo.recipes.yaml_reader import load_yaml
from seqzoo.sweep.by_optuna import ByOptuna, Settings, recorded_settings
from seqzoo.sweep.process import MemberState
from seqzoo.sweep.search import SearchSection

needs_optuna = pytest.mark.skipif(
    __import__("importlib.util").util.find_spec("optuna") is None,
    reason="needs Optuna: pip install 'seqzoo[optuna]'",
)
SECTION = SearchSection.model_validate(
    {
        "method": "optuna",
        "members": 30,
        "ranges": {
            "rate": {"low": 1e-4, "high": 1.0, "log": True},
            "size": {"low": 8, "high": 64, "step": 8},
            "kind": {"values": ["a", "b"]},
        },
    }
)


def loss(settings: Settings) -> float:
    """Least at rate 0.01, size 64 and kind b."""
    import math

    penalty = 0.0 if settings["kind"] == "b" else 0.3
    return (math.log10(settings["rate"]) + 2) ** 2 + (64 - settings["size"]) / 64 + penalty


class FakeRun:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.state = MemberState.WAITING

    @property
    def is_finished(self) -> bool:
        return self.state is MemberState.FINISHED

    @property
    def has_settled(self) -> bool:
        return self.state in (MemberState.FINISHED, MemberState.FAILED)

    def final_validation(self) -> float:
        return loss(self.settings)


def searched(
    folder: Path,
    *,
    jobs: int,
    choose: Callable[[list[FakeRun]], FakeRun],
    most: int = 100,
    fails: Callable[[Settings], bool] = lambda settings: False,
) -> list[Settings]:
    """Every setting that was asked for, trained `jobs` at a time; at most so many are begun."""
    record = folder / "decisions.json"
    before = recorded_settings(record, SECTION)
    runs = [FakeRun(settings) for settings in before]

    def add(settings: Sequence[Settings]) -> Any:
        return FakeRun(settings[-1])

    plan = ByOptuna(SECTION, before, runs, add, record, jobs=jobs)  # type: ignore[arg-type]
    running: list[FakeRun] = []
    begun = 0
    while begun < most:
        while len(running) < jobs and (run := plan.next()) is not None:
            run.state = MemberState.RUNNING
            running.append(run)  # type: ignore[arg-type]
            begun += 1
        if not running:
            break
        ended = choose(running)
        running.remove(ended)
        ended.state = MemberState.FAILED if fails(ended.settings) else MemberState.FINISHED
    return recorded_settings(record, SECTION)


@needs_optuna
def test_what_is_asked_does_not_depend_on_which_job_ends_first_or_on_a_kill(tmp_path: Path) -> None:
    asked = []
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        draw = random.Random(number)
        if number == 2:  # killed after ten had begun; what was unfinished starts again
            searched(folder, jobs=3, choose=draw.choice, most=10)
        asked.append(searched(folder, jobs=3, choose=draw.choice))
    assert len(asked[0]) == 30
    assert asked[0] == asked[1] == asked[2]
    assert len({json.dumps(each) for each in asked[0]}) == 30


@needs_optuna
def test_later_settings_are_better_than_the_first_ones(tmp_path: Path) -> None:
    asked = searched(tmp_path, jobs=2, choose=lambda running: running[0])
    losses = [loss(settings) for settings in asked]
    assert sum(losses[-10:]) < 0.6 * sum(losses[:10])
    for settings in asked:
        assert 1e-4 <= settings["rate"] <= 1
        assert settings["size"] % 8 == 0


@needs_optuna
def test_members_that_fail_are_avoided(tmp_path: Path) -> None:
    def is_of_kind_b(settings: Settings) -> bool:
        return bool(settings["kind"] == "b")  # which is better where it does not fail

    later = []
    for name, fails in (("none", lambda settings: False), ("kind b", is_of_kind_b)):
        folder = tmp_path / name
        folder.mkdir()
        asked = searched(folder, jobs=1, choose=lambda running: running[0], fails=fails)
        assert len(asked) == 30
        later.append(sum(map(is_of_kind_b, asked[15:])))
    assert later[1] < later[0] / 2


@needs_optuna
def test_fewer_members_than_before_end_the_search(tmp_path: Path) -> None:
    asked = searched(tmp_path, jobs=1, choose=lambda running: running[0], most=5)
    record = tmp_path / "decisions.json"
    section = SECTION.model_copy(update={"members": 3})
    runs = [FakeRun(settings) for settings in asked]
    for run in runs:
        run.state = MemberState.FINISHED
    plan = ByOptuna(section, asked, runs, pytest.fail, record, jobs=1)  # type: ignore[arg-type]
    assert plan.next() is None
    assert plan.is_over()


@needs_optuna
def test_settings_that_a_recipe_refuses_are_left_out_and_ranges_can_be_used_up(
    tmp_path: Path,
) -> None:
    section = SearchSection.model_validate(
        {"method": "optuna", "members": 9, "ranges": {"size": {"low": 1, "high": 8}}}
    )
    record = tmp_path / "decisions.json"
    tried = []

    def add(settings: Sequence[Settings]) -> Any:
        if settings[-1]["size"] % 2:
            raise RecipeError([Problem("grid.yaml", 1, 1, "odd")])
        run = FakeRun(settings[-1] | {"rate": 0.1, "kind": "a"})
        tried.append(settings[-1]["size"])
        return run

    plan = ByOptuna(section, [], [], add, record, jobs=1)
    while (run := plan.next()) is not None:
        run.state = MemberState.FINISHED
    assert sorted(tried) == [2, 4, 6, 8]
    assert plan.is_over()
    assert "4 of 9 settings were tried" in plan.summary()[0]
    assert recorded_settings(record, section) == [{"size": size} for size in tried]


@needs_optuna
def test_a_record_of_another_search_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    searched(tmp_path, jobs=1, choose=lambda running: running[0], most=3)
    record = tmp_path / "decisions.json"
    with pytest.raises(UsageError, match="settings of another search"):
        recorded_settings(record, SECTION.model_copy(update={"seed": 5}))
    record.write_text("[]")
    with pytest.raises(UsageError, match="cannot be read"):
        recorded_settings(record, SECTION)


GRID = """\
name: asked
recipes: [small.yaml]
set: {train.budget.steps: 10}
search:
  method: optuna
  members: 3
  ranges:
    train.optimizer.learning_rate: {low: 1e-3, high: 1e-1, log: true}
    architecture.options.hidden_size: {low: 8, high: 24, step: 8}
finalists: 1
seeds: [1, 2]
"""


@needs_optuna
def test_a_sweep_asks_trains_and_runs_the_best_with_the_other_seeds(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "grid.yaml").write_text(GRID)
    done = seqzoo("sweep", "grid.yaml", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    runs = tmp_path / "runs" / "asked"
    results = sorted(path.parent for path in runs.glob("*/result.json"))
    assert len(results) == 4
    scores = {run.name: json.loads((run / "result.json").read_text())["scores"] for run in results}
    firsts = {name: each for name, each in scores.items() if name.endswith("seed_1")}
    best = min(firsts, key=lambda name: firsts[name]["validation"]["bits_per_byte"])
    assert f"{best[:-1]}2" in scores
    assert f"{best}: validation" in done.stderr
    asked = json.loads((runs / "decisions.json").read_text())["settings"]
    rates = [
        load_yaml((runs / name / "recipe.yaml").read_bytes(), "")[0]["train"]["optimizer"][
            "learning_rate"
        ]
        for name in firsts
    ]
    assert sorted(rates) == sorted(each["train.optimizer.learning_rate"] for each in asked)
    before = (runs / "decisions.json").read_bytes()
    again = seqzoo("sweep", "grid.yaml", folder=tmp_path)
    assert again.returncode == 0, again.stderr
    assert " starts" not in again.stderr
    assert (runs / "decisions.json").read_bytes() == before


def test_without_optuna_a_sentence_says_how_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "grid.yaml").write_text(GRID)
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    missing = """raise ModuleNotFoundError("No module named 'optuna'", name="optuna")\n"""
    (hidden / "optuna.py").write_text(missing)
    done = seqzoo("sweep", "grid.yaml", folder=tmp_path, PYTHONPATH=str(hidden))
    assert done.returncode != 0
    assert "pip install 'seqzoo[optuna]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GRID + "grid: {train.batch_size: [4]}\n", "leave out grid"),
        (GRID + "asha: {}\n", "leave out asha"),
        (GRID.replace("finalists: 1\n", ""), "further seeds are for finalists"),
    ],
)
def test_what_has_no_meaning_beside_optuna_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "grid.yaml").write_text(text)
    done = seqzoo("sweep", "grid.yaml", "--dry-run", folder=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr


@needs_optuna
def test_a_record_that_was_removed_finds_its_members_again(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "grid.yaml").write_text(GRID)
    assert seqzoo("sweep", "grid.yaml", folder=tmp_path).returncode == 0
    record = tmp_path / "runs" / "asked" / "decisions.json"
    before = record.read_text()
    record.unlink()
    done = seqzoo("sweep", "grid.yaml", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert " starts" not in done.stderr
    assert record.read_text() == before
