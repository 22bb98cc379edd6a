"""All trials: name, promise, and the number of cases in the full figures and in the tests."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from outcome import Outcome

__all__ = ["TRIALS", "Entry"]


@dataclass(frozen=True)
class Entry:
    """A trial.

    promise: in the 38 characters that a terminal has for it.
    full, fast: cases of the command and of the tests, as its function takes them.
    """

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
        Entry("kills", "killed anywhere, resumes to same bits", 200, 5),
        Entry("failing_saves", "old or new checkpoint after any error", 200, 60),
        Entry("power_loss", "old or new checkpoint without power", 200, 80),
        Entry("damage", "no damaged checkpoint loads silently", 2000, 60),
        Entry("full_disk", "one line, and nothing is lost", 20, 4),
        Entry("recipes", "read, or refused with its line", 5000, 150),
        Entry("signals", "saved, and resumes to the same bits", 100, 6),
        Entry("plugins", "broken ones stop nothing else", 48, 6),
        Entry("evaluation", "changes nothing, repeats its score", 10, 2),
        Entry("streams", "chunks and batches give equal logits", 80, 40),
        Entry("bits", "what a coded file needs", 500, 50),
        Entry("not_finite", "no NaN or infinity is saved", 60, 8),
        Entry("locks", "one process works on a run", 50, 2),
        Entry("hostile", "nothing runs, hangs or is overwritten", 100, 8),
        Entry("downloads", "a verified file or nothing", 45, 15),
        Entry("soak", "memory and open files do not grow", 50_000, 600),
        Entry("combinations", "all plugins resume to the same bits", 80, 5),
    )
}
