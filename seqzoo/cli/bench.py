"""seqzoo bench [ARCHITECTURE] [option=value ...]"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import typer

from seqzoo.cli.options import AsJson, whole_number


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
    batch_size: Annotated[
        int,
        whole_number("--batch-size", least=1, help="Lanes in a batch."),
    ] = 32,
    bptt_length: Annotated[
        int,
        whole_number(
            "--bptt-length",
            least=1,
            help="Tokens per lane in an update.",
        ),
    ] = 64,
    rounds: Annotated[
        int,
        whole_number(
            "--rounds",
            least=1,
            help="Number of alternating runs of each side.",
        ),
    ] = 7,
    threads: Annotated[
        int | None,
        whole_number(
            "--threads",
            least=1,
            help="Number of threads; default: one for each free core.",
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.", metavar="NAME")
    ] = "cpu",
    precision: Annotated[
        Literal["float32", "bfloat16"], typer.Option(help="Number format of both sides.")
    ] = "float32",
    targets: Annotated[
        bool,
        typer.Option(
            "--targets",
            help="Measure the sizes that each architecture declares and print their targets.",
        ),
    ] = False,
    busy: Annotated[
        bool,
        typer.Option(
            "--busy",
            help="Measure training alone and beside one busy process, with several settings of "
            "threads; about 15 seconds for each setting and round.",
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
    from seqzoo.model.threads import counted
    from seqzoo.recipes.load import plugin_options
    from seqzoo.recipes.sections import RuntimeSection
    from seqzoo.terminal.console import messages
    from seqzoo.terminal.streams import write_data

    registry = installed()
    if busy:
        if targets or threads or device != "cpu" or precision != "float32":
            raise UsageError(
                "--busy has its own settings; remove --targets, --threads, --device, --precision."
            )
        names = [architecture] if architecture else registry.names("architecture")
        sizes = {"options": options or [], "batch_size": batch_size, "bptt_length": bptt_length}
        _bench_busy(names, sizes, rounds, as_json=as_json)
        return
    runtime = make_runtime(RuntimeSection(threads=threads, precision=precision), device=device)
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
            benchmark.sampling_ratio(spec, chosen, runtime=runtime, rounds=rounds),
            benchmark.sampling_growth(spec, chosen, runtime=runtime),
        ):
            found.append({"architecture": name, **vars(ratio)})
    if as_json:
        write_data(json.dumps(found, indent=2))
    else:
        size = "" if targets else f", B{batch_size} T{bptt_length}"
        accelerator = runtime.record()["accelerator"] or str(runtime.device)
        place = counted(runtime.threads) if runtime.device.type == "cpu" else accelerator
        _print_table(f"{place}, {precision}{size}", found, with_targets=targets)


def _bench_busy(names: list[str], sizes: dict[str, Any], rounds: int, *, as_json: bool) -> None:
    """sizes: options, batch_size and bptt_length."""
    from seqzoo.bench.busy import measure_busy
    from seqzoo.cli.plugins import installed
    from seqzoo.recipes.load import plugin_options
    from seqzoo.terminal.console import messages
    from seqzoo.terminal.streams import write_data

    registry = installed()
    for name in names:  # mistakes are reported before anything is measured
        plugin_options(registry.get("architecture", name), sizes["options"])
    lines: list[dict[str, Any]] = []
    for name in names:
        found = measure_busy(
            {"architecture": name, **sizes},
            rounds=rounds,
            watch=lambda text: messages().print(f"{text} …", style="dim"),
        )
        lines += [{"architecture": name, **vars(each)} for each in found]
    if as_json:
        write_data(json.dumps(lines, indent=2))
    else:
        medians = f"medians of {rounds} rounds" if rounds > 1 else "one round"
        _print_busy(f"B{sizes['batch_size']} T{sizes['bptt_length']}, {medians}", lines)


def _print_busy(heading: str, lines: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from seqzoo.terminal.console import results

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("setting")
    for column in ("threads", "quiet, kB/s", "busy, kB/s", "busy/quiet", "quiet/best"):
        table.add_column(column, justify="right", no_wrap=True)
    title = None
    for line in lines:
        if line["architecture"] != title:
            title = line["architecture"]
            table.add_row(Text(title, style="bold"))
        alone, beside = line["threads"]
        table.add_row(
            f"  {line['setting']}",
            str(alone) if alone == beside else f"{alone}, busy {beside}",
            *(f"{line[place] / 1000:.1f}" for place in ("quiet", "busy")),
            *(f"{line[ratio]:.2f}" for ratio in ("busy_over_quiet", "quiet_over_best")),
        )
    results().print(heading)
    results().print(table)


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
