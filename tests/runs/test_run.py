"""The Python API: what `seqzoo run` does, and the methods of a run, in one process."""

from __future__ import annotations

import math
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from commands import SMALL

import seqzoo
from seqzoo import Run
from seqzoo.runs.run import Link

RECIPE: Mapping[str, Any] = yaml.safe_load(SMALL)
TEXT = b"To be, or not to be: that is the question."


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(params=["bytes", "chars"])
def run(request: pytest.FixtureRequest, cache: Path) -> Run:
    """A small trained run, with a tokenizer whose tokens are bytes or not."""
    name = request.param
    if not (cache / name).exists():
        return seqzoo.run(RECIPE, {"tokenizer.name": name}, root=cache, name=name)
    return seqzoo.open_run(cache / name)


def test_a_run_prints_nothing_without_show_progress(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    overrides = {"train.budget.steps": 12, "corpus.options.size_bytes": 20_000}
    seqzoo.run(RECIPE, overrides, root=tmp_path)
    assert capfd.readouterr() == ("", "")
    seqzoo.run(RECIPE, overrides, root=tmp_path, show_progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "training" in err


def test_python_and_the_command_line_give_identical_runs(
    tmp_path: Path,
) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    overrides = ["train.budget.steps=12", "corpus.options.size_bytes=20000"]
    command = [sys.executable, "-m", "seqzoo", "run", "small.yaml", *overrides]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    made = seqzoo.run(tmp_path / "small.yaml", overrides, root=tmp_path / "runs")
    first = seqzoo.open_run(tmp_path / "runs" / "small")
    assert made.path.name == "small-2"
    assert made.result is not None
    assert first.result is not None
    assert made.result.weights_sha256 == first.result.weights_sha256
    assert made.result.scores == first.result.scores


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path: Path) -> None:
    whole = seqzoo.run(RECIPE, {"train.budget.steps": 20}, root=tmp_path, name="whole")
    shutil.copytree(whole.path, tmp_path / "cut")
    shutil.rmtree(tmp_path / "cut" / "checkpoints" / "step-20")
    (tmp_path / "cut" / "result.json").unlink()
    again = seqzoo.resume(tmp_path / "cut")
    assert again.result is not None
    assert whole.result is not None
    assert again.result.weights_sha256 == whole.result.weights_sha256


def test_a_loaded_model_is_in_eval_mode(run: Run) -> None:
    assert not any(module.training for module in run.model.modules())
    first, second = run.score(TEXT), run.score(TEXT)
    np.testing.assert_array_equal(first.bits, second.bits)


def test_a_score_equals_the_sum_over_the_tokens(run: Run) -> None:
    score = run.score(TEXT)
    tokens = run.tokenizer.encode(np.frombuffer(TEXT, np.uint8)).astype(np.int64)
    inputs = torch.tensor([[0, *tokens[:-1].tolist()]])
    with torch.inference_mode():
        logits = run.model(inputs)[0][0].double()
    nats = torch.nn.functional.cross_entropy(logits, torch.tensor(tokens), reduction="sum")
    assert score.bits.shape == (len(TEXT),)
    assert score.bits.sum() == pytest.approx(nats.item() / math.log(2), rel=1e-9)
    assert score.bits_per_byte == pytest.approx(score.bits.mean(), rel=1e-12)
    guesses = logits.argmax(-1).numpy() == tokens
    assert score.accuracy == pytest.approx(guesses.mean())


def test_a_text_is_the_same_as_bytes_str_and_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(TEXT)
    for text in (TEXT.decode(), tmp_path / "text"):
        np.testing.assert_array_equal(run.score(text).bits, run.score(TEXT).bits)
    with pytest.raises(seqzoo.UsageError, match=r"nowhere cannot be read: No such file"):
        run.score(tmp_path / "nowhere")
    with pytest.raises(seqzoo.UsageError, match="text is empty"):
        run.score(b"")
    with pytest.raises(seqzoo.UsageError, match="the text is 7, expected bytes, a str or a path"):
        run.score(7)  # type: ignore[arg-type]


def test_predictions_agree_with_scores(run: Run) -> None:
    bits = run.score(TEXT).bits
    for place in (0, 1, 9, len(TEXT) - 1):
        probabilities = run.predict(TEXT[:place])
        assert probabilities.shape == (256,)
        # An untrained model gives some probability to sequences of tokens that are no byte.
        least = 1 - 1e-6 if run.recipe.tokenizer.name == "bytes" else 0.95
        assert least < probabilities.sum() < 1 + 1e-6
        # A byte that can also be written with several tokens has a little more probability.
        slack = 1e-5 if run.recipe.tokenizer.name == "bytes" else 1e-3
        assert -math.log2(probabilities[TEXT[place]]) == pytest.approx(bits[place], abs=slack)


def test_the_probability_of_a_byte_of_several_tokens_is_the_product_of_theirs(cache: Path) -> None:
    run = seqzoo.run(RECIPE, {"tokenizer.name": "chars"}, root=cache, name="escaped")
    unseen = b"\x07"
    tokens = run.tokenizer.encode(np.frombuffer(TEXT + unseen, np.uint8)).astype(np.int64)
    assert len(tokens) == len(TEXT) + 3
    with torch.inference_mode():
        logits = run.model(torch.tensor([[0, *tokens[:-1].tolist()]]))[0][0].double()
    chosen = torch.softmax(logits, -1)[range(len(tokens)), tokens][-3:]
    assert run.predict(TEXT)[unseen[0]] == pytest.approx(float(chosen.prod()), rel=1e-4)


def test_states_equal_those_of_a_loop_over_tokens(run: Run) -> None:
    found = run.states(TEXT)
    tokens = run.tokenizer.encode(np.frombuffer(TEXT, np.uint8)).astype(np.int64)
    inputs = torch.tensor([[0, *tokens.tolist()]])
    with torch.inference_mode():
        _, (hidden, memory) = run.model(inputs[:, :8])
    assert set(found) == {"0", "1"}
    np.testing.assert_allclose(found["0"][6], hidden[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(found["1"][6], memory[0].numpy(), atol=1e-5)
    assert found["0"].shape[0] == len(TEXT)


def test_generated_text_equals_that_of_the_command_line(run: Run) -> None:
    chain: list[Link] = [{"temperature": 0.8}, {"top_k": {"k": 40}}]
    written = "".join(run.generate("A:", length=30, chain=chain, seed=3))
    command = [sys.executable, "-m", "seqzoo", "sample", str(run.path), "-p", "A:", "-n", "30"]
    further = ["-s", "temperature=0.8", "-s", "top_k=40", "--seed", "3"]
    printed = subprocess.run([*command, *further], capture_output=True, check=True).stdout
    assert printed.decode(errors="replace") == f"A:{written}\n"
    assert b"".join(run.generate_bytes(b"A:", length=30, chain=chain, seed=3)) == printed[2:-1]


def test_a_wrong_chain_is_an_error_with_a_suggestion(run: Run) -> None:
    with pytest.raises(seqzoo.UsageError, match="Did you mean 'temperature'"):
        run.generate(chain=[{"temperatur": 0.8}]).__next__()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"chain": {"temperature": 0.8}}, "the chain is {'temperature': 0.8}, expected a list"),
        ({"chain": "greedy"}, "the chain is 'greedy', expected a list"),
        ({"length": -1}, "length is -1, expected a whole number from 0"),
        ({"length": 2.5}, "length is 2.5, expected a whole number"),
        ({"seed": 2**64}, "seed is 18446744073709551616, expected a whole number from 0 to"),
        ({"prompt": "\ud800"}, "half a surrogate pair"),
    ],
)
def test_wrong_arguments_are_refused_at_the_call(
    run: Run, wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(seqzoo.UsageError, match=re.escape(said)):
        run.generate(**wrong)


def test_numpys_numbers_are_numbers(run: Run) -> None:
    length, seed = np.int64(4), np.int64(1)
    expected = list(run.generate(length=4, seed=1))
    assert list(run.generate(length=length, seed=seed)) == expected
    assert run.at(step=np.int64(run.step)).step == run.step


def test_a_run_that_was_used_can_be_pickled(run: Run, tmp_path: Path) -> None:
    made = seqzoo.run(RECIPE, {"train.budget.steps": 6}, root=tmp_path)
    for each in (run, made):
        bits = each.score(TEXT).bits
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(each)).score(TEXT).bits, bits)


