"""Which baselines a run is compared with, and what is said about the others."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import SMALL

from seqzoo.model.runtime import make_runtime
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import recipe as make_recipe
from seqzoo.recipes.sections import BaselinesSection
from seqzoo.results.ladder import Ladder
from seqzoo.runs.experiment import Experiment, new_experiment
from seqzoo.runs.ladder import fast_ladder, final_ladder
from seqzoo.scoring import baselines
from seqzoo.storage import cache_directory
from seqzoo.terminal.display import Display

RECIPE: Mapping[str, Any] = yaml.safe_load(SMALL)
ALL = BaselinesSection(max_seconds="unlimited")


class Recorder(Display):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQZOO_CACHE", str(tmp_path / "cache"))


def experiment(registry: Registry, **overrides: Any) -> tuple[Experiment, Recorder]:
    recipe = make_recipe(RECIPE, {"corpus.options.size_bytes": 8000} | overrides, registry=registry)
    display = Recorder()
    return new_experiment(recipe, runtime=make_runtime(recipe.runtime), display=display), display


def final(made: Experiment, section: BaselinesSection | None = None, **changes: Any) -> Ladder:
    arguments: dict[str, Any] = {"training_seconds": 1.0, "path": Path("my runs/a")} | changes
    return final_ladder(made, section or made.recipe.baselines, **arguments)


def names(ladder: Ladder) -> set[str]:
    return {rung.name for rung in ladder.rungs}


def slow(monkeypatch: pytest.MonkeyPatch, times: float) -> None:
    """Every declared rate is that many times slower on this machine."""
    monkeypatch.setattr(baselines, "slowness", lambda: times)


def test_baselines_that_take_longer_than_training_are_left_out_and_named(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch, 40_000.0)  # brotli takes minutes; the n-grams more than training
    made, display = experiment(registry)
    found = final(made)
    assert names(found) == {"uniform"}
    assert "brotli" in {each.name for each in found.left_out if each.reason == "time"}
    (note,) = display.notes
    assert "brotli (about " in note
    assert note.endswith("To score them: seqzoo eval 'my runs/a' --baselines all")
    assert final(made, training_seconds=1e9).left_out == ()


def test_nothing_is_left_out_for_less_than_half_a_minute(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch, 1.0)
    made, display = experiment(registry)
    assert final(made, training_seconds=0.0).left_out == ()
    assert display.notes == []


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"include": []}, set()),
        ({"include": ["uniform", "gzip"]}, {"uniform", "primed gzip"}),
        ({"include": ["uniform", "gzip"], "exclude": ["gzip"]}, {"uniform"}),
    ],
)
def test_a_section_chooses_baselines_by_name(
    registry: Registry, section: dict[str, Any], expected: set[str]
) -> None:
    made, display = experiment(registry, baselines=section)
    found = final(made)
    assert names(found) == expected
    installed = {
        each.spec.name for each in registry.registered("baseline") if not each.spec.needs_options
    }
    assert {each.name for each in found.left_out} == installed - {
        name.removeprefix("primed ") for name in expected
    }
    assert {each.reason for each in found.left_out} == {"excluded"}
    assert display.notes == []  # the user knows


def test_baselines_that_are_included_by_name_have_no_limit(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch, 1e9)
    made, _ = experiment(registry, baselines={"include": ["gzip"]})
    assert names(final(made)) == {"primed gzip"}


def test_the_final_ladder_has_the_scores_of_the_fast_one_also_without_a_cache(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "baselines").write_text("a file, so that no score can be cached")
    slow(monkeypatch, 300.0)
    made, _ = experiment(registry)
    fast = fast_ladder(made)
    assert "order-3" in names(fast)
    assert "primed brotli" not in names(fast)
    scored: list[str] = []

    def note(*arguments: Any) -> Any:
        scored.append(arguments[0].spec.name)
        return whole(*arguments)

    whole = baselines._score
    monkeypatch.setattr(baselines, "_score", note)
    found = final(made, ALL)
    assert "brotli" in scored
    assert "ngrams" not in scored
    assert names(fast) < names(found)
    assert [rung for rung in found.rungs if rung in fast.rungs] == list(fast.rungs)


def test_the_fast_ladder_takes_a_tenth_of_a_budget_in_seconds(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch, 100.0)
    budget = {"train.budget": {"seconds": 0.001}}
    assert names(fast_ladder(experiment(registry, **budget)[0])) == {"uniform"}
    assert names(fast_ladder(experiment(registry, **{"train.budget": {"seconds": 50}})[0])) > {
        "uniform", "order-3",
    }  # fmt: skip


def test_cached_baselines_are_part_of_the_fast_ladder(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = final(experiment(registry)[0], ALL)
    slow(monkeypatch, 1e9)
    assert names(fast_ladder(experiment(registry)[0])) == names(whole)


def test_a_missing_package_is_reported_once_with_a_command_that_can_be_pasted(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("brotli", "zstandard"):
        monkeypatch.setitem(sys.modules, module, None)
    section = BaselinesSection(include=("brotli", "zstd", "gzip"))
    made, display = experiment(registry)
    final(made, section)
    (note,) = display.notes
    assert "(brotli, zstd)" in note
    assert note.endswith("pip install brotli zstandard")
    assert "Error" not in note
    made, display = experiment(registry)
    final(made, section)
    assert display.notes == []
    assert display.warnings == []
    said = cache_directory() / "baselines" / "missing.txt"
    said.unlink()
    os.mkfifo(said)  # nobody writes to it
    made, display = experiment(registry)
    final(made, section)
    assert len(display.notes) == 1


def test_the_limit_of_bytes_is_that_of_the_scores(registry: Registry) -> None:
    whole, _ = experiment(registry, baselines={"include": ["uniform", "gzip"]})
    short, _ = experiment(
        registry, baselines={"include": ["uniform", "gzip"]}, **{"evaluate.max_bytes": 100}
    )
    assert whole.protocol.max_bytes is None
    assert short.protocol.max_bytes == 100
    assert final(whole).floor != final(short).floor
    long, _ = experiment(registry, **{"evaluate.max_bytes": 10**6})
    assert long.protocol == whole.protocol
