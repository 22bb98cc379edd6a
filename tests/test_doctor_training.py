"""Checks of memory and optimisation: healthy networks pass, faults are seen, figures are right."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import astuple, replace
from itertools import count, pairwise
from typing import Any

import numpy as np
import pytest
import torch
from commands import REPOSITORY
from torch import Tensor, nn

from seqzoo import state as states
from seqzoo.doctor import examine
from seqzoo.doctor.checks import select_checks
from seqzoo.doctor.checks._gates import activations
from seqzoo.doctor.checks._reach import gradient_norms, influences
from seqzoo.doctor.checks.memory_carry import bits_without_memory, entropies
from seqzoo.doctor.checks.memory_saturation import share_stuck
from seqzoo.doctor.checks.optimisation_gradient_norm import examine as examine_norms
from seqzoo.doctor.checks.optimisation_learning_rate import read_range_test
from seqzoo.doctor.checks.optimisation_overfit import lowest_nats
from seqzoo.doctor.checks.optimisation_update_ratio import examine as examine_ratios
from seqzoo.doctor.checks.optimisation_warmup import updates_of
from seqzoo.doctor.diagnosis import diagnose
from seqzoo.doctor.from_code import subject_of_code
from seqzoo.doctor.from_recipe import subject_of_recipe
from seqzoo.doctor.measure import measure, measure_swapped
from seqzoo.doctor.network import Network, call_plainly, mean_nats
from seqzoo.doctor.subject import Missing, Subject
from seqzoo.doctor.trial import Trial
from seqzoo.overrides import apply_overrides
from seqzoo.recipe import load_recipe, parse_recipe
from seqzoo.registry import Registry, load_registry
from seqzoo.specs import Outcome
from seqzoo.yamlmarks import load_yaml
from seqzoo.yamlscalars import dump_yaml

HEALTHY = REPOSITORY / "recipes" / "clinic" / "healthy.yaml"
TEXT = b"the quick brown fox jumps over the lazy dog, and the dog looks up at the fox. " * 60


class Plain(nn.Module):
    """A recurrent network as anyone writes it; each fault is a switch."""

    def __init__(self, kind: type[nn.RNNBase] = nn.LSTM, hidden_size: int = 24) -> None:
        super().__init__()
        self.embed = nn.Embedding(128, 16)
        self.rnn = kind(16, hidden_size, batch_first=True)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(hidden_size, 128)

    def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        outputs, state = self.rnn(self.embed(tokens), state)
        return self.head(self.drop(outputs)), state


class Loop(nn.Module):
    """A loop over time. carries: the cell gets its state. detaches: cut at every step."""

    def __init__(self, *, carries: bool = True, detaches: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(128, 16)
        self.cell = nn.GRUCell(16, 24)
        self.head = nn.Linear(24, 128)
        self.carries = carries
        self.detaches = detaches

    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        logits = []
        for time in range(tokens.shape[1]):
            before = state if self.carries else None
            before = before.detach() if self.detaches and before is not None else before
            state = self.cell(self.embed(tokens[:, time]), before)
            logits.append(self.head(state))
        return torch.stack(logits, 1), state


class Positions(nn.Module):
    """Causal attention with 32 learnt positions and no state: it reads no more at once."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(128, 32)
        self.places = nn.Embedding(32, 32)
        self.layer = nn.TransformerEncoderLayer(32, 2, 64, batch_first=True)
        self.head = nn.Linear(32, 128)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        hidden = self.embed(tokens) + self.places(torch.arange(length))
        return self.head(self.layer(hidden, src_mask=mask, is_causal=True))


class Frozen(Plain):
    """Its logits stand on no parameter but a bias."""

    def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        logits, state = super().forward(tokens, state)
        return logits.detach() * 0 + self.head.bias.sum(), state


def pairs(rows: int = 8, length: int = 16) -> Any:
    """Contiguous lanes of TEXT, for ever."""
    text = np.frombuffer(TEXT, dtype=np.uint8).astype(np.int64)
    lane = len(text) // rows
    starts = np.arange(rows)[:, None] * lane
    place = 0
    while True:
        at = (starts + place + np.arange(length + 1)) % len(text)
        yield text[at[:, :-1]], text[at[:, 1:]]
        place = (place + length) % lane


def outcome(name: str, model: Any, batches: Any = pairs, **further: Any) -> Outcome:
    diagnosis = examine(
        model=model, batches=batches, corpus=TEXT, only=[name], show=False, **further
    )
    return diagnosis.examined[0].outcome


