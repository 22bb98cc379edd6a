"""Plugins for another version of the API: an earlier one works with a warning, a later one says so.

Each plugin here is a file that a recipe could name, written as an author of that version would.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from contexts import sampler_context
from torch import nn

import seqzoo
from seqzoo.errors import PluginError
from seqzoo.plugin.earlier_api import adapted
from seqzoo.plugin.registry import Registry, load_registry
from seqzoo.version import __version__

CONTEXTS: dict[str, seqzoo.Context[Any]] = {
    "architecture": seqzoo.ArchitectureContext(vocab_size=7),
    "tokenizer": seqzoo.TokenizerContext(),
    "stream": seqzoo.StreamContext(tokens=np.arange(9, dtype=np.uint8), batch_size=2),
    "sampler": sampler_context(),
    "corpus": seqzoo.CorpusContext(base=Path("here")),
    "baseline": seqzoo.BaselineContext(training=np.zeros(3, np.uint8), splits={}),
    "tracker": seqzoo.TrackerContext(run_directory=Path("runs/mine")),
}

SPECS: dict[str, tuple[Any, str]] = {
    "architecture": (seqzoo.ArchitectureSpec, "build"),
    "tokenizer": (seqzoo.TokenizerSpec, "build"),
    "stream": (seqzoo.StreamSpec, "open"),
    "sampler": (seqzoo.SamplerSpec, "build"),
    "corpus": (seqzoo.CorpusSpec, "open"),
    "baseline": (seqzoo.BaselineSpec, "score"),
    "tracker": (seqzoo.TrackerSpec, "open"),
}


def keyword_only(options: Any, *, vocab_size: int) -> Any:
    return vocab_size


class OfOptions:
    def __init__(self, options: Any) -> None:
        self.options = options


EARLIER: Mapping[str, tuple[Any, Any]] = {
    "architecture": (keyword_only, 7),
    "tokenizer": (lambda options: "built", "built"),
    "stream": (
        lambda options, tokens, batch_size: (len(tokens), batch_size),
        (9, 2),
    ),
    "sampler": (lambda options: "built", "built"),
    "corpus": (lambda options, base: base, Path("here")),
    "baseline": (lambda options, training, splits: (len(training), splits), (3, {})),
    "tracker": (lambda options, run_directory: run_directory, Path("runs/mine")),
}


@pytest.mark.parametrize("kind", EARLIER)
def test_a_function_with_the_earlier_arguments_is_called_with_them(kind: str) -> None:
    function, expected = EARLIER[kind]
    make, field = SPECS[kind]
    spec = make(name="mine", summary="", **{field: function})
    assert getattr(spec, field)(seqzoo.Options(), CONTEXTS[kind]) == expected
    (form,) = spec.earlier_forms
    assert form.startswith(f"{field}(options")


@pytest.mark.parametrize("kind", SPECS)
def test_a_function_of_options_and_context_is_called_as_it_is(kind: str) -> None:
    make, field = SPECS[kind]
    received: list[Any] = []

    def current(options: Any, context: Any) -> None:
        received.extend([options, context])

    spec = make(name="mine", summary="", **{field: current})
    options = seqzoo.Options()
    getattr(spec, field)(options, CONTEXTS[kind])
    assert received == [options, CONTEXTS[kind]]
    assert spec.earlier_forms == ()


@pytest.mark.parametrize("kind", ["corpus", "tracker"])
def test_a_plugin_that_declares_api_0_may_name_its_arguments_as_it_likes(kind: str) -> None:
    make, field = SPECS[kind]
    spec = make(name="mine", summary="", api=0, **{field: lambda o, somewhere: somewhere})
    assert getattr(spec, field)(seqzoo.Options(), CONTEXTS[kind]) == EARLIER[kind][1]


def test_a_class_may_stand_for_the_function() -> None:
    spec = seqzoo.SamplerSpec(name="mine", summary="", build=OfOptions)  # type: ignore[arg-type]
    assert isinstance(spec.build(seqzoo.Options(), sampler_context()), OfOptions)


def test_arguments_of_no_version_are_refused_with_the_expected_ones() -> None:
    with pytest.raises(PluginError, match=r"build of architecture 'mine' takes \(a, b, c\), expec"):
        seqzoo.ArchitectureSpec(
            name="mine",
            summary="",
            build=lambda a, b, c: None,  # type: ignore[arg-type,misc]
        )


def test_a_function_without_a_signature_is_not_judged() -> None:
    given: Any = dict
    function, form = adapted("architecture", given, api=1)
    assert function is given
    assert not form


def registry_with(tmp_path: Path, source: str) -> Registry:
    file = tmp_path / "theirs.py"
    file.write_text("import seqzoo\n\n\n" + source)
    registry = load_registry()
    registry.add_file(file)
    return registry


FOR_API_2 = """
@seqzoo.hookimpl
def register_architectures():
    return [seqzoo.ArchitectureSpec(name="new", summary="", build=print, api=2)]
