"""What `seqzoo compress` and `seqzoo decompress` share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from seqzoo.cli.options import run_named

if TYPE_CHECKING:
    from seqzoo.runs.compression import Sizes

__all__ = [
    "CPU",
    "Force",
    "OnDevice",
    "RunToCodeWith",
    "RunToDecodeWith",
    "print_sizes",
    "require_free",
]

CPU = "cpu"
"""The default, for runs of a GPU too: a token takes no longer, and more machines have it."""

RunToCodeWith: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--run",
        metavar="RUN",
        help="Folder of the run whose model is used, or its name in --runs.",
        show_default=False,
        callback=run_named,
    ),
]
RunToDecodeWith: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--run",
        metavar="RUN",
        help="Folder of the run that compressed it, or its name in --runs.",
        show_default=False,
        callback=run_named,
    ),
]
OnDevice: TypeAlias = Annotated[
    str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.", metavar="NAME")
]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Replace a file that exists.")]


def require_free(source: Path, target: Path, *, force: bool) -> None:
    """Raises UsageError, before any work, if the result cannot be written to `target`."""
    from seqzoo.errors import UsageError

    if "-" in (str(source), str(target)):
        raise UsageError("- is no file: compress and decompress read and write named files only.")
    if not source.exists():
        raise UsageError(f"there is no file {source}.")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"-o {target}: there is no folder {target.parent}.")
    if not target.exists():
        return
    if not target.is_file():
        kind = "a folder" if target.is_dir() else "no regular file"
        raise UsageError(f"-o {target} is {kind}, expected the name of a file.")
    if target.samefile(source):
        raise UsageError(f"-o {target} is the file that is read; choose another name.")
    if not force:
        raise UsageError(f"{target} exists; choose another name with -o, or give --force.")


def print_sizes(source: Path, target: Path, sizes: Sizes, *, as_json: bool) -> None:
    """Print what was written, for people or as JSON."""
    from seqzoo.terminal.console import write
    from seqzoo.terminal.streams import write_data

    bits_per_byte = 8 * sizes.compressed / sizes.original if sizes.original else None
    if as_json:
        facts = {"from": str(source), "to": str(target), **sizes._asdict()}
        write_data(json.dumps({**facts, "bits_per_byte": bits_per_byte}))
        return
    share = "" if bits_per_byte is None else f" ({bits_per_byte:.3f} bits per byte)"
    write(
        f"{target}: {sizes.compressed:,} bytes compressed, {sizes.original:,} bytes of "
        f"original{share}\n"
    )
