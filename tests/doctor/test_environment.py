"""What the doctor reports of the machine and the installation."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from doctor_subjects import subject

from seqzoo.doctor.checks.environment import (
    determinism as environment_determinism,
)
from seqzoo.doctor.checks.environment import (
    plugin_folders as environment_plugin_folders,
)
from seqzoo.doctor.checks.environment import (
    plugins as environment_plugins,
)
from seqzoo.doctor.checks.environment import (
    threads as environment_threads,
)
from seqzoo.doctor.checks.environment import (
    torch_build as environment_torch,
)
from seqzoo.plugin.registry import Broken, Owner, Registry


def test_more_threads_than_cores_are_reported_with_the_number_to_set() -> None:
    cores = environment_threads.usable_cores()
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(cores + 1)
        outcome = environment_threads.examine(subject())
        assert outcome.status == "warn"
        assert f"set_num_threads({cores})" in outcome.remedy
        assert not outcome.changes, "there is no recipe that could be changed"
        torch.set_num_threads(1)
        assert environment_threads.examine(subject()).status == "pass"
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("limit", "cores"), [(None, 8), (1.5, 1), (2.6, 3), (0.5, 1), (100.0, 8)])
def test_a_limit_of_the_control_groups_limits_the_cores(
    limit: float | None, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqzoo.cores.core_limit", lambda: limit)
    monkeypatch.setattr("seqzoo.cores.usable_cores", lambda: frozenset(range(8)))
    assert environment_threads.usable_cores() == cores


def test_an_unused_accelerator_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment_torch, "_DRIVER", tmp_path / "none")
    assert environment_torch.examine(subject()).status == "pass"
    monkeypatch.setattr(environment_torch, "_DRIVER", tmp_path)
    monkeypatch.setattr(torch.version, "cuda", None)
    assert environment_torch.examine(subject()).status == "warn"


def test_a_broken_plugin_is_named_with_its_cause() -> None:
    registry = Registry(broken=[Broken(Owner("mamba", "seqzoo-mamba", "0.2"), "no module 'x'")])
    outcome = environment_plugins.examine(subject(registry=registry))
    assert outcome.status == "warn"
    assert "'mamba' (seqzoo-mamba 0.2)" in outcome.seen
    assert environment_plugins.examine(subject()).status == "pass"


def test_a_plugin_that_no_entry_point_names_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("named", "forgotten", "_private"):
        (tmp_path / "their_plugins" / name).mkdir(parents=True)
        (tmp_path / "their_plugins" / name / "__init__.py").write_text(
            "from seqzoo import hookimpl\n"
        )
    (tmp_path / "their_plugins" / "__init__.py").write_text("")
    (tmp_path / "their_plugins" / "plain.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = SimpleNamespace(value="their_plugins.named")
    monkeypatch.setattr(environment_plugin_folders, "_entry_points", lambda: [entry])
    outcome = environment_plugin_folders.examine(subject())
    assert outcome.status == "warn"
    assert "their_plugins.forgotten" in outcome.seen
    assert outcome.numbers["nameless"] == 1


def test_this_installation_has_no_forgotten_plugin(registry: Registry) -> None:
    outcome = environment_plugin_folders.examine(subject(registry=registry))
    assert outcome.status == "pass", outcome.seen


def record(**changes: Any) -> dict[str, Any]:
    return {"versions": {"torch": "2.13"}, "device": "cpu", "threads": 2, **changes}


@pytest.mark.parametrize(
    ("then", "status"),
    [(record(), "pass"), (record(threads=1), "warn"), (record(versions={"torch": "1"}), "warn")],
)
def test_a_run_of_another_installation_is_reported_as_not_repeatable(
    then: dict[str, Any], status: str
) -> None:
    runtime = SimpleNamespace(record=record)
    run = SimpleNamespace(record=then, experiment=SimpleNamespace(runtime=runtime))
    assert environment_determinism.examine(subject(run=run)).status == status
