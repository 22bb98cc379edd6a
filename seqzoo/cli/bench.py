"""seqzoo bench [ARCHITECTURE] [option=value ...]"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from seqzoo.cli.options import AsJson


def bench(
    architecture: Annotated[
        str | None, typer.Argument(help="An architecture; else every one that is installed.")
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[OPTION=VALUE]...",
            help="Its options, e.g. hidden_size=512.",
            show_default=False,
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Lanes of a batch.")] = 32,
    bptt_length: Annotated[int, typer.Option(min=1, help="Tokens per lane and update.")] = 64,
    rounds: Annotated[int, typer.Option(min=1, help="Turns that each side takes.")] = 7,
    threads: Annotated[int | None, typer.Option(min=1, help="Else torch's own choice.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare training, scoring and sampling with bare torch, taking turns; prints ratios."""
    from rich.table import Table

    from seqzoo import bench as benchmark
    from seqzoo.cli.plugins import installed
    from seqzoo.console import messages, results
    from seqzoo.recipe import plugin_options
    from seqzoo.runtime import make_runtime
    from seqzoo.sections import RuntimeSection, TrainSection

    registry = installed()
    runtime = make_runtime(RuntimeSection(device="cpu", threads=threads))
    section = TrainSection.model_validate(
        {
            "batch_size": batch_size,
            "bptt_length": bptt_length,
            "budget": {"steps": 1_000_000},
            "validation": {"every_steps": 0},
        }
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("architecture", "figure", "ratio", "seqzoo", "against"):
        table.add_column(
            column, justify="left" if column in ("architecture", "figure") else "right"
        )
    found = []
    for name in [architecture] if architecture else registry.names("architecture"):
        spec = registry.get("architecture", name)
        chosen = plugin_options(spec, options or [])
        messages().print(f"{name}: training, scoring and sampling take turns …", style="dim")
        ratios = (
            benchmark.training_ratio(spec, chosen, section, runtime=runtime, rounds=rounds),
            benchmark.evaluation_share(spec, chosen, section, runtime=runtime),
            benchmark.sampling_ratio(spec, chosen, rounds=rounds),
            benchmark.sampling_growth(spec, chosen),
        )
        for ratio in ratios:
            table.add_row(
                name,
                ratio.meaning,
                f"{ratio.ratio:.2f}",
                f"{ratio.ours:.4g}",
                f"{ratio.theirs:.4g}",
            )
            found.append({"architecture": name, **vars(ratio)})
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        results().print(f"{runtime.threads} threads, B{batch_size} T{bptt_length}")
        results().print(table)