"""


def test_a_plugin_for_a_later_api_is_refused_with_both_versions(tmp_path: Path) -> None:
    with pytest.raises(PluginError) as caught:
        registry_with(tmp_path, FOR_API_2)
    message = str(caught.value)
    assert "architecture 'new' is written for plugin API 2" in message
    assert f"seqzoo {__version__} has API 1; install a newer seqzoo" in message


FOR_API_0 = """
class Average(seqzoo.SequenceModel):
    def __init__(self, vocab_size):
        super().__init__()
        from torch import nn

        self.embed = nn.Embedding(vocab_size, 8)
        self.head = nn.Linear(8, vocab_size)
        self.register_buffer("seen", self.head.weight.new_zeros(()))

    def initial_state(self, batch_size):
        return self.head.weight.new_zeros(batch_size, 8)

    def forward(self, tokens, state=None):
        state = self.initial_state(len(tokens)) if state is None else state
        outputs = []
        for time in range(tokens.shape[1]):
            state = 0.9 * state + 0.1 * self.embed(tokens[:, time])
            outputs.append(self.head(state))
        import torch

        return torch.stack(outputs, 1), state

    def prepare(self, tokens):
        self.seen.fill_(len(tokens))


@seqzoo.hookimpl
def register_architectures():
    return [
        seqzoo.ArchitectureSpec(
            name="average",
            summary="a running average",
            build=lambda options, vocab_size: Average(vocab_size),
        )
    ]
"""

RECIPE = """
name: earlier
plugins: [./theirs.py]
corpus: {name: pastiche, options: {size_bytes: 20000}}
tokenizer: {name: bytes}
architecture: {name: average}
train: {batch_size: 4, bptt_length: 16, budget: {steps: 3}}
baselines: {include: []}
sample: {length: 5}
"""


def test_a_plugin_of_the_earlier_api_trains_and_its_renamed_methods_are_called(
    tmp_path: Path,
) -> None:
    (tmp_path / "theirs.py").write_text("import seqzoo\n\n\n" + FOR_API_0)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    said = (
        r"uses the plugin API before version 1 \(Average\.prepare is called before_training; "
        r"build\(options, vocab_size\) of architecture 'average'\), which works for now"
    )
    with pytest.warns(seqzoo.SeqzooWarning, match=said):
        run = seqzoo.run(tmp_path / "recipe.yaml", root=tmp_path / "runs", trust=True)
    assert run.result is not None
    assert run.model.state_dict()["seen"] == 18_000


def test_methods_of_a_model_are_called_by_their_earlier_names() -> None:
    with pytest.warns(DeprecationWarning, match=r"Mine\.prepare is called before_training"):

        class Mine(seqzoo.SequenceModel):
            def initial_state(self, batch_size: int) -> Any:
                return None

            def forward(self, tokens: Any, state: Any = None) -> Any:
                return nn.functional.one_hot(tokens, 4).float(), None

            def prepare(self, tokens: Any) -> None:
                self.seen = len(tokens)

    model = Mine()
    model.before_training(np.zeros(5, np.uint8))
    assert model.seen == 5


def test_a_batch_with_one_bool_resets_all_rows_and_warns() -> None:
    tokens = torch.zeros(3, 2, dtype=torch.int64)
    with pytest.warns(DeprecationWarning, match="restarts is a bool"):
        batch = seqzoo.Batch(inputs=tokens, targets=tokens, restarts=True)  # type: ignore[arg-type]
    assert batch.restarts.tolist() == [True] * 3
