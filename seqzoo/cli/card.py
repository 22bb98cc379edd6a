"""seqzoo card RUN [RUN ...]"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqzoo.cli.options import DEFAULT_RUNS, RunsFolder, run_named
from seqzoo.cli.trust import TrustOption, with_trust

if TYPE_CHECKING:
    from seqzoo.cards.card import Card


def card(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Folder of a finished run, or its name in --runs; then runs of the same recipe "
            "with other seeds, which show how much trainings differ by chance.",
            show_default=False,
            callback=run_named,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The card; - writes it to stdout. Default: card.json in the folder of the run.",
            show_default=False,
        ),
    ] = None,
    runs: RunsFolder = DEFAULT_RUNS,
    trust: TrustOption = False,
) -> None:
    """Write a card of a run: what anybody needs to train it again and compare.

    It has the recipe, the hash of the text, versions, machine, scores, and the
    hash of the weights, and no path of this machine. 'seqzoo reproduce CARD'
    repeats the training.
    """
    from seqzoo.cards.card import card_text
    from seqzoo.cards.make import card_of
    from seqzoo.cli.plugins import installed
    from seqzoo.errors import EnvironmentFault
    from seqzoo.runs.directory import RunDirectory
    from seqzoo.storage import write_whole
    from seqzoo.terminal.console import note, write
    from seqzoo.terminal.format import quoted
    from seqzoo.terminal.streams import write_data

    place = output or RunDirectory(paths[0]).card
    if str(place) != "-":
        _require_writable(place)
    made = card_of(paths, with_trust(installed(), trust))
    if str(place) == "-":
        write_data(card_text(made).rstrip("\n"))
    else:
        try:
            write_whole(place, card_text(made))
        except OSError as error:
            raise EnvironmentFault(f"{place} cannot be written: {error.strerror}.") from error
        write(f"{place}\n")
        note(f"To train it again and compare: seqzoo reproduce {quoted(place)}")
    _say_what_is_needed(made)


def _say_what_is_needed(made: Card) -> None:
    from seqzoo.terminal.console import note, warn

    for need in made.needs:
        warn(
            f"the card does not contain the {need.kind} {need.name} (sha256 "
            f"{need.sha256[:12]}…): send it with the card, and it is found beside it."
        )
    if made.budget_by_clock:
        warn(
            "the budget is in seconds, so the weights depend on the clock: a repetition can give "
            "the same scores within noise, but not the same bits."
        )
    if not made.seeds:
        note(
            "The card has one seed, which does not show how much trainings differ by chance; to "
            "add runs with other seeds: seqzoo card RUN RUN RUN"
        )


def _require_writable(path: Path) -> None:
    """Checked before any work; raises UsageError. Only a card may be replaced."""
    import os

    from seqzoo.cards.card import read_card
    from seqzoo.errors import NewerFormatError, UsageError

    if not os.path.lexists(path):
        return
    try:
        read_card(path)
    except NewerFormatError:
        raise
    except UsageError:
        raise UsageError(
            f"-o {path} exists and is no card of seqzoo; choose another name."
        ) from None
