"""Writes the tables and the pictures of docs/zoo.md, from the runs of two sweeps.

    seqzoo sweep recipes/sweeps/zoo.yaml --jobs 2
    seqzoo sweep recipes/sweeps/zoo_parameters.yaml --jobs 2
    python docs/zoo.py [RUNS]

RUNS is the folder with the folders of the sweeps, runs/ if it is left out. The table of a sweep
that is not there stays as it is. The speed of sampling is measured here: every model writes in
turn, several rounds, and the medians are compared.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

import seqzoo
from seqzoo.comparison.finished import FinishedRun, read_finished_runs
from seqzoo.comparison.loss_curve import loss_curve
from seqzoo.comparison.picture import COLOURS
from seqzoo.model.state import leaves
from seqzoo.pages.axes import placed_apart
from seqzoo.storage import write_whole

PAGE = Path(__file__).parent / "zoo.md"
PICTURE = Path(__file__).parent / "pictures" / "zoo.svg"
ROUNDS, SAMPLED = 5, 300


@dataclass(frozen=True)
class Line:
    """One architecture: its runs, which differ in the seed alone, and how fast it samples."""

    runs: Sequence[seqzoo.Run]
    sampling: float

    @property
    def results(self) -> list[seqzoo.Result]:
        """Of its runs."""
        return [run.result for run in self.runs if run.result is not None]

    @property
    def bits(self) -> float:
        """Held-out bits per byte, the mean of the seeds."""
        return statistics.mean(each.scores["held_out"].bits_per_byte for each in self.results)

    def cells(self) -> Iterable[str]:
        """Of its row, in the order of `HEAD`."""
        first = self.results[0]
        scores = [each.scores["held_out"].bits_per_byte for each in self.results]
        spread = f" ±{statistics.stdev(scores):.3f}" if len(scores) > 1 else ""
        seconds = statistics.mean(each.training_seconds for each in self.results)
        read = statistics.mean(each.training_bytes for each in self.results)
        memory = max(each.peak_memory_bytes for each in self.results)
        state = sum(
            leaf.numel() * leaf.element_size()
            for _, leaf in leaves(self.runs[0].model.initial_state(1))
        )
        yield f"`{first.architecture}`"
        yield f"{self.bits:.3f}{spread}"
        yield f"{first.parameters:,}"
        yield f"{read / 1e6:.1f}"
        yield f"{read / seconds / 1000:.1f}"
        yield f"{self.sampling / 1000:.2f}"
        yield f"{memory / 1e6:.0f}"
        yield f"{state:,}"


HEAD = (
    "architecture",
    "held-out bits per byte",
    "parameters",
    "MB read",
    "training, kB/s",
    "sampling, kB/s",
    "memory, MB",
    "state, bytes",
)


def measured(folder: Path) -> list[Line]:
    """The architectures of a sweep, the best first."""
    groups: dict[str, list[seqzoo.Run]] = {}
    for path in sorted(folder.iterdir()):
        if (path / "result.json").is_file():
            run = seqzoo.open_run(path)
            groups.setdefault(run.recipe.architecture.name, []).append(run)
    if not groups:
        raise SystemExit(f"{folder} has no finished run; run the two sweeps first")
    seconds: dict[str, list[float]] = {name: [] for name in groups}
    torch.set_num_threads(1)
    for number in range(ROUNDS + 1):
        for name, (run, *_) in groups.items():
            started = time.perf_counter()
            for _ in run.generate_bytes(b"ROMEO:", length=SAMPLED, chain=[], seed=1):
                pass
            if number:  # the first round loads the model
                seconds[name].append(time.perf_counter() - started)
    lines = [
        Line(runs, SAMPLED / statistics.median(seconds[name])) for name, runs in groups.items()
    ]
    return sorted(lines, key=lambda line: line.bits)


def table(lines: Iterable[Line]) -> str:
    """In Markdown."""
    rows = [HEAD, ("---", *["---:"] * (len(HEAD) - 1)), *(tuple(line.cells()) for line in lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def replaced(page: str, name: str, content: str) -> str:
    """The page with the text between the two comments of that name replaced."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, found, rest = page.partition(begin)
    _, also_found, after = rest.partition(end)
    if not (found and also_found):
        raise SystemExit(f"{PAGE} has no place for the {name}")
    return f"{before}{begin}\n{content}\n\n{end}{after}"


def main(runs: Path) -> None:
    """Write the page and the picture."""
    page = PAGE.read_text(encoding="utf-8")
    for name, sweep in (("equal time", "zoo"), ("equal parameters", "zoo_parameters")):
        if not (runs / sweep).is_dir():
            print(f"{runs / sweep} does not exist; the table of {name} stays as it is")
            continue
        lines = measured(runs / sweep)
        page = replaced(page, name, table(lines))
        if sweep == "zoo":
            draw(lines)
    write_whole(PAGE, page)


def draw(lines: Sequence[Line]) -> None:
    """The picture: validation against seconds of training, the first seed of each architecture."""
    import matplotlib
    from matplotlib.figure import Figure

    runs = read_finished_runs([line.runs[0].path for line in lines])
    curves = {
        line.results[0].architecture: loss_curve(run, "seconds").validation
        for line, run in zip(lines, runs, strict=True)
    }
    ends = [(name, curve[-1][1]) for name, curve in curves.items()]
    low, high = min(y for _, y in ends) - 0.05, max(y for _, y in ends) + 0.35
    right = max(curve[-1][0] for curve in curves.values())
    with matplotlib.rc_context({"svg.hashsalt": "seqzoo", "font.size": 9}):
        figure = Figure(figsize=(8, 5.5))
        axes = figure.subplots(gridspec_kw={"left": 0.08, "right": 0.8, "bottom": 0.1, "top": 0.97})
        for number, (name, _, place) in enumerate(placed_apart(ends, low, high - low)):
            colour, curve = COLOURS[number % len(COLOURS)], curves[name]
            axes.plot(*zip(*curve, strict=True), color=colour, marker="o", markersize=3)
            axes.annotate(
                name,
                curve[-1],
                xytext=(1.03 * right, place),
                color=colour,
                va="center",
                annotation_clip=False,
                arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5},
            )
        for number, (name, bits) in enumerate(baselines(runs[0], low, high)):
            axes.axhline(bits, color="#999999", linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
            x = right * (0.01 if number % 2 else 0.09)  # neighbours may be close
            axes.text(x, bits + 0.005, name, color="#555555", fontsize=7.5)
        axes.set(xlim=(0, 1.02 * right), ylim=(low, high))
        axes.set(xlabel="seconds of training, one thread", ylabel="bits per byte on validation")
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(PICTURE, metadata={"Date": None})


def baselines(run: FinishedRun, low: float, high: float) -> Iterable[tuple[str, float]]:
    """The names and bits per byte on validation of those that the picture has room for."""
    for rung in run.result.rungs:
        bits = rung.bits_per_byte.get("validation", math.inf)
        if not rung.adaptive and low < bits < high:
            yield rung.name, bits


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("runs"))
