"""Jobs on the machines of a Ray cluster, each started there by an actor of its own.

All machines must see the folder of the sweep under the same path. That is tried on each of them,
with a file of a random name, before a job starts there.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import logging
import os
import platform
import secrets
import socket
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from seqzoo import Job, JobEnd, Launched, Launcher, LauncherContext, SeqzooWarning, UsageError
from seqzoo_plugins.launchers.extra import imported
from seqzoo_plugins.launchers.options import RayOptions

__all__ = ["RayLauncher"]

_SECONDS_BETWEEN_POLLS = 0.3
_SECONDS_TO_KILL = 10.0
_SECONDS_TO_REACH = 10.0


class RayLauncher(Launcher):
    """Starts each job on a machine of a Ray cluster that has room for it."""

    def __init__(self, options: RayOptions, context: LauncherContext) -> None:
        """Connect to the cluster. Raises UsageError where it is not there."""
        self._ray = _ray()
        self._options = options
        self._is_ours = not self._ray.is_initialized()
        if self._is_ours:
            _connect(self._ray, options.address)
        for old in context.sweep_directory.glob(".seen-*"):  # of a sweep that was killed
            old.unlink(missing_ok=True)
        self._mark = context.sweep_directory / f".seen-{secrets.token_hex(8)}"
        self._mark.touch()
        self._worker = self._ray.remote(_worker_class())
        self._has_warned = False

    def start(self, job: Job) -> Launched:
        """An actor, which waits for a machine with room. Raises OSError without a cluster."""
        versions = {} if self._options.other_versions else _versions()
        cores = job.threads or self._options.threads
        self._warn_if_too_large(cores)
        try:
            actor = self._worker.options(
                num_cpus=cores, num_gpus=self._options.gpus, max_restarts=0, max_task_retries=0
            ).remote()
            answer = actor.begin.remote(dataclasses.asdict(job), str(self._mark), versions)
        except self._ray.exceptions.RayError as error:
            raise OSError(f"the Ray cluster does not answer ({_sentence(error)})") from error
        return _RayJob(self._ray, actor, answer)

    def room(self) -> int:
        """The jobs for which the machines have cores and GPUs, or 1, which waits for a machine."""
        total = 0
        for has in self._machines():
            cores = has.get("CPU", 0) // self._options.threads
            gpus = has.get("GPU", 0) / self._options.gpus if self._options.gpus else cores
            total += int(min(cores, gpus))
        return max(1, total)

    def threads(self) -> int:
        """As in the options, on every machine."""
        return self._options.threads

    def close(self) -> None:
        """Leave the cluster; one that was started for this sweep ends."""
        self._mark.unlink(missing_ok=True)
        if self._is_ours:
            self._ray.shutdown()

    def _machines(self) -> list[dict[str, float]]:
        """What each machine has; none while the cluster does not answer."""
        try:
            return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        except self._ray.exceptions.RayError:
            return []

    def _warn_if_too_large(self, cores: int) -> None:
        """Warn once where a job would wait for a machine that is not there."""
        machines, gpus = self._machines(), self._options.gpus
        fits = [m.get("CPU", 0) >= cores and m.get("GPU", 0) >= gpus for m in machines]
        if machines and not any(fits) and not self._has_warned:
            self._has_warned = True
            largest = max(machine.get("CPU", 0) for machine in machines)
            warnings.warn(
                f"the members wait for a machine with {cores} cores and {gpus:g} GPUs; the largest "
                f"one of the Ray cluster has {largest:g} cores.",
                SeqzooWarning,
                stacklevel=2,
            )


class _RayJob(Launched):
    """A job and its actor. answer: what the actor was asked last."""

    def __init__(self, ray: Any, actor: Any, answer: Any) -> None:
        self._ray = ray
        self._actor = actor
        self._answer = answer
        self._has_begun = False
        self._asked_at = 0.0
        self._end: JobEnd | None = None

    def poll(self) -> JobEnd | None:
        """What the actor says, where it has answered."""
        if self._end is not None:
            return self._end
        faults = self._ray.exceptions
        try:
            if self._answer is None:
                if time.monotonic() - self._asked_at < _SECONDS_BETWEEN_POLLS:
                    return None
                self._answer, self._asked_at = self._actor.poll.remote(), time.monotonic()
            if not self._ray.wait([self._answer], timeout=0)[0]:
                return None
            end = self._ray.get(self._answer)
        except faults.ActorUnavailableError:  # for a moment
            if self._has_begun:
                self._answer = None
        except faults.RayActorError as error:
            # An actor that could not be made would not be made elsewhere either.
            is_lost = not getattr(error, "actor_init_failed", False)
            self._finish(JobEnd(exit_code=None if is_lost else 1, reason=_sentence(error)))
        except faults.RayError as error:
            self._finish(JobEnd(exit_code=1, reason=_sentence(error)))
        else:
            self._has_begun, self._answer = True, None
            if end is not None:
                self._finish(JobEnd(exit_code=end[0], reason=end[1]))
        return self._end

    def stop(self) -> None:
        """SIGTERM to the process. One that waits for a machine is not started any more."""
        if self._end is None and self._has_begun:
            with suppress(self._ray.exceptions.RayError):
                self._actor.stop.remote()
        elif self._end is None:
            # If it has just begun, it saves and ends with its actor.
            self._finish(JobEnd(exit_code=143))

    def kill(self) -> None:
        """SIGKILL to the process, if its machine answers."""
        if self._end is None:
            if self._has_begun:
                with suppress(self._ray.exceptions.RayError):
                    self._ray.wait([self._actor.kill.remote()], timeout=_SECONDS_TO_KILL)
            self._finish(JobEnd(exit_code=137))

    def _finish(self, end: JobEnd) -> None:
        self._end = end
        with suppress(self._ray.exceptions.RayError):
            self._ray.kill(self._actor)


def _ray() -> Any:
    # Ray otherwise sends counts of its use to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    return imported("ray", name="Ray")


def _connect(ray: Any, address: str | None) -> None:
    # Without an address, Ray would also join the cluster that was started last on this machine.
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    try:
        _reach(address)
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **({"include_dashboard": False} if address == "local" else {}),
        )
    except (OSError, RuntimeError, ValueError) as error:
        where = "on this machine" if address in ("auto", "local") else f"at '{address}'"
        raise UsageError(
            f"the Ray cluster {where} cannot be used ({_sentence(error)}); 'ray status' says "
            f"whether there is one, and 'ray start --head' starts one."
        ) from error


def _reach(address: str) -> None:
    """Raises OSError or ValueError where nothing answers; Ray itself would try for minutes."""
    if address in ("auto", "local"):
        return
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        raise ValueError("an address is HOST:PORT")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS_TO_REACH):
        pass


def _versions() -> dict[str, str]:
    """What has to be the same on all machines, so that results do not depend on where they ran."""
    return {
        "Python": platform.python_version(),
        "seqzoo": importlib.metadata.version("seqzoo"),
        "torch": importlib.metadata.version("torch"),
    }


def _sentence(error: BaseException) -> str:
    error = getattr(error, "cause", None) or error  # of what failed in an actor
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__


def _worker_class() -> type:
    """The class of the actors. It is sent to the machines, which may have another seqzoo, or none.

    So it is made here, inside a function, and answers with plain data.
    """

    class Worker:
        def begin(
            self, job: dict[str, Any], mark: str, versions: dict[str, str]
        ) -> tuple[int, str] | None:
            """Start the process of a job; an exit code and a reason if that cannot be."""
            here = platform.node()
            if not Path(mark).exists():
                return 1, (
                    f"machine '{here}' does not see {Path(mark).parent}; the folder of the runs "
                    f"must be on a disk that all machines share"
                )
            for name, wanted in versions.items():
                try:
                    found = (
                        platform.python_version()
                        if name == "Python"
                        else importlib.metadata.version(name)
                    )
                except importlib.metadata.PackageNotFoundError:
                    return 1, f"machine '{here}' has no {name}; install it there"
                if found != wanted:
                    return 1, (
                        f"machine '{here}' has {name} {found} and this one {wanted}, so "
                        f"results would differ; the launcher's option other_versions allows it"
                    )
            from seqzoo import Job, JobProcess

            # Ray sets a number of threads for its own processes; the job has one from the sweep.
            try:
                self._process = JobProcess(Job(**job))
            except OSError as error:
                return 1, f"machine '{here}' could not start it: {error}"
            return None

        def poll(self) -> tuple[int, str] | None:
            end = self._process.poll()
            return None if end is None else (end.exit_code or 0, end.reason)

        def stop(self) -> None:
            self._process.stop()

        def kill(self) -> None:
            self._process.kill()

    return Worker
