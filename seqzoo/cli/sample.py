"""seqzoo sample RUN --prompt ..."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqzoo.cli.opened import opened
from seqzoo.cli.options import DEFAULT_RUNS, Device, Run, RunsFolder, Step, whole_number
from seqzoo.cli.sampler_options import given_links
from seqzoo.cli.trust import TrustOption

if TYPE_CHECKING:
    from seqzoo.runs.experiment import Experiment


def sample(
    ctx: typer.Context,
    run: Run,
    prompt: Annotated[
        str | None, typer.Option("--prompt", "-p", help="Text to continue; default: the recipe's.")
    ] = None,
    prompt_file: Annotated[
        Path | None,
        typer.Option(help="File with the prompt, any bytes; - reads stdin."),
    ] = None,
    length: Annotated[
        int | None,
        whole_number(
            "--length",
            "-n",
            least=1,
            help="Tokens to generate.",
        ),
    ] = None,
    sampler: Annotated[
        list[str] | None,
        typer.Option(
            "--sampler",
            "-s",
            metavar="NAME[=VALUE]",
            help="A link of the chain, e.g. -s temperature=0.8 -s top_p=0.95; the order matters. "
            "The options below are added after these, in the order given. "
            "Default: the recipe's chain.",
        ),
    ] = None,
    decoder: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[=VALUE]",
            help="Chooses the whole text in place of a chain, e.g. beam=8. Default: the recipe's.",
        ),
    ] = None,
    count: Annotated[
        int | None,
        whole_number("--count", least=1, help="How many samples."),
    ] = None,
    seed: Annotated[
        int | None,
        whole_number("--seed", least=0, help="Seed of the first sample."),
    ] = None,
    interactive: Annotated[
        bool,
        typer.Option(
            "--interactive", "-i", help="Read prompts line by line and continue each of them."
        ),
    ] = False,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Write the bytes as they are, in a terminal too."),
    ] = False,
    show_probabilities: Annotated[
        bool,
        typer.Option(
            "--show-probabilities",
            help="Colour every character by how surprising it was to the model, in bits.",
        ),
    ] = False,
    step: Step = None,
    runs: RunsFolder = DEFAULT_RUNS,
    device: Device = None,
    trust: TrustOption = False,
) -> None:
    """Sample text from a run; prints the prompt and its continuation to stdout.

    In a terminal, control characters in the text are shown and not obeyed.
    """
    from seqzoo.cli.interactive import converse
    from seqzoo.errors import UsageError
    from seqzoo.recipes.chain import parse_decoder, parse_links
    from seqzoo.terminal.console import note

    if interactive and (prompt is not None or prompt_file is not None or count is not None):
        raise UsageError(
            "--interactive reads the prompts itself; leave out --prompt, --prompt-file and --count."
        )
    if show_probabilities:
        _require_colours(raw=raw)
    trained = opened(run, device=device, step=step, trust=trust)
    start = _prompt(prompt, prompt_file)
    experiment = trained.trained.experiment
    section = experiment.recipe.sample
    links = [*(sampler or ()), *given_links(ctx)]
    if decoder and links:
        raise UsageError("--decoder replaces the chain of samplers; give one of the two.")
    chain = parse_links(links, experiment.registry) if links else section.chain
    chosen = section.decoder if not links else None
    if decoder:
        chosen = parse_decoder(decoder, experiment.registry)
    if start is None:
        start = section.prompt.encode()
    first_seed = section.seed if seed is None else seed

    def continue_(text: bytes, number: int) -> None:
        # This loads the model: a message that it cannot be loaded then follows no prompt.
        pieces = experiment.generate(
            text,
            length=length or section.length,
            chain=chain,
            decoder=chosen,
            seed=first_seed + number,
        )
        if show_probabilities:
            _print_coloured(experiment, text + b"".join(pieces))
            return
        write = _writer(raw=raw)
        write(text)
        for piece in pieces:
            write(piece)
        write(b"\n")

    if interactive:
        # The model is loaded before the first prompt, so that Ctrl-C ends a text and no import.
        list(experiment.generate(start, length=1, chain=(), seed=first_seed))
        converse(continue_)
        return
    samples = count or section.count
    for number in range(samples):
        if samples > 1:
            note(f"sample {number + 1} of {samples}, seed {first_seed + number}")
        continue_(start, number)


def _require_colours(*, raw: bool) -> None:
    """Raises UsageError where colours cannot be shown."""
    from seqzoo.errors import UsageError
    from seqzoo.terminal.console import results

    if raw:
        raise UsageError("--raw writes the bytes alone; leave out --show-probabilities.")
    console = results()
    if console.color_system is None or console.no_color:
        raise UsageError(
            "--show-probabilities needs a terminal with colours; for numbers, save the text and "
            "use: seqzoo eval RUN --file TEXT --per-byte"
        )


def _print_coloured(experiment: Experiment, data: bytes) -> None:
    """The text when it is whole, and the scale."""
    from seqzoo.runs.arguments import bytes_of
    from seqzoo.runs.text import score_text
    from seqzoo.terminal.console import results
    from seqzoo.terminal.costs import coloured_by_cost, cost_legend

    bits, bits_per_byte, _ = score_text(experiment, bytes_of(data))
    console = results()
    console.print(coloured_by_cost(data, bits.tolist()), soft_wrap=True)
    console.print(cost_legend())
    console.print(f"mean: {bits_per_byte:.2f} bits per byte, without the samplers")


def _writer(*, raw: bool) -> Callable[[bytes], None]:
    """A function that writes whole characters to a terminal, or the bytes to a file or a pipe."""
    from seqzoo.terminal.streams import results_stream

    if raw or not results_stream().isatty():
        stream = results_stream().buffer

        def write_bytes(data: bytes) -> None:
            stream.write(data)
            stream.flush()

        return write_bytes
    from seqzoo.model.generate import Utf8Stream
    from seqzoo.terminal.console import write

    text = Utf8Stream()
    return lambda data: write(text.feed(data))


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
