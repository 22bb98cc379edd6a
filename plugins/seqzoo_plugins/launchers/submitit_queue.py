"""Jobs in the queue of a cluster, by submitit; each starts its member on the machine that it gets.

The machines must see the folder of the sweep under the same path. A folder in it, which is removed
at the end, holds the files of submitit and what the sweep asks of its jobs.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seqzoo import Job, JobEnd, Launched, Launcher, LauncherContext, UsageError
from seqzoo_plugins.launchers.extra import imported
from seqzoo_plugins.launchers.options import SubmititOptions
from seqzoo_plugins.launchers.queued_job import Orders, run_queued

__all__ = ["SubmititLauncher"]

_MOST_IN_QUEUE = 32
_SECONDS_BETWEEN_POLLS = 0.5
_SECONDS_FOR_RESULT = 15.0
"""How long a shared disk may hide the result of a job that has ended on another machine."""
_SECONDS_TO_END = 10.0


class SubmititLauncher(Launcher):
    """Submits each job to the queue, or starts it on this machine as a queue would."""

    def __init__(self, options: SubmititOptions, context: LauncherContext) -> None:
        """Raises UsageError where submitit or the queue is missing."""
        self._options = options
        self._submitit = _submitit()
        if options.cluster == "slurm" and shutil.which("srun") is None:
            raise UsageError(
                "launcher 'submitit' finds no Slurm on this machine (there is no command 'srun'); "
                "start the sweep where there is one, or choose cluster=local."
            ) from FileNotFoundError("srun")
        for old in context.sweep_directory.glob(".submitit-*"):  # of a sweep that was killed
            shutil.rmtree(old, ignore_errors=True)
        self._folder = context.sweep_directory / f".submitit-{secrets.token_hex(8)}"
        self._folder.mkdir()
        cluster = None if options.cluster == "auto" else options.cluster
        self._executor = self._submitit.AutoExecutor(self._folder, cluster=cluster)
        self._is_local = self._executor.cluster == "local"
        self._orders = Orders(self._folder / "orders")
        self._jobs: list[_QueuedJob] = []

    def start(self, job: Job) -> Launched:
        """Submit it. Raises OSError where the queue refuses it."""
        ticket = self._folder / secrets.token_hex(8)
        ticket.touch()
        cores = job.threads or self._options.threads
        self._executor.update_parameters(
            name=job.name,
            timeout_min=self._options.minutes,
            cpus_per_task=cores,
            mem_gb=self._options.memory_gb,
            gpus_per_node=self._options.gpus or None,
            slurm_partition=self._options.partition,
            slurm_srun_args=[f"--cpus-per-task={cores}"],  # srun does not take it from its job
            # One that the queue starts again is lost all the same, and waits in the queue first.
            slurm_additional_parameters={"no-requeue": True, **self._options.sbatch},
        )
        try:
            with self._submitit.helpers.clean_env(), _apart():
                queued = self._executor.submit(run_queued, job, self._orders.file, ticket)
        except RuntimeError as error:
            raise OSError(f"the queue refused it: {_last_line(str(error))}") from error
        patience = 0.0 if self._is_local else _SECONDS_FOR_RESULT
        self._jobs.append(_QueuedJob(queued, ticket, self._orders, patience))
        return self._jobs[-1]

    def room(self) -> int:
        """The members for which this machine has cores; a queue finds its machines by itself."""
        cores = (os.cpu_count() or 1) // self._options.threads
        return max(1, cores) if self._is_local else _MOST_IN_QUEUE

    def threads(self) -> int:
        """As in the options, on every machine."""
        return self._options.threads

    def close(self) -> None:
        """Remove the files of the jobs."""
        self._orders.close()
        for job in self._jobs if self._is_local else ():  # one that starts makes its folder again
            job.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


class _QueuedJob(Launched):
    """A job in the queue.

    ticket: a file that is there until the job begins. patience: seconds until a result is seen.
    """

    def __init__(self, queued: Any, ticket: Path, orders: Orders, patience: float) -> None:
        self._queued = queued
        self._ticket = ticket
        self._orders = orders
        self._patience = patience
        self._end: JobEnd | None = None
        self._looked_at = self._over_since = 0.0

    def poll(self) -> JobEnd | None:
        """Its result, or that it ended without one."""
        now = time.monotonic()
        if self._end is None and now - self._looked_at >= _SECONDS_BETWEEN_POLLS:
            self._looked_at = now
            if self._is_over():
                self._over_since = self._over_since or now
                self._end = self._result()
        return self._end

    def stop(self) -> None:
        """SIGTERM to the process. A job that waits in the queue is withdrawn."""
        if self._end is None and not self._withdraw(143):
            self._orders.add(f"{self._ticket.name} stop")

    def kill(self) -> None:
        """SIGKILL to the process."""
        if self._end is None and not self._withdraw(137):
            self._orders.add(f"{self._ticket.name} kill")
            self.wait()
            self._end = JobEnd(exit_code=137)

    def wait(self) -> None:
        """Until it is over, or some seconds have passed."""
        deadline = time.monotonic() + _SECONDS_TO_END
        while not self._is_over() and time.monotonic() < deadline:
            time.sleep(0.1)

    def _is_over(self) -> bool:
        return bool(self._queued.done() or self._queued.state.upper() == "PREEMPTED")

    def _result(self) -> JobEnd | None:
        """How a job that is over has ended; None if that is not known yet."""
        if self._queued.paths.result_pickle.exists():
            if error := self._queued.exception():  # it did not come as far as its process
                return JobEnd(exit_code=1, reason=_last_line(str(error).rpartition("----")[0]))
            code, reason = self._queued.result()
            return JobEnd(exit_code=code, reason=reason)
        if time.monotonic() - self._over_since < self._patience:
            return None
        self._orders.add(f"{self._ticket.name} stop")  # for a process that lives on without its job
        says = f"{self._queued.state} {_last_line(self._queued.stderr() or '')}".strip()
        return JobEnd(exit_code=None, reason=f"job {self._queued.job_id} has no result: {says}")

    def _withdraw(self, exit_code: int) -> bool:
        """Whether the job had not begun; it does not begin any more."""
        try:
            self._ticket.unlink()
        except FileNotFoundError:
            return False
        self._queued.cancel(check=False)
        self._end = JobEnd(exit_code=exit_code)
        return True


def _submitit() -> Any:
    # It otherwise writes to stdout, which is for results.
    os.environ.setdefault("SUBMITIT_LOG_LEVEL", "NOCONFIG")
    return imported("submitit", name="submitit")


@contextmanager
def _apart() -> Iterator[None]:
    """What starts here does not receive Ctrl-C, and finds modules where this process does."""
    safe = os.environ.get("PYTHONSAFEPATH", "")
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGHUP))
    if not {"", os.getcwd()} & set(sys.path):
        os.environ["PYTHONSAFEPATH"] = "1"  # a file `json.py` in somebody's folder would run
    try:
        yield
    finally:
        os.environ["PYTHONSAFEPATH"] = safe  # an empty one is none
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip("- ")]
    return lines[-1][:300].rstrip(".") if lines else ""
