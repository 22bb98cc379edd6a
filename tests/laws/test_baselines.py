"""Laws of every installed baseline."""

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

every_baseline = pytest.mark.parametrize("name", load_registry().names("baseline"))

CUT, MIDDLE = 3000, 3300


def text(seed: int = 0) -> np.ndarray:
    """(4000,) bytes with many repetitions and some new text."""
    generator = np.random.default_rng(seed)
    words = [generator.integers(97, 123, size).astype(np.uint8) for size in (2, 3, 5, 7, 4, 6)]
    parts = [words[i] for i in generator.integers(0, len(words), 1500)]
    data = np.concatenate([np.append(part, np.uint8(32)) for part in parts])[:4000]
    data[3500:3550] = generator.integers(0, 256, 50)
    return data


def splits_of(data: np.ndarray) -> dict[str, Span]:
    return {
        "validation": Span(data, CUT, MIDDLE),
        "test": Span(data, MIDDLE, len(data)),
        "held_out": Span(data, CUT, len(data)),
    }


def score(
    registry: Registry, name: str, data: np.ndarray, splits: dict[str, Span], cut: int = CUT
) -> list[BaselineScore]:
    """Skips if the baseline reports that it is not available here."""
    spec = registry.get("baseline", name)
    try:
        steps = list(
            spec.score(spec.options(), BaselineContext(training=data[:cut], splits=splits))
        )
    except ImportError as error:
        pytest.skip(f"{name}: {error}")
    assert all(0 <= step <= 1 for step in steps if not isinstance(step, BaselineScore))
    return [step for step in steps if isinstance(step, BaselineScore)]


@every_baseline
def test_every_split_costs_a_finite_number_of_bits(name: str, registry: Registry) -> None:
    splits = splits_of(text())
    rungs = score(registry, name, text(), splits)
    assert rungs
    # A static and an adaptive score of one model are two columns of one row.
    assert len({(rung.name, rung.adaptive) for rung in rungs}) == len(rungs)
    for rung in rungs:
        assert set(rung.bits) == set(splits)
        for split, bits in rung.bits.items():
            # Eight bits, and the overhead that a coder can have when a text changes.
            assert 0 < bits < 16 * len(splits[split])
        assert set(rung.accuracy) <= set(splits)
        assert all(0 <= share <= 1 for share in rung.accuracy.values())


@every_baseline
def test_scores_are_repeatable(name: str, registry: Registry) -> None:
    data = text()
    assert score(registry, name, data, splits_of(data)) == score(
        registry, name, data, splits_of(data)
    )


@every_baseline
def test_the_score_of_a_split_does_not_depend_on_other_splits(
    name: str, registry: Registry
) -> None:
    data = text()
    splits = splits_of(data)
    together = score(registry, name, data, splits)
    for split, span in splits.items():
        alone = score(registry, name, data, {split: span})
        assert [rung.bits[split] for rung in alone] == pytest.approx(
            [rung.bits[split] for rung in together], rel=1e-12
        )


@every_baseline
def test_bytes_after_a_split_do_not_change_its_score(name: str, registry: Registry) -> None:
    data = text()
    changed = data.copy()
    changed[MIDDLE:] = text(1)[MIDDLE:]
    bits = [
        [rung.bits["validation"] for rung in score(registry, name, each, splits_of(each))]
        for each in (data, changed)
    ]
    assert bits[0] == bits[1]


@every_baseline
def test_noise_is_not_compressed(name: str, registry: Registry) -> None:
    data = np.random.default_rng(5).integers(0, 256, 8000, dtype=np.uint8)
    for rung in score(registry, name, data, {"test": Span(data, CUT, len(data))}):
        assert rung.bits["test"] / (len(data) - CUT) > 7.85


@every_baseline
def test_a_mapped_file_and_an_array_have_the_same_score(
    name: str, registry: Registry, tmp_path: Path
) -> None:
    data = text()
    data.tofile(tmp_path / "corpus")
    mapped = np.memmap(tmp_path / "corpus", dtype=np.uint8, mode="r")
    assert score(registry, name, mapped, splits_of(mapped)) == score(
        registry, name, data, splits_of(data)
    )


@every_baseline
@pytest.mark.parametrize("symbols", [1, 2])
def test_texts_of_few_symbols_are_scored(name: str, registry: Registry, symbols: int) -> None:
    data = (np.arange(CUT + 500) % symbols).astype(np.uint8)
    for rung in score(registry, name, data, {"test": Span(data, CUT, len(data))}):
        assert 0 <= rung.bits["test"] <= 8 * 500


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
        "            list(spec.score(spec.options(), context))\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
