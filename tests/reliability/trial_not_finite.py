"""NaN and infinity in loss, gradient, weight or moment: stopped, and no such checkpoint exists.

What is left is resumed without the fault and ends in the bits of a run that never had it.
"""

from __future__ import annotations

import functools
import json
import math
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import torch.nn.functional as F
from children import command, run_command, start
from outcome import Outcome
from tiny_runs import STEPS, architectures, different, digest
from trial_kills import Reference, reference

from seqzoo.training.updates import Training

__all__ = ["trial"]

PLACES = ("loss", "gradient", "weight", "moment")
VALUES = (math.nan, math.inf, -math.inf)


def trial(count: int, seed: int, folder: Path) -> Outcome:
    """`count` runs: each architecture x place x value in turn, at a random step."""
    found, draw = Outcome(), random.Random(seed)
    names = architectures()[: max(1, count // 4)]
    references = [reference(folder, name) for name in names]
    for number in range(count):
        chosen = references[number % len(references)]
        place = PLACES[number // len(references) % len(PLACES)]
        value, step = draw.choice(VALUES), draw.randint(1, STEPS - 1)
        case_seed = draw.randrange(2**32)
        with found.case(f"{chosen.recipe}, {value} in a {place} after step {step}, {case_seed}"):
            plant = functools.partial(_plant, place=place, value=value, seed=case_seed)
            _inject(found, chosen, folder / "runs" / f"broken-{number}", plant, step)
    return found


def _inject(
    found: Outcome,
    chosen: Reference,
    run: Path,
    plant: Callable[[Training], None],
    step: int,
) -> None:
    folder = run.parents[1]
    go = command("run", chosen.recipe, "--name", run.name, folder=folder)

    def faulty() -> int:
        update = Training.update

        def updated(self: Training) -> Any:
            if self.step == step:
                plant(self)
            return update(self)

        Training.update = updated  # type: ignore[method-assign]
        return go()

    ended = start(faulty, folder / f"{run.name}.txt").wait()
    found.require(ended.code == 5, f"it {ended}")
    found.require(not ended.has_traceback, f"a traceback: it {ended}")
    for path in sorted(run.glob("checkpoints/*/*.safetensors")):
        for name, tensor in safetensors.torch.load(path.read_bytes()).items():
            if tensor.is_floating_point():
                place = f"{path.parent.name}/{path.name}, {name}"
                found.require(bool(tensor.isfinite().all()), f"not finite: {place}")
    for path in sorted(run.glob("checkpoints/*/state.json")):
        best = json.loads(path.read_text())["best"]
        found.require(best is None or math.isfinite(best[1]), f"{path.parent.name}: best is {best}")
    again = run_command("resume", f"runs/{run.name}", folder=folder)
    found.require(again.code == 0, f"resumed without the fault, it {again}")
    if again.code == 0:
        differs = different(digest(run), chosen.digest)
        found.require(not differs, f"resumed without the fault, it has other bits in: {differs}")
    shutil.rmtree(run, ignore_errors=True)


def _plant(training: Training, *, place: str, value: float, seed: int) -> None:
    """Put a value into the next update."""
    draw = random.Random(seed)
    parameter = draw.choice(training.parameters)
    if place == "loss":
        cross_entropy = F.cross_entropy

        def broken(*arguments: Any, **named: Any) -> torch.Tensor:
            F.cross_entropy = cross_entropy
            return cross_entropy(*arguments, **named) + value

        F.cross_entropy = broken
    elif place == "gradient":
        # The process ends with this update, or the fault is in the next ones too.
        parameter.register_hook(lambda gradient: _with(gradient, value, draw))
    elif place == "weight":
        with torch.no_grad():
            parameter.copy_(_with(parameter, value, draw))
    else:
        tensors = training.optimizer.tensors()
        moments = {n: t for n, t in tensors.items() if t.is_floating_point() and t.ndim > 0}
        name = draw.choice(sorted(moments))
        tensors[name] = _with(tensors[name], value, draw)
        training.optimizer.restore(tensors)


def _with(tensor: torch.Tensor, value: float, draw: random.Random) -> torch.Tensor:
    """A copy with a value at a random place."""
    changed = tensor.detach().clone()
    changed.view(-1)[draw.randrange(changed.numel())] = value
    return changed
