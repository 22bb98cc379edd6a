"""All trials: name, promise, and the number of cases in the full figures and in the tests."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from outcome import Outcome

__all__ = ["TRIALS", "Entry"]


@dataclass(frozen=True)
class Entry:
    """A trial. full, fast: cases of the command and of the tests, as its function takes them."""

    name: str
    promise: str
    full: int
    fast: int

    def run(self, count: int, seed: int, folder: Path) -> Outcome:
        """Try it. folder: empty; the trial may leave files in it."""
        found: Outcome = importlib.import_module(f"trial_{self.name}").trial(count, seed, folder)
        return found


TRIALS = {
    entry.name: entry
    for entry in (
        Entry("kills", "a run that is killed at any moment resumes to the same bits", 200, 5),
        Entry("failing_saves", "a save that fails leaves the old checkpoint", 200, 60),
        Entry("power_loss", "what a loss of power leaves of a save loads", 200, 80),
        Entry("damage", "no damaged or foreign checkpoint is loaded silently", 2000, 60),
        Entry("full_disk", "a full disk stops a run in one line and loses nothing", 20, 4),
        Entry("recipes", "any recipe is read or refused with its line", 5000, 150),
        Entry("signals", "a signal saves the run, and it resumes to the same bits", 100, 6),
        Entry("plugins", "a broken plugin is reported and stops nothing else", 48, 6),
        Entry("evaluation", "evaluation changes nothing and repeats its score", 10, 2),
        Entry("streams", "chunks and batches give the logits of one pass", 80, 40),
        Entry("bits", "bits per byte are what a file needs", 500, 50),
        Entry("not_finite", "nothing that is not finite is saved", 60, 4),
        Entry("locks", "one process works on a run", 50, 2),
        Entry("hostile", "a hostile run folder runs nothing and hangs nothing", 100, 8),
        Entry("downloads", "the cache has a verified file or nothing", 45, 15),
        Entry("soak", "memory and open files do not grow", 50_000, 600),
        Entry("combinations", "every combination of plugins resumes to the same bits", 80, 5),
    )
}
