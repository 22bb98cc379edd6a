"""Jobs as processes of this machine."""

from __future__ import annotations

from seqzoo import Job, JobProcess, Launched, Launcher

__all__ = ["LocalLauncher"]


class LocalLauncher(Launcher):
    """Starts each job as a process here."""

    def start(self, job: Job) -> Launched:
        """A process, at once."""
        return JobProcess(job)
