"""The trackers of a run, which change neither its result nor its speed nor how it ends."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from io import FileIO
from types import TracebackType
from typing import Any

from seqzoo.errors import DivergedError, SeqzooError
from seqzoo.plugin.tracker import RunEnd
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.sections import Choice
from seqzoo.regular_files import open_to_change, parse_json
from seqzoo.results.result import Result
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.interruption import Interrupted
from seqzoo.runs.metrics import read_metrics, read_timing
from seqzoo.runs.origin import read_origin
from seqzoo.runs.tracker_process import TrackerProcess
from seqzoo.terminal import signals
from seqzoo.terminal.display import Display

__all__ = ["Trackers"]

_MOST_SECONDS = 20.0
"""How long a run waits at its end for a tracker."""

_MAX_STORED_BYTES = 1 << 20
"""Of trackers.json, which has a line for each tracker."""

_LEAST_SECONDS = 2.0
"""How long it waits for one that was silent for longer than that already."""


class Trackers:
    """Context with the trackers that a recipe names, from the first update to the result.

    At its end they receive how the run ended, and `result`, which the caller sets.
    """

    def __init__(self, directory: RunDirectory, recipe: Recipe, *, display: Display) -> None:
        self.result: Result | None = None
        self._directory = directory
        self._recipe = recipe
        self._display = display
        self._file: FileIO | None = None
        self._running: list[TrackerProcess] = []

    def start(self, step: int) -> None:
        """Open the trackers, and send what is logged up to `step` and each has not received."""
        if not self._recipe.trackers:
            return
        try:
            self._file = open_to_change(self._directory.trackers)
        except OSError as error:
            path = self._directory.trackers
            self._display.warn(f"no tracker is used: {path} cannot be opened: {error.strerror}.")
            return
        earlier = _read(self._file)
        self._running = [
            self._opened(choice, earlier, step=step) for choice in self._recipe.trackers
        ]
        if step > 0:
            try:
                self._send_earlier(step)
            except SeqzooError as error:
                self._display.warn(f"trackers do not receive what was logged earlier: {error}")

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Send a line of metrics to each; its step is left out."""
        values = {name: value for name, value in metrics.items() if name != "step"}
        for tracker in self._running:
            tracker.send({"step": step, "metrics": values}, step=step)

    def log_text(self, step: int, name: str, text: bytes) -> None:
        """Send a text to each."""
        for tracker in self._running:
            tracker.send(_text(step, name, text), step=step)

    def save(self) -> None:
        """Store how far each is. What is stored is true for any later checkpoint too."""
        if self._file is None:
            return
        for tracker in self._running:
            tracker.exchange()
        stored = [
            {**_identity(choice), "step": tracker.received}
            for choice, tracker in zip(self._recipe.trackers, self._running, strict=True)
            if tracker.received is not None
        ]
        # In place, because the file is also the lock. Where it is incomplete, all is sent again.
        with suppress(OSError):
            self._file.truncate(0)
            self._file.write(json.dumps(stored).encode() + b"\n")

    def __enter__(self) -> Trackers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._file is None:
            return
        with self._file:
            try:
                self._finish(_end_of(error))
                self._wait()
            except KeyboardInterrupt:  # everything of the run is saved; only this is left out
                signals.reset()
                for tracker in self._running:
                    if tracker.is_running:
                        tracker.leave_out("it had not finished when the wait for it was ended.")
            self.save()

    def _opened(
        self, choice: Choice, earlier: list[dict[str, Any]], *, step: int
    ) -> TrackerProcess:
        assert self._file is not None
        directory, recipe = self._directory, self._recipe
        received = [each["step"] for each in earlier if _identity(choice).items() <= each.items()]
        owner = recipe.registry.owner("tracker", choice.name)
        return TrackerProcess(
            {
                "who": f"tracker '{choice.name}' of plugin {owner}",
                **_identity(choice),
                "plugins": [str((recipe.base / file).absolute()) for file in recipe.plugins],
                "trusted": recipe.registry.trust.accepted,
                "base": str(recipe.base.absolute()),
                "run_directory": str(directory.path.absolute()),
                "run_id": _id_of(directory),
                "recipe": recipe.to_yaml(),
                # Lines after the checkpoint are made again.
                "resumed_from": min(received[0], step) if received else None,
            },
            lock=self._file.fileno(),
            show=self._display.note,
            warn=self._display.warn,
        )

    def _send_earlier(self, step: int) -> None:
        lines: dict[int, dict[str, float]] = {}
        for line in (*read_metrics(self._directory.metrics), *read_timing(self._directory.timing)):
            lines.setdefault(line.step, {}).update(line.values())
        names = [path.stem.removeprefix("step-") for path in self._directory.samples.glob("*.txt")]
        steps = sorted({*lines, *(int(name) for name in names if name.isdecimal())})
        for tracker in self._running:
            first = 0 if tracker.received is None else tracker.received + 1
            later = [each for each in steps if first <= each <= step]
            tracker.allow_behind(2 * len(later))
            for each in later:
                if metrics := {k: v for k, v in lines.get(each, {}).items() if k != "step"}:
                    tracker.send({"step": each, "metrics": metrics}, step=each)
                if (text := self._sample(f"step-{each}.txt")) is not None:
                    tracker.send(_text(each, "sample", text), step=each)

    def _sample(self, name: str) -> bytes | None:
        with suppress(OSError):
            return (self._directory.samples / name).read_bytes()
        return None

    def _finish(self, status: RunEnd) -> None:
        last: list[dict[str, Any]] = []
        if (result := self.result) is not None:
            for number in range(1, self._recipe.sample.count + 1):
                if (text := self._sample(f"step-{result.step}-{number}.txt")) is not None:
                    last.append(_text(result.step, f"sample-{number}", text))
        stored = None if result is None else result.model_dump(mode="json")
        for command in (*last, {"finish": status, "result": stored}):
            for tracker in self._running:
                tracker.send(command)

    def _wait(self) -> None:
        """Until all have finished, or for as long as a run may wait."""
        began, is_announced = time.monotonic(), False
        while waiting := [each for each in self._running if each.is_running]:
            waited = time.monotonic() - began
            for tracker in waiting:
                tracker.exchange()
                silent = tracker.silent_seconds
                limit = _LEAST_SECONDS if silent > _MOST_SECONDS else _MOST_SECONDS
                if waited > limit and tracker.is_running:
                    tracker.leave_out(f"it did not finish; its last answer was {silent:.0f} s ago.")
            if waited > _LEAST_SECONDS and not is_announced:
                is_announced = True
                names = ", ".join(each.name for each in waiting)
                self._display.note(f"waiting for trackers ({names}); Ctrl-C ends the wait")
            time.sleep(0.01)


def _identity(choice: Choice) -> dict[str, Any]:
    """A tracker with other options is another tracker, which has received nothing."""
    return {"name": choice.name, "options": choice.options.model_dump(mode="json")}


def _text(step: int, name: str, text: bytes) -> dict[str, Any]:
    return {"step": step, "name": name, "text": text.decode("utf-8", "replace")}


def _read(file: FileIO) -> list[dict[str, Any]]:
    """What `save` stored; nothing if that is not complete."""
    try:
        file.seek(0)
        stored = parse_json(file.read(_MAX_STORED_BYTES))
        return [each for each in stored if type(each["step"]) is int]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def _end_of(error: BaseException | None) -> RunEnd:
    if error is None:
        return "finished"
    if isinstance(error, (Interrupted, KeyboardInterrupt)):
        return "interrupted"
    return "diverged" if isinstance(error, DivergedError) else "failed"


def _id_of(directory: RunDirectory) -> str:
    with suppress(SeqzooError):
        if found := read_origin(directory).id:
            return found
    # A run of an older version.
    return hashlib.sha256(str(directory.path.resolve()).encode()).hexdigest()[:16]
