"""Writes docs/planted_faults.md: what the kit says of each plugin that is planted with one fault.

    python docs/planted_faults.py

Trying all laws takes about a minute, so that this is not part of docs/generate.py; the tests assert
that each fault is found by the law that the table names.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from planted_architectures import ARCHITECTURES  # noqa: E402
from planted_sources import BASELINES, CHECKS, CORPORA, TRACKERS  # noqa: E402
from planted_text import SAMPLERS, STREAMS, TOKENIZERS  # noqa: E402
from planted_training import OPTIMIZERS, SCHEDULES  # noqa: E402

from seqzoo.testing import laws  # noqa: E402

TABLES = (
    ARCHITECTURES,
    TOKENIZERS,
    STREAMS,
    OPTIMIZERS,
    SCHEDULES,
    SAMPLERS,
    CORPORA,
    BASELINES,
    TRACKERS,
    CHECKS,
)

HEAD = """\
# Planted faults

Each line is a plugin with one fault (`tests/support/planted_*.py`), the law of the
[kit](testing.md) that finds it, and what is said. `python docs/planted_faults.py` makes this page;
`tests/testing/test_planted_faults.py` asserts it.

| kind | fault | law | what is said | smallest input |
|---|---|---|---|---|
"""


def rows() -> Iterator[str]:
    """A line for each fault."""
    for table in TABLES:
        for fault, planted in table.items():
            kind = planted.spec.kind
            (law,) = [
                each for each in laws(planted.spec) if each.law.name == f"{kind}.{planted.law}"
            ]
            finding = law.examine().finding
            if finding is None:
                raise SystemExit(f"{kind}: '{fault}' is not found by {planted.law}")
            smallest = ", ".join(f"{name}={value!r}" for name, value in finding.smallest.items())
            cells = (kind, fault, planted.law, finding.seen, smallest)
            yield "| " + " | ".join(map(_cell, cells)) + " |\n"


def _cell(text: str) -> str:
    folder = rf"{re.escape(tempfile.gettempdir())}/[^/]*"
    text = re.sub(folder, "FOLDER", text.replace(str(ROOT), "."))
    shown = " ".join(text.split()).replace("|", "\\|")
    return shown if len(shown) <= 200 else f"{shown[:200]} …"


if __name__ == "__main__":
    page = HEAD + "".join(rows())
    (ROOT / "docs" / "planted_faults.md").write_text(page, encoding="utf-8")
