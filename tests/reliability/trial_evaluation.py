"""Validation changes nothing: validating at every step and never give the same final weights.

And the same text scored twice has the same score, to the last bit.
"""

from __future__ import annotations

from pathlib import Path

from children import start
from outcome import Outcome
from tiny_runs import architectures, different, digest, run_once, text_of

import seqzoo

__all__ = ["trial"]


def trial(count: int, seed: int, folder: Path) -> Outcome:
    """`count` pairs of runs, of every architecture in turn, with one seed after the other."""
    found, names = Outcome(), architectures()
    for number in range(count):
        name, run_seed = names[number % len(names)], seed + number // len(names)
        with found.case(f"{name}, seed {run_seed}"):
            each = {
                every: run_once(
                    folder,
                    name,
                    name=f"{name}-{run_seed}-{every}",
                    seed=run_seed,
                    validation={"every_steps": every, "lanes": 2},
                )
                for every in (0, 1)
            }
            never, always = (digest(run, is_scored=False) for run in each.values())
            # Their lines have scores or have not.
            ours, theirs = ({**one, "metrics.jsonl": ""} for one in (never, always))
            differs = different(ours, theirs)
            found.require(not differs, f"validation changes {differs}")
            child = start(lambda run=each[0]: _scores_twice(run), folder / f"{number}.txt")  # type: ignore[misc]
            ended = child.wait()
            found.require(ended.code == 0, f"scored twice, it {ended}")
    return found


def _scores_twice(path: Path) -> int:
    run, text = seqzoo.open_run(path), text_of(900, seed=3)
    return int(run.score(text).bits_per_byte != run.score(text).bits_per_byte)
