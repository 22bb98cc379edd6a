"""Writes docs/doctor-matrix.md: what the doctor says of public faults and of healthy models.

    python docs/doctor_matrix.py                         # every case; an hour on one core
    python docs/doctor_matrix.py --mode quick            # without the visits with a short training
    python docs/doctor_matrix.py "softmax before cross-entropy" --seeds 5

What is not measured is taken from the page: with names, the rows of all other cases; with a mode,
what the other mode gave. So a long run can be made in parts. Nothing else is stored.
"""

from __future__ import annotations

import argparse
import datetime
import multiprocessing
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "doctor-matrix.md"
sys.path.insert(0, str(ROOT / "tests" / "support"))

import torch  # noqa: E402
from doctor_cases import KINDS, Case, all_cases, case_named  # noqa: E402
from doctor_cases.setting import pastiche  # noqa: E402
from doctor_cases.verdict import BAD, GOOD, Visit, visit  # noqa: E402

HEAD = (
    "# What the doctor finds",
    "Each row is a fault that somebody reported in public, or a model that is sound, rebuilt small "
    "in `tests/support/doctor_cases/`. The doctor examines each with {seeds} seeds in its quick "
    "mode, which draw other weights, windows and sizes{in_full}. The text is the "
    "[pastiche](pastiche.md), so that no file is needed.",
    "- **Recall by cause: {recall}**. In {named} of {faulty} visits of a fault, the doctor named "
    "its cause. In {symptom} it named a consequence alone, in {missed} it found nothing, and in "
    "{crashed} one of its checks crashed.",
    "- **False alarms per 100 healthy visits: {alarms}** ({false} of {healthy} visits).",
    "A fault counts as named if the check that is made for it is among the causes and says what is "
    "wrong. A fault that only the short training can show counts by its full visits alone, every "
    "other one by all its visits. Findings about the machine do not count. {skipped}",
    "The checks were made with these cases at hand: of faults that nobody has tried yet, fewer are "
    "named ([decision 35](decisions/0035-watched-loops.md)).",
    "`python docs/doctor_matrix.py` makes this page (torch {torch}, {date}); "
    "`tests/doctor/test_matrix.py` asserts it.",
)
"""The paragraphs before the tables."""

_HEALTHY_COLUMNS = ("case", "source", "what the doctor said", "quick", "full")
_FAULTY_COLUMNS = ("case", "source", "cause", *_HEALTHY_COLUMNS[2:])


@dataclass(frozen=True)
class Row:
    """What the page says of a case: counted verdicts of both modes, and a sentence."""

    said: str
    quick: Counter[str]
    full: Counter[str]

    def beside(self, other: Row | None) -> Row:
        """This row, with what another one says of a mode that this one has not seen."""
        if other is None:
            return self
        said = self.said if self.quick or not other.quick else other.said
        return Row(said, self.quick or other.quick, self.full or other.full)

    def counted(self, case: Case) -> Counter[str]:
        """The verdicts that count."""
        return self.full if case.is_full else self.quick + self.full


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description="Write docs/doctor-matrix.md.")
    parser.add_argument("names", nargs="*", help="cases to measure again; all if none is given")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="processes, each with one thread")
    parser.add_argument("--mode", choices=("both", "quick", "full"), default="both")
    options = parser.parse_args(arguments)
    try:
        cases = [case_named(name) for name in options.names] or list(all_cases())
    except KeyError as error:
        parser.error(f"there is no case {error}; the names are in docs/doctor-matrix.md.")
    in_part = options.names or options.mode != "both"
    rows = read_page(PAGE.read_text(encoding="utf-8")) if in_part and PAGE.exists() else {}
    visits = planned(cases, options.seeds, options.mode)
    for name, row in measured(visits, options.jobs).items():
        rows[name] = row.beside(rows.get(name))
    known = {case.name for case in all_cases()}
    rows = {name: row for name, row in rows.items() if name in known}
    PAGE.write_text("".join(page(rows, options.seeds)), encoding="utf-8")


def planned(cases: Sequence[Case], seeds: int, mode: str) -> list[tuple[str, int, bool]]:
    """The visits: a case's name, a seed, and whether it is quick."""
    quick = [(case.name, seed, True) for case in cases for seed in range(1, seeds + 1)]
    full = [(case.name, 1, False) for case in cases if case.make]  # a loop has one mode
    return (quick if mode != "full" else []) + (full if mode != "quick" else [])


