"""seqzoo bench [ARCHITECTURE] [option=value ...]"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from seqzoo.cli.options import AsJson


def bench(
    architecture: Annotated[
        str | None, typer.Argument(help="An architecture; default: all installed.")
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[OPTION=VALUE]...",
            help="Options of the architecture, e.g. hidden_size=512.",
            show_default=False,
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Lanes in a batch.")] = 32,
    bptt_length: Annotated[int, typer.Option(min=1, help="Tokens per lane in an update.")] = 64,
    rounds: Annotated[
        int, typer.Option(min=1, help="Number of alternating runs of each side.")
    ] = 7,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Number of threads; default: torch's choice.")
    ] = None,
    targets: Annotated[
        bool,
        typer.Option(
            "--targets",
            help="Measure the sizes that each architecture declares and print their targets.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the speed of training, scoring and sampling with plain torch; prints ratios."""
    from seqzoo.bench import ratios as benchmark
    from seqzoo.bench.targets import bench_section, measure_targets
    from seqzoo.cli.plugins import installed
    from seqzoo.errors import UsageError
    from seqzoo.model.runtime import make_runtime
    from seqzoo.recipes.load import plugin_options
    from seqzoo.recipes.sections import RuntimeSection
    from seqzoo.terminal.console import messages

    registry = installed()
    runtime = make_runtime(RuntimeSection(device="cpu", threads=threads))
    names = [architecture] if architecture else registry.names("architecture")
    found: list[dict[str, object]] = []
    if targets and options:
        raise UsageError("--targets uses its own sizes; remove the options.")
    for name in names:
        spec = registry.get("architecture", name)
        messages().print(f"{name}: measuring training, scoring and sampling …", style="dim")
        if targets:
            for measured in measure_targets(spec, runtime=runtime, rounds=rounds):
                found.append(vars(measured))
                messages().print(
                    f"  {measured.size}: {measured.meaning}: {measured.ratio:.2f}", style="dim"
                )
            continue
        section = bench_section(batch_size, bptt_length)
        chosen = plugin_options(spec, options or [])
        for ratio in (
            benchmark.training_ratio(spec, chosen, section, runtime=runtime, rounds=rounds),
            benchmark.evaluation_share(spec, chosen, section, runtime=runtime),
            benchmark.sampling_ratio(spec, chosen, rounds=rounds),
            benchmark.sampling_growth(spec, chosen),
        ):
            found.append({"architecture": name, **vars(ratio)})
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        size = "" if targets else f", B{batch_size} T{bptt_length}"
        _print_table(f"{runtime.threads} threads{size}", found, with_targets=targets)


def _print_table(heading: str, found: list[dict[str, Any]], *, with_targets: bool) -> None:
    """One line for each ratio, below the architecture and, with targets, its size."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from seqzoo.terminal.console import results

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("measurement")
    for column in ("ratio", *(["target"] if with_targets else []), "seqzoo", "reference"):
        table.add_column(column, justify="right", no_wrap=True)
    title = None
    for line in found:
        subject = " ".join(filter(None, (line["architecture"], line.get("size"))))
        if subject != title:
            table.add_row(Text(subject, style="bold"))
            title = subject
        numbers = [f"{line['ratio']:.2f}"]
        if with_targets:
            numbers.append("" if line["target"] is None else f"{line['target']:g}")
        numbers += [_figure(line["ours"]), _figure(line["theirs"])]
        table.add_row(Padding(line["meaning"], (0, 0, 0, 2)), *numbers)
    results().print(heading)
    results().print(table)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
