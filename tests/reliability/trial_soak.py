"""A long training with logs, validation and checkpoints: memory and open files do not grow."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from typing import Any

import numpy as np
from children import command, start
from outcome import Outcome
from tiny_runs import architectures, write_recipe

from seqzoo.training.updates import Training

__all__ = ["trial"]

MAX_BYTES_PER_STEP = 1e6 / 10_000
SMALLEST_GROWTH = 1e6
"""Bytes: less is one arena of the allocator, and says nothing of a trend."""

SAMPLES = 200
WARM_UP = 0.3
"""Share of the steps before the line is fitted."""

LIMIT_S = 1800.0


def trial(count: int, seed: int, folder: Path) -> Outcome:
    """`count` updates of the smallest model; a case is one of the architectures, chosen by seed."""
    found, names = Outcome(), architectures()
    name = names[(seed + 2) % len(names)]
    every = max(1, count // SAMPLES)
    path = write_recipe(
        folder,
        name,
        batch_size=2,
        bptt_length=2,
        budget={"steps": count},
        seed=seed,
        validation={"every_steps": max(1, count // 100), "max_bytes": 100, "lanes": 1},
        checkpoint={"every_steps": max(1, count // 100)},
        log_every_steps=10,
    )
    written = folder / "measured.json"
    go = command("run", path.name, "--name", "soak", "--skip-scoring", folder=folder)

    def measured() -> int:
        update, points = Training.update, []

        def updated(self: Training) -> Any:
            if self.step % every == 0:
                points.append((self.step, _resident_bytes(), len(os.listdir("/proc/self/fd"))))
                written.write_text(json.dumps(points))
            return update(self)

        Training.update = updated  # type: ignore[method-assign]
        return go()

    with found.case(f"{name}, {count:,} updates, seed {seed}"):
        ended = start(measured, folder / "soak.txt").wait(LIMIT_S)
        found.require(ended.code == 0, f"it {ended}")
        points = json.loads(written.read_text())
        steps, memory, files = np.array(points[int(WARM_UP * len(points)) :], dtype=float).T
        slope = float(np.polyfit(steps, memory, 1)[0])
        grown = slope * (steps[-1] - steps[0])
        found.notes.append(
            f"{name}: {count:,} updates, memory {slope * 10_000 / 1e6:+.3f} MB per 10,000 steps at "
            f"{memory[-1] / 1e6:.0f} MB, {files.min():.0f} to {files.max():.0f} open files"
        )
        found.require(
            slope < MAX_BYTES_PER_STEP or grown < SMALLEST_GROWTH,
            f"memory grows by {slope * 10_000 / 1e6:.2f} MB per 10,000 steps",
        )
        found.require(files.min() == files.max(), "the number of open files changes")
    return found


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
