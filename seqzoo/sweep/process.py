"""MemberRun: one member of a sweep as a process; its progress is read from its metrics."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from enum import StrEnum
from typing import Any

from seqzoo.errors import UsageError
from seqzoo.recipes.load import Recipe
from seqzoo.regular_files import open_to_change, open_to_read
from seqzoo.runs.metrics import Follower, MetricsLine, TimingLine
from seqzoo.sweep.folder import Completion, SweepFolder
from seqzoo.sweep.members import Member
from seqzoo.terminal.console import warn

__all__ = ["MemberRun", "MemberState"]

# With these in its environment a child would draw its progress bar into a file.
_TERMINAL_VARIABLES = ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")


class MemberState(StrEnum):
    """What a member is doing."""

    WAITING = "waiting"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    FAILED = "failed"


class MemberRun:
    """A member, its process while it has one, and its latest metrics.

    state: see MemberState. is_resumed: it continues from a checkpoint. exit_code: after it has
    ended; 128 + N where signal N ended it. latest: the newest value of each metric.
    """

    def __init__(
        self, member: Member, recipe: Recipe, folder: SweepFolder, completion: Completion
    ) -> None:
        self.name = member.name
        self.state = (
            MemberState.SKIPPED if completion is Completion.FINISHED else MemberState.WAITING
        )
        self.is_resumed = completion is Completion.UNFINISHED
        self.log = folder.log(member.name)
        self.exit_code = 0
        self.latest: dict[str, Any] = {}
        self._member = member
        self._recipe = recipe
        self._directory = folder.member(member.name)
        self._followers: list[Follower[Any]] = [
            Follower(self._directory.timing, TimingLine),
            Follower(self._directory.metrics, MetricsLine),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._log_began_at = 0
        self._began_at = self._ended_at = 0.0
        if completion is not Completion.NEW:
            self.follow()

    def start(self, *, threads: int | None) -> None:
        """Start or resume in its own process; the output goes to `log`.

        threads: for a new run whose recipe does not set them; a resumed run keeps its number. None:
        the run finds the number itself.
        """
        command = [sys.executable, "-m", "seqzoo.cli.member", *self._arguments(threads)]
        environment = {k: v for k, v in os.environ.items() if k not in _TERMINAL_VARIABLES}
        self.log.parent.mkdir(exist_ok=True)
        with open_to_change(self.log) as log:
            self._log_began_at = log.tell()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,  # never written to; it closes when the sweep ends
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                # Ctrl-C and a closed terminal signal the sweep, which sends one signal to members.
                start_new_session=True,
            )
        self.state = MemberState.RUNNING
        self._began_at = time.monotonic()

    @property
    def is_running(self) -> bool:
        """Whether it has a process."""
        return self._process is not None

    def has_ended(self) -> bool:
        """Whether the process has just ended; `state` then says how."""
        if self._process is None or (code := self._process.poll()) is None:
            return False
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None
        self._ended_at = time.monotonic()
        self.follow()
        self.exit_code = code if code >= 0 else 128 - code
        if code == 0:
            self.state = MemberState.FINISHED
        elif self.state is MemberState.STOPPING and self.exit_code > 128:
            self.state = MemberState.STOPPED
        else:
            self.state = MemberState.FAILED
        return True

    def ask_to_stop(self) -> None:
        """Send SIGTERM, once; a run that is training saves first."""
        if self._process is not None and self.state is MemberState.RUNNING:
            self._process.terminate()
            self.state = MemberState.STOPPING

    def kill(self) -> None:
        """End the process now; its checkpoints are complete at any moment."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def follow(self) -> None:
        """Read what was added to the run's metrics; a damaged file is reported once."""
        for follower in list(self._followers):
            try:
                for line in follower.added():
                    self.latest |= line.values()
            except UsageError as error:
                # Progress is for people; the run itself does not read this file.
                self._followers.remove(follower)
                warn(f"{error} The progress of {self.name} is not shown.")

    @property
    def share(self) -> float:
        """How much of the budget is spent, 0 to 1."""
        if self.state is MemberState.FINISHED:
            return 1.0
        spent = {
            ours: self.latest.get(theirs, 0)
            for ours, theirs in (("steps", "step"), ("bytes", "bytes"), ("seconds", "seconds"))
        }
        # Metrics count whole epochs only; the bytes of an epoch are known to the run alone.
        return min(
            1.0, self._recipe.train.budget.share(epochs=self.latest.get("epoch", 0), **spent)
        )

    @property
    def seconds(self) -> float:
        """Wall-clock time of the process so far, including start and scoring."""
        end = time.monotonic() if self.is_running else self._ended_at
        return end - self._began_at

    def reason(self) -> str:
        """The last error in the process's output, otherwise its last line."""
        with open_to_read(self.log) as file:
            file.seek(self._log_began_at)
            output = file.read().decode("utf-8", errors="replace").split("\n")
        lines = [line.strip() for line in output if line.strip()]
        errors = [line for line in lines if line.startswith("error: ")]
        return (errors or lines or ["it printed nothing"])[-1].removeprefix("error: ")

    def _arguments(self, threads: int | None) -> list[str]:
        if self.is_resumed:
            return ["resume", "--", str(self._directory.path)]
        overrides = list(self._member.overrides)
        if threads is not None and self._recipe.runtime.threads is None:
            overrides.append(f"runtime.threads={threads}")
        folder = str(self._directory.path.parent)
        recipe = str(self._member.recipe)
        here = str(self._member.here)
        return [
            "run", "--name", self.name, "--runs", folder, "--paths-from", here,
            "--", recipe, *overrides,
        ]  # fmt: skip
