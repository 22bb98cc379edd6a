"""`seqzoo export`: the folder computes what the run computes, or it is not there."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import yaml
from commands import SMALL

import seqzoo
from seqzoo.errors import FindingsError
from seqzoo.export.exporting import Exportable, export_model
from seqzoo.runs.export_run import exportable

RECIPE: Mapping[str, Any] = yaml.safe_load(SMALL)
SHORT = {"train.budget.steps": 6, "train.validation.every_steps": 0, "baselines.include": []}
TEXT = b"To be, or not to be: that is the question. \xe2\x80\x94 \xff\x00" * 30

# Each has the options that change its equations.
NETWORKS: dict[str, dict[str, Any]] = {
    "lstm": {"num_layers": 2, "tied_embeddings": True},
    "gru": {"num_layers": 2, "embedding_size": 6},
    "rnn": {"nonlinearity": "relu"},
    "transformer": {
        "num_layers": 2,
        "num_heads": 4,
        "num_key_heads": 2,
        "window": 12,
        "norm": "rms",
        "feed_forward": "swiglu",
        "qk_norm": True,
        "value_residual": True,
    },
}


def trained(
    folder: Path, architecture: str, options: Mapping[str, Any] | None = None, **more: Any
) -> seqzoo.Run:
    """A small run of few updates, which is scored without baselines."""
    chosen = {"name": architecture, "options": {"hidden_size": 16, **(options or {})}}
    changes = SHORT | {"architecture": chosen} | more
    return seqzoo.run(RECIPE, changes, root=folder, name=architecture)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> seqzoo.Run:
    return trained(tmp_path_factory.mktemp("runs"), "lstm")


@pytest.fixture(scope="module")
def folder(run: seqzoo.Run) -> Path:
    return run.export(run.path.parent / "folder")


@pytest.fixture(scope="module")
def given(run: seqzoo.Run) -> Exportable:
    return exportable(run.trained, run.result)


def loaded(folder: Path) -> Any:
    """The model that the folder's own loader gives."""
    spec = importlib.util.spec_from_file_location("loader", folder / "seqzoo_model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(folder)


@pytest.mark.parametrize(
    "architecture",
    [
        pytest.param(name, marks=pytest.mark.slow if name in ("gru", "rnn") else ())
        for name in NETWORKS
    ],
)
def test_the_folder_scores_and_steps_as_the_run_does(tmp_path: Path, architecture: str) -> None:
    run = trained(tmp_path, architecture, NETWORKS[architecture])
    model = loaded(run.export(tmp_path / "folder"))
    # Other bytes than those of the proof. Both sum in float32, in another order.
    assert model.score(TEXT) == pytest.approx(run.score(TEXT).bits_per_byte, abs=1e-4)
    state = model.initial_state(3)
    for column in np.frombuffer(TEXT[:120], dtype=np.uint8).reshape(3, 40).T:
        logits, state = model.step(column, state)
    for row in range(3):
        states = run.states(TEXT[row * 40 : row * 40 + 40])
        first = model.initial_state(1)
        _, first = model.step([0], first)
        _, alone = model.forward([list(TEXT[row * 40 : row * 40 + 40])], first)
        assert states.keys() == alone.keys()
        for name, leaf in alone.items():
            np.testing.assert_allclose(leaf[0], states[name][-1], atol=1e-4, rtol=1e-4)
    assert logits.shape == (3, 256)


@pytest.mark.slow
def test_a_program_of_torch_steps_as_the_run_does(tmp_path: Path, run: seqzoo.Run) -> None:
    model = loaded(run.export(tmp_path / "program", format="torch"))
    assert model.score(TEXT) == pytest.approx(run.score(TEXT).bits_per_byte, abs=1e-4)
    logits, _ = model.step([1, 2, 3, 4, 5], model.initial_state(5))  # any number of rows
    assert logits.shape == (5, 256)


def swapped_gates(source: str) -> str:
    """Input and forget gate of the LSTM change places when the weights are loaded."""
    return source + (
        "\n    def load_state_dict(self, tensors):\n"
        "        H = self.layers.hidden_size\n"
        "        order = [*range(H, 2 * H), *range(H), *range(2 * H, 4 * H)]\n"
        "        names = [n for n in tensors if n.startswith('layers.')]\n"
        "        super().load_state_dict(tensors | {n: tensors[n][order] for n in names})\n"
    )


def exchanged_rows(source: str) -> str:
    """Every row continues with the state of another one; a score has one row and is right."""
    return source.replace("leaf.transpose(0, 1).contiguous()", "leaf.transpose(0, 1).flip(0)")


def needs_seqzoo(source: str) -> str:
    return source + "\n\nimport seqzoo\n"


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (swapped_gates, r"has \d\.\d{6} bits per byte, and seqzoo has \d\.\d{6}"),
        (exchanged_rows, r"its (logits|state\.0) differs? from that of seqzoo by"),
        (needs_seqzoo, "must not import seqzoo"),
    ],
)
def test_a_network_with_a_fault_is_refused_and_removed(
    tmp_path: Path, given: Exportable, plant: Callable[[str], str], message: str
) -> None:
    assert given.architecture.standalone is not None
    faulty = tmp_path / "network.py"
    faulty.write_text(plant(given.architecture.standalone.read_text()))
    spec = dataclasses.replace(given.architecture, standalone=faulty)
    planted = dataclasses.replace(given, architecture=spec)
    with pytest.raises(FindingsError, match=message):
        export_model(planted, tmp_path / "folder", format="folder", name="the run")
    assert [path.name for path in tmp_path.iterdir()] == ["network.py"]


