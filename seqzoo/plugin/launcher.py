"""What a launcher plugin does: it starts the members of a sweep, here or on other machines.

Without torch, because it needs none.
"""

from __future__ import annotations

import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seqzoo.cores import THREAD_VARIABLES
from seqzoo.interpreter import python
from seqzoo.regular_files import open_to_change

__all__ = ["Job", "JobEnd", "JobProcess", "Launched", "Launcher"]

# With these in its environment a job would draw its progress bar into a file.
_TERMINAL_VARIABLES = ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")


@dataclass(frozen=True, kw_only=True)
class Job:
    """A member of a sweep to start, or to resume: a Python process that runs to its end.

    name: of the member; no two jobs have it at a time. arguments: of Python, on whatever machine.
    directory: where it works; relative paths of the arguments start there. log: the file that its
    output is added to. Both are absolute. threads: the processor cores that it uses, if it has
    a number. environment: variables that it needs; all others are those of its machine.
    """

    name: str
    arguments: tuple[str, ...]
    directory: Path
    log: Path
    threads: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class JobEnd:
    """How a job ended.

    exit_code: of its process; 128 + N if signal N ended it; None if its machine was lost, so that
    nobody knows. A lost job is started again, from its newest checkpoint.
    reason: a clause for the user, if the job's own output does not say it.
    """

    exit_code: int | None
    reason: str = ""


class Launched(ABC):
    """A job that was started."""

    @abstractmethod
    def poll(self) -> JobEnd | None:
        """How the job ended, None until then. Does not wait."""

    @abstractmethod
    def stop(self) -> None:
        """Ask the job to stop, with SIGTERM: it saves and ends, soon. Does not wait."""

    @abstractmethod
    def kill(self) -> None:
        """End the job at once, and return when it writes no more. Has no effect after its end."""


class Launcher(ABC):
    """A place where jobs run."""

    @abstractmethod
    def start(self, job: Job) -> Launched:
        """Start a job, soon if not at once. Does not wait for it. Raises OSError if it cannot."""

    def room(self) -> int:
        """How many jobs run at a time where the user does not say it; it may change. Default: 1."""
        return 1

    def threads(self) -> int | None:
        """How many threads each job has. Default None: this machine's cores are shared."""
        return None

    def close(self) -> None:  # noqa: B027
        """Release what it holds; all jobs have ended. It may be called again. Default: nothing."""


class JobProcess(Launched):
    """A job as a process of the machine that this is called on."""

    def __init__(self, job: Job) -> None:
        """Start it. Raises OSError where the log cannot be written or no process be started."""
        left_out = (*_TERMINAL_VARIABLES, *THREAD_VARIABLES)
        inherited = {k: v for k, v in os.environ.items() if k not in left_out}
        job.log.parent.mkdir(exist_ok=True)
        with open_to_change(job.log) as log:
            log.seek(0, os.SEEK_END)
            self._process = subprocess.Popen(
                [*python(), *job.arguments],
                stdin=subprocess.PIPE,  # never written to; it closes when this process ends
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=job.directory,
                env=inherited | dict(job.environment),
                # Ctrl-C and a closed terminal signal the sweep, which sends one signal to its jobs.
                start_new_session=True,
            )

    def poll(self) -> JobEnd | None:
        """The end of the process."""
        if (code := self._process.poll()) is None:
            return None
        if self._process.stdin is not None:
            self._process.stdin.close()
        return JobEnd(exit_code=code if code >= 0 else 128 - code)

    def stop(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()
