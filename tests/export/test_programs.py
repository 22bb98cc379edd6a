"""Exported programs: which architectures have them, and long texts through every runtime."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from commands import REPOSITORY, SMALL
from installed_architectures import SMALL as SMALL_OPTIONS
from installed_architectures import options_of

import seqzoo
from seqzoo import ArchitectureContext
from seqzoo.errors import FindingsError
from seqzoo.export.config import FORMATS, Format
from seqzoo.export.exporting import Exportable, export_model
from seqzoo.plugin.build import build_installed
from seqzoo.plugin.registry import load_registry
from seqzoo.plugin.specs import ArchitectureSpec, TokenizerSpec
from seqzoo.runs.export_run import exportable

pytestmark = pytest.mark.slow

NEEDED = ("onnx", "onnxscript", "onnxruntime")
has_onnx = all(importlib.util.find_spec(package) for package in NEEDED)
needs_onnx = pytest.mark.skipif(not has_onnx, reason="needs ONNX: pip install 'seqzoo[onnx]'")
every_format = pytest.mark.parametrize(
    "format", [pytest.param(each, marks=needs_onnx if each == "onnx" else ()) for each in FORMATS]
)

RECIPE: Mapping[str, Any] = yaml.safe_load(SMALL)
SHORT = {"train.budget.steps": 40, "train.validation.every_steps": 0, "baselines.include": []}
PAGE = (REPOSITORY / "docs" / "export.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \| ((?:yes|no)(?: \| (?:yes|no)){2}) \|$", PAGE, re.MULTILINE))


def untrained(name: str) -> Exportable:
    """A small model of random weights, with all that an export needs."""
    registry = load_registry()
    spec, tokenizer_spec = registry.get("architecture", name), registry.get("tokenizer", "bytes")
    assert isinstance(spec, ArchitectureSpec)
    assert isinstance(tokenizer_spec, TokenizerSpec)
    tokenizer = tokenizer_spec.build(None, seqzoo.TokenizerContext())
    context = ArchitectureContext(vocab_size=256, tokenizer=tokenizer, builder=build_installed)
    options = options_of(spec, **SMALL_OPTIONS)
    model = spec.build(options, context)
    text = np.random.default_rng(1).integers(0, 256, 4000).astype(np.uint8)
    model.before_training(text)
    chosen = {"name": name, "options": options.model_dump(mode="json")}
    facts: dict[str, object] = {
        "run": "untrained",
        "architecture": chosen,
        "tokenizer": {"name": "bytes", "options": {}, "state": {}},
        "vocab_size": 256,
        "step": 0,
        "recipe": {},
        "corpus": {"name": "none", "sha256": "", "bytes": 0, "origin": ""},
        "split": "",
        "result": None,
        "plugins": {},
        "versions": {},
    }
    return Exportable(
        model=model.eval(),
        tokenizer=tokenizer,
        architecture=spec,
        tokenizer_spec=tokenizer_spec,
        facts=facts,
        text=text[:1000].tobytes(),
        source="random bytes",
        sample=b"",
    )


def test_the_page_has_a_row_for_each_of_our_architectures() -> None:
    own = {
        each.spec.name
        for each in load_registry().registered("architecture")
        if each.owner.distribution == "seqzoo"
    }
    assert set(ROWS) == own


@every_format
@pytest.mark.parametrize("name", ROWS)
def test_the_page_says_what_each_architecture_can_do(
    tmp_path: Path, name: str, format: Format
) -> None:
    says = dict(zip(FORMATS, ROWS[name].split(" | "), strict=True))[format]
    given = untrained(name)
    if says == "yes":
        export_model(given, tmp_path / "folder", format=format, name=name)
        return
    assert says == "no"
    with pytest.raises(seqzoo.UsageError, match=f"'{name}'") as caught:
        export_model(given, tmp_path / "folder", format=format, name=name)
    assert "\n" not in str(caught.value)


@every_format
@pytest.mark.parametrize("architecture", ["lstm", "gru", "transformer"])
def test_ten_thousand_bytes_have_the_same_score_in_every_runtime(
    tmp_path: Path, architecture: str, format: Format
) -> None:
    chosen = {"name": architecture, "options": {"hidden_size": 16, "num_layers": 2}}
    run = seqzoo.run(RECIPE, SHORT | {"architecture": chosen}, root=tmp_path)
    given = exportable(run.trained, run.result)
    data = run.trained.experiment.data.splits.training.bytes[:10_000].tobytes()
    longer = dataclasses.replace(given, text=data, source="the training part")
    config = export_model(longer, tmp_path / "folder", format=format, name="the run")
    assert config.proof is not None
    assert config.proof.bytes == 10_000
    # The proof is made in a process without seqzoo; here against the score of the run's own API.
    assert config.proof.bits_per_byte == pytest.approx(run.score(data).bits_per_byte, abs=1e-4)


@pytest.mark.parametrize("format", ["torch", pytest.param("onnx", marks=needs_onnx)])
def test_a_program_with_swapped_leaves_is_refused(
    tmp_path: Path, format: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seqzoo.export.one_step import OneStep

    whole = OneStep.forward

    def swapped(self: OneStep, token: Any, leaves: Any) -> Any:
        logits, (hidden, cells) = whole(self, token, leaves)
        return logits, (cells, hidden)

    monkeypatch.setattr(OneStep, "forward", swapped)
    with pytest.raises(FindingsError, match=r"has \d+\.\d{6} bits per byte, and seqzoo has"):
        export_model(untrained("lstm"), tmp_path / "folder", format=format, name="the run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["bytes", "chars", "bpe"])
def test_the_tokenizers_of_folders_give_the_same_tokens(name: str) -> None:
    if name == "bpe":
        pytest.importorskip("tokenizers", reason="needs: pip install 'seqzoo[bpe]'")
    spec = load_registry().get("tokenizer", name)
    assert isinstance(spec, TokenizerSpec)
    assert spec.standalone is not None
    own = spec.build(spec.options(), seqzoo.TokenizerContext())
    own.learn(np.frombuffer(PAGE.encode(), dtype=np.uint8))
    found = importlib.util.spec_from_file_location("tokenizer", spec.standalone)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    other = module.Tokenizer(own.state())
    generator = np.random.default_rng(3)
    readme = (REPOSITORY / "README.md").read_bytes()
    for data in (b"", readme, generator.bytes(3000), b"\x00\xff" * 50, b"    \n\n  a  "):
        tokens = own.encode(np.frombuffer(data, dtype=np.uint8))
        assert other.encode(data) == tokens.tolist()
        assert other.decode(tokens.tolist()) == data
    for _ in range(200):  # also ids that no encoder wrote
        tokens = generator.integers(0, own.vocab_size, 12)
        assert other.decode(tokens.tolist()) == own.decode(tokens)