def measured(visits: Sequence[tuple[str, int, bool]], jobs: int) -> dict[str, Row]:
    """Every visited case's row; says on stderr how far it is."""
    found: dict[str, list[tuple[bool, Visit]]] = {}
    finished = zip(visits, _made(visits, jobs), strict=True)
    for number, ((name, seed, quick), made) in enumerate(finished, 1):
        found.setdefault(name, []).append((quick, made))
        mode = "quick" if quick else "full"
        told = f"{number}/{len(visits)} {name} (seed {seed}, {mode}): {made.verdict}"
        print(told, file=sys.stderr, flush=True)
    return {name: _row(made) for name, made in found.items()}


def _made(visits: Sequence[tuple[str, int, bool]], jobs: int) -> Iterator[Visit]:
    if jobs == 1:
        yield from map(_visit, visits)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_visit, visits)


def _visit(wanted: tuple[str, int, bool]) -> Visit:
    name, seed, quick = wanted
    return visit(case_named(name), pastiche(), seed=seed, quick=quick)


def _row(visits: Iterable[tuple[bool, Visit]]) -> Row:
    """The sentence is the shortest of those with the most frequent verdict."""
    visits = list(visits)
    counts = Counter(made.verdict for _, made in visits)
    usual = counts.most_common(1)[0][0]
    said = min((made.said for _, made in visits if made.verdict == usual), key=len)
    modes = [
        Counter(made.verdict for is_quick, made in visits if is_quick is m) for m in (True, False)
    ]
    return Row(said, *modes)


def page(rows: dict[str, Row], seeds: int) -> Iterator[str]:
    """The page, piece by piece."""
    faulty, healthy = Counter[str](), Counter[str]()
    for case in all_cases():
        if case.name in rows:
            (healthy if case.is_healthy else faulty).update(rows[case.name].counted(case))
    skipped = faulty.pop("skipped", 0) + healthy.pop("skipped", 0)
    visits, sound = faulty.total(), healthy.total()
    false = sound - healthy["fine"]
    figures = {
        "seeds": seeds,
        "in_full": ", and once in full, with the short training"
        if any(row.full for row in rows.values())
        else "",
        "recall": f"{faulty['named'] / max(visits, 1):.2f}",
        "alarms": f"{100 * false / max(sound, 1):.1f}",
        "named": faulty["named"],
        "symptom": faulty["symptom"],
        "missed": faulty["missed"],
        "crashed": faulty["crashed"],
        "faulty": visits,
        "false": false,
        "healthy": sound,
        "skipped": f"{skipped} visits were left out: this version cannot make them."
        if skipped
        else "",
        "torch": torch.__version__.partition("+")[0],
        "date": datetime.date.today().isoformat(),
    }
    paragraphs = (textwrap.fill(each.format(**figures), 100) for each in HEAD)
    yield "\n\n".join(paragraphs) + "\n"
    for kind, cases in KINDS.items():
        yield f"\n## {kind}\n\n"
        columns = _HEALTHY_COLUMNS if cases[0].is_healthy else _FAULTY_COLUMNS
        yield f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n"
        for case in cases:
            if row := rows.get(case.name):
                cause = [case.cause or "none"] if columns == _FAULTY_COLUMNS else []
                cells = (
                    case.name,
                    case.source,
                    *cause,
                    row.said,
                    _counts(row.quick),
                    _counts(row.full),
                )
                yield "| " + " | ".join(map(_cell, cells)) + " |\n"


def read_page(text: str) -> dict[str, Row]:
    """The rows of a page that this program wrote."""
    rows = {}
    for line in text.splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) in (5, 6) and cells[0] not in ("case", "---"):
            rows[cells[0]] = Row(cells[-3], _counter(cells[-2]), _counter(cells[-1]))
    return rows


def _counts(verdicts: Counter[str]) -> str:
    """ "named 3 of 3", or "named 2, missed 1 of 3"; empty for none."""
    if not verdicts:
        return ""
    order = [*GOOD, *BAD, "skipped"]
    parts = [f"{each} {verdicts[each]}" for each in order if verdicts[each]]
    return f"{', '.join(parts)} of {verdicts.total()}"


def _counter(cell: str) -> Counter[str]:
    """The counts that `_counts` wrote."""
    found = re.findall(r"([a-z][a-z ]*?) (\d+)(?=,| of)", cell)
    return Counter({name: int(count) for name, count in found})


def _cell(text: str) -> str:
    shown = " ".join(text.split()).replace("|", "\\|")
    return shown if len(shown) <= 160 else f"{shown[:160]} …"


if __name__ == "__main__":
    main()
