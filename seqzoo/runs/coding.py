"""How the model of a run codes a text, and whether it is the one that coded a compressed file."""

from __future__ import annotations

import hashlib
import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seqzoo.coding.container import WEIGHTS_BYTES, Header
from seqzoo.coding.predictors import Predictor, frozen_predictor, learning_predictor
from seqzoo.errors import CompressedFileError, SeqzooError
from seqzoo.model.memory import enough_memory
from seqzoo.recipes.sections import AdaptiveSection
from seqzoo.runs.directory import RunDirectory
from seqzoo.runs.exported import weights_sha256_in
from seqzoo.runs.listing import runs_in
from seqzoo.runs.reopen import Trained
from seqzoo.scoring.adaptive import usual_gradients
from seqzoo.terminal.format import quoted
from seqzoo.training.checkpoint_files import checkpoint_steps

__all__ = ["Coding", "coding_of", "own_settings", "run_with_weights"]


class Coding:
    """The model of a run as a coder: frozen, or learning from each segment that was coded."""

    def __init__(self, trained: Trained, section: AdaptiveSection | None) -> None:
        """section: how it learns; None for a frozen model."""
        self.trained = trained
        self.section = section
        self._scales: Any = None

    def predictor(self) -> AbstractContextManager[Predictor]:
        """A reader with the model, from an empty state and with the trained weights."""
        experiment, section = self.trained.experiment, self.section
        if section is None:
            return frozen_predictor(experiment.model, experiment.runtime)
        if self._scales is None:
            with enough_memory("compressing", experiment.runtime.device, dict):
                self._scales = usual_gradients(
                    experiment.model,
                    lambda: experiment.training,
                    runtime=experiment.runtime,
                    section=section,
                )
        return learning_predictor(experiment.model, experiment.runtime, section, self._scales)

    def header(self, checksum: bytes, length: int) -> Header:
        """The header of a text's file. The settings are in it where the recipe has others."""
        section = self.section
        is_own = section in (None, own_settings(self.trained))
        return Header(
            self.weights,
            self.reading,
            self.environment,
            checksum,
            length,
            learns=section is not None,
            settings=None if section is None or is_own else section.model_dump(),
        )

    @property
    def weights(self) -> bytes:
        """The first bytes of the sha256 of the weights."""
        return _weights(self.trained.directory, self.trained.step)

    @property
    def reading(self) -> int:
        """16 bits of a hash of what else decides the probabilities."""
        experiment, section = self.trained.experiment, self.section
        return _short_hash(
            experiment.recipe.tokenizer.name,
            experiment.tokenizer.state(),
            experiment.runtime.precision,
            # How large gradients usually are is measured on the training part.
            None if section is None else [section.model_dump(), experiment.data.sha256],
        )

    @property
    def environment(self) -> int:
        """16 bits of a hash of what the last bits of the probabilities depend on."""
        record = self.trained.experiment.runtime.record()
        # Not the threads: one reads a single token.
        return _short_hash(
            *(record[name] for name in ("device", "accelerator", "cpu", "kernels", "versions"))
        )


def own_settings(trained: Trained) -> AdaptiveSection:
    """How a model learns while it codes: as its recipe says, or by the defaults."""
    return trained.experiment.recipe.evaluate.adaptive or AdaptiveSection()


def coding_of(header: Header, trained: Trained, name: str) -> Coding:
    """What made a compressed file, if that is this run; name: of the file.

    Warns where the last bits may differ. Raises CompressedFileError if it is another model, with
    the right one if that is near.
    """
    coding = Coding(trained, _section(header, trained, name))
    path, step = trained.directory.path, trained.step
    if header.weights != coding.weights:
        found = run_with_weights(path.parent, header.weights, first=trained.directory)
        known = (
            ""
            if found is None
            else f"; those are of step {found[1]} of {found[0]}: --run {quoted(found[0])} "
            f"--step {found[1]}"
        )
        raise CompressedFileError(
            f"{name} was compressed with other weights, whose sha256 begins "
            f"{header.weights.hex()}, than those of step {step} of {path}, "
            f"{coding.weights.hex()}{known or '; give the run that made it.'}"
        )
    if header.reading != coding.reading:
        also = ", the settings of evaluate.adaptive or the corpus" if header.learns else ""
        raise CompressedFileError(
            f"{name} was compressed with the weights of {path}, but the tokenizer, the "
            f"precision{also} was another one; give the run as it was then."
        )
    if header.environment != coding.environment:
        trained.experiment.display.warn(
            f"{name} was compressed with other versions or another kind of processor than those "
            f"here, so the last bits of the model's probabilities may differ; the checksum will "
            f"say whether they do."
        )
    return coding


def run_with_weights(
    folder: Path, weights: bytes, *, first: RunDirectory | None = None
) -> tuple[Path, int] | None:
    """The run in a folder that has a checkpoint with these weights, and its step.

    weights: the first bytes of their sha256. first: a run that is looked at before the others.
    """
    others = runs_in(folder)
    for directory in others if first is None else [first, *others]:
        for step in checkpoint_steps(directory.checkpoints):
            try:
                if _weights(directory, step) == weights:
                    return directory.path, step
            except SeqzooError:  # damaged, or of a newer version
                continue
    return None


def _section(header: Header, trained: Trained, name: str) -> AdaptiveSection | None:
    if not header.learns:
        return None
    if header.settings is None:
        return own_settings(trained)
    try:
        return AdaptiveSection.model_validate(header.settings)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise CompressedFileError(
            f"{name} has a wrong setting {where}: {first['msg']}; compress the original again."
        ) from None


def _weights(directory: RunDirectory, step: int) -> bytes:
    return bytes.fromhex(weights_sha256_in(directory.path, step))[:WEIGHTS_BYTES]


def _short_hash(*facts: object) -> int:
    content = json.dumps(facts, sort_keys=True, default=str).encode()
    return int.from_bytes(hashlib.sha256(content).digest()[:2])
