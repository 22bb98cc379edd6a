"""Learning rates, warm-up, gradients and updates are judged by their effect."""

from __future__ import annotations

import math
from dataclasses import astuple, replace
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from small_networks import (
    HEALTHY,
    TEXT,
    Frozen,
    Plain,
    Positions,
    check_of,
    is_about_code,
    network_of,
    outcome,
    pairs,
    trained,
    trial_of,
)
from torch import Tensor, nn

from seqzoo.doctor import examine
from seqzoo.doctor.checks import select_checks
from seqzoo.doctor.checks.optimisation.gradient_norm import examine as examine_norms
from seqzoo.doctor.checks.optimisation.learning_rate import read_range_test
from seqzoo.doctor.checks.optimisation.overfit import lowest_nats
from seqzoo.doctor.checks.optimisation.update_ratio import examine as examine_ratios
from seqzoo.doctor.checks.optimisation.warmup import _end_of, updates_of
from seqzoo.doctor.diagnosis import Diagnosis, diagnose
from seqzoo.doctor.evidence.measure import measure, measure_swapped
from seqzoo.doctor.subject import Missing, Settings
from seqzoo.doctor.subjects.recipe import subject_of_recipe
from seqzoo.plugin.registry import Registry, load_registry
from seqzoo.recipes.load import load_recipe


def test_the_lowest_loss_of_a_batch_is_the_entropy_of_its_rows() -> None:
    inputs = torch.tensor([[1, 2, 3], [1, 2, 4], [5, 2, 3]])
    targets = torch.tensor([[2, 3, 7], [2, 4, 7], [2, 3, 7]])
    # After 1, 2 come 3 and 4, one time each: two of nine tokens cost ln 2.
    assert lowest_nats(inputs, targets) == pytest.approx(2 * math.log(2) / 9)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_one_batch_is_learnt_by_heart(kind: type[nn.RNNBase], seeded: None) -> None:
    found = outcome("optimisation.overfit", lambda: Plain(kind))
    assert found.status == "pass"
    assert found.numbers["last"] < 0.2 * found.numbers["first"]


def test_a_network_whose_parameters_do_not_reach_its_logits_learns_no_batch(seeded: None) -> None:
    found = outcome("optimisation.overfit", Frozen)
    assert found.status == "fail"
    assert "learnt" not in found.seen
    assert is_about_code(found)


@pytest.mark.parametrize(
    ("rate", "status"), [(1e-5, "fail"), (1e-3, "pass"), (1e-2, "pass"), (1.0, "fail")]
)
def test_a_learning_rate_is_judged_by_its_order_of_magnitude(
    rate: float, status: str, seeded: None
) -> None:
    found = outcome(
        "optimisation.learning_rate",
        lambda: Plain(hidden_size=64),
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=rate),
    )
    assert found.status == status
    if status == "fail":
        assert is_about_code(found)
        assert 3e-4 < rate * found.numbers["suggested"] < 0.3


@pytest.mark.parametrize(
    ("period", "rate", "status"),
    [
        pytest.param(40, 1e-3, "pass", marks=pytest.mark.slow),
        (320, 1e-3, "pass"),
        pytest.param(2000, 1e-3, "pass", marks=pytest.mark.slow),
        (320, 1e-5, "fail"),
    ],
)
def test_adams_own_rate_is_not_far_too_low_for_a_small_network(
    period: int, rate: float, status: str, seeded: None
) -> None:
    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(320, 32)
            self.rnn = nn.GRU(32, 32, batch_first=True)
            self.head = nn.Linear(32, 320)

        def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
            outputs, state = self.rnn(self.embed(tokens), state)
            return self.head(outputs), state

    def repeated() -> Any:
        text = np.random.default_rng(0).integers(320, size=period)
        for start in count(0, 32):
            at = (np.arange(8)[:, None] * 77 + start + np.arange(33)) % period
            yield text[at[:, :-1]], text[at[:, 1:]]

    found = examine(
        model=Small,
        batches=repeated,
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=rate),
        only=["optimisation.learning_rate"],
        show=False,
    )
    assert found.examined[0].outcome.status == status


