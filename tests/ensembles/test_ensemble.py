"""An ensemble is a run whose probabilities are the weighted mean of those of its members."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import averaging
import numpy as np
import numpy.typing as npt
import pytest
import torch
import yaml
from commands import SMALL
from commands import seqzoo as command

import seqzoo
import seqzoo_plugins.mixture.model as mixture_module
from seqzoo.ensembles.costs import nats_of_tokens
from seqzoo.runs.renaming import rename_run
from seqzoo.runs.verdict import Outcome
from seqzoo.runs.verify import verify

RECIPE: Mapping[str, Any] = yaml.safe_load(SMALL)
SHORT: Mapping[str, Any] = {
    "train.budget.steps": 20,
    "train.validation.every_steps": 10,
    "baselines.include": [],
}
UNVALIDATED: Mapping[str, Any] = {
    "train.budget.steps": 2,
    "train.validation.every_steps": 0,
    "baselines.include": [],
}
GRU: Mapping[str, Any] = {
    "architecture": {"name": "gru", "options": {"hidden_size": 12}},
    "train.seed": 2,
}


def trained(root: Path, name: str, **changes: Any) -> Path:
    return seqzoo.run(RECIPE, {**SHORT, **changes}, root=root, name=name).path


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("members")
    return trained(root, "lstm"), trained(root, "gru", **GRU)


@pytest.fixture(scope="module")
def made(members: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> seqzoo.Run:
    return seqzoo.ensemble(members, root=tmp_path_factory.mktemp("ensembles"), name="both")


@pytest.fixture
def copied(made: seqzoo.Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made.path, tmp_path / "both"))


def result_of(run: seqzoo.Run | Path) -> seqzoo.Result:
    found = (seqzoo.open_run(run) if isinstance(run, Path) else run).result
    assert found is not None
    return found


def probabilities_of(run: Path, split: str) -> npt.NDArray[np.float64]:
    """(N,) what the run's logits give each byte of a split, in NumPy's float64."""
    opened = seqzoo.open_run(run)
    span = getattr(opened.trained.experiment.data.splits, split)
    read = torch.from_numpy(np.asarray(span.data[span.start - 1 : span.stop], dtype=np.int64))
    with torch.inference_mode():
        logits, _ = opened.model(read[None, :-1])
    powers = np.exp(logits[0].double().numpy())
    return np.asarray((powers / powers.sum(-1, keepdims=True))[np.arange(len(span)), read[1:]])


@pytest.mark.parametrize("split", ["validation", "test", "held_out"])
def test_its_score_is_that_of_the_mean_of_its_members_probabilities(
    members: tuple[Path, Path], made: seqzoo.Run, split: str
) -> None:
    result = result_of(made)
    shares = [member.weight for member in result.members]
    both = [probabilities_of(member, split) for member in members]
    mixed = sum(share * each for share, each in zip(shares, both, strict=True))
    expected = -np.log2(mixed).mean()
    # The members' logits and the mixture are float32.
    assert result.scores[split].bits_per_byte == pytest.approx(expected, rel=1e-6)


def test_on_validation_no_other_shares_are_better(
    members: tuple[Path, Path], made: seqzoo.Run
) -> None:
    score = result_of(made).scores["validation"].bits_per_byte
    one, other = (probabilities_of(member, "validation") for member in members)
    grid = [-np.log2(w * one + (1 - w) * other).mean() for w in np.linspace(0, 1, 101)]
    assert score <= min(grid) + 1e-6


def test_several_lanes_of_any_tokenizer_are_mixed_token_by_token(tmp_path: Path) -> None:
    changes = {"tokenizer.name": "chars", "evaluate.lanes": 3, "evaluate.warmup_tokens": 20}
    paths = [trained(tmp_path, "a", **changes), trained(tmp_path, "b", **changes, **GRU)]
    result = result_of(seqzoo.ensemble(paths, root=tmp_path))
    costs = []
    for path in paths:
        experiment = seqzoo.open_run(path).trained.experiment
        span = experiment.data.splits.validation
        costs.append(nats_of_tokens(experiment, span, experiment.protocol))
        own = result_of(path).scores["validation"].nats
        assert costs[-1].sum() == pytest.approx(own, rel=1e-9)
    weights = np.array([member.weight for member in result.members])
    mixed = -np.log(weights @ np.exp(-np.stack(costs))).sum()
    assert result.scores["validation"].nats == pytest.approx(mixed, rel=1e-6)


@pytest.mark.filterwarnings("ignore:Only 1,500 bytes are scored")
def test_the_test_part_does_not_change_the_shares(tmp_path: Path) -> None:
    shares, scores = [], []
    text = np.random.default_rng(0).integers(97, 123, 30_000).astype(np.uint8)
    for number in range(2):
        root, file = tmp_path / str(number), tmp_path / f"{number}.txt"
        file.write_bytes(text.tobytes())
        corpus = {"corpus": {"name": "file", "options": {"path": str(file)}}}
        paths = [trained(root, "a", **corpus), trained(root, "b", **corpus, **GRU)]
        result = result_of(seqzoo.ensemble(paths, root=root))
        shares.append([member.weight for member in result.members])
        scores.append({split: score.nats for split, score in result.scores.items()})
        text[28_500:] = 122 - text[28_500:] % 3  # the test part begins here
    assert shares[0] == shares[1]
    assert scores[0]["validation"] == scores[1]["validation"]
    assert scores[0]["test"] != scores[1]["test"]


def test_chunks_of_any_length_give_the_same_score(copied: Path) -> None:
    before = result_of(copied).scores["test"].nats
    again = seqzoo.resume(copied, {"evaluate.chunk_length": 7})
    assert result_of(again).scores["test"].nats == pytest.approx(before, rel=1e-6)


def test_without_learning_the_adaptive_score_is_the_static_one(copied: Path) -> None:
    again = seqzoo.resume(copied, {"evaluate.adaptive": {"learning_rate": 0.0}})
    result = result_of(again)
    assert result.adaptive is not None
    learnt = result.adaptive.scores["test"].nats
    assert learnt == pytest.approx(result.scores["test"].nats, rel=1e-6)


def test_its_costs_are_those_of_its_members_together(
    members: tuple[Path, Path], made: seqzoo.Run
) -> None:
    result, own = result_of(made), [result_of(member) for member in members]
    for field in ("steps", "training_bytes", "training_seconds"):
        assert getattr(result, field) == pytest.approx(sum(getattr(each, field) for each in own))
    assert result.parameters == sum(each.parameters for each in own) + len(own)
    assert result.peak_memory_bytes == max(each.peak_memory_bytes for each in own)
    recorded = [(each.run, each.step, each.weights_sha256) for each in result.members]
    assert recorded == [(each.run, each.step, each.weights_sha256) for each in own]


def test_every_promise_of_its_files_holds(made: seqzoo.Run) -> None:
    outcomes = {each.check: each.outcome for each in verify(seqzoo.open_run(made.path))}
    skipped = {check for check, outcome in outcomes.items() if outcome is Outcome.SKIPPED}
    assert Outcome.BROKEN not in outcomes.values()
    assert "result" not in skipped
    assert {"metrics"} <= skipped <= {"metrics", "baselines"}


def test_an_edited_share_is_noticed(copied: Path) -> None:
    origin = json.loads((copied / "origin.json").read_text())
    origin["members"][0]["weight"] = 0.9
    (copied / "origin.json").write_text(json.dumps(origin))
    outcomes = {each.check: each.outcome for each in verify(seqzoo.open_run(copied))}
    assert outcomes["recipe"] is Outcome.BROKEN


@pytest.mark.parametrize("change", [{"train.budget.steps": 99}, {"train.validation.lanes": 3}])
def test_it_is_not_trained_further(copied: Path, change: dict[str, Any]) -> None:
    with pytest.raises(seqzoo.UsageError, match=r"ensemble of lstm, gru.*not trained further"):
        seqzoo.resume(copied, change)


def test_an_ensemble_that_was_stopped_before_its_score_is_scored_by_resume(copied: Path) -> None:
    before = result_of(copied)
    (copied / "result.json").unlink()
    shutil.rmtree(copied / "samples")
    again = result_of(seqzoo.resume(copied))
    assert again.model_copy(update={"created": before.created}) == before
    assert list((copied / "samples").iterdir())


def test_a_member_can_have_an_architecture_of_a_plugin_file(
    members: tuple[Path, Path], tmp_path: Path
) -> None:
    changes = {"plugins": [averaging.__file__], "architecture": "average", **UNVALIDATED}
    own = seqzoo.run(RECIPE, changes, root=tmp_path, name="own", trust=True)
    made = seqzoo.ensemble([members[0], own], root=tmp_path, trust=True)
    assert made.recipe.plugins == (Path(averaging.__file__),)
    both = [seqzoo.open_run(each, trust=True) for each in (members[0], own.path)]
    weights = [each.weight for each in result_of(made).members]
    expected = sum(w * run.predict(b"A") for w, run in zip(weights, both, strict=True))
    np.testing.assert_allclose(made.predict(b"A"), expected, atol=1e-6)


def test_its_members_are_no_longer_needed(
    members: tuple[Path, Path], made: seqzoo.Run, tmp_path: Path
) -> None:
    paths = [Path(shutil.copytree(each, tmp_path / each.name)) for each in members]
    other = seqzoo.ensemble(paths, root=tmp_path)
    for path in paths:
        shutil.rmtree(path)
    text = b"To be, or not to be"
    assert seqzoo.open_run(other.path).score(text).bits.tolist() == made.score(text).bits.tolist()


def test_training_can_start_from_its_weights(made: seqzoo.Run, tmp_path: Path) -> None:
    recipe = made.recipe.as_data()
    recipe["train"] |= {"start_from": str(made.path), "budget": {"steps": 2}}
    begun = seqzoo.run(recipe, root=tmp_path, name="further", skip_scoring=True)
    step = seqzoo.open_run(begun.path).at(step=0)
    text = b"To be, or not to be"
    assert step.score(text).bits.tolist() == made.score(text).bits.tolist()


DIFFERENT: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "tokenizer": ({"tokenizer.name": "chars"}, r"tokenizer \(bytes and chars\)"),
    "corpus": ({"corpus.options.seed": 9}, r"corpus \(pastiche \w{8} and pastiche \w{8}\)"),
    "split": (
        {"corpus.split": {"train": 0.8, "validation": 0.1, "test": 0.1}},
        r"split \(0\.9/0\.05/0\.05 and 0\.8/0\.1/0\.1\)",
    ),
    "protocol": ({"evaluate.max_bytes": 300}, r"protocol \(static, 1 lane and .*300 bytes"),
    "precision": ({"runtime.precision": "bfloat16"}, r"precision \(float32 and bfloat16\)"),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_runs_that_cannot_be_mixed_are_refused_with_what_differs(
    members: tuple[Path, Path], tmp_path: Path, what: str
) -> None:
    change, message = DIFFERENT[what]
    other = seqzoo.run(RECIPE, {**UNVALIDATED, **change}, root=tmp_path, skip_scoring=True)
    with pytest.raises(seqzoo.UsageError, match=f"lstm and .*small differ in {message}"):
        seqzoo.ensemble([members[0], other.path], root=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_one_run_is_no_ensemble(members: tuple[Path, Path]) -> None:
    with pytest.raises(seqzoo.UsageError, match=r"needs two or more runs, and 1 was given"):
        seqzoo.ensemble(members[:1])


def test_a_run_is_not_mixed_with_itself_or_its_copy(
    members: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(seqzoo.UsageError, match="is given twice"):
        seqzoo.ensemble([*members, members[0]], root=tmp_path)
    copy = shutil.copytree(members[0], tmp_path / "copy")
    with pytest.raises(seqzoo.UsageError, match="have the same weights"):
        seqzoo.ensemble([*members, copy], root=tmp_path)


def test_an_ensemble_of_an_ensemble_names_the_runs_to_give_instead(
    members: tuple[Path, Path], made: seqzoo.Run, tmp_path: Path
) -> None:
    with pytest.raises(seqzoo.UsageError, match=r"an ensemble itself; .* instead: lstm, gru\."):
        seqzoo.ensemble([members[0], made.path], root=tmp_path)


def test_a_stopped_run_is_used_with_a_warning(members: tuple[Path, Path], tmp_path: Path) -> None:
    stopped = shutil.copytree(members[1], tmp_path / "stopped")
    shutil.rmtree(stopped / "checkpoints" / "step-20")
    with pytest.warns(UserWarning, match=r"training of .*stopped is not finished .*10 of 20"):
        made = seqzoo.ensemble([members[0], stopped], root=tmp_path)
    assert [each.run for each in result_of(made).members] == ["lstm", "stopped"]


def test_an_architecture_that_does_not_mix_the_probabilities_leaves_no_run(
    members: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rightly = mixture_module.combined_weights

    def wrongly(weights: Any, shares: Sequence[float]) -> Any:
        return rightly(weights, [0.99, *[0.01 / (len(shares) - 1)] * (len(shares) - 1)])

    monkeypatch.setattr(mixture_module, "combined_weights", wrongly)
    with pytest.raises(seqzoo.PluginError, match=r"'mixture'.*weighted mean"):
        seqzoo.ensemble(members, root=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_an_architecture_that_mixes_runs_there_is_no_ensemble(
    members: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQZOO_DISABLE", "mixture")
    with pytest.raises(seqzoo.UsageError, match=r"one installed architecture .* are 0: none"):
        seqzoo.ensemble(members, registry=seqzoo.load_registry())


def test_renaming_a_member_says_which_ensemble_keeps_its_name(
    members: tuple[Path, Path], made: seqzoo.Run, tmp_path: Path
) -> None:
    for path in (members[0], made.path):
        shutil.copytree(path, tmp_path / path.name)
    _, remarks = rename_run(tmp_path / "lstm", "renamed")
    (remark,) = remarks
    assert "both is an ensemble of" in remark
    assert rename_run(tmp_path / "renamed", "again")[1] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"runs": "runs/quick"}, "expected a list of folders"),
        ({"runs": [b"a", b"b"]}, "expected a list of folders"),
        ({"runs": ["no", "none"]}, "there is no run at no"),
        ({"runs": [], "name": "a/b"}, "name: 'a/b' cannot name a run"),
        ({"runs": [], "name": 3}, "name is 3"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(seqzoo.UsageError, match=message):
        seqzoo.ensemble(**arguments)


def test_the_command_makes_an_ensemble_and_says_what_each_run_gave(
    members: tuple[Path, Path], tmp_path: Path
) -> None:
    for path in members:
        shutil.copytree(path, tmp_path / "runs" / path.name)
    done = command("ensemble", "lstm", "gru", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    weights = {each["run"]: each["weight"] for each in json.loads(done.stdout)["members"]}
    for name, weight in weights.items():
        assert f"runs/{name}" in done.stderr
        assert f"on validation, weight {weight:.3f}" in done.stderr
    shown = command("runs", "show", "ensemble", folder=tmp_path).stdout
    assert all(f"{name}, step " in shown for name in weights)
    assert "ensemble of" in command("leaderboard", folder=tmp_path).stdout


@pytest.mark.parametrize("adaptive", [False, True])
def test_an_ensemble_compresses_what_it_predicts(made: seqzoo.Run, adaptive: bool) -> None:
    text = b"A: The king is here, my lord.\nB: Then let him wait, my lord.\n" * 5
    content = made.compress(text, adaptive=adaptive)
    assert seqzoo.open_run(made.path).decompress(content) == text
    if not adaptive:
        expected = made.score(text).bits.sum() / 8
        assert expected < len(content) <= expected * 1.001 + 32
