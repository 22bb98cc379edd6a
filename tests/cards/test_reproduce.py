"""A training is repeated from its card alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from carded_runs import carded, repeated, train, written

import seqzoo
from seqzoo.cards.card import Card
from seqzoo.cards.outcome import Verdict
from seqzoo.cards.repeat import reproduce
from seqzoo.errors import UsageError
from seqzoo.plugin.registry import load_registry
from seqzoo.results.result import Result
from seqzoo.terminal.display import Display

pytestmark = pytest.mark.filterwarnings("ignore::seqzoo.SeqzooWarning")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("cards"), "tiny")


@pytest.fixture
def card(run: Path) -> Card:
    return carded(run)


def result_of(run: Path) -> Result:
    result = seqzoo.open_run(run).result
    assert result is not None
    return result


def test_the_card_alone_gives_the_same_bits(card: Card, tmp_path: Path) -> None:
    done = repeated(written(tmp_path / "card.json", card), tmp_path / "runs")
    assert done.outcome.verdict is Verdict.SAME_BITS
    assert result_of(done.runs[0]).weights_sha256 == card.result.weights_sha256
    assert not done.others


def test_a_repetition_is_not_trained_twice(card: Card, tmp_path: Path) -> None:
    path, runs = written(tmp_path / "card.json", card), tmp_path / "runs"
    first = repeated(path, runs)
    before = (first.runs[0] / "metrics.jsonl").stat().st_mtime_ns
    assert repeated(path, runs) == first
    assert (first.runs[0] / "metrics.jsonl").stat().st_mtime_ns == before
    assert len(list(runs.iterdir())) == 1


def test_a_stopped_repetition_is_continued(card: Card, tmp_path: Path) -> None:
    path, runs = written(tmp_path / "card.json", card), tmp_path / "runs"
    (folder,) = repeated(path, runs).runs
    (folder / "result.json").unlink()
    shutil.rmtree(folder / "checkpoints" / "step-6")  # as if it had been stopped after step 3
    done = repeated(path, runs)
    assert done.runs == (folder,)
    assert done.outcome.verdict is Verdict.SAME_BITS


def test_another_run_of_that_name_is_never_used(card: Card, tmp_path: Path) -> None:
    path, runs = written(tmp_path / "card.json", card), tmp_path / "runs"
    train(runs, "other", train__seed=3)
    with pytest.raises(UsageError, match=r"other is another run than that of .*--name"):
        repeated(path, runs, name="other")


def test_the_trackers_of_a_strangers_card_write_nothing(card: Card, tmp_path: Path) -> None:
    place = tmp_path / "theirs.csv"
    planted = {"recipe.trackers": [{"name": "csv", "options": {"path": str(place)}}]}
    done = repeated(written(tmp_path / "card.json", card, planted), tmp_path / "runs")
    assert done.outcome.verdict is Verdict.SAME_BITS
    assert not place.exists()


def test_other_bytes_are_refused_before_training(card: Card, tmp_path: Path) -> None:
    planted = {"recipe.corpus.options.seed": 2}
    path = written(tmp_path / "card.json", card, planted)
    with pytest.raises(UsageError, match="the card is about 8,000 bytes with sha256"):
        repeated(path, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_another_recipe_is_noticed_and_its_result_is_not_that_of_the_card(
    run: Path, tmp_path: Path
) -> None:
    seeds = [train(tmp_path, f"seed-{seed}", train__seed=seed) for seed in (2, 3)]
    planted = {"recipe.train.optimizer.learning_rate": 0.5}
    path = written(tmp_path / "card.json", carded(run, *seeds), planted)
    with pytest.warns(seqzoo.SeqzooWarning, match="was changed after its scores were made"):
        done = repeated(path, tmp_path / "runs")
    assert done.outcome.verdict is Verdict.NOT_REPRODUCED


def test_further_seeds_are_trained_only_where_the_bits_differ(card: Card, tmp_path: Path) -> None:
    path, runs = written(tmp_path / "card.json", card), tmp_path / "runs"
    assert len(repeated(path, runs, seeds=3).runs) == 1
    other = written(tmp_path / "other.json", card, {"result.weights_sha256": "0" * 64})
    done = repeated(other, runs, seeds=3)
    assert [result_of(each).seed for each in done.runs] == [1, 2, 3]
    assert done.outcome.verdict is Verdict.WITHIN_NOISE
    difference = done.outcome.difference
    assert difference is not None
    assert (difference.card_seeds, difference.own_seeds) == (1, 3)


def test_what_differs_in_the_environment_is_said_before_training(
    card: Card, tmp_path: Path
) -> None:
    planted = {"result.cpu": "an abacus", "result.versions.torch": "0.1"}
    path = written(tmp_path / "card.json", card, planted)
    with pytest.warns(seqzoo.SeqzooWarning) as warned:
        done = repeated(path, tmp_path / "runs")
    assert {other.name for other in done.others} == {"type of the CPU", "version of torch"}
    said = " ".join(str(each.message) for each in warned)
    assert "version of torch: 0.1 in the card" in said


def test_the_threads_of_the_card_are_used(card: Card, tmp_path: Path) -> None:
    import torch

    before = torch.get_num_threads()
    try:
        path = written(tmp_path / "card.json", card, {"result.threads": 2})
        done = repeated(path, tmp_path / "runs")
        assert result_of(done.runs[0]).threads == 2
    finally:
        torch.set_num_threads(before)


def test_a_budget_in_seconds_is_repeated_with_as_many_updates(tmp_path: Path) -> None:
    run = train(tmp_path, "clock", train__budget={"seconds": 0.2})
    card = carded(run)
    assert card.budget_by_clock
    done = repeated(written(tmp_path / "card.json", card), tmp_path / "runs")
    assert result_of(done.runs[0]).steps == result_of(run).steps


def test_own_text_is_found_beside_the_card_or_given(tmp_path: Path) -> None:
    text = tmp_path / "mine.txt"
    text.write_bytes(bytes(range(32, 127)) * 100)
    corpus: dict[str, Any] = {"name": "file", "options": {"path": str(text)}}
    card = carded(train(tmp_path, "own", corpus=corpus))
    assert [(need.kind, need.name) for need in card.needs] == [("text", "mine.txt")]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = written(elsewhere / "card.json", card)
    with pytest.raises(UsageError, match=r"mine\.txt"):
        repeated(path, tmp_path / "runs")
    given = repeated(path, tmp_path / "runs", text=text, name="given")
    shutil.copy(text, elsewhere)
    beside = repeated(path, tmp_path / "runs", name="beside")
    assert given.outcome.verdict is beside.outcome.verdict is Verdict.SAME_BITS
    other = elsewhere / "other.txt"
    other.write_bytes(text.read_bytes()[:-1] + b"!")
    with pytest.raises(UsageError, match="give the same text with --text FILE"):
        repeated(path, tmp_path / "runs", text=other, name="wrong")


PLUGIN = """
import seqzoo
from seqzoo import ScheduleSpec, hookimpl