@pytest.mark.parametrize("factor", [100.0, 0.01])
def test_the_suggested_rate_restores_the_original_one(factor: float, registry: Registry) -> None:
    rates = [f"train.optimizer.learning_rate={5e-3 * factor:g}", "runtime.threads=1"]
    subject = subject_of_recipe(load_recipe(HEALTHY, registry, overrides=rates), title="")
    found = check_of("optimisation.learning_rate")(subject)
    assert found.status == "fail"
    again = load_recipe(HEALTHY, registry, overrides=[*rates, *found.changes])
    fixed = check_of("optimisation.learning_rate")(subject_of_recipe(again, title=""))
    assert fixed.status == "pass"


@pytest.mark.parametrize(
    ("budget", "warmup", "status"),
    [
        ("{steps: 400}", 100_000, "fail"),
        ("{steps: 400}", 400, "fail"),
        ("{steps: 400}", 201, "warn"),
        ("{steps: 400}", 200, "pass"),
        ("{steps: 400}", 0, "pass"),
        # 16 rows of 32 tokens, a byte each, are 512 bytes an update.
        ("{bytes: 204800}", 201, "warn"),
        ("{bytes: 204800}", 200, "pass"),
        ("{seconds: 60}", 0, "pass"),
    ],
)
def test_a_warm_up_must_end_in_the_first_half_of_the_budget(
    budget: str, warmup: int, status: str, registry: Registry
) -> None:
    overrides = [f"train.budget={budget}", f"train.schedule.warmup_steps={warmup}"]
    subject = subject_of_recipe(load_recipe(HEALTHY, registry, overrides=overrides), title="")
    found = check_of("optimisation.warmup")(subject)
    assert found.status == status
    if status != "pass":
        assert found.changes == ("train.schedule.warmup_steps=40",)
        fixed = load_recipe(HEALTHY, registry, overrides=[*overrides, *found.changes])
        again = check_of("optimisation.warmup")(subject_of_recipe(fixed, title=""))
        assert again.status == "pass"


def test_updates_of_a_budget_in_bytes_equal_those_that_are_made(registry: Registry) -> None:
    stages = "[{from: 0, length: 8}, {from: 0.25, length: 32}, {from: 0.5, length: 8}]"
    overrides = [
        "train.batch_size=4",
        "train.accumulation_steps=3",
        f"train.bptt_length={stages}",
        "train.budget={bytes: 100000}",
    ]
    section = load_recipe(HEALTHY, registry, overrides=overrides).train
    tokens = made = 0
    while tokens * 2.5 < 100_000:
        tokens += 4 * 3 * section.bptt_length_at(tokens * 2.5 / 100_000)
        made += 1
    # The last update of each stage goes beyond it.
    found = updates_of(section, bytes_per_token=2.5, epoch_bytes=7)
    assert found == pytest.approx(made, abs=3)
    epochs = load_recipe(HEALTHY, registry, overrides=[*overrides[:3], "train.budget={epochs: 5}"])
    assert updates_of(epochs.train, bytes_per_token=2.5, epoch_bytes=20_000) == found


def test_a_budget_in_seconds_gives_no_number_of_updates(registry: Registry) -> None:
    overrides = ["train.budget={seconds: 60}", "train.schedule.warmup_steps=50"]
    recipe = load_recipe(HEALTHY, registry, overrides=overrides)
    with pytest.raises(Missing, match="seconds"):
        check_of("optimisation.warmup")(subject_of_recipe(recipe, title=""))


class Deaf(Plain):
    """Every token is the same to it."""

    def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        return super().forward(tokens * 0, state)


class BiasAlone(Plain):
    """Only the bias of its head is trained."""

    def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        logits, state = super().forward(tokens, state)
        return logits.detach() * 0 + self.head.bias, state


@pytest.mark.parametrize(("model", "reads"), [(Deaf, False), (BiasAlone, False), (Plain, True)])
def test_a_higher_rate_is_advised_only_to_a_model_that_then_reads_its_text(
    model: type[Plain], reads: bool, seeded: None
) -> None:
    def low(parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=1e-5)

    found = outcome("optimisation.learning_rate", model, optimizer=low)
    assert (found.status == "fail") == reads
    assert bool(found.remedy) == reads


