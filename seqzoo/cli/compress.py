"""seqzoo compress FILE --run RUN"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqzoo.cli.coded import CPU, Force, OnDevice, RunToCodeWith, print_sizes, require_free
from seqzoo.cli.options import DEFAULT_RUNS, Adapt, AsJson, RunsFolder, Step
from seqzoo.cli.trust import TrustOption

SUFFIX = ".sqz"


def compress(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Any file.", show_default=False)],
    run: RunToCodeWith,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help=f"The compressed file; default: FILE{SUFFIX}.",
            show_default=False,
        ),
    ] = None,
    adaptive: Annotated[
        bool,
        typer.Option(
            "--adaptive",
            help="The model learns from what was compressed: smaller, slower, and decompressing "
            "needs the text that the run was trained on.",
        ),
    ] = False,
    adapt: Adapt = None,
    no_verify: Annotated[
        bool,
        typer.Option(
            "--no-verify",
            help="Do not decompress the result before it is put in place: half the time.",
        ),
    ] = False,
    force: Force = False,
    step: Step = None,
    runs: RunsFolder = DEFAULT_RUNS,
    device: OnDevice = CPU,
    trust: TrustOption = False,
    as_json: AsJson = False,
) -> None:
    """Compress a file with the model of a run: it needs as many bits as the model's score says.

    The result is decompressed and compared before it is put in place. Only the same weights
    restore it, on a machine that computes the same bits (docs/compress.md).
    """
    from seqzoo.cli.evaluate import adaptive_section
    from seqzoo.cli.opened import opened

    target = output or file.with_name(file.name + SUFFIX)
    require_free(file, target, force=force)
    trained = opened(run, device=device, step=step, trust=trust).trained
    from seqzoo.runs.coding import Coding
    from seqzoo.runs.compression import compress_file

    section = None
    if adaptive or adapt:
        section = adaptive_section(trained.experiment.recipe, adapt)
    sizes = compress_file(Coding(trained, section), file, target, verify=not no_verify)
    print_sizes(file, target, sizes, as_json=as_json)
