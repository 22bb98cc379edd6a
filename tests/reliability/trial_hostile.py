"""Hostile run folders: nothing runs, nothing hangs, nothing outside changes, memory is bounded.

Where a checkpoint cannot be used, the exit code is 4; a fault of another file of the run is 2 or 3.
A command that succeeds must have said what it passed over, or not have needed the file.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from children import Ended, command, start
from hostile_checkpoints import CANARY, HOSTILE, VICTIM
from outcome import Outcome
from tiny_runs import architectures, run_once

from seqzoo.training.checkpoint_files import checkpoint_steps

__all__ = ["trial"]

COMMANDS = (
    ("resume", "runs/hostile"),
    ("sample", "runs/hostile", "-n", "3"),
    ("eval", "runs/hostile"),
    ("runs", "runs"),
    ("leaderboard", "runs"),
    ("compare", "runs/hostile", "runs/good"),
    ("doctor", "runs/hostile", "--only", "model.causality"),
)

LIMIT_S = 20.0
"""A command on a good run takes half a second."""

MAX_ADDED_BYTES = 500_000_000
"""Of memory, over what the same command takes for a good run."""


def trial(count: int, seed: int, folder: Path) -> Outcome:
    """`count` hostile folders, each with `resume`, and with one of the other commands in turn."""
    found, draw = Outcome(), random.Random(seed)
    good = run_once(folder, architectures()[0], name="good")
    # So that resume has something to do.
    for step in checkpoint_steps(good / "checkpoints")[-1:]:
        shutil.rmtree(good / "checkpoints" / f"step-{step}")
    shutil.copytree(good, folder / "runs" / "hostile")
    usual = {words[0]: _run(folder, *words) for words in COMMANDS}
    for command_name, ended in usual.items():
        found.require(ended.code in (0, 6), f"{command_name} of a good run: it {ended}")
    names = list(HOSTILE)
    draw.shuffle(names)
    peak = 0
    for number, name in enumerate(names[:count]):
        for words in (COMMANDS[0], COMMANDS[1 + number % (len(COMMANDS) - 1)]):
            run = folder / "runs" / "hostile"
            shutil.rmtree(run, ignore_errors=True)
            shutil.copytree(good, run)
            (folder / VICTIM).write_text("dear diary")
            HOSTILE[name](run)
            with found.case(f"{' '.join(words)}, with {name}"):
                ended = _run(folder, *words)
                _judge(found, folder, words[0], ended, usual[words[0]])
                peak = max(peak, ended.peak_bytes - usual[words[0]].peak_bytes)
    found.notes.append(f"at most {peak / 1e6:.0f} MB more memory than with a good run")
    return found


def _run(folder: Path, *words: str) -> Ended:
    output = folder / "ended.txt"
    output.unlink(missing_ok=True)
    go = command(*words, folder=folder)
    return start(go, output, memory=4 * MAX_ADDED_BYTES).wait(LIMIT_S)


def _judge(found: Outcome, folder: Path, command: str, ended: Ended, usual: Ended) -> None:
    is_answered = ended.code in (0, 2, 3, 4, 6) and not (ended.is_hung or ended.has_traceback)
    found.require(is_answered, f"it {ended}")
    found.require(not (folder / CANARY).exists(), "the canary exists: code was run")
    (folder / CANARY).unlink(missing_ok=True)
    found.require((folder / VICTIM).read_text() == "dear diary", "a file outside was changed")
    found.require("\x1b]0;" not in ended.text, "a control sequence reached the terminal")
    found.require(len(ended.text) < 20_000, f"{len(ended.text):,} characters are printed")
    added = ended.peak_bytes - usual.peak_bytes
    found.require(added < MAX_ADDED_BYTES, f"{added / 1e6:.0f} MB more memory than usual")
    if ended.code in (2, 3, 4):
        said = [line for line in ended.text.splitlines() if line.startswith("error: ")]
        found.require(len(said) >= 1, f"no sentence: it {ended}")