def test_batches_that_end_skip_the_range_test(seeded: None) -> None:
    few = [next(pairs()) for _ in range(5)]
    assert outcome("optimisation.learning_rate", Plain(), few).status == "skip"


def test_a_range_test_finds_where_the_loss_falls_and_rises() -> None:
    factors = [10 ** (n / 20) for n in range(-60, 61)]
    bowl = [5 - 3 / (1 + (math.log10(f) - 1) ** 4) for f in factors]
    found = read_range_test(bowl, factors)
    # Smoothing looks back by four updates, a fifth of a decade.
    assert 10 <= found.lowest <= 25
    assert found.falls < found.lowest < found.diverges
    assert math.isinf(read_range_test(sorted(bowl, reverse=True), factors).diverges)


def test_losses_missing_at_the_end_of_a_range_test_have_diverged() -> None:
    factors = [1.0, 2.0, 4.0, 8.0]
    assert read_range_test([5.0, 4.0, 3.0], factors).diverges == 8.0


@pytest.mark.parametrize(
    ("norms", "clip", "status"),
    [
        ([1.0] * 99 + [29.0], None, "pass"),
        ([1.0] * 99 + [40.0], None, "warn"),
        ([1.0] * 99 + [40.0], 1.0, "pass"),
        ([2000.0] + [1.0] * 99, None, "pass"),
        ([5.0] * 100, 1.0, "pass"),
        ([0.0] * 100, None, "fail"),
    ],
)
def test_a_large_gradient_is_not_a_fault_if_it_is_clipped(
    norms: list[float], clip: float | None, status: str
) -> None:
    seen = trial_of(gradient_norms=norms, losses=[1.0] * len(norms), clip_norm=clip)
    found = examine_norms(seen)
    assert found.status == status
    assert status == "pass" or is_about_code(found)


def test_user_code_may_clip_so_the_report_does_not_say_never(
    registry: Registry,
) -> None:
    figures = {"gradient_norms": [1.0] * 99 + [40.0], "losses": [1.0] * 100}
    recipe = load_recipe(HEALTHY, registry)
    assert "clipped" not in examine_norms(trial_of(**figures)).seen
    found = examine_norms(trial_of(**figures, recipe=recipe))
    assert "never clipped" in found.seen
    assert found.changes == ("train.clip_norm=2",)
    assert "train.clip_norm=2" in found.remedy


def test_a_training_that_diverged_fails() -> None:
    assert examine_norms(trial_of(losses=[1.0], diverged="loss nan")).status == "fail"


@pytest.mark.parametrize(
    ("later", "status"),
    [(1e-3, "pass"), (0.2, "pass"), (0.8, "warn"), (1e-7, "warn"), (0.0, "warn")],
)
def test_update_ratios_are_judged_after_the_beginning(later: float, status: str) -> None:
    seen = trial_of(update_ratios={"a": [0.9, 0.9, later, later], "b": [1e-3] * 4})
    found = examine_ratios(seen)
    assert found.status == status
    assert status == "pass" or is_about_code(found)


def test_dead_units_are_counted(seeded: None) -> None:
    module = Plain(hidden_size=20)
    subject = trained(module, updates=0)
    assert check_of("optimisation.dead_units")(subject).numbers["share"] == 0.0
    with torch.no_grad():
        module.rnn.get_parameter("bias_ih_l0")[60:65] = -80.0  # the output gates of five units
    found = check_of("optimisation.dead_units")(subject)
    assert found.status == "warn"
    assert found.numbers["share"] == 0.25
    assert is_about_code(found)


def test_threads_are_a_setting_only_of_a_recipe(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 10_000)
    threads = check_of("environment.threads")
    assert is_about_code(threads(trial_of()))
    of_recipe = threads(trial_of(recipe=load_recipe(HEALTHY, registry)))
    assert of_recipe.changes == (f"runtime.threads={of_recipe.numbers['cores']}",)


def test_no_check_changes_the_model_that_it_is_given(seeded: None) -> None:
    module = Plain()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    names = ["memory.horizon", "memory.lag", "optimisation.overfit", "optimisation.learning_rate"]
    examine(model=module, batches=pairs, corpus=TEXT, only=names, show=False)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert not any(each._forward_hooks for each in module.modules())
    assert all(parameter.grad is None for parameter in module.parameters())
    assert module.drop.p == 0.3


