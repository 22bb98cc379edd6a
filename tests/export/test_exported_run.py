"""An exported folder is a model for seqzoo too: read, scored, sampled, and trained from."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import yaml
from commands import SMALL
from commands import seqzoo as command
from small_result import make_result

import seqzoo
from seqzoo.cards.card import Card, Need
from seqzoo.cards.needs import require_files
from seqzoo.errors import CheckpointError, NewerFormatError, SeqzooError, UsageError
from seqzoo.results.result import CorpusRecord, StartRecord
from seqzoo.runs.export_run import _elsewhere

RECIPE: Mapping[str, Any] = yaml.safe_load(SMALL)
SHORT = {"train.budget.steps": 6, "train.validation.every_steps": 0, "baselines.include": []}
TEXT = b"A: To be, or not to be; \xff\x00 that is it."


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> seqzoo.Run:
    folder = tmp_path_factory.mktemp("runs")
    return seqzoo.run(RECIPE, SHORT | {"tokenizer.name": "chars"}, root=folder, name="small")


@pytest.fixture(scope="module")
def folder(run: seqzoo.Run) -> Path:
    return run.export(run.path.parent / "exported")


def test_it_computes_the_same_bits_as_the_run(run: seqzoo.Run, folder: Path) -> None:
    other = seqzoo.open_run(folder)
    np.testing.assert_array_equal(other.score(TEXT).bits, run.score(TEXT).bits)
    np.testing.assert_array_equal(other.predict(TEXT), run.predict(TEXT))
    assert "".join(other.generate("A:", seed=3)) == "".join(run.generate("A:", seed=3))
    states, own = other.states(TEXT), run.states(TEXT)
    assert states.keys() == own.keys()
    assert all(np.array_equal(states[name], own[name]) for name in own)
    assert (other.step, other.recipe, other.result) == (run.step, run.recipe, run.result)


def test_what_it_does_not_have_is_said_in_one_sentence(folder: Path) -> None:
    other = seqzoo.open_run(folder)
    for asked in (other.metrics, lambda: other.at(step=5), lambda: seqzoo.resume(folder)):
        with pytest.raises(seqzoo.UsageError, match="is an exported folder") as caught:
            asked()
        assert "\n" not in str(caught.value)


def test_training_starts_from_its_weights(run: seqzoo.Run, folder: Path, tmp_path: Path) -> None:
    settings = SHORT | {"tokenizer.name": "chars", "train.start_from": str(folder)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the text is the same
        second = seqzoo.run(RECIPE, settings, root=tmp_path, name="second")
    begun = safetensors.torch.load_file(second.path / "checkpoints/step-0/model.safetensors")
    source = run.model.state_dict()
    assert begun.keys() == source.keys()
    assert all(torch.equal(begun[name], source[name]) for name in source)
    assert second.result is not None
    assert second.result.started_from is not None
    assert run.result is not None
    assert second.result.started_from.weights_sha256 == run.result.weights_sha256


def test_a_text_that_it_compressed_is_read_by_the_run(run: seqzoo.Run, folder: Path) -> None:
    assert run.decompress(seqzoo.open_run(folder).compress(TEXT)) == TEXT


@pytest.mark.filterwarnings("ignore:the corpus is not used to prove the export")
def test_a_card_of_a_run_that_started_from_it_needs_it_and_finds_it(
    folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "start")
    sha256 = json.loads((folder / "config.json").read_text())["weights_sha256"]
    start = StartRecord(path="start", step=0, weights_sha256=sha256)
    need = Need(kind="weights", name="start", sha256=sha256)
    result = make_result().model_copy(update={"started_from": start})
    card = Card(recipe={}, budget_by_clock=False, plugins={}, needs=(need,), result=result)
    require_files(card, tmp_path / "card.json")
    shutil.rmtree(tmp_path / "start")
    with pytest.raises(UsageError, match="there is none"):
        require_files(card, tmp_path / "card.json")


@pytest.mark.parametrize(
    ("origin", "left"),
    [
        ("/home/anna/My Documents/diary.txt", "diary.txt"),
        ("private stuff/customer x/letters.txt", "letters.txt"),
        ("../secret/x.txt", "x.txt"),
        ("https://example.org/a/b.txt", "https://example.org/a/b.txt"),
        ("generated, seed 1", "generated, seed 1"),
    ],
)
def test_an_exported_folder_does_not_name_the_folders_of_a_text(origin: str, left: str) -> None:
    record = CorpusRecord(name="c", sha256="a" * 64, bytes=1, origin=origin)
    assert _elsewhere(record).origin == left


def test_it_can_be_exported_again(folder: Path, tmp_path: Path) -> None:
    again = seqzoo.open_run(folder).export(tmp_path / "again")
    first, second = folder / "model.safetensors", again / "model.safetensors"
    assert first.read_bytes() == second.read_bytes()


def flipped(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def shortened(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4])


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def cut_config(folder: Path) -> None:
    path = folder / "config.json"
    path.write_bytes(path.read_bytes()[:-40])


def foreign_config(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "gpt2"}')


def changed_config(folder: Path, key: str, value: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))


def other_size(folder: Path) -> None:
    changed = json.loads((folder / "config.json").read_text())["recipe"]
    changed["architecture"]["options"]["hidden_size"] = 8
    changed_config(folder, "recipe", changed)
    stored = json.loads((folder / "config.json").read_text())["architecture"]
    stored["options"]["hidden_size"] = 8
    changed_config(folder, "architecture", stored)


def other_size_in_the_recipe(folder: Path) -> None:
    changed = json.loads((folder / "config.json").read_text())["recipe"]
    changed["architecture"]["options"]["hidden_size"] = 8
    changed_config(folder, "recipe", changed)


def huge_id_in_the_probe(folder: Path) -> None:
    probe = json.loads((folder / "config.json").read_text())["probe"]
    changed_config(folder, "probe", probe | {"ids": [10**30]})


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (flipped, CheckpointError, "sha256"),
        (shortened, CheckpointError, "sha256"),
        (without_weights, CheckpointError, "cannot be read"),
        (cut_config, CheckpointError, "not JSON"),
        (foreign_config, CheckpointError, "not written by seqzoo export"),
        (lambda at: changed_config(at, "step", -1), CheckpointError, "damaged: step"),
        (lambda at: changed_config(at, "format_version", 99), NewerFormatError, "newer seqzoo"),
        (lambda at: changed_config(at, "format", "onnx"), None, ""),
        (other_size, CheckpointError, "do not fit"),
        (other_size_in_the_recipe, CheckpointError, "its architecture is not that of its recipe"),
        (huge_id_in_the_probe, CheckpointError, "damaged: probe.ids"),
    ],
)
def test_damage_is_reported(
    folder: Path,
    tmp_path: Path,
    damage: Callable[[Path], None],
    error: type[SeqzooError] | None,
    message: str,
) -> None:
    copied = tmp_path / "copy"
    shutil.copytree(folder, copied)
    damage(copied)
    if error is None:  # the weights are there, whatever the format is called
        assert seqzoo.open_run(copied).score(TEXT).bits_per_byte > 0
        return
    with pytest.raises(error, match=message):
        seqzoo.open_run(copied).score(TEXT)


def test_a_model_that_answers_otherwise_than_when_it_was_exported_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "other")
    config = json.loads((tmp_path / "other" / "config.json").read_text())
    config["probe"]["bits_per_token"] += 0.1
    (tmp_path / "other" / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="when it was saved"):
        _ = seqzoo.open_run(tmp_path / "other").model


def test_a_link_in_place_of_the_config_is_still_read_as_data(folder: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copy"
    shutil.copytree(folder, copied)
    (copied / "config.json").unlink()
    (copied / "config.json").symlink_to(folder / "config.json")
    assert seqzoo.open_run(copied).step == seqzoo.open_run(folder).step


def test_the_commands_read_it(run: seqzoo.Run, folder: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_bytes(TEXT)
    found = command("eval", str(folder), "--file", str(text), "--json", folder=tmp_path)
    scores = json.loads(found.stdout)["scores"][str(text)]
    assert scores["bits_per_byte"] == pytest.approx(run.score(TEXT).bits_per_byte, abs=1e-6)
    sampled = command("sample", str(folder), "-p", "A:", "-n", "5", folder=tmp_path)
    assert sampled.stdout.startswith("A:")
    for refused in (["eval"], ["verify"], ["resume"], ["doctor"]):
        ended = command(*refused, str(folder), folder=tmp_path)
        assert ended.returncode == 2, refused
        assert "is an exported folder" in ended.stderr, refused


def test_the_command_exports_and_says_both_figures(run: seqzoo.Run, tmp_path: Path) -> None:
    ended = command("export", str(run.path), "out", "--json", folder=tmp_path)
    proof = json.loads(ended.stdout)["proof"]
    assert proof["bits_per_byte"] == pytest.approx(proof["bits_per_byte_in_seqzoo"], abs=1e-4)
    again = command("export", str(run.path), "out", folder=tmp_path)
    assert again.returncode == 2
    assert "is not empty" in again.stderr
    wrong = command("export", str(run.path), "new", "--format", "onx", folder=tmp_path)
    assert wrong.returncode == 2
    assert "Did you mean 'onnx'" in wrong.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
