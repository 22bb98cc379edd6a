"""seqzoo sample RUN --prompt ..."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from seqzoo.cli.opened import opened
from seqzoo.cli.options import Device, Run, Step


def sample(
    run: Run,
    prompt: Annotated[
        str | None, typer.Option("--prompt", "-p", help="Text to continue; default: the recipe's.")
    ] = None,
    prompt_file: Annotated[
        Path | None,
        typer.Option(help="File with the prompt, any bytes; - reads stdin."),
    ] = None,
    length: Annotated[
        int | None, typer.Option("--length", "-n", min=1, help="Tokens to generate.")
    ] = None,
    sampler: Annotated[
        list[str] | None,
        typer.Option(
            "--sampler",
            "-s",
            metavar="NAME[=VALUE]",
            help="A link of the chain, e.g. -s temperature=0.8 -s top_p=0.95; the order matters. "
            "Default: the recipe's chain.",
        ),
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="How many samples.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the first sample.")] = None,
    step: Step = None,
    device: Device = None,
) -> None:
    """Sample text from a run; prints the prompt and its continuation to stdout."""
    from seqzoo.recipes.choices import parse_links
    from seqzoo.terminal.console import note

    trained = opened(run, device=device, step=step)
    experiment = trained.trained.experiment
    section = experiment.recipe.sample
    chain = parse_links(sampler, experiment.registry) if sampler else section.chain
    start = _prompt(prompt, prompt_file)
    if start is None:
        start = section.prompt.encode()
    first_seed = section.seed if seed is None else seed
    samples = count or section.count
    for number in range(samples):
        if samples > 1:
            note(f"sample {number + 1} of {samples}, seed {first_seed + number}")
        write = _writer()
        write(start)
        for piece in experiment.generate(
            start, length=length or section.length, chain=chain, seed=first_seed + number
        ):
            write(piece)
        write(b"\n")


def _writer() -> Callable[[bytes], None]:
    """A function that writes whole characters to a terminal, or the bytes to a file or a pipe."""
    if not sys.stdout.isatty():
        raw = sys.stdout.buffer

        def write_bytes(data: bytes) -> None:
            raw.write(data)
            raw.flush()

        return write_bytes
    from seqzoo.model.generate import Utf8Stream

    text = Utf8Stream()
    return lambda data: print(text.feed(data), end="", flush=True)


def _prompt(text: str | None, file: Path | None) -> bytes | None:
    from seqzoo.errors import UsageError

    if text is not None and file is not None:
        raise UsageError("--prompt and --prompt-file cannot be used together; give one.")
    if text is not None:
        return os.fsencode(text)  # the bytes of the command line, UTF-8 or not
    if file is None:
        return None
    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error
