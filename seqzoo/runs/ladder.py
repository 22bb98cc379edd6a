"""The ladder that a run is compared with: a fast one while it trains, the whole one at its end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from seqzoo.recipes.sections import BaselinesSection
from seqzoo.regular_files import read_bytes
from seqzoo.results.ladder import Ladder, LeftOut, Rung
from seqzoo.runs.experiment import Experiment
from seqzoo.scoring.baseline_budget import within
from seqzoo.storage import cache_directory, write_whole
from seqzoo.terminal.display import Display
from seqzoo.terminal.format import approximate_time, quoted

__all__ = ["FAST_SECONDS", "expected_ladder", "fast_ladder", "final_ladder"]

FAST_SECONDS = 5.0
"""What all fast baselines may take together."""

_WORTH_A_WORD_SECONDS = 5.0


def fast_ladder(experiment: Experiment) -> Ladder:
    """The baselines that are cached or quick, for comparisons while a run trains.

    They take at most about 5 s, or a tenth of a budget in seconds. The final ladder of the same
    experiment has their scores without computing them again, also without a cache.
    """
    budget = experiment.recipe.train.budget.seconds
    seconds = FAST_SECONDS if budget is None else min(FAST_SECONDS, budget / 10)
    section = experiment.recipe.baselines
    names = experiment.baselines.names(section.chooses)
    return experiment.baselines.ladder(names, max_seconds=min(seconds, section.limit(0.0)))


def expected_ladder(experiment: Experiment, *, training_seconds: float) -> str:
    """What the final ladder will take after a training of so many seconds; "" if it is empty."""
    section, baselines = experiment.recipe.baselines, experiment.baselines
    names = baselines.names(section.chooses)
    if not names:
        return ""
    expected = baselines.expected_seconds(names)
    chosen, left_out = within(expected, section.limit(training_seconds))
    words = approximate_time(sum(expected[name] for name in chosen))
    return words + (f" ({len(left_out)} of {len(names)} would take too long)" if left_out else "")


def final_ladder(
    experiment: Experiment, section: BaselinesSection, *, training_seconds: float, path: Path
) -> Ladder:
    """The baselines that a section chooses, within its time; says what is left out and why.

    training_seconds: what the training took. path: of the run, for the command that scores more.
    """
    baselines, display = experiment.baselines, experiment.display
    names = baselines.names(section.chooses)

    with display.meter("baselines") as meter:

        def announce(missing: list[str], seconds: float) -> None:
            if seconds >= _WORTH_A_WORD_SECONDS:
                # By the meter, which knows the line that it draws again.
                meter.note(f"scoring baselines: {', '.join(missing)}; {approximate_time(seconds)}")

        found = baselines.ladder(
            names,
            max_seconds=section.limit(training_seconds),
            announce=announce,
            show=meter.show,
        )
    _report_failures(found.rungs, display)
    if found.left_out:
        display.note(_left_out_in_words(found.left_out, path))
    excluded = [LeftOut(name, "excluded") for name in baselines.names() if name not in names]
    return replace(found, left_out=(*found.left_out, *excluded))


def _left_out_in_words(left_out: Sequence[LeftOut], path: Path) -> str:
    parts = []
    if late := [_with_time(each) for each in left_out if each.reason == "time"]:
        parts.append(f"Baselines left out because of their time: {', '.join(late)}.")
    if stopped := [_with_time(each) for each in left_out if each.reason == "stopped"]:
        parts.append(
            f"Baselines stopped because they took longer than expected: {', '.join(stopped)}."
        )
    parts.append(f"To score them: seqzoo eval {quoted(path)} --baselines all")
    return " ".join(parts)


def _with_time(left_out: LeftOut) -> str:
    assert left_out.expected_seconds is not None
    return f"{left_out.name} ({approximate_time(left_out.expected_seconds)})"


def _report_failures(rungs: Iterable[Rung], display: Display) -> None:
    """A sentence for the packages that are missing, the first time; a warning for each failure."""
    failed = [rung for rung in rungs if rung.failure]
    packages = sorted({rung.package for rung in failed if rung.package})
    if packages:
        names = ", ".join(sorted(rung.name for rung in failed if rung.package))
        sentence = (
            f"Some baselines need packages that are not installed ({names}); to score them: "
            f"pip install {' '.join(map(quoted, packages))}"
        )
        if _is_new(sentence):
            display.note(sentence)
    for rung in failed:
        if not rung.package:
            display.warn(f"baseline '{rung.name}' has no score: {rung.failure.rstrip('.')}.")


def _is_new(sentence: str) -> bool:
    """Whether the last run on this machine did not say the same; without a cache it is new."""
    path = cache_directory() / "baselines" / "missing.txt"
    try:
        if read_bytes(path, limit=1 << 16) == sentence.encode():
            return False
    except OSError:  # there is none, or something else
        pass
    with contextlib.suppress(OSError):
        write_whole(path, sentence)
    return True