def test_a_tokenizer_with_a_fault_is_refused(tmp_path: Path, given: Exportable) -> None:
    assert given.tokenizer_spec.standalone is not None
    source = given.tokenizer_spec.standalone.read_text()
    faulty = tmp_path / "tokenizer.py"
    # No such byte is in the text of the proof.
    faulty.write_text(source.replace("list(data)", "[value % 255 for value in data]"))
    spec = dataclasses.replace(given.tokenizer_spec, standalone=faulty)
    with pytest.raises(FindingsError, match="tokenizer"):
        export_model(
            dataclasses.replace(given, tokenizer_spec=spec),
            tmp_path / "folder",
            format="folder",
            name="the run",
        )
    assert not (tmp_path / "folder").exists()


def test_the_weights_are_the_bytes_of_the_checkpoint(run: seqzoo.Run, folder: Path) -> None:
    own = run.path / "checkpoints" / f"step-{run.step}" / "model.safetensors"
    assert (folder / "model.safetensors").read_bytes() == own.read_bytes()
    assert safetensors.torch.load_file(own).keys() == run.model.state_dict().keys()
    config = json.loads((folder / "config.json").read_text())
    assert run.result is not None
    assert config["weights_sha256"] == run.result.weights_sha256
    assert config["result"]["scores"] == run.result.model_dump(mode="json")["scores"]
    assert config["proof"]["bytes"] >= 1000


def test_the_card_has_the_front_matter_of_model_hubs(run: seqzoo.Run, folder: Path) -> None:
    _, matter, body = (folder / "README.md").read_text().split("---\n", 2)
    data = yaml.safe_load(matter)
    assert data["library_name"] == "seqzoo"
    assert "license" not in data  # the choice of the person who publishes the model
    assert {"seqzoo", "lstm"} <= set(data["tags"])
    assert run.result is not None
    scores = {m["name"]: m["value"] for m in data["model-index"][0]["results"][0]["metrics"]}
    test = run.result.scores["test"].bits_per_byte
    assert scores["bits per byte (test)"] == pytest.approx(test, abs=1e-4)
    assert run.result.corpus.sha256 in body


@pytest.mark.filterwarnings("ignore:words.txt repeats the same bytes")
def test_the_folder_tells_nothing_about_the_users_machine(tmp_path: Path) -> None:
    private = tmp_path / "private_place"
    private.mkdir()
    (private / "words.txt").write_bytes(b"To be, or not to be: that is the question. " * 5000)
    corpus = {"name": "file", "options": {"path": str(private / "words.txt")}}
    run = trained(tmp_path / "runs", "gru", corpus=corpus)
    folder = run.export(tmp_path / "folder")
    for path in folder.iterdir():
        assert b"private_place" not in path.read_bytes(), path.name
    assert seqzoo.open_run(folder).score(TEXT).bits_per_byte > 0


def test_the_commands_of_the_card_work(tmp_path: Path, run: seqzoo.Run, folder: Path) -> None:
    (tmp_path / "text").write_bytes(TEXT)
    command = [sys.executable, "-I", str(folder / "seqzoo_model.py")]
    scored = subprocess.run(
        [*command, "score", str(tmp_path / "text")], capture_output=True, check=True
    )
    assert float(scored.stdout.split()[0]) == pytest.approx(
        run.score(TEXT).bits_per_byte, abs=1e-3
    )  # four digits are printed
    written = subprocess.run([*command, "generate", "A:"], capture_output=True, check=True)
    assert written.stdout.startswith(b"A:")
    assert len(written.stdout) > 100


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_is_at_the_place_is_never_overwritten(
    tmp_path: Path, run: seqzoo.Run, kind: str
) -> None:
    place = tmp_path / "place"
    if kind == "folder":
        place.mkdir()
        (place / "mine").write_text("mine")
    elif kind == "file":
        place.write_text("mine")
    else:
        place.symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(seqzoo.UsageError, match="exists and is not"):
        run.export(place)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_used(tmp_path: Path, run: seqzoo.Run) -> None:
    place = tmp_path / "place"
    place.mkdir()
    assert (run.export(place) / "model.safetensors").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_an_architecture_without_a_form_of_its_own_is_refused(tmp_path: Path) -> None:
    run = trained(tmp_path, "mingru")
    with pytest.raises(seqzoo.UsageError, match="'mingru' has no form without seqzoo"):
        run.export(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_an_unknown_format_is_refused(tmp_path: Path, run: seqzoo.Run) -> None:
    unknown: Any = "onx"
    with pytest.raises(seqzoo.UsageError, match=r"'onx'.*Did you mean 'onnx'"):
        run.export(tmp_path / "folder", format=unknown)


def test_a_missing_package_is_named_with_its_command(
    tmp_path: Path, run: seqzoo.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(seqzoo.UsageError, match=r"pip install 'seqzoo\[onnx\]'"):
        run.export(tmp_path / "folder", format="onnx")