@pytest.mark.parametrize("name", ["../elsewhere", "", " ", "a/b", "-x", "a\0b"])
def test_a_name_that_is_no_folders_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(seqzoo.UsageError, match="cannot name a run"):
        seqzoo.run(RECIPE, root=tmp_path / "runs", name=name)
    assert not list(tmp_path.iterdir())


def test_a_damaged_recipe_is_one_sentence(run: Run, tmp_path: Path) -> None:
    copied = tmp_path / "copy"
    shutil.copytree(run.path, copied)
    (copied / "recipe.yaml").write_bytes(b"\xff\x00")
    for use in (lambda: seqzoo.open_run(copied).recipe, lambda: seqzoo.resume(copied)):
        with pytest.raises(
            seqzoo.SeqzooError, match=r"recipe.yaml cannot be read \(it is not UTF-8"
        ):
            use()


def test_one_override_may_be_a_text() -> None:
    assert seqzoo.recipe(RECIPE, "train.batch_size=3").train.batch_size == 3
    with pytest.raises(seqzoo.UsageError, match=r"^train.batch_size: expected key=value"):
        seqzoo.recipe(RECIPE, "train.batch_size")


def test_metrics_are_columns_with_one_row_for_each_step(run: Run) -> None:
    metrics = run.metrics()
    assert metrics["step"].tolist() == list(range(5, 61, 5))
    assert {column.dtype for column in metrics.values()} == {np.dtype(np.float64)}
    validated = ~np.isnan(metrics["validation_bits_per_byte"])
    assert metrics["step"][validated].tolist() == [25, 50, 60]
    assert run.result is not None
    assert run.step in (25, 50, 60)


