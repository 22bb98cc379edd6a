"""The process of one tracker: opens it, and passes on what the run sends.

Commands arrive on stdin as JSON lines, and one line of JSON answers each on stdout: `{}`, or
`{"failed": cause}` and the end of the process. What the tracker prints goes to stderr.
`seqzoo/runs/tracker_process.py` is the other end.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from seqzoo.errors import PluginError, SeqzooError, UsageError
from seqzoo.plugin.build import build
from seqzoo.plugin.contexts import TrackerContext
from seqzoo.plugin.place import place_of
from seqzoo.plugin.registry import Registry, load_registry
from seqzoo.plugin.tracker import RunEnd, Tracker
from seqzoo.plugin.trust import PluginFile
from seqzoo.recipes.choice_fields import Choice
from seqzoo.recipes.yaml_reader import load_yaml
from seqzoo.terminal.signals import STOPPING

__all__ = ["main"]

_NICENESS = 10
"""Training goes first: on a busy machine a tracker gets about a tenth of what training gets."""

_SECONDS_LEFT = 20
"""How long a tracker may continue after the run's process has ended."""


def main(lock: int, run: int) -> None:
    """Serve the run until it says how it ended, or until its process has ended.

    lock: an open file that the trackers of one process share; waits for those of an earlier one.
    run: the id of the run's process.
    """
    commands, answers = _own_streams()
    for number in STOPPING:  # the run is asked to stop, and then says so
        signal.signal(number, lambda number, frame: None)
    os.set_inheritable(lock, False)
    threading.Thread(target=_end_after, args=(run,), daemon=True).start()
    fcntl.flock(lock, fcntl.LOCK_EX)
    opening = json.loads(commands.readline() or "{}")
    if not opening:
        return
    registry = load_registry()
    try:
        tracker = _opened(opening, registry)
        _answer(answers, {})
        os.nice(_NICENESS)  # only now: on a busy machine, imports would take too long
        for line in commands:
            command = json.loads(line)
            _obey(tracker, command)
            if "finish" in command:
                sys.unraisablehook = partial(_fail_at_exit, answers)
                _answer(answers, {})
                return
            _answer(answers, {})
    except BaseException as error:
        _fail(answers, error)
    signal.alarm(_SECONDS_LEFT)  # the run's process was killed
    _obey(tracker, {"finish": "interrupted", "result": None})


def _own_streams() -> tuple[BinaryIO, BinaryIO]:
    """The two pipes of the run, under numbers that a tracker does not use by accident."""
    commands, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    threading.excepthook = lambda failure: print(_cause(failure.exc_value), file=sys.stderr)
    return commands, answers


def _end_after(run: int) -> None:
    """Even a tracker that blocks ends some time after the run's process; the kernel ends it."""
    while os.getppid() == run:
        time.sleep(1)
    signal.alarm(_SECONDS_LEFT)


def _opened(opening: Mapping[str, Any], registry: Registry) -> Tracker:
    """The tracker that the first command describes."""
    for path in map(Path, opening["plugins"]):
        file = PluginFile.read(path)
        if opening["trusted"].get(str(file.path)) != file.sha256:
            raise UsageError(f"{path} has changed since the run started.")
        registry.add_file(path, file)
    name = opening["name"]
    if name not in registry.names("tracker"):
        raise UsageError(
            f"{registry.explain_missing('tracker', name)} Its process finds installed plugins and "
            f"the files that the recipe names under `plugins`, no others."
        )
    options = registry.get("tracker", name).options.model_validate(opening["options"])
    recipe, _ = load_yaml(opening["recipe"], "the recipe")
    context = TrackerContext(
        base=Path(opening["base"]),
        run_directory=Path(opening["run_directory"]),
        run_id=opening["run_id"],
        recipe=recipe,
        resumed_from=opening["resumed_from"],
    )
    return build(registry, "tracker", Choice(name=name, options=options), context)


def _obey(tracker: Tracker, command: Mapping[str, Any]) -> None:
    if "metrics" in command:
        tracker.log(command["step"], command["metrics"])
    elif "text" in command:
        tracker.log_text(command["step"], command["name"], command["text"])
    else:
        status: RunEnd = command["finish"]
        try:
            tracker.finish(command["result"], status)
        finally:
            tracker.close()


def _answer(answers: BinaryIO, answer: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the run's process has ended
        answers.write(json.dumps(answer).encode() + b"\n")


def _fail(answers: BinaryIO, error: BaseException | None) -> NoReturn:
    """Report the failure and end at once: what failed must not delay the end of the process."""
    _answer(answers, {"failed": _cause(error)})
    os._exit(0)


def _fail_at_exit(answers: BinaryIO, failure: Any) -> None:
    """A hook for what Python cannot raise; a destructor that fails does no harm."""
    if "atexit" in (failure.err_msg or ""):
        _fail(answers, failure.exc_value)


def _cause(error: BaseException | None) -> str:
    """What happened, and where, as the end of a sentence that names the tracker."""
    if isinstance(error, PluginError) and error.__cause__ is not None:
        return str(error).partition(" failed: ")[2]
    if isinstance(error, SeqzooError):  # its message is already written for users
        return str(error)
    message = " ".join(str(error).split())
    if isinstance(error, SystemExit):
        described = f"it called sys.exit({error.code!r})"
    else:
        described = f"{type(error).__name__}: {message}" if message else type(error).__name__
    place = place_of(error) if error else ""
    return f"{described} ({place})." if place else f"{described}."