def test_no_check_reads_more_at_once_than_the_network_can(seeded: None) -> None:
    subject = trained(Positions(), updates=1, length=32)
    names = [
        *("memory.horizon", "memory.lag", "memory.saturation", "memory.carry"),
        *("optimisation.overfit", "optimisation.dead_units", "decoding.loop"),
    ]
    found = diagnose(subject, select_checks(load_registry(), names))
    assert not [each.outcome.seen for each in found.examined if each.crashed]
    # A saturation has nothing to look at, and one update teaches nothing to carry.
    skipped = {each.check.name for each in found.examined if each.outcome.status == "skip"}
    assert skipped == {"memory.saturation", "memory.carry"}


@pytest.mark.parametrize("longest", [4, 7, 32, None])
def test_measuring_in_pieces_equals_measuring_at_once(longest: int | None, seeded: None) -> None:
    network = network_of(Plain())
    tokens = np.frombuffer(TEXT[:3201], dtype=np.uint8)

    def forward(module: nn.Module, part: Tensor, state: Any) -> tuple[Tensor, Any]:
        assert longest is None or part.shape[1] <= longest
        logits, state = module(part, state)
        return logits, state

    pieces = replace(network, forward=forward, longest=longest)
    for reset_every in (None, 40):
        found = measure(pieces, tokens, reset_every=reset_every)
        expected = measure(network, tokens, reset_every=reset_every)
        # Sums of float32 logits over other pieces.
        assert astuple(found) == pytest.approx(astuple(expected), rel=1e-6)


def test_swapped_passages_are_no_longer_than_the_network_can_read() -> None:
    class Counting(nn.Module):
        """It has a position for each of 7 tokens, and its state is the next one's."""

        def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
            place = torch.zeros(len(tokens), 1) if state is None else state
            assert int(place.max()) < 7
            return nn.functional.one_hot(tokens, 128) * 2.0 + 0 * place[..., None], place + 1

    tokens = np.frombuffer(TEXT, dtype=np.uint8)
    own, swapped = measure_swapped(replace(network_of(Counting()), longest=7), tokens)
    assert own == swapped


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["lstm", "gru", "rnn", "transformer"])
@pytest.mark.parametrize("seed", [1, 2])
def test_healthy_architectures_pass(architecture: str, seed: int, registry: Registry) -> None:
    recipe = load_recipe(
        HEALTHY,
        registry,
        overrides=[
            f"architecture={{name: {architecture}, options: {{hidden_size: 64}}}}",
            "runtime.threads=1",
        ],
    )
    subject = subject_of_recipe(recipe, title="", settings=Settings(seed=seed, seconds=6.0))
    found = diagnose(subject, select_checks(registry, ["memory", "optimisation"]))
    assert not found.findings, [(each.check.name, each.outcome.seen) for each in found.findings]


@pytest.mark.parametrize("share", [1.0, 1.001, 1.004])
def test_a_training_that_ends_as_the_warm_up_does_is_not_at_1_times_its_rate(share: float) -> None:
    assert " times " not in _end_of(share)
    assert "at 0.5 times the rate" in _end_of(2.0)


@pytest.mark.parametrize("rate", [1e-5, 1e-4])
def test_updates_below_the_last_place_of_the_weights_are_named(rate: float) -> None:
    def examined(dtype: torch.dtype, learning_rate: float) -> Diagnosis:
        return examine(
            model=lambda: Plain().to(dtype),
            batches=pairs,
            optimizer=lambda parameters: torch.optim.Adam(parameters, lr=learning_rate),
            only=["optimisation.precision", "model.gradients"],
            quick=True,
            show=False,
        )

    narrow = examined(torch.bfloat16, rate)
    assert [each.check.name for each in narrow.causes] == ["optimisation.precision"]
    assert "last place of bfloat16" in narrow.causes[0].outcome.seen
    assert examined(torch.float32, rate).is_healthy
    assert examined(torch.bfloat16, 0.1).is_healthy
