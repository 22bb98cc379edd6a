"""What the scores of every installed baseline need beside the laws of seqzoo.testing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqzoo import BaselineContext, CorpusContext
from seqzoo.plugin.registry import Registry, load_registry
from seqzoo.plugin.span import Span
from seqzoo.plugin.specs import BaselineScore

_ZLIB = "import sys, zlib; sys.stdout.buffer.write(zlib.compress(open(sys.argv[1], 'rb').read()))"
OPTIONS = {"external": {"compress": [sys.executable, "-c", _ZLIB, "{input}"]}}
"""For baselines that need some."""

every_baseline = pytest.mark.parametrize("name", load_registry().names("baseline"))


def score(
    registry: Registry, name: str, data: np.ndarray, splits: dict[str, Span], cut: int
) -> list[BaselineScore]:
    """Skips if the baseline reports that it is not available here."""
    spec = registry.get("baseline", name)
    options = spec.options.model_validate(OPTIONS.get(name, {}))
    try:
        steps = list(spec.score(options, BaselineContext(training=data[:cut], splits=splits)))
    except ImportError as error:
        pytest.skip(f"{name}: {error}")
    return [step for step in steps if isinstance(step, BaselineScore)]


@every_baseline
def test_no_score_is_below_the_entropy_of_the_source(name: str, registry: Registry) -> None:
    spec = registry.get("corpus", "pastiche")
    corpus = spec.open(
        spec.options.model_validate({"size_bytes": 200_000}), CorpusContext(base=Path())
    )
    assert corpus.code_lengths is not None
    start, middle = 180_000, 190_000
    data = corpus.data
    splits = {
        "validation": Span(data, start, middle),
        "test": Span(data, middle, len(data)),
        "held_out": Span(data, start, len(data)),
    }
    floor = {s: corpus.code_lengths(span.start, span.stop).sum() for s, span in splits.items()}
    for rung in score(registry, name, data, splits, cut=start):
        for split, bits in rung.bits.items():
            # A code may be k bits shorter than the true one on 1 text in 2**k at most (Markov's
            # inequality for likelihood ratios): 20 bits can be luck, more is a bug.
            assert bits > floor[split] - 20, f"{rung.name} on {split}"


def test_scoring_imports_no_torch() -> None:
    program = (
        f"OPTIONS = {OPTIONS!r}\n"
        "import sys, contextlib, numpy as np\n"
        "from seqzoo.plugin.registry import load_registry\n"
        "from seqzoo import BaselineContext, Span\n"
        "data = np.arange(600, dtype=np.uint32).astype(np.uint8)\n"
        "for registered in load_registry().registered('baseline'):\n"
        "    if registered.owner.distribution == 'seqzoo':\n"
        "        spec = registered.spec\n"
        "        with contextlib.suppress(ImportError):  # a package that is not installed\n"
        "            splits = {'test': Span(data, 500, 600)}\n"
        "            context = BaselineContext(training=data[:500], splits=splits)\n"
        "            options = spec.options.model_validate(OPTIONS.get(spec.name, {}))\n"
        "            list(spec.score(options, context))\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