def network_of(module: nn.Module) -> Network:
    return Network(module, lambda: module)


def trial_of(*, recipe: Any = None, **figures: Any) -> Subject:
    """A subject whose trial gave these figures, of somebody's own code without a recipe."""
    subject = Subject(title="", registry=load_registry(), recipe=recipe)
    network = network_of(nn.Linear(2, 2))
    subject.trial = Trial(network, figures.pop("clip_norm", None), **figures)
    return subject


@pytest.fixture
def seeded() -> None:
    torch.manual_seed(0)


# The horizon


@pytest.mark.parametrize(
    ("length", "status"), [(1, "fail"), (4, "warn"), (7, "pass"), (16, "pass")]
)
def test_the_cut_has_to_leave_a_word(length: int, status: str, seeded: None) -> None:
    found = outcome("memory.horizon", Plain(), lambda: pairs(length=length))
    assert found.status == status
    assert found.numbers["allowed"] == length - 1
    assert status == "pass" or speaks_of_code(found)


def test_the_horizon_is_the_gradient_that_autograd_gives(seeded: None) -> None:
    module = Loop()
    inputs, targets = torch.randint(128, (3, 9)), torch.randint(128, (3, 9))
    embedded = module.embed(inputs).detach().requires_grad_()
    state = None
    for time in range(9):
        state = module.cell(embedded[:, time], state)
    (gradient,) = torch.autograd.grad(
        mean_nats(module.head(state)[:, None], targets[:, -1:]), embedded
    )
    expected = gradient.double().norm(dim=2).mean(0).flip(0)
    found = gradient_norms(network_of(module), inputs, targets)
    # Both are float32 sums of the same products.
    assert found == pytest.approx(expected.tolist(), rel=1e-5)


def test_a_network_that_cuts_its_own_gradient_is_found(seeded: None) -> None:
    found = outcome("memory.horizon", Loop(detaches=True))
    assert found.status == "fail"
    assert "within the network" in found.seen


def test_a_network_without_memory_is_told_from_one_with(seeded: None) -> None:
    assert outcome("memory.horizon", Loop(carries=False)).status == "warn"
    assert outcome("memory.horizon", Loop()).status == "pass"


