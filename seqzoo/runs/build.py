"""From a recipe's names to live objects: corpus and splits, tokenizer, model, sampling chain."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from seqzoo.model import state as states
from seqzoo.plugin.contracts import Corpus, Sampler, SequenceModel, Stream, Tokenizer
from seqzoo.data.corpus import Data, open_corpus, sha256_of, split
from seqzoo.errors import PluginError, SeqzooError
from seqzoo.recipes.load import Recipe
from seqzoo.plugin.registry import Registry
from seqzoo.model.runtime import untouched
from seqzoo.recipes.sections import Choice
from seqzoo.data.lanes import Lanes

__all__ = [
    "blaming",
    "build_chain",
    "build_model",
    "build_tokenizer",
    "open_data",
    "open_stream",
    "try_model",
]


def open_data(recipe: Recipe, *, announce: Callable[[str], None]) -> Data:
    """Open and split the recipe's corpus; `announce` is called with a sentence on a fallback."""
    sentences: list[str] = []
    with blaming(recipe.registry, "corpus", recipe.corpus.name):
        corpus = open_corpus(
            recipe.corpus, recipe.registry, recipe.base, announce=sentences.append
        )
    for sentence in sentences:
        announce(sentence)
    shares = recipe.corpus.split
    splits = split(corpus, train=shares.train, validation=shares.validation, test=shares.test)
    return Data(corpus, sha256_of(corpus.data), splits, fell_back=bool(sentences))


def build_tokenizer(recipe: Recipe) -> Tokenizer:
    """The recipe's tokenizer, which has learnt nothing yet."""
    choice = recipe.tokenizer
    spec = recipe.registry.get("tokenizer", choice.name)
    with blaming(recipe.registry, "tokenizer", choice.name):
        tokenizer: Tokenizer = spec.build(choice.options)
        _require(isinstance(tokenizer, Tokenizer), tokenizer, "a Tokenizer from build")
    return tokenizer


def build_model(recipe: Recipe, *, vocab_size: int) -> SequenceModel:
    """The recipe's architecture, initialised from the recipe's seed."""
    choice = recipe.architecture
    spec = recipe.registry.get("architecture", choice.name)
    torch.manual_seed(recipe.train.seed)
    with blaming(recipe.registry, "architecture", choice.name):
        model: SequenceModel = spec.build(choice.options, vocab_size=vocab_size)
        _require(isinstance(model, SequenceModel), model, "a SequenceModel from build")
    return model


def open_stream(recipe: Recipe, tokens: npt.NDArray[Any]) -> Stream:
    """What training reads: the recipe's stream over (N,) tokens, or else contiguous lanes."""
    choice, batch_size = recipe.train.stream, recipe.train.batch_size
    if choice is None:
        return Lanes(tokens, batch_size=batch_size)
    with blaming(recipe.registry, "stream", choice.name):
        spec = recipe.registry.get("stream", choice.name)
        stream: Stream = spec.open(choice.options, tokens, batch_size=batch_size)
        _require(isinstance(stream, Stream), stream, "a Stream from open")
    return stream


def try_model(recipe: Recipe, model: SequenceModel, *, vocab_size: int) -> None:
    """Three tokens through a model, before hours are spent on it.

    Raises PluginError, naming the plugin, where logits or state are not what the contract says:
    logits of another width would be scored without a murmur, and wrongly.
    """
    B, T = 2, 3
    tokens = torch.zeros(B, T, dtype=torch.int64)
    with blaming(recipe.registry, "architecture", recipe.architecture.name), untouched(model):
        answer = model(tokens)
        _require(isinstance(answer, tuple) and len(answer) == 2, answer, "(logits, state)")
        logits, state = answer
        expected = (B, T, vocab_size)
        shape = tuple(getattr(logits, "shape", ()))
        _require(shape == expected, shape, f"logits of shape {expected}: batch, time, vocabulary")
        for path, leaf in states.flatten(state).items():
            _require(leaf.ndim > 0 and len(leaf) == B, tuple(leaf.shape),
                     f"state leaf '{path}' to begin with the batch, {B}")  # fmt: skip
        model(tokens, model.initial_state(B))


def build_chain(links: Iterable[Choice], registry: Registry, *, vocab_size: int) -> list[Sampler]:
    """The samplers that the links name, in their order, each tried once on even logits.

    Raises PluginError, naming the plugin, where one fails or breaks its contract.
    """
    chain: list[Sampler] = []
    for link in links:
        spec = registry.get("sampler", link.name)
        with blaming(registry, "sampler", link.name):
            sampler: Sampler = spec.build(link.options)
            _require(isinstance(sampler, Sampler), sampler, "a Sampler from build")
            history = torch.zeros(2, min(sampler.history_length, 2), dtype=torch.int64)
            logits = sampler(torch.zeros(2, vocab_size), history)
            shape = tuple(getattr(logits, "shape", ()))
            _require(shape == (2, vocab_size), shape, f"logits of shape {(2, vocab_size)}")
            _require(bool(logits.isfinite().any(-1).all()), "none", "a finite logit in every row")
        chain.append(sampler)
    return chain


def _require(holds: bool, found: object, expected: str) -> None:
    if not holds:
        shown = found if isinstance(found, (tuple, str)) else type(found).__name__
        raise TypeError(f"expected {expected}, found {shown}")


@contextmanager
def blaming(registry: Registry, kind: str, name: str) -> Iterator[None]:
    """What a plugin's code raises is told as the plugin's fault, with its cause."""
    try:
        yield
    except SeqzooError:
        raise
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        cause = " ".join(str(error).split())
        raise PluginError(
            f"{kind} '{name}' of plugin {registry.owner(kind, name)} failed: "
            f"{type(error).__name__}: {cause} ({Path(where.filename).name}, line {where.lineno})."
        ) from error
