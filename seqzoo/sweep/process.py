"""MemberRun: one member of a sweep as a job; its progress is read from its metrics."""

from __future__ import annotations

import json
import os
import time
from enum import StrEnum
from pathlib import Path
from typing import Any

from seqzoo.cores import THREAD_VARIABLES
from seqzoo.errors import UsageError
from seqzoo.plugin.launcher import Job, JobEnd, Launched, Launcher
from seqzoo.recipes.load import Recipe
from seqzoo.regular_files import open_to_read
from seqzoo.results.result import read_result
from seqzoo.runs.metrics import Follower, MetricsLine, TimingLine
from seqzoo.sweep.folder import Completion, SweepFolder
from seqzoo.sweep.members import Member
from seqzoo.terminal.console import warn

__all__ = ["MemberRun", "MemberState"]

_SECONDS_BETWEEN_LOOKS = 0.2


class MemberState(StrEnum):
    """What a member is doing."""

    WAITING = "waiting"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    LOST = "lost"
    PAUSED = "paused"
    DROPPED = "dropped"
    FAILED = "failed"


class MemberRun:
    """A member, its job while it has one, and its latest metrics.

    state: see MemberState. is_resumed: it continues from a checkpoint. exit_code: after it has
    ended; 128 + N where signal N ended it. latest: the newest value of each metric. losses: how
    often it was lost with its machine without a new step. pause_at: the step after whose validation
    it pauses. validations: bits per byte by step.
    """

    def __init__(
        self, member: Member, recipe: Recipe, folder: SweepFolder, completion: Completion
    ) -> None:
        self.name = member.name
        self.log = folder.log(member.name)
        self.exit_code = 0
        self.losses = 0
        self.pause_at: int | None = None
        self.validations: dict[int, float] = {}
        self.member = member
        self.recipe = recipe
        self.latest: dict[str, Any] = {}
        self._directory = folder.member(member.name)
        self._followers: list[Follower[Any]] = []
        self._launched: Launched | None = None
        self._cause = ""
        self._lost_at_step = -1
        self._looked_at = 0.0
        self._log_began_at = 0
        self._began_at = self._ended_at = 0.0
        self.continue_from(completion)
        if completion is Completion.FINISHED:
            self.state = MemberState.SKIPPED

    def continue_from(self, completion: Completion) -> None:
        """Wait for a start, unless it is finished; what is known of its training is read again."""
        is_finished = completion is Completion.FINISHED
        self.state = MemberState.FINISHED if is_finished else MemberState.WAITING
        self.is_resumed = completion is Completion.UNFINISHED
        # A run that resumes removes the metrics after its checkpoint; one that was lost before it
        # saved begins again.
        self.latest.clear()
        self.validations.clear()
        self._followers = [
            Follower(self._directory.timing, TimingLine),
            Follower(self._directory.metrics, MetricsLine),
        ]
        if completion is not Completion.NEW:
            self.follow()

    def start(self, launcher: Launcher, *, threads: int | None) -> None:
        """Start or resume it; the output goes to `log`. Where that fails, its state is FAILED.

        threads: for a new run whose recipe does not set them; a resumed run keeps its number. None:
        the run finds the number itself.
        """
        assert self._launched is None, "a member is not started while its job runs"
        job = Job(
            name=self.name,
            arguments=("-m", "seqzoo.cli.member", *self._arguments(threads)),
            directory=Path.cwd(),
            log=self.log.absolute(),
            threads=self.recipe.runtime.threads or threads,
            environment={
                key: value
                for key, value in os.environ.items()
                if key in THREAD_VARIABLES or key.startswith("SEQZOO_")
            },
        )
        self._began_at = time.monotonic()
        self._log_began_at = self.log.stat().st_size if self.log.exists() else 0
        try:
            self._launched = launcher.start(job)
        except OSError as error:
            self._end(JobEnd(exit_code=1, reason=f"it could not be started: {error}"))
        else:
            self.state = MemberState.RUNNING

    @property
    def is_running(self) -> bool:
        """Whether it has a job."""
        return self._launched is not None

    def has_ended(self) -> bool:
        """Whether the job has just ended; `state` then says how."""
        if self._launched is None:
            return False
        if (end := self._launched.poll()) is None:
            if self.pause_at is not None and self.state is MemberState.RUNNING:
                self._pause()
            return False
        self._launched = None
        self._end(end)
        return True

    def _pause(self) -> None:
        """Ask it to stop if it has been validated at `pause_at`."""
        assert self.pause_at is not None
        if (now := time.monotonic()) - self._looked_at >= _SECONDS_BETWEEN_LOOKS:
            self._looked_at = now
            self.follow()
            if self.has_reached_pause:
                self.ask_to_stop()

    def _end(self, end: JobEnd) -> None:
        self._ended_at = time.monotonic()
        self.follow()
        self._cause = end.reason
        if end.exit_code is None:
            step = self.latest.get("step", 0)
            self.losses = 1 if step > self._lost_at_step else self.losses + 1
            self._lost_at_step = max(step, self._lost_at_step)
            self.state = MemberState.LOST
            return
        self.exit_code = end.exit_code
        if end.exit_code == 0:
            self.state = MemberState.FINISHED
        elif self.state is MemberState.STOPPING and end.exit_code > 128:
            self.state = MemberState.PAUSED if self.has_reached_pause else MemberState.STOPPED
            self.is_resumed = True
        else:
            self.state = MemberState.FAILED

    def give_up(self, reason: str) -> None:
        """It was lost and is not started again."""
        last = f" ({self._cause})" if self._cause else ""
        self.state, self.exit_code, self._cause = MemberState.FAILED, 1, f"{reason}{last}"

    @property
    def has_reached_pause(self) -> bool:
        """Whether it has been validated where it is to pause."""
        return self.pause_at is not None and self.pause_at in self.validations

    def ask_to_stop(self) -> None:
        """Send SIGTERM, once; a run that is training saves first."""
        if self._launched is not None and self.state is MemberState.RUNNING:
            self._launched.stop()
            self.state = MemberState.STOPPING

    def kill(self) -> None:
        """End the job now; its checkpoints are complete at any moment."""
        if self._launched is not None:
            self._launched.kill()

    def follow(self) -> None:
        """Read what was added to the run's metrics; a damaged file is reported once."""
        for follower in list(self._followers):
            try:
                for line in follower.added():
                    self.latest |= line.values()
                    if isinstance(line, MetricsLine):
                        self._note_validation(line)
            except UsageError as error:
                # Progress is for people; the run itself does not read this file.
                self._followers.remove(follower)
                warn(f"{error} The progress of {self.name} is not shown.")

    def _note_validation(self, line: MetricsLine) -> None:
        if line.validation_bits_per_byte is not None:
            self.validations[line.step] = line.validation_bits_per_byte

    def final_validation(self) -> float:
        """Bits per byte of the validation split, from the result of a finished member."""
        return read_result(self._directory.result).scores["validation"].bits_per_byte

    @property
    def is_finished(self) -> bool:
        """Whether it has a result."""
        return self.state in (MemberState.FINISHED, MemberState.SKIPPED)

    @property
    def has_settled(self) -> bool:
        """Whether nothing is left to do for it."""
        return self.is_finished or self.state in (MemberState.FAILED, MemberState.DROPPED)

    def drop(self) -> None:
        """It is not trained further. It has no job."""
        assert self._launched is None
        if not self.has_settled:
            self.state = MemberState.DROPPED

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
        return min(1.0, self.recipe.train.budget.share(epochs=self.latest.get("epoch", 0), **spent))

    @property
    def seconds(self) -> float:
        """Wall-clock time of the process so far, including start and scoring."""
        end = time.monotonic() if self.is_running else self._ended_at
        return end - self._began_at

    def reason(self) -> str:
        """Why it failed: the last error in its output, otherwise its last line."""
        if self._cause:
            return self._cause
        with open_to_read(self.log) as file:
            file.seek(self._log_began_at)
            output = file.read().decode("utf-8", errors="replace").split("\n")
        lines = [line.strip() for line in output if line.strip()]
        errors = [line for line in lines if line.startswith("error: ")]
        return (errors or lines or ["it printed nothing"])[-1].removeprefix("error: ")

    def _arguments(self, threads: int | None) -> list[str]:
        # What the sweep was allowed to run, also where no record of it can be written.
        trusted = ["--trusted-files", json.dumps(self.recipe.registry.trust.accepted)]
        if self.is_resumed:
            return ["resume", *trusted, "--", str(self._directory.path)]
        overrides = list(self.member.overrides)
        if threads is not None and self.recipe.runtime.threads is None:
            overrides.append(f"runtime.threads={threads}")
        folder = str(self._directory.path.parent)
        recipe = str(self.member.recipe)
        here = str(self.member.here)
        return [
            "run", *trusted, "--name", self.name, "--runs", folder, "--paths-from", here,
            "--", recipe, *overrides,
        ]  # fmt: skip
