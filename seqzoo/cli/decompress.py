"""seqzoo decompress FILE"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqzoo.cli.coded import CPU, Force, OnDevice, RunToDecodeWith, print_sizes, require_free
from seqzoo.cli.compress import SUFFIX
from seqzoo.cli.options import DEFAULT_RUNS, AsJson, RunsFolder, Step
from seqzoo.cli.trust import TrustOption

if TYPE_CHECKING:
    from seqzoo.coding.container import Header
    from seqzoo.runs.coding import Coding


def decompress(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A file that seqzoo compress has made.", show_default=False
        ),
    ],
    run: RunToDecodeWith = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help=f"The restored file; default: FILE without {SUFFIX}.",
            show_default=False,
        ),
    ] = None,
    force: Force = False,
    step: Step = None,
    runs: RunsFolder = DEFAULT_RUNS,
    device: OnDevice = CPU,
    trust: TrustOption = False,
    as_json: AsJson = False,
) -> None:
    """Restore a file that seqzoo compress has made; it is written only if it is the original.

    Without --run, the run is looked up in --runs by the weights.
    """
    from seqzoo.errors import UsageError

    if output is None and file.suffix != SUFFIX:
        raise UsageError(f"{file} does not end with {SUFFIX}; say with -o how to call the result.")
    target = output or file.with_suffix("")
    require_free(file, target, force=force)
    from seqzoo.runs.compression import decompress_file, header_of

    header = header_of(file)  # damage is reported before anything is loaded
    coding = _coding_of(header, file, run, runs, step=step, device=device, trust=trust)
    sizes = decompress_file(lambda _: coding, file, target)
    print_sizes(file, target, sizes, as_json=as_json)


def _coding_of(
    header: Header,
    file: Path,
    run: Path | None,
    runs: Path,
    *,
    step: int | None,
    device: str | None,
    trust: bool,
) -> Coding:
    from seqzoo.cli.opened import opened
    from seqzoo.errors import UsageError
    from seqzoo.runs.coding import coding_of, run_with_weights

    if run is None:
        found = run_with_weights(runs, header.weights)
        if found is None:
            raise UsageError(
                f"no run in {runs} has the weights that {file} was compressed with, whose sha256 "
                f"begins {header.weights.hex()}; give the run with --run, or its folder with "
                f"--runs."
            )
        run, step = found[0], found[1] if step is None else step
    trained = opened(run, device=device, step=step, trust=trust).trained
    return coding_of(header, trained, str(file))
