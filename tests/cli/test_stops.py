"""What is printed when a command is stopped, at every stage."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from commands import SMALL
from stopped_imports import stop_while_importing
from waiting import WAIT

from seqzoo import cli
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import parse_recipe
from seqzoo.runs import runner
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.interruption import Interrupted, stopping
from seqzoo.terminal.display import Display

_SLOW_TORCH = f"""\
import os, pathlib, time
try:
    pathlib.Path("importing").touch()
    {WAIT}
except BaseException:
    os.abort()  # as compiled code does that does not expect an exception
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("command", ["run small.yaml", "bench lstm", "doctor small.yaml"])
def test_a_stop_while_torch_is_imported_is_one_line(
    tmp_path: Path, command: str, number: signal.Signals
) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(_SLOW_TORCH)
    (tmp_path / "small.yaml").write_text(SMALL)
    out, messages, code = stop_while_importing(
        ["-m", "seqzoo", *command.split()], number, folder=tmp_path, modules=tmp_path
    )
    assert out == ""
    assert messages.endswith("Stopped.\n")
    assert "checkpoint" not in messages
    assert code == 128 + number


def test_a_stage_says_what_is_saved_and_how_to_continue() -> None:
    with (
        pytest.raises(Interrupted, match=r"^inner: continue$") as caught,
        stopping("outer"),
        stopping("inner", command="continue"),
    ):
        raise KeyboardInterrupt
    assert caught.value.exit_code == 130
    assert (caught.value.message, caught.value.command) == ("inner", "continue")


_STAGES = [
    ("new_experiment", "nothing is saved"),
    ("train_run", "the last checkpoint is saved"),
    ("finish_run", "Training is finished and saved; score it with"),
]


@pytest.mark.parametrize(("stage", "saved"), _STAGES)
def test_a_stop_says_what_is_saved_at_each_stage_of_a_run(
    stage: str, saved: str, tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(first: Any, *_: Any, **__: Any) -> None:
        if isinstance(first, RunDirectory):
            (first.checkpoints / "step-0").mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, stage, stop)
    recipe = parse_recipe(
        SMALL, registry, source="small.yaml", base=tmp_path, overrides=["train.budget.steps=1"]
    )
    root = tmp_path / "läufe und mehr"
    with pytest.raises(Interrupted, match=saved) as caught:
        runner.run_recipe(recipe, root=root, display=Display())
    expected = f"seqzoo resume '{root / 'small'}'" if (root / "small").exists() else ""
    assert caught.value.command == expected


def test_a_stopped_command_prints_the_message_and_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop() -> int:
        raise Interrupted(signal.SIGTERM, "Saved; continue with", command="seqzoo resume runs/x")

    monkeypatch.setattr(cli, "_run", stop)
    assert cli._exit_code() == 143
    assert capsys.readouterr().err == "Saved; continue with: seqzoo resume runs/x\n"
