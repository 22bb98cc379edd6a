"""kill -9 at random moments, half of them inside a save: every run resumes to the same bits.

Compared with a run of the same recipe that was never killed.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from children import command, run_command, start
from file_operations import Operation, watching
from outcome import Outcome
from tiny_runs import architectures, different, digest, newest_step, write_recipe

from seqzoo.training import checkpoint as checkpoints

__all__ = ["Reference", "kill_and_resume", "reference", "trial"]

KILLS_OF_ONE_RUN = 10


@dataclass(frozen=True)
class Reference:
    """A run that was never stopped. operations: how many its saves made. seconds: it took."""

    recipe: str
    run: Path
    digest: Any
    operations: int
    seconds: float


def trial(count: int, seed: int, folder: Path) -> Outcome:
    """Kill `count` runs, of every architecture in turn."""
    found, draw = Outcome(), random.Random(seed)
    references = [reference(folder, name) for name in architectures()]
    early = 0
    for number in range(count):
        chosen = references[number % len(references)]
        is_aimed = (number + number // len(references)) % 2 == 0
        # The later of two: before the first checkpoint there is nothing to lose.
        place = draw.random() if is_aimed else max(draw.random(), draw.random())
        how = f"{'in a save' if is_aimed else 'at random'}, place {place:.4f}"
        with found.case(f"{chosen.recipe} killed {how}"):
            at = int(place * chosen.operations) if is_aimed else place * chosen.seconds
            run = folder / "runs" / f"killed-{number}"
            early += kill_and_resume(found, chosen, run, at)
    often = min(count, KILLS_OF_ONE_RUN)
    with found.case(f"one run of {references[0].recipe} killed {often} times"):
        _kill_often(found, references[0], folder / "runs" / "often", often, draw)
    found.notes.append(f"{early} of the kills came before the first checkpoint")
    return found


def reference(folder: Path, architecture: str) -> Reference:
    """Run the recipe to its end, undisturbed, and count the operations of its saves."""
    recipe = write_recipe(folder, architecture).name
    count = folder / f"{architecture}.count"

    def counting() -> int:
        operations = [0]

        def watch(_: Operation) -> None:
            operations[0] += 1

        _watch_saves(watch)
        try:
            return command("run", recipe, "--name", f"whole-{architecture}", folder=folder)()
        finally:
            count.write_text(str(operations[0]))

    ended = start(counting, folder / f"{architecture}.txt").wait()
    if ended.code:
        raise RuntimeError(f"{recipe} does not run: {ended}")
    run = folder / "runs" / f"whole-{architecture}"
    return Reference(recipe, run, digest(run), int(count.read_text()), ended.seconds)


def kill_and_resume(found: Outcome, chosen: Reference, run: Path, at: float) -> bool:
    """Kill a run and compare the resumed one; True if it had no checkpoint and began again.

    at: an int for the number of an operation in a save, a float for seconds after the start.
    """
    folder = run.parents[1]
    go = command("run", chosen.recipe, "--name", run.name, folder=folder)
    child = start(_killed_at(at, go) if isinstance(at, int) else go, folder / f"{run.name}.txt")
    if isinstance(at, float):
        time.sleep(at)
        child.send(signal.SIGKILL)
    ended = child.wait()
    found.require(
        ended.code == -signal.SIGKILL or (ended.code == 0 and isinstance(at, float)),
        f"the run {ended}",
    )
    began_again = newest_step(run) is None
    if began_again:
        if run.exists():
            said = run_command("resume", f"runs/{run.name}", folder=folder)
            found.require(
                said.code in (2, 4) and not said.has_traceback, f"without a checkpoint it {said}"
            )
            shutil.rmtree(run)
        again = run_command("run", chosen.recipe, "--name", run.name, folder=folder)
    else:
        again = run_command("resume", f"runs/{run.name}", folder=folder)
    found.require(again.code == 0, f"resumed, it {again}")
    found.require("Using step" not in again.text, f"a checkpoint was not complete: it {again}")
    if again.code == 0:
        differs = different(digest(run), chosen.digest)
        found.require(not differs, f"the resumed run has other bits in: {differs}")
        left = [path.name for path in run.rglob("*.tmp")]
        found.require(not left, f"{left} are left")
    shutil.rmtree(run, ignore_errors=True)
    return began_again


def _kill_often(
    found: Outcome, chosen: Reference, run: Path, times: int, draw: random.Random
) -> None:
    folder = run.parents[1]
    arguments = ["run", chosen.recipe, "--name", run.name]
    # In a save of each such part of the run, so that it is not finished before the last.
    share = chosen.operations / (times + 2)
    for number in range(times):
        go = command(*arguments, folder=folder)
        at = int(share * (1.5 if number == 0 else draw.uniform(0.7, 1.3)))
        start(_killed_at(at, go), folder / f"often-{number}.txt").wait()
        arguments = ["resume", f"runs/{run.name}"]
    again = run_command(*arguments, folder=folder)
    found.require(again.code == 0, f"resumed, it {again}")
    differs = different(digest(run), chosen.digest)
    found.require(not differs, f"the resumed run has other bits in: {differs}")


def _killed_at(number: int, then: Callable[[], int]) -> Callable[[], int]:
    """The process is killed before the operation with this number in its saves."""

    def run() -> int:
        left = [number]

        def watch(_: Operation) -> None:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1

        _watch_saves(watch)
        return then()

    return run


def _watch_saves(watch: Callable[[Operation], None]) -> None:
    """In a child: call `watch` before each operation of every save."""
    save = checkpoints.save

    def watched(*arguments: Any, **named: Any) -> Any:
        with watching(watch):
            return save(*arguments, **named)

    checkpoints.save = watched
