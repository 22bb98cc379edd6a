"""Of plugins with one fault each, exactly the law that is meant finds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from planted_architectures import ARCHITECTURES, HEALTHY, Planted
from planted_files import FILES, HEALTHY_FILE, PlantedFile
from planted_launchers import LAUNCHERS, healthy_launchers
from planted_sources import BASELINES, CHECKS, CORPORA, TRACKERS, healthy_sources
from planted_text import SAMPLERS, STREAMS, TOKENIZERS, healthy_text_plugins
from planted_training import OPTIMIZERS, SCHEDULES, healthy_training

from seqzoo.testing import BoundLaw, Finding, laws

PLANTED = {
    f"{planted.spec.kind}: {fault}": planted
    for table in (
        ARCHITECTURES,
        OPTIMIZERS,
        SCHEDULES,
        TOKENIZERS,
        SAMPLERS,
        STREAMS,
        CORPORA,
        BASELINES,
        TRACKERS,
        LAUNCHERS,
        CHECKS,
    )
    for fault, planted in table.items()
}

HEALTHY_ONES = {
    "architecture": lambda: HEALTHY,
    **healthy_training,
    **healthy_text_plugins,
    **healthy_sources,
    **healthy_launchers,
}


def findings(bound: list[BoundLaw]) -> list[Finding]:
    return [tried.finding for law in bound if (tried := law.examine()).finding is not None]


def named(bound: list[BoundLaw], name: str) -> BoundLaw:
    (found,) = [law for law in bound if law.law.name == name]
    return found


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_the_law_that_is_meant_finds_the_fault(planted: Planted) -> None:
    law = named(laws(planted.spec), f"{planted.spec.kind}.{planted.law}")
    # It is tried only where the gates before it hold.
    tried = law.examine()
    assert tried.finding is not None, tried
    assert tried.finding.seen
    assert tried.finding.cause


@pytest.mark.slow
@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_no_other_law_is_broken_but_those_that_follow(planted: Planted) -> None:
    broken = {finding.law.partition(".")[2] for finding in findings(laws(planted.spec))}
    assert planted.law in broken
    assert broken <= {planted.law, *planted.also.split()}


@pytest.mark.parametrize("kind", HEALTHY_ONES)
def test_a_healthy_plugin_breaks_no_law(kind: str) -> None:
    make: Any = HEALTHY_ONES[kind]
    bound = laws(make())
    assert len(bound) > 4
    assert findings(bound) == []


@pytest.mark.parametrize("planted", FILES.values(), ids=FILES)
def test_the_fault_of_a_plugin_file_is_found(tmp_path: Path, planted: PlantedFile) -> None:
    file = tmp_path / "mine.py"
    file.write_text(planted.text)
    assert named(laws(file), planted.law).examine().finding is not None


@pytest.mark.slow
@pytest.mark.parametrize("planted", FILES.values(), ids=FILES)
def test_a_plugin_file_breaks_no_other_law(tmp_path: Path, planted: PlantedFile) -> None:
    file = tmp_path / "mine.py"
    file.write_text(planted.text)
    broken = {finding.law for finding in findings(laws(file))}
    assert broken <= {planted.law, *planted.also.split()}


def test_a_healthy_plugin_file_breaks_no_law(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(HEALTHY_FILE)
    assert findings(laws(file)) == []


def test_every_law_but_those_of_the_machine_has_a_planted_fault() -> None:
    # A GPU or a compiler is not everywhere; documents and explanations have tests of their own.
    without = {
        law.law.name for make in HEALTHY_ONES.values() for law in laws(make(), thorough=True)
    }
    found = {f"{planted.spec.kind}.{planted.law}" for planted in PLANTED.values()}
    of_all = {name for name in without if name.endswith((".described", ".options", ".api"))}
    excused = {
        "architecture.device",
        "architecture.compiled",
        "architecture.names",
        "tokenizer.calls",
        "tokenizer.text_refused",
        "tokenizer.elsewhere",
        "stream.foreign_state",
        "optimizer.learning_rates",
        "baseline.few_symbols",
        "baseline.only_earlier_bytes",
    }
    assert without - found - of_all - excused == set()


SAID = {
    "architecture: reads ahead where T > 100": (
        "another token at position 1 of 101 changes earlier logits",
        "length=101, position=1",
    ),
    "architecture: a row leaks into the others": (
        "other tokens in the other 1 rows change the logits of the first",
        "rows=2, length=1",
    ),
    "architecture: ignores its state": (
        "read in pieces of 1, the logits differ",
        "length=2, piece=1",
    ),
    "architecture: the state grows": (
        "leaf 'read' is (2, 2) float32 after 1 tokens and (2, 1) float32 at the beginning",
        "length=1",
    ),
    "architecture: a Python number in the state": (
        "the state of `initial_state` has an object of type int at '1'",
        "rows=1, length=1",
    ),
    "architecture: raises at the 13th call": ("it raised IndexError: no such place", "calls=12"),
    "tokenizer: byte_lengths in wrong places": (
        "by their lengths they are 1",
        "text=b'",
    ),
    "tokenizer: state() forgotten": ("vocab_size is 276, restored 256", "text=b''"),
    "sampler: another shape from the 11th call": ("at call 11", "calls=11"),
    "sampler: writes into history": ("`history` was changed", "length=1"),
    "sampler: draws itself": ("torch's random generator was used", ""),
    "stream: restore ignores the state": ("batch 1 after restoring has other tokens", "batches=2"),
    "stream: positions off by one": (
        "in batch 1 positions are [1], the rows begin at [0]",
        "rows=1, length=1, batches=1",
    ),
    "corpus: a floor of 0 bits": ("590 bytes cost 0 bits together", ""),
    "baseline: counts the split itself": ("random bytes, 26.0 less than 32", "count=4"),
    "tracker: calls sys.exit": ("it raised SystemExit: enough", "steps=1"),
    "check: returns a text": ("`examine` returned a str", ""),
}


@pytest.mark.parametrize("fault", SAID)
def test_what_is_said_of_a_fault(fault: str) -> None:
    planted = PLANTED[fault]
    finding = named(laws(planted.spec), f"{planted.spec.kind}.{planted.law}").examine().finding
    assert finding is not None
    seen, smallest = SAID[fault]
    assert seen in finding.seen
    assert smallest in finding.input
