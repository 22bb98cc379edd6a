"""SIGINT, SIGTERM and SIGHUP at random moments, and Ctrl-C twice: saved, and the same bits after.

A run that says "saved at step N" must have that checkpoint; no process is left.
"""

from __future__ import annotations

import random
import re
import shutil
import signal
import time
from pathlib import Path

from children import Ended, command, run_command, start
from outcome import Outcome
from tiny_runs import architectures, different, digest, newest_step
from trial_kills import Reference, reference

__all__ = ["trial"]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def trial(count: int, seed: int, folder: Path) -> Outcome:
    """Stop `count` runs, every fourth with a second Ctrl-C."""
    found, draw = Outcome(), random.Random(seed)
    names = architectures()[: max(1, count // 4)]
    references = [reference(folder, name) for name in names]
    stopped = in_training = 0
    for number in range(count):
        chosen = references[number % len(references)]
        is_double = number % 4 == 3
        sent = signal.SIGINT if is_double else SIGNALS[number % len(SIGNALS)]
        after, between = draw.uniform(0.05, 1.0) * chosen.seconds, draw.uniform(0.0, 0.05)
        twice = f", again after {between:.3f} s" if is_double else ""
        with found.case(f"{chosen.recipe}, {sent.name} after {after:.3f} s{twice}"):
            run = folder / "runs" / f"stopped-{number}"
            go = command("run", chosen.recipe, "--name", run.name, folder=folder)
            child = start(go, folder / f"{run.name}.txt")
            time.sleep(after)
            child.send(sent)
            if is_double:
                time.sleep(between)
                child.send(sent)
            ended = child.wait()
            stopped += ended.code != 0
            in_training += "saved at step" in ended.text
            _judge(found, run, ended, sent, is_double=is_double)
            _continue(found, chosen, run)
    found.notes.append(f"{stopped} were stopped before their end, {in_training} in training")
    return found


def _judge(
    found: Outcome, run: Path, ended: Ended, sent: signal.Signals, *, is_double: bool
) -> None:
    # 0 where the run had ended before the signal came.
    found.require(ended.code in (128 + sent, 0), f"it {ended}")
    found.require(not ended.has_traceback, f"a traceback: it {ended}")
    found.require(not ended.left_processes, "a process is left")
    if said := re.search(r"saved at step (\d+)", ended.text):
        found.require(newest_step(run) == int(said[1]), f"{said[0]}, but {newest_step(run)} is")
    elif run.exists() and not is_double:
        # A second Ctrl-C ends the process in the middle of making the folder.
        found.require(newest_step(run) is not None, f"no checkpoint: it {ended}")


def _continue(found: Outcome, chosen: Reference, run: Path) -> None:
    folder = run.parents[1]
    if newest_step(run) is None:
        shutil.rmtree(run, ignore_errors=True)
    if run.exists():
        again = run_command("resume", f"runs/{run.name}", folder=folder)
    else:
        again = run_command("run", chosen.recipe, "--name", run.name, folder=folder)
    found.require(again.code == 0, f"continued, it {again}")
    if again.code == 0:
        differs = different(digest(run), chosen.digest)
        found.require(not differs, f"continued, it has other bits in: {differs}")
    shutil.rmtree(run, ignore_errors=True)