@hookimpl
def register_schedules():
    def build(options, context):
        class Half(seqzoo.Schedule):
            def factor(self, step, progress):
                return 0.5

        return Half()

    yield ScheduleSpec(name="half", summary="half of the rate", build=build)
"""


def test_a_plugin_file_is_compared_with_its_hash(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(PLUGIN)
    run = train(tmp_path, "own", plugins=[str(mine)], train__schedule={"decay": "half"})
    card = carded(run)
    assert [(need.kind, need.name) for need in card.needs] == [("plugin file", "mine.py")]
    assert str(tmp_path) not in str(card)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = written(elsewhere / "card.json", card)
    with pytest.raises(UsageError, match=r"needs the plugin file mine\.py"):
        repeated(path, tmp_path / "runs")
    (elsewhere / "mine.py").write_text(PLUGIN.replace("0.5", "0.4"))
    with pytest.raises(UsageError, match="put that one there"):
        repeated(path, tmp_path / "runs")
    shutil.copy(mine, elsewhere)
    assert repeated(path, tmp_path / "runs").outcome.verdict is Verdict.SAME_BITS


def test_no_plugin_file_of_a_card_runs_without_trust(card: Card, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    (tmp_path / "theirs.py").write_text(f"open({str(ran)!r}, 'w').close()")
    path = written(tmp_path / "card.json", card, {"recipe.plugins": ["theirs.py"]})
    with pytest.raises(UsageError, match=r"theirs\.py"):
        reproduce(path, load_registry(), root=tmp_path / "runs", display=Display())
    assert not ran.exists()


def test_weights_to_start_from_are_compared_with_their_hash(run: Path, tmp_path: Path) -> None:
    card = carded(train(tmp_path, "started", train__start_from=str(run)))
    assert [(need.kind, need.name) for need in card.needs] == [("weights", "tiny")]
    path = written(tmp_path / "card.json", card)
    with pytest.raises(UsageError, match="needs the run that has the weights"):
        repeated(path, tmp_path / "runs")
    shutil.copytree(run, tmp_path / "tiny")
    assert repeated(path, tmp_path / "runs").outcome.verdict is Verdict.SAME_BITS


def test_a_recipe_that_cannot_be_used_here_is_one_sentence(card: Card, tmp_path: Path) -> None:
    planted: dict[str, Any] = {
        "recipe.architecture.name": "nowhere",
        "recipe.train": 3,
        "recipe.train.budget": {},
        "recipe.unknown": 1,
    }
    for place, value in planted.items():
        path = written(tmp_path / "card.json", card, {place: value})
        with pytest.raises(UsageError) as caught:
            repeated(path, tmp_path / "runs")
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
