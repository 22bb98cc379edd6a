"""seqzoo export RUN DIR"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqzoo.cli.opened import opened
from seqzoo.cli.options import DEFAULT_RUNS, AsJson, Run, RunsFolder, Step
from seqzoo.cli.trust import TrustOption


def export(
    run: Run,
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Folder to write; it must not exist.", show_default=False
        ),
    ],
    format: Annotated[
        str,
        typer.Option(
            help="folder: weights and plain torch. onnx, torch: one step as a program.",
            metavar="NAME",
        ),
    ] = "folder",
    step: Step = None,
    runs: RunsFolder = DEFAULT_RUNS,
    trust: TrustOption = False,
    as_json: AsJson = False,
) -> None:
    """Write a model to a folder that works without seqzoo, and prove that it does.

    The folder has the weights, a model card, and a short program that
    scores and continues texts. Before it is left behind, it is read in a
    process without seqzoo. If its score differs from that of seqzoo, the
    folder is removed and the exit code is 6. `seqzoo sample` and
    `train.start_from` read a folder too.
    """
    from seqzoo.errors import UsageError, did_you_mean
    from seqzoo.export.config import FORMATS, read_config
    from seqzoo.export.place import require_place
    from seqzoo.terminal.console import note, write
    from seqzoo.terminal.format import file_size, quoted
    from seqzoo.terminal.streams import write_data

    chosen = next((known for known in FORMATS if known == format), None)
    if chosen is None:
        raise UsageError(
            f"--format is '{format}', expected one of {', '.join(FORMATS)}."
            f"{did_you_mean(format, FORMATS)}"
        )
    require_place(directory)  # before minutes of work
    model = opened(run, device="cpu", step=step, trust=trust)
    note(f"{directory}: writing the folder, and reading it without seqzoo")
    config = read_config(model.export(directory, format=chosen))
    if as_json:
        write_data(config.model_dump_json(indent=2))
        return
    proof = config.proof
    assert proof is not None
    size = sum(path.stat().st_size for path in directory.iterdir())
    write(f"{directory}: {file_size(size)} in {len(list(directory.iterdir()))} files\n")
    write(
        f"bits per byte of {proof.bytes:,} bytes ({proof.text}): {proof.bits_per_byte:.6f} in the "
        f"folder, {proof.bits_per_byte_in_seqzoo:.6f} in seqzoo\n"
    )
    write(f"Try it with: python {quoted(directory / 'seqzoo_model.py')} generate\n")
