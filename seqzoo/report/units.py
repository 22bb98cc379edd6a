"""Units of the state that follow a feature of the text, found by correlation.

Of every feature, the unit of the highest |correlation| is chosen on one part of the held-out text
and its correlation is measured on another part, so that it is not the best of thousands by luck.
Some units of an untrained network follow a feature too, because they react to the last byte. So the
same is done with three untrained networks, and a unit is only reported if its correlation is
clearly higher than what they reach.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from seqzoo.data.tokens import encode_span
from seqzoo.model.runtime import Runtime
from seqzoo.plugin.contracts import SequenceModel
from seqzoo.plugin.span import Span
from seqzoo.report.correlations import Lanes, correlations, lanes_of, states_while_reading
from seqzoo.report.features import FEATURES
from seqzoo.runs.build import build_model
from seqzoo.runs.experiment import Experiment

__all__ = ["FollowingUnit", "activations", "following_units"]

_LEAST = 0.5
"""|Correlation| of a unit that is reported."""

_ABOVE_UNTRAINED = 0.2
"""By how much more than untrained networks."""

_NUM_CANDIDATES = 8
"""Units of a feature, of which the first that follows no stronger feature is taken."""

_NUM_UNTRAINED = 3
_MOST_SECONDS = 5.0
"""For untrained networks; no further one is begun after it."""

_CONTEXT_BYTES = 1024


class FollowingUnit(NamedTuple):
    """A unit of the state, and the feature that it follows.

    leaf, place: where it is in the state of one row. correlation: on text that it was not chosen
    on. untrained: the highest |correlation| that untrained networks reach.
    """

    leaf: str
    place: tuple[int, ...]
    feature: str
    correlation: float
    untrained: float = 0.0

    @property
    def name(self) -> str:
        """E.g. "0.cell[12]"."""
        return f"{self.leaf}[{', '.join(map(str, self.place))}]"


def following_units(experiment: Experiment) -> list[FollowingUnit]:
    """One unit for each feature that one follows, the strongest first; each unit once."""
    splits = experiment.data.splits
    lanes = lanes_of(experiment.tokenizer, (splits.validation, splits.test))
    trained = _ranked(experiment.model, lanes, experiment.runtime)
    reached = _untrained(experiment, lanes)
    found: dict[tuple[str, tuple[int, ...]], FollowingUnit] = {}
    for feature in sorted(trained, key=lambda name: -abs(trained[name][0].correlation)):
        least = max(_LEAST, reached.get(feature, 0.0) + _ABOVE_UNTRAINED)
        for unit in trained[feature]:
            if (unit.leaf, unit.place) not in found and abs(unit.correlation) >= least:
                found[unit.leaf, unit.place] = unit._replace(untrained=reached.get(feature, 0.0))
                break
    return sorted(found.values(), key=lambda unit: -abs(unit.correlation))


def _untrained(experiment: Experiment, lanes: Lanes) -> dict[str, float]:
    """For each feature, the highest |correlation| that networks with new weights reach.

    What the trained model counted in its training text is kept: it is no weight.
    """
    reached: dict[str, float] = {}
    recipe, runtime = experiment.recipe, experiment.runtime
    stored = experiment.model.state_dict()
    began = time.perf_counter()
    for number in range(_NUM_UNTRAINED):
        if number and time.perf_counter() - began > _MOST_SECONDS:
            break  # a large model: one untrained network has to do
        train = recipe.train.model_copy(update={"seed": recipe.train.seed + number})
        model = build_model(recipe.model_copy(update={"train": train}), experiment.tokenizer)
        new = dict(model.named_parameters())
        model.load_state_dict({name: new.get(name, value) for name, value in stored.items()})
        for feature, units in _ranked(model.to(runtime.device).eval(), lanes, runtime).items():
            reached[feature] = max(reached.get(feature, 0.0), abs(units[0].correlation))
    return reached


def _ranked(model: SequenceModel, lanes: Lanes, runtime: Runtime) -> dict[str, list[FollowingUnit]]:
    """For each feature, the units of the highest |correlation| on the first text.

    Their correlations are those on the second text.
    """
    leaves = correlations(model, lanes, runtime)
    found = {}
    for number, feature in enumerate(FEATURES):
        units = []
        for leaf, (shape, (chosen, measured)) in leaves.items():
            heights = np.abs(chosen[:, number])
            for unit in np.argsort(-heights, kind="stable")[:_NUM_CANDIDATES].tolist():
                place = tuple(int(each) for each in np.unravel_index(unit, shape))
                correlation = float(measured[unit, number])
                units.append((heights[unit], FollowingUnit(leaf, place, feature.name, correlation)))
        units.sort(key=lambda each: -each[0])
        if units and units[0][0] > 0:
            found[feature.name] = [unit for _, unit in units[:_NUM_CANDIDATES]]
    return found


def activations(
    experiment: Experiment, passage: Span, units: Sequence[FollowingUnit]
) -> dict[FollowingUnit, npt.NDArray[np.float64]]:
    """(N,) of each unit after each byte of a passage: in standard deviations from its mean there.

    The sign is such that a high value means a high feature. The model reads up to 1,024 bytes
    before the passage first.
    """
    start = max(0, passage.start - _CONTEXT_BYTES)
    text = encode_span(experiment.tokenizer, Span(passage.data, start, passage.stop))
    tokens = torch.from_numpy(text.tokens.astype(np.int64)).unsqueeze(0)
    ends = np.cumsum(text.lengths)
    unseen = int(np.searchsorted(ends, passage.start - start, side="right"))
    found: dict[FollowingUnit, list[float]] = {unit: [] for unit in units}
    for leaves in states_while_reading(experiment.model, tokens, experiment.runtime, unseen=unseen):
        for unit, values in found.items():
            values.append(float(leaves[unit.leaf][(0, *unit.place)]))
    size = passage.stop - passage.start
    shown = {}
    for unit, values in found.items():
        finite = np.nan_to_num(np.array(values), posinf=0.0, neginf=0.0)
        per_byte = np.repeat(finite, text.lengths[unseen:])[-size:]
        centred = (per_byte - per_byte.mean()) * np.sign(unit.correlation)
        shown[unit] = centred / (per_byte.std() or 1.0)
    return shown
