"""The laws of launchers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from seqzoo.errors import UsageError
from seqzoo.plugin.contexts import LauncherContext
from seqzoo.plugin.launcher import Job, JobEnd, Launched, Launcher
from seqzoo.plugin.specs import LauncherSpec
from seqzoo.testing.given import Given, NotHere
from seqzoo.testing.law import Law, law, require

__all__ = ["GIVEN", "LAWS"]

_LONGEST_SECONDS = 60.0
"""How long a law waits for what must happen: a cluster may start a process slowly."""

_WAITS = """
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGTERM, {handler})
Path("started").touch()
for _ in range(100):
    if Path("go").exists():
        sys.exit(0)
    time.sleep(0.1)
sys.exit(9)
"""
"""Waits for a file, at most ten seconds."""


class GIVEN(Given[LauncherSpec]):
    """A launcher with one choice of options, in a folder that is deleted afterwards."""

    def accept(self) -> None:
        """Options are checked without opening a launcher, which may start a cluster."""

    @contextmanager
    def opened(self) -> Iterator[tuple[Launcher, Path]]:
        """The launcher, and the folder of its sweep; one that lacks a package or a program
        is skipped.
        """
        with tempfile.TemporaryDirectory(prefix="seqzoo-laws-") as name:
            folder = Path(name).resolve()
            try:
                launcher = self.spec.open(self.options, LauncherContext(sweep_directory=folder))
            except UsageError as error:
                if isinstance(error.__cause__, (ImportError, FileNotFoundError)):
                    raise NotHere(str(error)) from error
                raise
            try:
                yield launcher, folder
            finally:
                launcher.close()


def _job(folder: Path, text: str, *, name: str = "member", **more: str) -> Job:
    """A job that runs this Python text in the folder."""
    return Job(
        name=name,
        arguments=("-c", text),
        directory=folder,
        log=folder / "logs" / f"{name}.log",
        threads=1,
        environment=more,
    )


def _until(what: str, holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while not holds():
        require(time.monotonic() < deadline, f"{what} after {_LONGEST_SECONDS:.0f} s")
        time.sleep(0.05)


def _end(launched: Launched) -> JobEnd:
    """How a job ends, which is awaited."""
    _until("`poll` gives no end", lambda: launched.poll() is not None)
    end = launched.poll()
    require(isinstance(end, JobEnd), f"`poll` gave a {type(end).__name__}")
    assert end is not None
    return end


@law(
    "launcher.runs",
    says="a job works in its directory with its variables, and its output is added to its log",
    cause="a directory or environment of another machine, or a log that is overwritten",
    is_gate=True,
    every_option=True,
)
def _runs(given: GIVEN) -> None:
    text = (
        "import os, sys; print(os.getcwd(), os.environ['SEQZOO_X']); print('seen', file=sys.stderr)"
    )
    with given.opened() as (launcher, folder):
        require(isinstance(launcher, Launcher), f"`open` returned a {type(launcher).__name__}")
        job = _job(folder, text, SEQZOO_X="a b")
        job.log.parent.mkdir()
        job.log.write_text("before\n")
        launched = launcher.start(job)
        require(isinstance(launched, Launched), f"`start` returned a {type(launched).__name__}")
        end = _end(launched)
        require(end.exit_code == 0, f"the end is {end}")
        require(launched.poll() == end, f"a later `poll` gave {launched.poll()}")
        lines = job.log.read_text().splitlines()
        wanted = ["before", f"{folder} a b", "seen"]
        require(sorted(lines) == sorted(wanted), f"the log has {lines}")
        require(lines[0] == "before", "the log begins with the output of the job")


@law(
    "launcher.exit_codes",
    says="the exit code of a job is reported, 128 + N for a process that signal N ended",
    cause="an error of the job that is reported as a lost machine, which would start it again",
    cases=[{"code": code} for code in (1, 2, 5, 137)],
)
def _exit_codes(given: GIVEN, code: int) -> None:
    ends = f"import os, signal; os.kill(os.getpid(), {code - 128})" if code > 128 else ""
    with given.opened() as (launcher, folder):
        end = _end(launcher.start(_job(folder, ends or f"raise SystemExit({code})")))
        require(end.exit_code == code, f"the end is {end}")


@law(
    "launcher.does_not_wait",
    says="`start` and `poll` return while the job runs",
    cause="`subprocess.run`, or a result that is awaited",
)
def _does_not_wait(given: GIVEN) -> None:
    with given.opened() as (launcher, folder):
        launched = launcher.start(_job(folder, _WAITS.format(handler="signal.SIG_DFL")))
        _until("the job did not start", (folder / "started").exists)
        before = launched.poll()
        require(before is None, f"`poll` gave {before} for a job that runs")
        (folder / "go").touch()
        end = _end(launched)
        require(end.exit_code == 0, f"the end is {end}: it was waited for")


@law(
    "launcher.stdin",
    says="the standard input of a job stays open while the launcher does, and says nothing",
    cause="`subprocess.DEVNULL`: a member takes the end of its input for the end of its sweep",
)
def _stdin(given: GIVEN) -> None:
    text = "import select, sys; sys.exit(4 if select.select([0], [], [], 1.0)[0] else 0)"
    with given.opened() as (launcher, folder):
        end = _end(launcher.start(_job(folder, text)))
        require(end.exit_code == 0, "the input of the job has ended, or can be read")


@law(
    "launcher.stops",
    says="`stop` sends SIGTERM, and the job then ends by itself",
    cause="SIGKILL instead of SIGTERM, or a signal for the process around the job",
)
def _stops(given: GIVEN) -> None:
    handler = "lambda *_: (Path('saved').touch(), sys.exit(7))"
    with given.opened() as (launcher, folder):
        launched = launcher.start(_job(folder, _WAITS.format(handler=handler)))
        _until("the job did not start", (folder / "started").exists)
        require(launched.poll() is None, "it ended before it was stopped")
        launched.stop()
        end = _end(launched)
        require((folder / "saved").exists(), f"the job could not save; the end is {end}")
        require(end.exit_code == 7, f"the end is {end}, and the job exits with 7")


@law(
    "launcher.kills",
    says="after `kill` a job writes no more, also if it ignores SIGTERM; a second call is harmless",
    cause="SIGTERM instead of SIGKILL, or a shell whose child lives on",
)
def _kills(given: GIVEN) -> None:
    text = _WAITS.format(handler="signal.SIG_IGN").replace(
        "    time.sleep(0.1)",
        "    Path('alive').write_text(str(time.time()))\n    time.sleep(0.01)",
    )
    with given.opened() as (launcher, folder):
        launched = launcher.start(_job(folder, text))
        _until("the job did not start", (folder / "alive").exists)
        launched.poll()
        launched.kill()
        last = (folder / "alive").read_text()
        time.sleep(0.3)
        require((folder / "alive").read_text() == last, "the job writes after `kill`")
        end = _end(launched)
        require(end.exit_code not in (0, None), f"the end is {end}")
        launched.kill()


@law(
    "launcher.several",
    says="jobs do not disturb each other: each has its own end and log",
    cause="one name, one process or one result for all jobs",
)
def _several(given: GIVEN) -> None:
    with given.opened() as (launcher, folder):
        jobs = [
            _job(
                folder,
                f"import sys; sys.stdout.write('{code}\\n'); sys.exit({code})",
                name=f"member_{code}",
            )
            for code in (3, 0, 1)
        ]
        launched = [launcher.start(job) for job in jobs]
        for job, each, code in zip(jobs, launched, (3, 0, 1), strict=True):
            end = _end(each)
            require(end.exit_code == code, f"the end of {job.name} is {end}")
            require(job.log.read_text() == f"{code}\n", f"its log has {job.log.read_text()!r}")


@law(
    "launcher.log_fails",
    says="a log that cannot be written is an OSError of `start`, or an end with a reason",
    cause="an error that is not an OSError, or a job that is reported as lost or as finished",
)
def _log_fails(given: GIVEN) -> None:
    with given.opened() as (launcher, folder):
        (folder / "logs").touch()
        try:
            launched = launcher.start(_job(folder, "pass"))
        except OSError:
            return
        end = _end(launched)
        require(end.exit_code not in (0, None) and bool(end.reason), f"the end is {end}")


@law(
    "launcher.room",
    says="`room` is at least 1, and `threads` is None or at least 1",
    cause="a cluster that has no machine yet",
)
def _room(given: GIVEN) -> None:
    with given.opened() as (launcher, _):
        room, threads = launcher.room(), launcher.threads()
        require(isinstance(room, int) and room >= 1, f"`room` is {room!r}")
        require(
            threads is None or (isinstance(threads, int) and threads >= 1),
            f"`threads` is {threads!r}",
        )


@law(
    "launcher.leaves_nothing",
    says="in the folder of the sweep it leaves the logs alone",
    cause="files of its own that `close` does not remove",
)
def _leaves_nothing(given: GIVEN) -> None:
    with given.opened() as (launcher, folder):
        _end(launcher.start(_job(folder, "pass")))
        launcher.close()
        left = sorted(path.name for path in folder.iterdir() if path.name != "logs")
        require(not left, f"it left {', '.join(left)}")


LAWS: tuple[Law, ...] = (
    _runs,
    _exit_codes,
    _does_not_wait,
    _stdin,
    _stops,
    _kills,
    _several,
    _log_fails,
    _room,
    _leaves_nothing,
)
