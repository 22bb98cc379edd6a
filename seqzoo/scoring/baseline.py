"""One baseline of a ladder: what is installed, its options, and what it is called."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from seqzoo.plugin.contexts import BaselineContext
from seqzoo.plugin.registry import Owner, Registered
from seqzoo.plugin.span import Span
from seqzoo.plugin.specs import BaselineScore, BaselineSpec, Options
from seqzoo.recipes.sections import AddedBaseline
from seqzoo.results.ladder import Rung

__all__ = ["Baseline"]


@dataclass(frozen=True)
class Baseline:
    """A baseline with its options.

    label: its name, or what the recipe that adds it calls it. given: its options, if a recipe adds
    it.
    """

    spec: BaselineSpec
    owner: Owner
    label: str
    given: Options | None = None

    @classmethod
    def installed(cls, registered: Registered[BaselineSpec]) -> Baseline:
        """One that is scored with its default options."""
        return cls(registered.spec, registered.owner, registered.spec.name)

    @classmethod
    def added(cls, registered: Registered[BaselineSpec], choice: AddedBaseline) -> Baseline:
        """One that a checked recipe adds."""
        return cls(registered.spec, registered.owner, choice.called, given=choice.options)

    @property
    def is_added(self) -> bool:
        """Whether a recipe adds it."""
        return self.given is not None

    @property
    def options(self) -> Options:
        """Those that the recipe gives, or the defaults."""
        return self.spec.options() if self.given is None else self.given

    def steps(
        self, training: npt.NDArray[np.uint8], splits: Mapping[str, Span]
    ) -> Generator[BaselineScore | float, None, None]:
        """What it yields; closing it closes the baseline where it is."""
        context = BaselineContext(training=training, splits=splits, label=self.label)
        yield from self.spec.score(self.options, context)

    def rung(self, score: BaselineScore, splits: Mapping[str, Span]) -> Rung:
        """A score as a rung, in bits per byte. Raises ValueError if bits are missing or wrong."""
        for split in splits:
            bits = score.bits.get(split)
            if bits is None or not math.isfinite(bits) or bits < 0:
                raise ValueError(f"{score.name} gave {bits} bits for {split}, expected 0 or more")
        if self.is_added and not score.name.endswith(f" {self.label}"):
            # The rungs of an installed baseline may have the same names.
            title = f"{score.title} ({self.label})" if score.title else ""
            score = replace(score, name=f"{score.name} ({self.label})", title=title)
        return Rung(
            name=score.name,
            bits_per_byte={
                split: float(score.bits[split]) / len(splits[split]) for split in splits
            },
            accuracy={
                split: float(score.accuracy[split]) for split in splits if split in score.accuracy
            },
            adaptive=score.adaptive,
            context_length=score.context_length,
            title=score.title,
            meaning=score.meaning,
        )