def test_influence_ends_where_a_window_does(seeded: None) -> None:
    class Window(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(128, 8)
            self.mix = nn.Conv1d(8, 128, 4)

        def forward(self, tokens: Tensor) -> Tensor:
            padded = nn.functional.pad(self.embed(tokens).transpose(1, 2), (3, 0))
            return self.mix(padded).transpose(1, 2)

    found = influences(network_of(Window()), torch.randint(128, (4, 16)), [1, 3, 4, 8])
    assert [share > 0 for share in found] == [True, True, False, False]


def test_the_horizons_changes_make_a_recipe(registry: Registry) -> None:
    path = REPOSITORY / "recipes" / "clinic" / "healthy.yaml"
    recipe = load_recipe(path, registry, overrides=["train.bptt_length=1"])
    subject = subject_of_recipe(recipe, title="", quick=True)
    (check,) = select_checks(registry, ["memory.horizon"])
    changes = check.examine(subject).changes
    data, marks = load_yaml(path.read_text(), str(path))
    apply_overrides(data, marks, overrides=changes)
    mended = parse_recipe(dump_yaml(data), registry, source="mended", base=path.parent)
    assert mended.train.bptt_length == 64
    assert mended.train.budget.seconds == 150
    assert mended.train.optimizer.name == "muon"


def test_a_network_that_heeds_no_token_is_no_matter_of_memory(seeded: None) -> None:
    class Deaf(Plain):
        def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
            outputs, state = self.rnn(self.embed(tokens) * 0, state)
            return self.head(outputs), state

    found = outcome("memory.horizon", Deaf())
    assert found.status == "skip"
    assert "model.contract" in found.seen


def test_a_text_of_one_token_says_nothing_against_a_network(seeded: None) -> None:
    same = [(np.full((8, 16), 65), np.full((8, 16), 65))] * 3
    found = examine(model=Plain(), batches=same, only=["memory.horizon"], show=False)
    assert found.examined[0].outcome.status == "pass"


# Lag and carry


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_networks_with_memory_learn_to_repeat(kind: type[nn.RNNBase], seeded: None) -> None:
    found = outcome("memory.lag", lambda: Plain(kind))
    assert found.status == "pass"
    assert found.numbers["accuracy"] > 0.5


def test_a_lag_beyond_memory_cannot_be_learnt(seeded: None) -> None:
    class Shut(Loop):
        """The token before last moves all logits alike, which changes no probability."""

        def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
            logits, _ = super().forward(tokens, state)
            return logits + nn.functional.pad(tokens[:, :-2], (2, 0))[..., None], None

    found = outcome("memory.lag", Shut(carries=False))
    assert found.status == "fail"
    assert found.numbers["accuracy"] < found.numbers["chance"] + 0.1
    assert speaks_of_code(found)


def test_lag_leaves_to_the_horizon_what_is_its_own(seeded: None) -> None:
    for found in (
        outcome("memory.lag", Plain(), lambda: pairs(length=1)),
        outcome("memory.lag", Loop(carries=False)),
    ):
        assert found.status == "skip"
        assert "memory.horizon" in found.seen


def test_reading_each_distinct_token_once_is_reading_every_token_afresh(seeded: None) -> None:
    network = network_of(Plain())
    tokens = np.frombuffer(TEXT[:1601], dtype=np.uint8)
    expected = measure(network, tokens, rows=1, reset_every=1).bits_per_token
    assert bits_without_memory(network, tokens) == pytest.approx(expected, rel=1e-6)


def test_entropies_are_those_of_counting() -> None:
    tokens = np.frombuffer(TEXT, dtype=np.uint8)
    counts = Counter(TEXT)
    own = -sum(n / len(TEXT) * math.log2(n / len(TEXT)) for n in counts.values())
    followers: dict[int, Counter[int]] = {}
    for before, after in pairwise(TEXT):
        followers.setdefault(before, Counter())[after] += 1
    given_one = -sum(
        n * math.log2(n / each.total()) for each in followers.values() for n in each.values()
    ) / (len(TEXT) - 1)
    assert entropies(tokens) == pytest.approx((own, given_one))


def speaks_of_code(found: Outcome) -> bool:
    """Whether a finding names no setting of a recipe, for somebody who has none."""
    sections = ("train.", "architecture.", "evaluate.", "runtime.", "sample.", "bptt_length")
    told = f"{found.seen} {found.why} {found.remedy}"
    assert found.remedy, "this is no finding"
    return not found.changes and not any(section in told for section in sections)


def taught(module: nn.Module, *, carry: bool = True, updates: int = 200, length: int = 16) -> Any:
    """A subject whose trial has trained `module` so long, whatever the machine."""
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
    state = None
    batches = pairs(length=length)
    for _ in range(updates):
        inputs, targets = map(torch.from_numpy, next(batches))
        logits, state = call_plainly(module, inputs, state if carry else None)
        state = None if state is None else states.detach(state)
        optimizer.zero_grad()
        mean_nats(logits, targets).backward()
        optimizer.step()
    subject = subject_of_code(
        model=module,
        batches=lambda: pairs(length=length),
        corpus=TEXT * 10,
        registry=load_registry(),
        forward=None,
        loss=None,
        optimizer=None,
        carry_state=True,
    )
    subject.trial = Trial(subject.network, None, losses=[1.0] * updates)
    return subject


def check_of(name: str) -> Callable[[Subject], Outcome]:
    (check,) = select_checks(load_registry(), [name])
    return check.examine


def test_carrying_is_judged_by_what_it_gains(seeded: None) -> None:
    carry = check_of("memory.carry")
    assert carry(taught(Plain())).status == "pass"
    without = carry(taught(Loop(carries=False), updates=500))
    assert without.status == "fail"
    assert speaks_of_code(without)
    with pytest.raises(Exception, match="too few updates yet"):
        carry(taught(Loop(carries=False), updates=499))


def test_carrying_is_not_judged_before_something_is_learnt(seeded: None) -> None:
    with pytest.raises(Exception, match="learnt too little yet"):
        check_of("memory.carry")(taught(Plain(), updates=3))


def test_a_state_that_wears_out_is_found(seeded: None) -> None:
    class Wearing(Plain):
        """Its logits lose their sharpness when the state has been carried over 64 tokens."""

        def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
            inner, age = state if state is not None else (None, torch.zeros(len(tokens)))
            logits, inner = super().forward(tokens, inner)
            is_old = age[:, None] + torch.arange(tokens.shape[1]) >= 64
            return logits * (1 - 0.5 * is_old[..., None]), (inner, age + tokens.shape[1])

    found = check_of("memory.carry")(taught(Wearing(), carry=False))
    assert found.status == "warn"
    assert found.numbers["carried"] > found.numbers["reset"]
    assert speaks_of_code(found)


# Saturation


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_gates_are_those_of_a_naive_loop(
    kind: type[nn.RNNBase], num_layers: int, seeded: None
) -> None:
    module = Plain(kind).double()
    module.rnn = kind(16, 5, num_layers, batch_first=True).double()
    module.head = nn.Linear(5, 128).double()
    inputs = torch.randint(128, (3, 7))
    found = activations(network_of(module), inputs)
    weights = {name: p.detach().numpy() for name, p in module.rnn.named_parameters()}
    x = module.embed(inputs).detach().numpy()
    for layer in range(num_layers):
        w_x, w_h, b_x, b_h = (
            weights[f"{part}_l{layer}"] for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        expected: dict[str, list[Any]] = {}
        rows = []
        for row in x:
            h, c, outputs = np.zeros(5), np.zeros(5), []
            for step in row:
                a, b = w_x @ step + b_x, w_h @ h + b_h
                if kind is nn.LSTM:
                    i, f, g, o = np.split(a + b, 4)
                    i, f, o = (1 / (1 + np.exp(-v)) for v in (i, f, o))
                    c = f * c + i * np.tanh(g)
                    h = o * np.tanh(c)
                    now = {"input": i, "forget": f, "output": o}
                elif kind is nn.GRU:
                    (ar, az, an), (br, bz, bn) = np.split(a, 3), np.split(b, 3)
                    r, z = 1 / (1 + np.exp(-ar - br)), 1 / (1 + np.exp(-az - bz))
                    h = (1 - z) * np.tanh(an + r * bn) + z * h
                    now = {"reset": r, "keep": z}
                else:
                    h = np.tanh(a + b)
                    now = {"tanh": h}
                outputs.append(h)
                for gate, values in now.items():
                    expected.setdefault(gate, []).append(values)
            rows.append(outputs)
        x = np.array(rows)
        for gate, values in expected.items():
            # float64 on both sides: only the order of sums differs.
            np.testing.assert_allclose(found[f"rnn.{layer} {gate}"], np.array(values), atol=1e-12)


def test_cells_and_sigmoids_are_seen_as_they_run(seeded: None) -> None:
    module = Loop()
    module.head = nn.Sequential(nn.Linear(24, 128), nn.Sigmoid())
    found = activations(network_of(module), torch.randint(128, (3, 7)))
    assert {name: tuple(values.shape) for name, values in found.items()} == {
        "cell reset": (21, 24),
        "cell keep": (21, 24),
        "head.1 sigmoid": (21, 128),
    }


def test_forget_gates_near_one_are_memory_and_output_gates_near_zero_are_stuck(
    seeded: None,
) -> None:
    module = Plain()
    with torch.no_grad():
        module.rnn.bias_ih_l0[24:48] = 50.0
    subject = taught(module, updates=0)
    assert check_of("memory.saturation")(subject).status == "pass"
    with torch.no_grad():
        module.rnn.bias_ih_l0[72:] = -50.0
    found = check_of("memory.saturation")(subject)
    assert found.status == "fail"
    assert found.numbers["stuck"] == 1.0


def test_a_unit_is_stuck_that_is_at_one_end_nearly_always() -> None:
    values = torch.full((1000, 4), 0.5)
    values[:, 0] = 0.001
    values[:, 1] = 0.999
    values[::2, 2], values[1::2, 2] = 0.001, 0.999
    values[:980, 3] = 0.001
    assert share_stuck("x input", values) == 0.5
    assert share_stuck("x forget", values) == 0.25


# Optimisation


def test_the_lowest_loss_of_a_batch_is_what_no_reader_of_its_rows_beats() -> None:
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
    assert speaks_of_code(found)


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
        assert speaks_of_code(found)
        assert 3e-4 < rate * found.numbers["suggested"] < 0.3


@pytest.mark.parametrize(
    ("period", "rate", "status"),
    [(40, 1e-3, "pass"), (320, 1e-3, "pass"), (2000, 1e-3, "pass"), (320, 1e-5, "fail")],
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
def test_the_suggested_rate_undoes_what_was_done_to_it(factor: float, registry: Registry) -> None:
    rates = [f"train.optimizer.learning_rate={5e-3 * factor:g}", "runtime.threads=1"]
    subject = subject_of_recipe(load_recipe(HEALTHY, registry, overrides=rates), title="")
    found = check_of("optimisation.learning_rate")(subject)
    assert found.status == "fail"
    again = load_recipe(HEALTHY, registry, overrides=[*rates, *found.changes])
    mended = check_of("optimisation.learning_rate")(subject_of_recipe(again, title=""))
    assert mended.status == "pass"


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
def test_a_warm_up_has_to_end_in_the_first_half_of_the_budget(
    budget: str, warmup: int, status: str, registry: Registry
) -> None:
    overrides = [f"train.budget={budget}", f"train.schedule.warmup_steps={warmup}"]
    subject = subject_of_recipe(load_recipe(HEALTHY, registry, overrides=overrides), title="")
    found = check_of("optimisation.warmup")(subject)
    assert found.status == status
    if status != "pass":
        assert found.changes == ("train.schedule.warmup_steps=40",)
        mended = load_recipe(HEALTHY, registry, overrides=[*overrides, *found.changes])
        again = check_of("optimisation.warmup")(subject_of_recipe(mended, title=""))
        assert again.status == "pass"


def test_updates_of_a_budget_in_bytes_are_those_that_are_made(registry: Registry) -> None:
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
    assert updates_of(section, 2.5) == pytest.approx(made, abs=3)


def test_a_budget_in_seconds_tells_no_number_of_updates(registry: Registry) -> None:
    overrides = ["train.budget={seconds: 60}", "train.schedule.warmup_steps=50"]
    recipe = load_recipe(HEALTHY, registry, overrides=overrides)
    with pytest.raises(Missing, match="seconds"):
        check_of("optimisation.warmup")(subject_of_recipe(recipe, title=""))


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


def test_what_is_missing_at_the_end_of_a_range_test_has_blown_up() -> None:
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
def test_a_gradient_may_tower_where_it_is_clipped(
    norms: list[float], clip: float | None, status: str
) -> None:
    seen = trial_of(gradient_norms=norms, losses=[1.0] * len(norms), clip_norm=clip)
    found = examine_norms(seen)
    assert found.status == status
    assert status == "pass" or speaks_of_code(found)


def test_who_clips_in_a_loop_of_their_own_is_not_told_that_they_never_do(
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
    assert status == "pass" or speaks_of_code(found)


def test_dead_units_are_counted(seeded: None) -> None:
    module = Plain(hidden_size=20)
    subject = taught(module, updates=0)
    assert check_of("optimisation.dead_units")(subject).numbers["share"] == 0.0
    with torch.no_grad():
        module.rnn.bias_ih_l0[60:65] = -80.0  # the output gates of five units
    found = check_of("optimisation.dead_units")(subject)
    assert found.status == "warn"
    assert found.numbers["share"] == 0.25
    assert speaks_of_code(found)


def test_threads_are_set_where_they_can_be(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 10_000)
    threads = check_of("environment.threads")
    assert speaks_of_code(threads(trial_of()))
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


def test_nothing_reads_more_at_once_than_a_network_can(seeded: None) -> None:
    subject = taught(Positions(), updates=1, length=32)
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
def test_measuring_in_pieces_is_measuring_at_once(longest: int | None, seeded: None) -> None:
    network = network_of(Plain())
    tokens = np.frombuffer(TEXT[:3201], dtype=np.uint8)

    def forward(module: nn.Module, part: Tensor, state: Any) -> tuple[Tensor, Any]:
        assert longest is None or part.shape[1] <= longest
        return module(part, state)

    pieces = replace(network, forward=forward, longest=longest)
    for reset_every in (None, 40):
        found = measure(pieces, tokens, reset_every=reset_every)
        expected = measure(network, tokens, reset_every=reset_every)
        # Sums of float32 logits over other pieces.
        assert astuple(found) == pytest.approx(astuple(expected), rel=1e-6)


def test_passages_are_swapped_over_no_more_tokens_than_a_network_can_read() -> None:
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
    subject = subject_of_recipe(recipe, title="", seed=seed, seconds=6.0)
    found = diagnose(subject, select_checks(registry, ["memory", "optimisation"]))
    assert not found.findings, [(each.check.name, each.outcome.seen) for each in found.findings]
