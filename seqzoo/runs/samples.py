"""The samples of a finished run: runs/NAME/samples/step-STEP-NUMBER.txt, any bytes."""

from __future__ import annotations

from seqzoo.runs.reopen import Trained

__all__ = ["has_samples", "write_samples"]


def has_samples(trained: Trained) -> bool:
    """Whether there is a sample of these weights."""
    return any(trained.directory.samples.glob(f"step-{trained.step}-*.txt"))


def write_samples(trained: Trained) -> None:
    """Write the recipe's samples, prompt included, as bytes."""
    section = trained.experiment.recipe.sample
    prompt = section.prompt.encode()
    trained.directory.samples.mkdir(exist_ok=True)
    for number in range(section.count):
        written = trained.experiment.generate(
            prompt, length=section.length, chain=section.chain, seed=section.seed + number
        )
        path = trained.directory.samples / f"step-{trained.step}-{number + 1}.txt"
        path.write_bytes(prompt + b"".join(written))