def test_another_checkpoint_has_other_weights(run: Run) -> None:
    other = run.at(step=50 if run.step != 50 else 60)
    assert other.step != run.step
    assert other.score(TEXT).bits_per_byte != run.score(TEXT).bits_per_byte
    with pytest.raises(seqzoo.UsageError, match="no checkpoint of step 7; it has"):
        run.at(step=7)


def test_a_missing_run_is_an_error_with_a_similar_name(run: Run) -> None:
    with pytest.raises(seqzoo.UsageError, match=f"Did you mean '{run.path.name}'"):
        seqzoo.open_run(run.path.parent / (run.path.name + "x"))


def test_the_result_names_the_plugins_of_its_parts(run: Run) -> None:
    assert run.result is not None
    plugins = run.result.plugins
    assert plugins["architecture"].plugin == run.recipe.architecture.name
    assert plugins["tokenizer"].plugin == run.recipe.tokenizer.name
    assert {record.distribution for record in plugins.values()} == {"seqzoo"}
    assert {record.version for record in plugins.values()} == {seqzoo.__version__}


def test_opening_a_run_and_its_leaderboard_loads_neither_torch_nor_plugins(run: Run) -> None:
    program = (
        "import sys, seqzoo\n"
        f"run = seqzoo.open_run({str(run.path)!r})\n"
        "run.result, run.metrics()\n"
        f"seqzoo.leaderboard({str(run.path.parent)!r})\n"
        "for name in ('torch', 'seqzoo_plugins'):\n"
        "    assert name not in sys.modules, name\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


_NO_PATHS = [None, 5, b"quick", ["quick"], 2.5]


@pytest.mark.parametrize("wrong", _NO_PATHS)
@pytest.mark.parametrize(
    "call",
    [
        seqzoo.run,
        seqzoo.recipe,
        seqzoo.resume,
        seqzoo.open_run,
        seqzoo.leaderboard,
        lambda wrong: seqzoo.run(RECIPE, root=wrong),
    ],
)
def test_what_is_no_path_is_named_in_one_sentence(call: Any, wrong: Any) -> None:
    with pytest.raises(seqzoo.UsageError, match=re.escape(f" is {wrong!r}, expected ")) as error:
        call(wrong)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", [[], (), {}, {"a": "b"}, 5, b"notes", [5], [None], ["a.txt", 5]])
def test_what_names_no_text_is_not_ignored(text: Any) -> None:
    with pytest.raises(seqzoo.UsageError, match=r"^text is .*, expected a file, a folder,"):
        seqzoo.recipe(RECIPE, text=text)


def test_the_texts_can_come_from_an_iterator(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(TEXT * 100)
    found = seqzoo.recipe(RECIPE, text=tmp_path.glob("*.txt"))  # type: ignore[arg-type]
    assert found.corpus == seqzoo.recipe(RECIPE, text=tmp_path / "a.txt").corpus


@pytest.mark.parametrize(("argument", "wrong"), [("name", 5), ("device", 0), ("device", ["cpu"])])
def test_an_argument_that_is_no_text_is_refused_before_training(
    tmp_path: Path, argument: str, wrong: Any
) -> None:
    with pytest.raises(seqzoo.UsageError, match=re.escape(f"{argument} is {wrong!r}, expected")):
        seqzoo.run(RECIPE, root=tmp_path, **{argument: wrong})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("method", ["generate", "generate_bytes"])
def test_a_sampler_outside_of_the_chain_is_answered_with_the_chain(run: Run, method: str) -> None:
    with pytest.raises(seqzoo.UsageError, match="chain=") as error:
        getattr(run, method)("a", temperature=0.5, top_k=3)
    shown = str(error.value).partition("chain=")[2].removesuffix(".")
    assert shown == "[{'temperature': 0.5}, {'top_k': 3}]"
