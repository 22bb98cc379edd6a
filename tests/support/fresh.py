"""Wheels, and fresh environments that borrow from this one what is not under test."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from commands import environment

__all__ = ["Fresh", "build_wheel", "command"]


def command(
    *arguments: str | Path, folder: Path, fails: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a program with the plugins that are installed for it, and no others.

    fails: whether it must fail; otherwise it must not.
    """
    done = subprocess.run(
        [str(argument) for argument in arguments],
        cwd=folder,
        env=environment(PYTHONPATH=""),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=600,
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done


def build_wheel(source: Path, target: Path) -> Path:
    """The wheel of a project, built with the tools of this environment."""
    command(
        sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", target, source,
        folder=source,
    )  # fmt: skip
    (wheel,) = target.glob("*.whl")
    return wheel


class Fresh:
    """An environment of its own, in which nothing is downloaded.

    What is installed in it comes first; everything else, such as torch, is found in this one.
    """

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=True)
        self.python = folder / "bin" / "python"
        self.program = folder / "bin" / "seqzoo"
        here = [path for path in sys.path if path.endswith("site-packages")]
        (site,) = (folder / "lib").glob("python*/site-packages")
        (site / "borrowed.pth").write_text("\n".join(here) + "\n")

    def pip(self, *arguments: str | Path, folder: Path) -> None:
        """Run pip without an index."""
        command(self.python, "-m", "pip", *arguments, folder=folder)

    def install(self, *what: str | Path, folder: Path) -> None:
        """Install wheels, or a folder with `-e`, without their dependencies."""
        self.pip("install", "--no-index", "--no-deps", "--no-build-isolation", *what, folder=folder)

    def seqzoo(
        self, *arguments: str | Path, folder: Path, fails: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run the installed program."""
        return command(self.program, *arguments, folder=folder, fails=fails)
