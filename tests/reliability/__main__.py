"""python tests/reliability: tries every promise of docs/reliability.md, and prints what was found.

Needs a clone with `pip install -e '.[dev]'` on Linux. All figures take 15 to 30 minutes on two slow
cores; `--share 0.1` tries a tenth, and TMPDIR=/dev/shm saves the time of a slow disk. Every process
that is started ends with the command.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
# Before torch is imported: children are forks, and a fork has only one thread.
os.environ["OMP_NUM_THREADS"] = "1"

from children import Child, start  # noqa: E402
from outcome import Outcome  # noqa: E402
from trials import TRIALS, Entry  # noqa: E402

LIMIT_S = 3600.0
SHOWN = 20
"""Failures of a trial that are printed; `--json` has all."""


def main() -> int:
    """Run the trials; 1 if one has a failure."""
    options = _options()
    chosen = [TRIALS[name] for name in options.trial or TRIALS]
    _clean_environment()
    # A fork cannot use a GPU that this process has used, and without this torch asks it.
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
    import tiny_runs

    tiny_runs.DEVICE = options.device
    tiny_runs.warm_up()
    found: dict[str, dict[str, Any]] = {}
    print(f"{'trial':<14}{'cases':>7}{'failures':>10}{'seconds':>9}  promise", flush=True)
    for entry in chosen:
        count = options.cases or max(1, round(options.share * entry.full))
        begun = time.monotonic()
        outcome = _tried(entry, count, options.seed)
        seconds = time.monotonic() - begun
        found[entry.name] = {**asdict(outcome), "seconds": seconds, "seed": options.seed}
        _show(entry, outcome, seconds)
        if options.json:
            Path(options.json).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    failures = sum(len(each["failures"]) for each in found.values())
    cases = sum(each["cases"] for each in found.values())
    print(f"{'all':<14}{cases:>7}{failures:>10}{sum(e['seconds'] for e in found.values()):>9.0f}")
    return int(failures > 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/reliability", description=__doc__)
    parser.add_argument(
        "--trial", action="append", choices=TRIALS, metavar="NAME",
        help="only this one; may be repeated. Names: " + ", ".join(TRIALS),
    )  # fmt: skip
    parser.add_argument("--share", type=_share, default=1.0, help="of the full figures; default 1")
    parser.add_argument("--cases", type=_count, help="of each trial, instead of a share")
    parser.add_argument("--seed", type=int, default=1, help="of all random draws; default 1")
    parser.add_argument("--device", default="cpu", help="where runs are trained; default cpu")
    parser.add_argument("--json", metavar="FILE", help="write all failures and notes there too")
    options = parser.parse_args()
    if sys.platform != "linux":
        parser.error(f"the trials need Linux, which has fork and /proc; found {sys.platform}")
    if options.json:
        try:
            Path(options.json).write_text("{}\n", encoding="utf-8")
        except OSError as error:
            parser.error(f"--json: {options.json} cannot be written: {error.strerror}")
    return options


def _share(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (share := float(text)) <= 1:
            return share
    raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 and at most 1")


def _count(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")


def _clean_environment() -> None:
    """Nothing of the user's settings, and no file of the user's cache."""
    for name in [name for name in os.environ if name.startswith("SEQZOO_")]:
        del os.environ[name]


def _tried(entry: Entry, count: int, seed: int) -> Outcome:
    """The trial in a process of its own, with a folder that is removed."""
    folder = Path(tempfile.mkdtemp(prefix=f"seqzoo-{entry.name}-"))
    written = folder / "outcome.json"
    child: Child | None = None

    def run() -> int:
        os.environ.update(SEQZOO_CACHE=str(folder / "cache"), XDG_STATE_HOME=str(folder / "state"))
        place = folder / "trial"
        place.mkdir()
        outcome = entry.run(count, seed, place)
        written.write_text(json.dumps(asdict(outcome)))
        return 0

    try:
        child = start(run, folder / "output.txt")
        ended, child = child.wait(LIMIT_S), None
        if written.exists():
            return Outcome(**json.loads(written.read_text()))
        return Outcome(1, [f"the trial itself {ended}"])
    finally:
        if child is not None:
            child.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _show(entry: Entry, outcome: Outcome, seconds: float) -> None:
    numbers = f"{outcome.cases:>7}{len(outcome.failures):>10}{seconds:>9.0f}"
    print(f"{entry.name:<14}{numbers}  {entry.promise}", flush=True)
    _list([f"note: {note}" for note in outcome.notes])
    _list([f"failure: {failure}" for failure in outcome.failures[:SHOWN]])
    if len(outcome.failures) > SHOWN:
        _list([f"{len(outcome.failures) - SHOWN} more failures"])


def _list(lines: Sequence[str]) -> None:
    for line in lines:
        print(f"    {line}", flush=True)


if __name__ == "__main__":
    # Also where a shell has started it in the background, with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        code = main()
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        code = 130
    sys.exit(code)
