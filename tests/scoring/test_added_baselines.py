"""Baselines that a recipe adds with options: their names, their place and their cache."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seqzoo import (
    BaselineContext,
    BaselineScore,
    BaselineSpec,
    Command,
    Options,
    Span,
    UsageError,
    hookimpl,
)
from seqzoo.plugin.registry import Owner, Registry
from seqzoo.recipes.sections import AddedBaseline, BaselinesSection
from seqzoo.results.ladder import Rung
from seqzoo.scoring.baselines import Baselines

DATA = np.arange(1000, dtype=np.uint32).astype(np.uint8)
SPLITS = {"test": Span(DATA, 900, 1000)}


class BitsOptions(Options):
    bits: float
    program: Command | None = None


class Scorers:
    """`plain` has defaults, `needs` has none; both give `bits` for every byte."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, float]] = []

    def plain(self, options: Options, context: BaselineContext) -> Iterable[BaselineScore]:
        yield self._score("order-0", 5.0, context)

    def needs(self, options: BitsOptions, context: BaselineContext) -> Iterable[BaselineScore]:
        self.calls.append((context.label, options.bits))
        if options.bits > 8:
            raise UsageError("bits is too large; give less")
        yield self._score("order-0", options.bits, context)
        yield self._score(f"primed {context.label}", options.bits, context)

    @staticmethod
    def _score(name: str, bits: float, context: BaselineContext) -> BaselineScore:
        costs = {split: bits * len(span) for split, span in context.splits.items()}
        return BaselineScore(name=name, bits=costs, title=f"the {name}")

    def registry(self) -> Registry:
        specs = [
            BaselineSpec(name="plain", summary="", score=self.plain, seconds_per_megabyte=0),
            BaselineSpec(
                name="needs",
                summary="",
                options=BitsOptions,
                score=self.needs,
                seconds_per_megabyte=0,
            ),
        ]

        @hookimpl
        def register_baselines() -> Iterable[BaselineSpec]:
            return specs

        registry = Registry()
        registry.add(SimpleNamespace(register_baselines=register_baselines), Owner("t", "t", "1"))
        return registry


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQZOO_CACHE", str(tmp_path / "cache"))


def added(label: str | None, bits: float, program: tuple[str, ...] | None = None) -> AddedBaseline:
    options = BitsOptions(bits=bits, program=program)
    return AddedBaseline(name="needs", label=label, options=options)


def baselines(scorers: Scorers, *choices: AddedBaseline, **changes: Any) -> Baselines:
    key = ("0" * 64, "a cut")
    arguments = {"key": key, "added": choices} | changes
    return Baselines(scorers.registry(), DATA[:900], SPLITS, **arguments)


def rungs(made: Baselines) -> dict[str, Rung]:
    found = made.ladder().rungs
    assert len({rung.name for rung in found}) == len(found)
    return {rung.name: rung for rung in found}


def test_what_needs_options_is_scored_only_where_it_is_added() -> None:
    scorers = Scorers()
    assert baselines(scorers).names() == ["plain"]
    assert rungs(baselines(scorers)).keys() == {"order-0"}
    made = baselines(scorers, added("a", 3.0), added("b", 4.0), added(None, 2.0))
    assert made.names() == ["plain", "a", "b", "needs"]
    made.ladder()
    assert scorers.calls == [("a", 3.0), ("b", 4.0), ("needs", 2.0)]


def test_no_rung_of_an_added_baseline_has_the_name_of_another() -> None:
    """Also where the label is the name of an installed rung."""
    found = rungs(baselines(Scorers(), added("a", 3.0), added("order-0", 4.0)))
    assert {name: rung.bits_per_byte["test"] for name, rung in found.items()} == {
        "order-0": 5.0,
        "order-0 (a)": 3.0,
        "primed a": 3.0,
        "order-0 (order-0)": 4.0,
        "primed order-0": 4.0,
    }
    assert found["order-0 (a)"].title == "the order-0 (a)"
    assert found["primed a"].title == "the primed a"


def test_a_failure_has_the_label_and_the_message_alone() -> None:
    failed = rungs(baselines(Scorers(), added("a", 9.0)))["a"]
    assert failed.failure == "bits is too large; give less"


def test_a_section_chooses_what_it_adds_unless_it_excludes_it() -> None:
    choices = (added("a", 3.0), added("b", 3.0))
    made = baselines(Scorers(), *choices)
    for section, expected in [
        (BaselinesSection(add=choices), ["plain", "a", "b"]),
        (BaselinesSection(add=choices, include=()), ["a", "b"]),
        (BaselinesSection(add=choices, include=("plain",), exclude=("a",)), ["plain", "b"]),
        (BaselinesSection(), ["plain", "a", "b"]),  # --baselines all, for a run that adds some
        (BaselinesSection(include=()), []),
    ]:
        assert made.names(section.chooses) == expected


def test_scores_are_kept_for_equal_options_and_labels_only() -> None:
    scorers = Scorers()
    for label, bits in [("a", 3.0), ("a", 3.0), ("a", 4.0), ("b", 3.0)]:
        baselines(scorers, added(label, bits)).ladder()
    assert scorers.calls == [("a", 3.0), ("a", 4.0), ("b", 3.0)]


def test_another_version_of_a_program_is_scored_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is found in another folder of PATH."""
    scorers = Scorers()

    def calls(folder: str, content: str) -> int:
        program = tmp_path / folder / "compressor"
        program.parent.mkdir(exist_ok=True)
        program.write_text(content)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent) + os.pathsep + os.defpath)
        baselines(scorers, added("a", 3.0, ("compressor", "-9"))).ladder()
        return len(scorers.calls)

    assert calls("one", "version 1") == 1
    assert calls("one", "version 1") == 1
    assert calls("one", "version 2") == 2
    assert calls("two", "version 3") == 3
    assert calls("one", "version 2") == 3
