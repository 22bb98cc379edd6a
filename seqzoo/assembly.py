"""From a recipe's names to live objects: corpus and splits, tokenizer, model, sampling chain."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from seqzoo.contracts import Corpus, Sampler, SequenceModel, Tokenizer
from seqzoo.corpus import Splits, open_corpus, sha256_of, split
from seqzoo.errors import PluginError, SeqzooError
from seqzoo.recipe import Recipe
from seqzoo.registry import Registry
from seqzoo.sections import Choice

__all__ = ["Data", "build_chain", "build_model", "build_tokenizer", "open_data"]


@dataclass(frozen=True)
class Data:
    """An opened corpus, its hash and its splits."""

    corpus: Corpus
    sha256: str
    splits: Splits


def open_data(recipe: Recipe, *, announce: Callable[[str], None]) -> Data:
    """Open and split the recipe's corpus; `announce` hears of a fallback."""
    corpus = open_corpus(recipe.corpus, recipe.registry, recipe.base, announce=announce)
    shares = recipe.corpus.split
    splits = split(corpus, train=shares.train, validation=shares.validation, test=shares.test)
    return Data(corpus, sha256_of(corpus.data), splits)


def build_tokenizer(recipe: Recipe) -> Tokenizer:
    """The recipe's tokenizer, which has learnt nothing yet."""
    choice = recipe.tokenizer
    spec = recipe.registry.get("tokenizer", choice.name)
    tokenizer: Tokenizer = _built("tokenizer", choice.name, spec.build, choice.options)
    return tokenizer


def build_model(recipe: Recipe, *, vocab_size: int) -> SequenceModel:
    """The recipe's architecture, initialised from the recipe's seed."""
    choice = recipe.architecture
    spec = recipe.registry.get("architecture", choice.name)
    torch.manual_seed(recipe.train.seed)
    model: SequenceModel = _built(
        "architecture", choice.name, spec.build, choice.options, vocab_size=vocab_size
    )
    return model


def build_chain(links: Iterable[Choice], registry: Registry) -> list[Sampler]:
    """The samplers that the links name, in their order."""
    return [
        _built("sampler", link.name, registry.get("sampler", link.name).build, link.options)
        for link in links
    ]


def _built(kind: str, name: str, build: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a plugin's `build`; what it raises is told as the plugin's fault, with the cause."""
    try:
        return build(*args, **kwargs)
    except SeqzooError:
        raise
    except Exception as error:
        raise PluginError(
            f"{kind} '{name}' could not be built from its options: {type(error).__name__}: {error}"
        ) from error
