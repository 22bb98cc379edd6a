"""Experiment: a recipe with everything that it names, built once and passed as an argument."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy.typing as npt

from seqzoo.data.corpus import Data, open_data
from seqzoo.data.tokens import EncodedTraining
from seqzoo.errors import CheckpointError
from seqzoo.model.decode import decode
from seqzoo.model.generate import generate
from seqzoo.model.memory import enough_memory
from seqzoo.model.runtime import Runtime
from seqzoo.plugin.build import as_plugin_error, build
from seqzoo.plugin.contexts import DecoderContext, SamplerContext
from seqzoo.plugin.contracts import Sampler, SequenceModel, Tokenizer
from seqzoo.plugin.decoding import Decoder
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.sections import Choice, SplitSection
from seqzoo.results.result import StartRecord
from seqzoo.runs.build import build_chain, build_model, build_tokenizer, try_model
from seqzoo.runs.prepare import OTHER_CORPUS
from seqzoo.runs.probe import require_same_answers, require_same_tokens
from seqzoo.scoring.baselines import Baselines, baselines_of
from seqzoo.scoring.static import Protocol, recipe_protocol
from seqzoo.terminal.display import Display
from seqzoo.training.checkpoint import Checkpoint

__all__ = [
    "Experiment",
    "Start",
    "load_weights",
    "new_experiment",
    "new_model",
    "restored_tokenizer",
]


class Start(NamedTuple):
    """The weights and the tokenizer of another run that training starts from, and their record.

    corpus_sha256, split: the text that the weights were trained on.
    """

    checkpoint: Checkpoint
    record: StartRecord
    corpus_sha256: str
    split: SplitSection | None


class Experiment:
    """A recipe with its runtime, its data, its tokenizer and its model.

    recipe, runtime, display: as given. tokenizer: after it learnt.
    weights: the checkpoint with the model's weights; None for a new model.
    start: the weights that a new model starts from; None for the usual initialisation.
    The corpus, the encoded training part and the model are built once, when they are first used.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        runtime: Runtime,
        display: Display,
        tokenizer: Tokenizer,
        open_data: Callable[[], Data],
        weights: Checkpoint | None = None,
        start: Start | None = None,
    ) -> None:
        self.recipe = recipe
        self.runtime = runtime
        self.display = display
        self.tokenizer = tokenizer
        self.weights = weights
        self.start = start
        self._open_data = open_data

    @property
    def registry(self) -> Registry:
        """The registry of the recipe's plugins."""
        return self.recipe.registry

    @cached_property
    def data(self) -> Data:
        """The corpus and its splits."""
        return self._open_data()

    @cached_property
    def training(self) -> EncodedTraining:
        """The training part as tokens, encoded once."""
        with as_plugin_error(self.registry, "tokenizer", self.recipe.tokenizer.name):
            return EncodedTraining(
                self.tokenizer, self.data.splits.training.bytes, self.data.corpus.documents
            )

    @property
    def protocol(self) -> Protocol:
        """How the finished model is scored."""
        protocol = recipe_protocol(self.recipe.evaluate)
        return protocol.limited_by(len(self.data.splits.held_out))

    @cached_property
    def baselines(self) -> Baselines:
        """The baselines on the bytes that the model is scored on; none is scored yet."""
        data = self.data
        return baselines_of(
            self.registry,
            data.corpus,
            data.splits,
            corpus_sha256=data.sha256,
            max_bytes=self.protocol.max_bytes,
            added=self.recipe.baselines.add,
            require_unchanged=data.require_unchanged,
        )

    @cached_property
    def model(self) -> SequenceModel:
        """The trained model, in eval mode; or a new model, prepared with the training part."""
        with enough_memory("the model", self.runtime.device, dict):
            if self.weights is None:
                tokens = self.training.tokens
                model = new_model(self.recipe, self.tokenizer, tokens, start=self.start)
                return model.to(self.runtime.device)
            model = build_model(self.recipe, self.tokenizer)
            load_weights(model, self.weights, self.recipe)
            return model.to(self.runtime.device).eval()

    def chain(self, links: Iterable[Choice]) -> list[Sampler]:
        """The samplers that the links name, in order, each tried once."""
        context = SamplerContext(
            base=self.recipe.base, vocab_size=self.tokenizer.vocab_size, tokenizer=self.tokenizer
        )
        return build_chain(links, self.registry, context)

    def decoder(self, choice: Choice) -> Decoder:
        """The decoder that a recipe names."""
        context = DecoderContext(
            base=self.recipe.base, vocab_size=self.tokenizer.vocab_size, tokenizer=self.tokenizer
        )
        return build(self.registry, "decoder", choice, context)

    def generate(
        self,
        prompt: bytes,
        *,
        length: int,
        chain: Iterable[Choice],
        seed: int,
        decoder: Choice | None = None,
    ) -> Iterator[bytes]:
        """The bytes that the model writes after a prompt, token by token, without the prompt.

        decoder: it chooses the text in place of the chain.
        """
        if decoder is not None:
            return self._within_memory(self._decoded(decoder, prompt, length=length, seed=seed))
        pieces = generate(
            self.model,
            self.tokenizer,
            chain=self.chain(chain),
            prompt=prompt,
            num_tokens=length,
            seed=seed,
        )
        return self._within_memory(pieces)

    def _decoded(self, choice: Choice, prompt: bytes, *, length: int, seed: int) -> Iterator[bytes]:
        decoder = self.decoder(choice)
        with as_plugin_error(self.registry, "decoder", choice.name):
            yield from decode(
                self.model,
                self.tokenizer,
                decoder,
                prompt=prompt,
                num_tokens=length,
                seed=seed,
                device=self.runtime.device,
            )

    def _within_memory(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        with enough_memory("sampling", self.runtime.device, dict):
            yield from pieces


def new_experiment(
    recipe: Recipe,
    *,
    runtime: Runtime,
    display: Display,
    start: Start | None = None,
    data: Data | None = None,
) -> Experiment:
    """A new experiment: the tokenizer learns from the training part.

    start: its tokenizer is used and does not learn. data: None to open the recipe's corpus; the
    display reports if the fallback is used.
    """
    if data is None:
        data = open_data(recipe, announce=lambda text: display.panel(text, title=OTHER_CORPUS))
    if start is not None:
        tokenizer = restored_tokenizer(recipe, start.checkpoint)
    else:
        tokenizer = build_tokenizer(recipe)
        with as_plugin_error(recipe.registry, "tokenizer", recipe.tokenizer.name):
            tokenizer.learn(data.splits.training.bytes)
    return Experiment(
        recipe,
        runtime=runtime,
        display=display,
        tokenizer=tokenizer,
        open_data=lambda: data,
        start=start,
    )


def new_model(
    recipe: Recipe,
    tokenizer: Tokenizer,
    tokens: npt.NDArray[Any],
    *,
    start: Start | None = None,
) -> SequenceModel:
    """A new model of the recipe's architecture, prepared with the training part.

    tokens: (N,) of the training part. start: its weights replace the initialisation from the
    recipe's seed.
    """
    model = build_model(recipe, tokenizer)
    if start is not None:
        load_weights(model, start.checkpoint, recipe)
    # After the weights: counts of the training part must be those of this run's own text.
    with as_plugin_error(recipe.registry, "architecture", recipe.architecture.name):
        model.before_training(tokens)
    try_model(recipe, model, vocab_size=tokenizer.vocab_size)
    return model


def restored_tokenizer(recipe: Recipe, checkpoint: Checkpoint) -> Tokenizer:
    """The recipe's tokenizer with its state of a checkpoint.

    Raises CheckpointError if the state does not fit, or gives other ids than when it was saved.
    """
    tokenizer = build_tokenizer(recipe)
    try:
        tokenizer.restore(checkpoint.state["tokenizer"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"step {checkpoint.step} has no state of tokenizer '{recipe.tokenizer.name}': {error}"
        ) from error
    require_same_tokens(tokenizer, checkpoint, recipe)
    return tokenizer


def load_weights(model: SequenceModel, checkpoint: Checkpoint, recipe: Recipe) -> None:
    """Give a model of the recipe's architecture the weights of a checkpoint.

    Raises CheckpointError if they are those of another architecture, or if the model answers
    otherwise with them than when they were saved.
    """
    try:
        model.load_state_dict(dict(checkpoint.model))
    except RuntimeError as error:
        raise CheckpointError(
            f"the weights of step {checkpoint.step} do not fit the recipe's architecture: {error}"
        ) from error
    require_same_answers(model, checkpoint, recipe)
