"""Two processes and one run: exactly one works, the other names it; kill -9 frees the run."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from children import Child, command, run_command, start
from outcome import Outcome
from tiny_runs import architectures, different, digest
from trial_kills import reference

from seqzoo.training.updates import Training

__all__ = ["trial"]

UPDATE_S = 0.05
"""Each update of the two waits, so that the first still works when the second comes."""


def trial(count: int, seed: int, folder: Path) -> Outcome:
    """`count` pairs that resume a copy of one run; the winner of every second pair is killed."""
    found, draw = Outcome(), random.Random(seed)
    chosen = reference(folder, architectures()[0])
    stopped = _stopped(folder, chosen.recipe)
    for number in range(count):
        apart = draw.choice([0.0, 0.0, draw.uniform(0.0, 0.2)])
        with found.case(f"pair {number}, {apart:.3f} s apart"):
            run = Path(shutil.copytree(stopped, folder / "runs" / f"pair-{number}"))
            go = _together(command("resume", f"runs/{run.name}", folder=folder))
            pair = []
            for each in "ab":
                pair.append(start(go, folder / f"{run.name}-{each}.txt"))
                time.sleep(apart if each == "a" else 0)
            _judge(found, pair, is_killed=number % 2 == 1, run=run)
            again = run_command("resume", f"runs/{run.name}", folder=folder)
            found.require(again.code == 0, f"resumed after both, it {again}")
            if again.code == 0:
                differs = different(digest(run), chosen.digest)
                found.require(not differs, f"other bits in: {differs}")
            shutil.rmtree(run)
    return found


def _judge(found: Outcome, pair: list[Child], *, is_killed: bool, run: Path) -> None:
    """The loser ends first."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            break
        time.sleep(0.005)
    assert ended is not None, "both processes hang"
    (loser,) = (child for child in pair if child.pid == ended.si_pid)
    (winner,) = (child for child in pair if child is not loser)
    lost = loser.wait()
    if is_killed:
        winner.send(signal.SIGKILL)
    won = winner.wait()
    found.require(lost.code == 3, f"the second process {lost}")
    named = re.search(r"in use by process (\d+)", lost.text)
    found.require(
        named is not None and int(named[1]) == winner.pid,
        f"the second does not name {winner.pid}: {lost.last_line}",
    )
    expected = -signal.SIGKILL if is_killed else 0
    found.require(won.code == expected, f"the first process {won}")


def _stopped(folder: Path, recipe: str) -> Path:
    """A run that was stopped after its fourth update."""
    go = command("run", recipe, "--name", "stopped", folder=folder)

    def run() -> int:
        update = Training.update

        def updated(self: Training) -> Any:
            done = update(self)
            if self.step == 4:
                os.kill(os.getpid(), signal.SIGTERM)
            return done

        Training.update = updated  # type: ignore[method-assign]
        return go()

    ended = start(run, folder / "stopped.txt").wait()
    if ended.code != 128 + signal.SIGTERM:
        raise RuntimeError(f"the run {ended}")
    return folder / "runs" / "stopped"


def _together(then: Callable[[], int]) -> Callable[[], int]:
    def run() -> int:
        update = Training.update

        def updated(self: Training) -> Any:
            time.sleep(UPDATE_S)
            return update(self)

        Training.update = updated  # type: ignore[method-assign]
        return then()

    return run
