"""The promises of docs/reliability.md, each with a few cases.

`python tests/reliability` tries more. A failure has what is needed to repeat its case.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from trials import TRIALS


def require(name: str, folder: Path, *, seed: int = 1) -> None:
    outcome = TRIALS[name].run(TRIALS[name].fast, seed, folder)
    assert outcome.cases > 0
    assert outcome.failures == []


def test_a_run_that_is_killed_at_any_moment_resumes_to_the_same_bits(tmp_path: Path) -> None:
    require("kills", tmp_path)


def test_a_save_that_fails_at_any_operation_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    require("failing_saves", tmp_path)


def test_what_a_loss_of_power_leaves_of_a_save_loads(tmp_path: Path) -> None:
    require("power_loss", tmp_path)


def test_no_damaged_or_foreign_checkpoint_is_loaded_silently(tmp_path: Path) -> None:
    require("damage", tmp_path)


def test_a_full_disk_stops_a_run_in_one_line_and_loses_nothing(tmp_path: Path) -> None:
    require("full_disk", tmp_path)


def test_any_recipe_is_read_or_refused_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trial_recipes.LIMIT_S", 20.0)  # the command measures, beside no other work
    require("recipes", tmp_path)


def test_a_signal_saves_the_run_and_it_resumes_to_the_same_bits(tmp_path: Path) -> None:
    require("signals", tmp_path)


def test_a_broken_plugin_is_reported_and_stops_nothing_else(tmp_path: Path) -> None:
    require("plugins", tmp_path)


def test_evaluation_changes_nothing_and_repeats_its_score(tmp_path: Path) -> None:
    require("evaluation", tmp_path)


def test_chunks_and_batches_give_the_logits_of_one_pass(tmp_path: Path) -> None:
    require("streams", tmp_path)


def test_bits_per_byte_are_what_a_file_needs(tmp_path: Path) -> None:
    require("bits", tmp_path)


def test_nothing_that_is_not_finite_is_saved(tmp_path: Path) -> None:
    require("not_finite", tmp_path)


def test_one_process_works_on_a_run(tmp_path: Path) -> None:
    require("locks", tmp_path)


def test_a_hostile_run_folder_runs_nothing_and_hangs_nothing(tmp_path: Path) -> None:
    require("hostile", tmp_path)


def test_the_cache_has_a_verified_download_or_nothing(tmp_path: Path) -> None:
    require("downloads", tmp_path)


def test_memory_and_open_files_do_not_grow(tmp_path: Path) -> None:
    require("soak", tmp_path)


def test_combinations_of_plugins_resume_to_the_same_bits(tmp_path: Path) -> None:
    require("combinations", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", TRIALS)
def test_a_tenth_of_the_full_figures_holds(name: str, tmp_path: Path) -> None:
    outcome = TRIALS[name].run(max(1, TRIALS[name].full // 10), 2, tmp_path)
    assert outcome.failures == []


def test_every_trial_has_a_test() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in TRIALS if f'require("{name}"' not in source] == []
