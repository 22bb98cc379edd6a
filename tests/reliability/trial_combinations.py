"""Every architecture with every optimizer, stream and tokenizer resumes to the same bits."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
from pathlib import Path
from typing import Any

import yaml
from children import command, run_command, start
from installed_tokenizers import tokenizers_in
from outcome import Outcome
from tiny_runs import architectures, different, digest, installed, recipe, text_of

from seqzoo.training.updates import Training

__all__ = ["trial"]

STEPS = 6


def trial(count: int, seed: int, folder: Path) -> Outcome:
    """Up to `count` combinations: training k + m updates against k, a stop, and m."""
    found, draw, registry = Outcome(), random.Random(seed), installed()
    texts = folder / "texts"
    texts.mkdir()
    for number in range(12):
        (texts / f"{number}.txt").write_bytes(text_of(400 + 30 * number, seed=number))
    combinations = list(
        itertools.product(
            architectures(),
            registry.names("optimizer"),
            [None, *registry.names("stream")],
            tokenizers_in(registry),
        )
    )
    draw.shuffle(combinations)
    for number, (name, optimizer, stream, tokenizer) in enumerate(combinations[:count]):
        stop = draw.randint(1, STEPS - 1)
        words = f"{name}, {optimizer}, {stream or 'lanes'}, {tokenizer}, stopped after {stop}"
        with found.case(words):
            made = recipe(
                name,
                texts,
                optimizer={"name": optimizer},
                stream=stream and {"name": stream},
                budget={"steps": STEPS},
                checkpoint={"every_steps": 100},
            )
            made["tokenizer"] = {"name": tokenizer}
            path = folder / f"{number}.yaml"
            path.write_text(yaml.safe_dump(made))
            _compare(found, path, stop)
    found.notes.append(f"of {len(combinations)} combinations")
    return found


def _compare(found: Outcome, recipe: Path, stop: int) -> None:
    folder, names = recipe.parent, (f"{recipe.stem}-whole", f"{recipe.stem}-stopped")
    whole = run_command("run", recipe.name, "--name", names[0], folder=folder)
    found.require(whole.code == 0, f"the whole run {whole}")
    go = command("run", recipe.name, "--name", names[1], folder=folder)

    def stopped() -> int:
        _stop_after(stop)
        return go()

    first = start(stopped, folder / f"{names[1]}.txt").wait()
    found.require(first.code == 130, f"the stopped run {first}")
    second = run_command("resume", f"runs/{names[1]}", folder=folder)
    found.require(second.code == 0, f"resumed, it {second}")
    if not whole.code and not second.code:
        runs = [folder / "runs" / name for name in names]
        differs = different(*map(digest, runs))
        found.require(not differs, f"other bits in: {differs}")
        for run in runs:
            shutil.rmtree(run)


def _stop_after(step: int) -> None:
    """In a child: as Ctrl-C in the update that makes this step."""
    update = Training.update

    def updated(self: Training) -> Any:
        done = update(self)
        if self.step == step:
            os.kill(os.getpid(), signal.SIGINT)
        return done

    Training.update = updated  # type: ignore[method-assign]
