"""The expected time of scoring: what is read, and that nothing changes."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
import torch
import yaml
from commands import SMALL

from seqzoo.model.runtime import make_runtime
from seqzoo.plugin.registry import Registry
from seqzoo.recipes.load import recipe as make_recipe
from seqzoo.recipes.sections import AdaptiveSection
from seqzoo.runs import scoring_cost
from seqzoo.runs.experiment import Experiment, new_experiment
from seqzoo.runs.scoring_cost import announce_cost, expected_scoring_seconds
from seqzoo.scoring.splits import named_splits
from seqzoo.scoring.static import Protocol
from seqzoo.terminal.display import Display

RECIPE: Mapping[str, Any] = yaml.safe_load(SMALL)
LEARNING = AdaptiveSection(segment_length=16)
SECONDS_PER_TOKEN = 1e-3


@pytest.fixture
def made(registry: Registry) -> Experiment:
    """30,000 bytes: 1,500 of validation, 1,500 of test, 3,000 held out."""
    recipe = make_recipe(RECIPE, {"evaluate.chunk_length": 64}, registry=registry)
    return new_experiment(recipe, runtime=make_runtime(recipe.runtime), display=Display())


@pytest.fixture
def clock(made: Experiment, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Time passes only where the model reads: a fixed time per token, and more for the first."""
    now = SimpleNamespace(now=0.0, read=0)
    monkeypatch.setattr("seqzoo.runs.scoring_cost.time.perf_counter", lambda: now.now)
    model = type(made.model)
    forward = model.forward

    def slow(self: Any, tokens: torch.Tensor, state: Any = None) -> Any:
        now.now += tokens.numel() * SECONDS_PER_TOKEN + (50.0 if not now.read else 0.0)
        now.read += tokens.numel()
        return forward(self, tokens, state)

    monkeypatch.setattr(model, "forward", slow)
    return now


def test_the_time_is_that_of_all_bytes_and_equal_beginnings_count_once(
    made: Experiment, clock: SimpleNamespace
) -> None:
    expected = expected_scoring_seconds(made)
    assert clock.read <= 3 * 64
    # Validation is the beginning of the held-out part: 3,000 and the 1,500 of test.
    assert expected == pytest.approx(4500 * SECONDS_PER_TOKEN)


@pytest.mark.parametrize(
    ("protocol", "tokens"),
    [(Protocol(lanes=3, chunk_length=64), 6000), (Protocol(max_bytes=1000, chunk_length=64), 2000)],
)
def test_lanes_and_limits_change_what_is_read(
    made: Experiment, clock: SimpleNamespace, protocol: Protocol, tokens: int
) -> None:
    expected = expected_scoring_seconds(made, protocol=protocol)
    assert expected == pytest.approx(tokens * SECONDS_PER_TOKEN, rel=1e-6)


def test_other_splits_and_adaptive_scores_have_their_own_time(
    made: Experiment, clock: SimpleNamespace
) -> None:
    train = named_splits(made.data.splits, ["train"])
    assert expected_scoring_seconds(made, splits=train) == pytest.approx(27)
    clock.read = 0
    # With 256 segments of the training part for the sizes of the gradients.
    assert expected_scoring_seconds(made, adaptive=LEARNING) == pytest.approx(4.5 + 256 * 16 / 1e3)


@pytest.mark.parametrize("size", [1, 5, 200])
def test_a_short_text_takes_a_short_time_to_score_adaptively(
    made: Experiment, clock: SimpleNamespace, size: int
) -> None:
    text = {"text": made.data.splits.validation.first(size)}
    expected = expected_scoring_seconds(made, adaptive=LEARNING, splits=text)
    # The first segment takes 50 seconds more here, as kernels that are prepared do.
    assert expected == pytest.approx((size + 256 * 16) / 1e3)


@pytest.mark.parametrize("adaptive", [None, LEARNING])
def test_the_model_its_mode_and_all_generators_are_as_before(
    made: Experiment, adaptive: AdaptiveSection | None
) -> None:
    model = made.model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    assert expected_scoring_seconds(made, adaptive=adaptive) > 0
    assert torch.equal(torch.rand(3), expected)
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_model_without_finite_scores_has_no_time(made: Experiment) -> None:
    with torch.no_grad():
        next(made.model.parameters()).fill_(float("nan"))
    assert expected_scoring_seconds(made) == 0.0


@pytest.mark.parametrize(("seconds", "is_said"), [(9.0, False), (600.0, True)])
def test_only_a_long_time_is_announced(
    made: Experiment, monkeypatch: pytest.MonkeyPatch, seconds: float, is_said: bool
) -> None:
    notes: list[str] = []
    monkeypatch.setattr(made.display, "note", notes.append)
    monkeypatch.setattr(scoring_cost, "expected_scoring_seconds", lambda *_, **__: seconds)
    announce_cost(made, remedy="do less")
    assert notes == (["scoring takes about 10 min (do less)"] if is_said else [])


def test_the_time_of_own_texts_needs_no_corpus(made: Experiment) -> None:
    spans = {"mine": made.data.splits.test}

    def missing() -> NoReturn:
        raise AssertionError("the corpus was opened")

    without = Experiment(
        made.recipe,
        runtime=made.runtime,
        display=made.display,
        tokenizer=made.tokenizer,
        open_data=missing,
    )
    without.model = made.model
    assert expected_scoring_seconds(without, splits=spans, protocol=Protocol()) > 0
