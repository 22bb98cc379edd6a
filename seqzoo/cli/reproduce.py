"""seqzoo reproduce CARD"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqzoo.cli.options import DEFAULT_RUNS, AsJson, RunsFolder, whole_number
from seqzoo.cli.trust import TrustOption, with_trust

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seqzoo.cards.outcome import Difference
    from seqzoo.cards.repeat import Repetition


def reproduce(
    card: Annotated[
        Path,
        typer.Argument(
            metavar="CARD",
            help="A file that 'seqzoo card' has written, e.g. docs/cards/quick.json.",
            show_default=False,
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(
            help="Name of the run's folder; default: that of the recipe, with the first digits of "
            "the hash of the card's weights.",
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            "--text",
            help="The text of the card, if it is a text of somebody's own and not beside the card: "
            "a file, a folder, a quoted pattern, or - for stdin; may be repeated.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        int,
        whole_number(
            "--seeds",
            least=1,
            help="Trainings with different seeds, if the first does not give the same bits: they "
            "show how much trainings differ by chance.",
        ),
    ] = 1,
    runs: RunsFolder = DEFAULT_RUNS,
    device: Annotated[
        str | None,
        typer.Option(
            help="auto, cpu, cuda, cuda:N or mps; default: that of the card.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    trust: TrustOption = False,
    as_json: AsJson = False,
) -> None:
    """Train the recipe of a card again, and say whether its result came out.

    The answer is one of: the same bits, within noise, not reproduced, not
    decided; the last two give exit code 6. The text is compared with the card
    before training, with the number of threads that the card has. If you stop
    it, the same command continues it.
    """
    from seqzoo.cards.repeat import reproduce as repeated
    from seqzoo.cli.plugins import installed
    from seqzoo.errors import FindingsError
    from seqzoo.terminal.console import note
    from seqzoo.terminal.display import TerminalDisplay
    from seqzoo.terminal.streams import write_data

    note(f"reading the card {card}")  # at once: imports take seconds
    done = repeated(
        card,
        with_trust(installed(), trust),
        root=runs,
        name=_checked_name(name),
        text=text,
        seeds=seeds,
        device=device,
        display=TerminalDisplay(),
    )
    if as_json:
        write_data(json.dumps(_as_data(done), indent=2))
    else:
        _print(done)
    if (verdict := done.outcome.verdict).is_finding:
        raise FindingsError(f"{card}: {verdict}: {done.outcome.reason}.")


def _checked_name(name: str | None) -> str | None:
    from seqzoo.errors import UsageError
    from seqzoo.recipes.sections import run_name

    try:
        return None if name is None else run_name(name)
    except ValueError as error:
        raise UsageError(f"--name: {error}.") from None


def _as_data(done: Repetition) -> dict[str, object]:
    found = done.outcome
    return {
        "verdict": str(found.verdict),
        "reason": found.reason,
        "difference": None if found.difference is None else asdict(found.difference),
        "runs": list(map(str, done.runs)),
        "environment": [asdict(other) for other in done.others],
    }


def _print(done: Repetition) -> None:
    from rich.text import Text

    from seqzoo.terminal.console import results

    found, console = done.outcome, results()
    console.print(
        Text(str(found.verdict), style="bold red" if found.verdict.is_finding else "bold green")
    )
    for line in (f"{found.reason[0].upper()}{found.reason[1:]}.", *_further(done)):
        console.print(Text(line))


def _further(done: Repetition) -> Iterator[str]:
    from seqzoo.cards.outcome import Verdict
    from seqzoo.terminal.format import quoted

    found = done.outcome
    if found.difference is not None:
        yield _in_words(found.difference)
    if found.verdict is not Verdict.SAME_BITS:
        yield from (f"Differs: {other}." for other in done.others)
        if done.card.budget_by_clock:
            yield "The card was trained by the clock, so the same bits were not expected."
        elif not done.others:
            yield (
                "Nothing that a card records differs here, so the same bits were expected: either "
                "its recipe is not the one of its scores, or a plugin computes other bits each "
                "time."
            )
    if found.verdict is Verdict.NOT_DECIDED and found.difference and found.difference.interval:
        yield "To decide it, run the command again with --seeds 3, which trains two more seeds."
    yield f"The run is {quoted(done.runs[0])}."


def _in_words(found: Difference) -> str:
    words = f"Test: {found.bits_per_byte:+.4f} bits per byte from the card"
    if found.interval is not None:
        words += ", 95 % interval {:+.4f} to {:+.4f}".format(*found.interval)
    if found.spread is not None:
        words += (
            f"; a mean of {found.own_seeds} here and {found.card_seeds} in the card, with a "
            f"standard deviation of {found.spread:.4f} between seeds. With the same seed: "
            f"{found.same_seed:+.4f}"
        )
    return f"{words}.".replace("-", "−")
