"""Launchers with one fault each, and the law that each breaks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from planted_architectures import Planted

from seqzoo import (
    Job,
    JobEnd,
    JobProcess,
    Launched,
    Launcher,
    LauncherContext,
    LauncherSpec,
)

__all__ = ["LAUNCHERS", "healthy_launchers"]


class Here(Launcher):
    """Processes of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, job: Job) -> Launched:
        return JobProcess(job)


class RaisesInOpen(Here):
    def __init__(self, folder: Path) -> None:
        raise RuntimeError("no cluster")


class OtherDirectory(Here):
    def start(self, job: Job) -> Launched:
        return JobProcess(
            Job(name=job.name, arguments=job.arguments, directory=Path("/"), log=job.log)
        )


class NewLog(Here):
    def start(self, job: Job) -> Launched:
        job.log.unlink(missing_ok=True)
        return JobProcess(job)


class Changed(Launched):
    """A process that a subclass treats in another way."""

    def __init__(self, job: Job) -> None:
        self.process = JobProcess(job)

    def poll(self) -> JobEnd | None:
        return self.process.poll()

    def stop(self) -> None:
        self.process.stop()

    def kill(self) -> None:
        self.process.kill()


def starting(kind: type[Changed]) -> type[Here]:
    class Started(Here):
        def start(self, job: Job) -> Launched:
            return kind(job)

    return Started


class Lost(Changed):
    def poll(self) -> JobEnd | None:
        end = super().poll()
        return JobEnd(exit_code=None, reason="?") if end is not None and end.exit_code else end


class NegativeCodes(Changed):
    def poll(self) -> JobEnd | None:
        end = super().poll()
        if end is not None and end.exit_code and end.exit_code > 128:
            return JobEnd(exit_code=128 - end.exit_code)
        return end


class Awaited(Changed):
    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.process._process.wait()


class EndedInput(Changed):
    def __init__(self, job: Job) -> None:
        self.started = subprocess.Popen(
            [sys.executable, *job.arguments],
            stdin=subprocess.DEVNULL,
            cwd=job.directory,
            env={**os.environ, **job.environment},
            stdout=job.log.open("a") if job.log.parent.is_dir() else None,
            stderr=subprocess.STDOUT,
        )

    def poll(self) -> JobEnd | None:
        code = self.started.poll()
        return None if code is None else JobEnd(exit_code=code if code >= 0 else 128 - code)

    def stop(self) -> None:
        self.started.terminate()

    def kill(self) -> None:
        self.started.kill()
        self.started.wait()


class StopsHard(Changed):
    def stop(self) -> None:
        self.process.kill()


class KillsSoftly(Changed):
    def kill(self) -> None:
        self.process.stop()

    def __del__(self) -> None:
        self.process.kill()


class Forgets(Here):
    """Knows the newest job only."""

    newest: Launched

    def start(self, job: Job) -> Launched:
        self.newest = JobProcess(job)
        outer = self

        class Newest(Changed):
            def __init__(self) -> None:
                pass

            def poll(self) -> JobEnd | None:
                return outer.newest.poll()

            def stop(self) -> None:
                outer.newest.stop()

            def kill(self) -> None:
                outer.newest.kill()

        return Newest()


class RaisesAnything(Here):
    def start(self, job: Job) -> Launched:
        try:
            return JobProcess(job)
        except OSError as error:
            raise RuntimeError("cannot start") from error


class NoRoom(Here):
    def room(self) -> int:
        return 0


class LeavesFile(Here):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "cluster.json").touch()


def launcher(kind: type[Here]) -> LauncherSpec:
    def opens(options: Any, context: LauncherContext) -> Launcher:
        return kind(context.sweep_directory)

    return LauncherSpec(name="mine", summary="processes", open=opens)


LAUNCHERS: dict[str, Planted] = {
    "raises in open": Planted(launcher(RaisesInOpen), "runs"),
    "works in another directory": Planted(launcher(OtherDirectory), "runs"),
    "overwrites the log": Planted(launcher(NewLog), "runs"),
    "errors are losses": Planted(launcher(starting(Lost)), "exit_codes", "stops kills several"),
    "negative codes": Planted(launcher(starting(NegativeCodes)), "exit_codes"),
    "waits for the end": Planted(launcher(starting(Awaited)), "does_not_wait", "stops kills"),
    "no input": Planted(launcher(starting(EndedInput)), "stdin", "several log_fails"),
    "stops with SIGKILL": Planted(launcher(starting(StopsHard)), "stops"),
    "kills with SIGTERM": Planted(launcher(starting(KillsSoftly)), "kills"),
    "knows one job": Planted(launcher(Forgets), "several"),
    "raises anything": Planted(launcher(RaisesAnything), "log_fails"),
    "no room": Planted(launcher(NoRoom), "room"),
    "leaves a file": Planted(launcher(LeavesFile), "leaves_nothing"),
}


def healthy() -> LauncherSpec:
    return launcher(Here)


healthy_launchers = {"launcher": healthy}
