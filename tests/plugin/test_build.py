"""What a plugin builds is checked, and what its code raises names the plugin."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from contexts import sampler_context

from seqzoo import (
    ArchitectureContext,
    Corpus,
    CorpusContext,
    CorpusUnavailable,
    Options,
    StreamContext,
    TokenizerContext,
    TrackerContext,
)
from seqzoo.errors import PluginError, UsageError
from seqzoo.plugin.build import as_plugin_error, build, require
from seqzoo.plugin.hooks import hookimpl
from seqzoo.plugin.registry import Owner, Registry
from seqzoo.plugin.specs import (
    ArchitectureSpec,
    CorpusSpec,
    SamplerSpec,
    Spec,
    StreamSpec,
    TokenizerSpec,
    TrackerSpec,
)
from seqzoo.recipes.sections import Choice

CHOICE = Choice(name="mine", options=Options())


def registry_of(spec: Spec, hook: str) -> Registry:
    registry = Registry()
    plugin = SimpleNamespace(**{hook: hookimpl(lambda: [spec])})
    registry.add(plugin, Owner("theirs", "seqzoo-theirs", "0.3"))
    return registry


def registry_of_corpus(function: Any) -> Registry:
    return registry_of(CorpusSpec(name="mine", summary="", open=function), "register_corpora")


def test_a_corpus_is_opened_with_its_options_and_the_base_folder(tmp_path: Path) -> None:
    received: list[Any] = []

    def open_corpus(*arguments: Any) -> Corpus:
        received.extend(arguments)
        return Corpus(name="mine", data=np.zeros(3, np.uint8), origin="a test")

    corpus = build(registry_of_corpus(open_corpus), "corpus", CHOICE, CorpusContext(base=tmp_path))
    assert len(corpus.data) == 3
    assert received == [CHOICE.options, CorpusContext(base=tmp_path)]


def three(*_: Any, **__: Any) -> Any:
    return 3


WRONG: dict[str, tuple[Spec, str, Any, str]] = {
    "architecture": (
        ArchitectureSpec(name="mine", summary="", build=three),
        "register_architectures",
        ArchitectureContext(vocab_size=4),
        "a SequenceModel from build",
    ),
    "tokenizer": (
        TokenizerSpec(name="mine", summary="", build=three),
        "register_tokenizers",
        TokenizerContext(),
        "a Tokenizer from build",
    ),
    "stream": (
        StreamSpec(name="mine", summary="", open=three),
        "register_streams",
        StreamContext(tokens=np.zeros(3, np.uint8), batch_size=1),
        "a Stream from open",
    ),
    "sampler": (
        SamplerSpec(name="mine", summary="", build=three),
        "register_samplers",
        sampler_context(),
        "a Sampler from build",
    ),
    "corpus": (
        CorpusSpec(name="mine", summary="", open=three),
        "register_corpora",
        CorpusContext(),
        "a Corpus from open",
    ),
    "tracker": (
        TrackerSpec(name="mine", summary="", open=three),
        "register_trackers",
        TrackerContext(run_directory=Path()),
        "a Tracker from open",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_an_object_of_another_type_is_refused_with_its_plugin(kind: Any) -> None:
    spec, hook, context, expected = WRONG[kind]
    with pytest.raises(PluginError) as caught:
        build(registry_of(spec, hook), kind, CHOICE, context)
    assert str(caught.value) == (
        f"{kind} 'mine' of plugin 'theirs' (seqzoo-theirs 0.3) failed: expected {expected}, "
        f"found int."
    )


def test_what_a_plugin_raises_is_reported_with_plugin_exception_file_and_line() -> None:
    def broken(options: Options, context: CorpusContext) -> Corpus:
        raise RuntimeError("a mistake\nof mine")

    registry = registry_of_corpus(broken)
    said = (
        r"corpus 'mine' of plugin 'theirs' \(seqzoo-theirs 0\.3\) failed: "
        r"RuntimeError: a mistake of mine \(test_build\.py, line \d+\)\."
    )
    with pytest.raises(PluginError, match=said) as caught:
        build(registry, "corpus", CHOICE, CorpusContext())
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize("error", [CorpusUnavailable("not here"), UsageError("wrong option")])
def test_an_error_of_seqzoo_that_the_plugin_raises_passes_unchanged(error: Exception) -> None:
    def refuse(options: Options, context: CorpusContext) -> Corpus:
        raise error

    with pytest.raises(type(error)) as caught:
        build(registry_of_corpus(refuse), "corpus", CHOICE, CorpusContext())
    assert caught.value is error


def test_a_name_that_is_not_installed_is_a_mistake_of_the_user() -> None:
    with pytest.raises(UsageError, match="tokenizer 'mine' is not installed"):
        build(Registry(), "tokenizer", CHOICE, TokenizerContext())


def test_a_requirement_that_fails_shows_tuples_and_texts_and_other_things_by_type() -> None:
    registry = registry_of_corpus(lambda *_: None)
    for found, shown in (((2, 3), r"\(2, 3\)"), ("none", "none"), ([1], "list")):
        with (
            pytest.raises(PluginError, match=f"expected a pair, found {shown}"),
            as_plugin_error(registry, "corpus", "mine"),
        ):
            require(False, found=found, expected="a pair")


def test_a_plugin_that_exits_does_not_end_the_process() -> None:
    def leave(options: Options, context: CorpusContext) -> Corpus:
        raise SystemExit("enough")

    with pytest.raises(PluginError, match=r"it called sys\.exit\('enough'\) \(test_build\.py"):
        build(registry_of_corpus(leave), "corpus", CHOICE, CorpusContext())


def test_an_error_that_seqzoo_raises_for_a_plugin_has_the_plugins_line() -> None:
    def undivided(options: Options, context: CorpusContext) -> Corpus:
        return Corpus(name="mine", data=np.zeros(3, np.uint8), origin="a test", division=(2, 1))

    with pytest.raises(PluginError, match=r"division of corpus 'mine'.*\(test_build\.py, line \d"):
        build(registry_of_corpus(undivided), "corpus", CHOICE, CorpusContext())
