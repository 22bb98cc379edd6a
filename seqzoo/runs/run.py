"""What a run can do in Python, finished or not: score, predict, generate, states."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

from seqzoo.errors import UsageError, did_you_mean
from seqzoo.export.config import FORMATS, Format
from seqzoo.plugin.registry import Registry, installed_or
from seqzoo.recipes.load import Recipe
from seqzoo.results.result import Result, read_result
from seqzoo.runs.arguments import Text, bytes_of, path_of, refuse_samplers, whole_number
from seqzoo.runs.directory import RunDirectory
from seqzoo.terminal.display import Display

if TYPE_CHECKING:
    from seqzoo.plugin.contracts import SequenceModel, Tokenizer
    from seqzoo.recipes.choice_fields import Choice
    from seqzoo.runs.reopen import Trained

__all__ = ["Run", "TextScore"]

Link: TypeAlias = "str | Mapping[str, Any]"
"""A sampler of the chain: its name, or its name with its options."""


@dataclass(frozen=True, eq=False)
class TextScore:
    """What a text costs a model that is not changed by it.

    bits: (N,) float64, the cost of each byte. bits_per_byte: their mean.
    accuracy: share of tokens whose most probable prediction was right.
    """

    bits: npt.NDArray[np.float64]
    bits_per_byte: float
    accuracy: float


class Run:
    """A run: its folder, its results, and its model with the best weights.

    Made by `seqzoo.run`, `seqzoo.open_run` and `seqzoo.resume`. The model is loaded when it is
    first used, and once.
    """

    def __init__(
        self,
        directory: RunDirectory,
        *,
        registry: Registry | None = None,
        device: str | None = None,
        step: int | None = None,
        display: Display | None = None,
        trust: bool = False,
    ) -> None:
        self._directory = directory
        self._given_registry = registry
        self._device = device
        self._step = step
        self._display = display or Display()
        self._trust = trust

    def __repr__(self) -> str:
        at = "" if self._step is None else f", step={self._step}"
        return f"Run({str(self.path)!r}{at})"

    def __getstate__(self) -> dict[str, Any]:
        """What a copy in another process needs; it loads the model again when it is used."""
        loaded = ("trained", "recipe", "_registry")
        return {name: value for name, value in self.__dict__.items() if name not in loaded}

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self._directory.path

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe that the run was started with, every default filled in."""
        from seqzoo.runs.origin import stored_recipe

        return stored_recipe(self._directory, self._registry)

    @property
    def result(self) -> Result | None:
        """What result.json says; None while there is none. Raises UsageError if it is damaged."""
        return read_result(self._directory.result) if self._directory.result.exists() else None

    def metrics(self) -> dict[str, npt.NDArray[np.float64]]:
        """The columns of metrics.jsonl by name, one row per logged step; NaN if a step has none.

        `pandas.DataFrame(run.metrics())` makes a table of it.
        """
        from seqzoo.runs.metrics import columns, read_metrics

        return columns(read_metrics(self._directory.metrics))

    def at(self, *, step: SupportsIndex) -> Run:
        """The same run with the weights of another checkpoint.

        Raises UsageError, with the existing steps, if there is no such checkpoint.
        """
        from seqzoo.training.checkpoint_files import checkpoint_steps

        number = whole_number("step", step, sys.maxsize)
        known = checkpoint_steps(self._directory.checkpoints)
        if number not in known:
            raise UsageError(
                f"{self.path} has no checkpoint of step {number}; it has "
                f"{', '.join(map(str, known)) or 'none'}."
            )
        return Run(
            self._directory,
            registry=self._given_registry,
            device=self._device,
            step=number,
            display=self._display,
            trust=self._trust,
        )

    @property
    def step(self) -> int:
        """The update whose weights `model` has."""
        return self.trained.step

    @property
    def model(self) -> SequenceModel:
        """The model in eval mode, with the best weights on validation or those of `at`."""
        return self.trained.experiment.model

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, with what it learnt."""
        return self.trained.experiment.tokenizer

    def score(self, text: Text) -> TextScore:
        """The cost of every byte of any text, not only of the corpus, from an empty state."""
        from seqzoo.runs.text import score_text

        return TextScore(*score_text(self.trained.experiment, bytes_of(text)))

    def predict(self, text: Text) -> npt.NDArray[np.float64]:
        """(256,) probabilities of the byte that follows a text.

        They agree with `score`: if every token is a byte, predict(text[:i])[text[i]] is
        2 ** -score(text).bits[i].
        """
        from seqzoo.runs.text import next_byte

        return next_byte(self.trained.experiment, bytes_of(text))

    def states(self, text: Text) -> dict[str, npt.NDArray[Any]]:
        """The carried state after each of the N bytes of a text: leaf -> (N, ...).

        After a byte that does not complete a token, it is the state before that token.
        Leaves are named by their place in the state, "0.1" or by their own names.
        """
        from seqzoo.runs.text import states_after

        return states_after(self.trained.experiment, bytes_of(text))

    def generate(
        self,
        prompt: Text | None = None,
        *,
        length: SupportsIndex | None = None,
        chain: Iterable[Link] | None = None,
        decoder: Link | None = None,
        seed: SupportsIndex | None = None,
        **samplers: object,
    ) -> Iterator[str]:
        """The text that the model writes after a prompt, piece by piece; the prompt left out.

        length: in tokens, at least 0. chain: samplers in order, such as
        [{"temperature": 0.8}, "greedy"]. decoder: chooses the text in place of a chain, such as
        {"beam": 8}. seed: from 0 to 2**63 - 1. What is None is taken from the recipe. Bytes that
        are not UTF-8 become U+FFFD. Raises UsageError for wrong arguments, such as samplers that
        are given outside of the chain.
        """
        from seqzoo.model.generate import as_text

        return as_text(
            self.generate_bytes(
                prompt, length=length, chain=chain, decoder=decoder, seed=seed, **samplers
            )
        )

    def generate_bytes(
        self,
        prompt: Text | None = None,
        *,
        length: SupportsIndex | None = None,
        chain: Iterable[Link] | None = None,
        decoder: Link | None = None,
        seed: SupportsIndex | None = None,
        **samplers: object,
    ) -> Iterator[bytes]:
        """`generate` as bytes: one piece for each token."""
        from seqzoo.recipes.chain import chain_of, decoder_of

        refuse_samplers(samplers)
        section = self.recipe.sample
        registry = self.recipe.registry
        if decoder is not None and chain is not None:
            raise UsageError("a decoder replaces the chain of samplers; give one of the two.")
        if decoder is not None:
            chosen: Choice | None = decoder_of(decoder, registry)
        else:
            chosen = section.decoder if chain is None else None
        start = bytes_of(section.prompt if prompt is None else prompt)
        return self.trained.experiment.generate(
            start.tobytes(),
            length=section.length
            if length is None
            else whole_number("length", length, sys.maxsize),
            chain=section.chain if chain is None else chain_of(chain, registry),
            decoder=chosen,
            seed=section.seed if seed is None else whole_number("seed", seed, 2**63 - 1),
        )

    def compress(self, text: Text, *, adaptive: bool = False, verify: bool = True) -> bytes:
        """A text as a compressed file of about `score(text).bits.sum() / 8` bytes.

        adaptive: the model learns from what was compressed, as the recipe says. verify: whether the
        result is decompressed before it is returned. Raises CompressedFileError if it does not give
        the text back.
        """
        from seqzoo.runs.coding import Coding, own_settings
        from seqzoo.runs.compression import compress

        coding = Coding(self.trained, own_settings(self.trained) if adaptive else None)
        return compress(coding, bytes_of(text).tobytes(), verify=verify)

    def decompress(self, content: bytes | os.PathLike[str]) -> bytes:
        """The text of a compressed file, from its bytes or its path.

        Raises CompressedFileError if it is damaged, was made with other weights, or gives other
        bytes here than where it was made.
        """
        from seqzoo.runs.coding import coding_of
        from seqzoo.runs.compression import decompress

        name = str(content) if isinstance(content, os.PathLike) else "the compressed text"
        data = bytes_of(content).tobytes()
        return decompress(lambda header: coding_of(header, self.trained, name), data)

    def export(self, directory: str | os.PathLike[str], *, format: Format = "folder") -> Path:
        """Write the model to a new folder that works without seqzoo; returns the folder.

        format: "folder" (weights and plain torch, which `open_run` and `train.start_from` read),
        "onnx" or "torch" (one step as a program). The folder is read in a process without seqzoo
        and compared with this run before it is left behind. Raises UsageError if the folder is not
        empty or the architecture has no such form, FindingsError if the comparison fails.
        """
        from seqzoo.runs.export_run import export_trained, require_exportable

        if format not in FORMATS:
            hint = did_you_mean(str(format), FORMATS)
            raise UsageError(f"format is {format!r}, expected one of {', '.join(FORMATS)}.{hint}")
        place = path_of("directory", directory, expected="the folder to write")
        require_exportable(self.recipe, place, format=format)  # before the model is loaded
        export_trained(self.trained, self.result, place, format=format)
        return place

    @cached_property
    def trained(self) -> Trained:
        """The loaded checkpoint, for the command line and the doctor; not part of the API."""
        from seqzoo.runs.reopen import load_trained

        return load_trained(
            self.path, self._registry, device=self._device, step=self._step, display=self._display
        )

    @cached_property
    def _registry(self) -> Registry:
        return installed_or(self._given_registry, trust=self._trust)
