"""What `seqzoo doctor` says of models: healthy ones pass, each fault is named as itself."""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from laws.test_architectures import SMALL, every_architecture, options_of
from torch import Tensor, nn

from seqzoo.doctor import examine
from seqzoo.doctor.checks import all_checks, select_checks
from seqzoo.doctor.diagnosis import Diagnosis, diagnose
from seqzoo.doctor.from_code import subject_of_code
from seqzoo.doctor.subject import Missing, Subject, Unusable
from seqzoo.registry import Registry, load_registry
from seqzoo.specs import Check, Outcome

B, T, V, H = 6, 32, 256, 12
TEXT = bytes(np.random.default_rng(0).choice(list(b"etaoin shrdlu\n"), 20_000).astype(np.uint8))
QUICK_MODEL = [check for check in all_checks(load_registry()) if check.group == "model"]


class Plain(nn.Module):
    """What people write: the state as nn.LSTM gives it, (layers, B, H)."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(V, H)
        self.lstm = nn.LSTM(H, H, batch_first=True)
        self.head = nn.Linear(H, V)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        out, state = self.lstm(self.before(self.embed(tokens)), state)
        return self.head(self.after(out)), state

    def before(self, x: Tensor) -> Tensor:
        return x

    def after(self, out: Tensor) -> Tensor:
        return out


class Stateless(Plain):
    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        return self.head(self.after(self.lstm(self.before(self.embed(tokens)))[0]))


class Ending(Plain):
    """Outputs that went through a last function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        logits, state = super().forward(tokens, state)
        return self.function(logits), state


class Sure(Plain):
    def __init__(self) -> None:
        super().__init__()
        nn.init.normal_(self.head.weight, std=10)


class Clairvoyant(Stateless):
    """Puts out the target itself, newly made."""

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(tokens) + 20 * F.one_hot(tokens.roll(-1, 1), V)


class Bidirectional(Stateless):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(H, H, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * H, V)


class PeekingInTraining(Stateless):
    def before(self, x: Tensor) -> Tensor:
        return x + x.roll(-3, 1) if self.training else x


class BatchNormed(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(H)

    def after(self, out: Tensor) -> Tensor:
        return self.norm(out.transpose(1, 2)).transpose(1, 2)


class TimeFirst(Plain):
    """Batches are (B, T), and the LSTM takes the first axis for time."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(H, H)


class DropoutLeftOn(Plain):
    def after(self, out: Tensor) -> Tensor:
        return F.dropout(out, 0.2)


class FirstStateDrawn(Plain):
    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        if state is None:
            state = (torch.randn(1, len(tokens), H), torch.randn(1, len(tokens), H))
        return super().forward(tokens, state)


class DropsByNumpy(Plain):
    def after(self, out: Tensor) -> Tensor:
        return out * torch.from_numpy(np.random.random(out.shape) < 0.8)


class DeafToEval(Plain):
    """Its dropout does not hear of eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.2)

    def after(self, out: Tensor) -> Tensor:
        return self.drop(out)

    def train(self, mode: bool = True) -> DeafToEval:
        super().train(mode)
        self.drop.train()
        return self


class Forgetful(Plain):
    """Gives a state, and begins from nothing all the same."""

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        return super().forward(tokens, None)


class KeepsItsGraph(Stateless):
    """The state is kept inside, and nothing is given back."""

    kept: Any = None

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        state = self.kept
        if state is not None and state[0].shape[1] != len(tokens):
            state = None
        out, state = self.lstm(self.embed(tokens), state)
        self.kept = self.keep(state)
        return self.head(out)

    def keep(self, state: Any) -> Any:
        return state


class KeepsItsState(KeepsItsGraph):
    def keep(self, state: Any) -> Any:
        return tuple(part.detach() for part in state)


class Frozen(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.embed.requires_grad_(False)


class CutOff(Plain):
    def before(self, x: Tensor) -> Tensor:
        return x.detach()


class BeginsAtZero(Plain):
    """Head and gate are zero: what is behind them has a gradient from the second update on."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(()))
        self.mix = nn.Linear(H, H)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def after(self, out: Tensor) -> Tensor:
        return out + self.gate * self.mix(out).tanh()


class Chaotic(Plain):
    """Its recurrent weights are so large that rounding grows from token to token."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.RNN(H, H, batch_first=True)  # type: ignore[assignment]
        nn.init.normal_(self.lstm.weight_hh_l0, std=1.2)


class ZeroByZero(Plain):
    """Embeddings of length 1, and one token, which no text holds, whose embedding is zero."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(V, H, padding_idx=0)

    def before(self, x: Tensor) -> Tensor:
        return x / x.norm(dim=-1, keepdim=True)


class Windowed(nn.Module):
    """Attention with positions for W tokens and no more, and no state."""

    def __init__(self, W: int) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(V, H), nn.Embedding(W, H)
        self.attend = nn.MultiheadAttention(H, 2, batch_first=True)
        self.head = nn.Linear(H, V)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        x = self.embed(tokens) + self.place(torch.arange(length))
        mask = torch.ones(length, length, dtype=torch.bool).triu(1)
        return self.head(x + self.attend(x, x, x, attn_mask=mask)[0])


class Deaf(Plain):
    """It does not look at its tokens."""

    def before(self, x: Tensor) -> Tensor:
        return 0 * x


class AllEqual(Plain):
    def __init__(self) -> None:
        super().__init__()
        for parameter in self.parameters():
            nn.init.constant_(parameter, 0.1)


class ForOneBatchSize(Plain):
    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        empty = torch.zeros(1, B, H)
        return super().forward(tokens, (empty, empty) if state is None else state)


class Locked(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class Counting(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def after(self, out: Tensor) -> Tensor:
        self.seen += out.shape[1]
        return out


class TiresOfReading(Plain):
    """Its state is dropped at the first cut after 60 tokens."""

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        count, state = (0, None) if state is None else (int(state[0][0]), state[1])
        logits, state = super().forward(tokens, None if count > 60 else state)
        return logits, (torch.full((len(tokens),), count + tokens.shape[1]), state)


def batches(length: int = T) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Windows at random places."""
    text = np.frombuffer(TEXT, np.uint8)
    generator = np.random.default_rng(1)
    while True:
        places = generator.integers(len(text) - length - 1, size=B)[:, None] + np.arange(length + 1)
        yield text[places][:, :-1], text[places][:, 1:]


def contiguous() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows that each go on where they were."""
    text = np.frombuffer(TEXT, np.uint8)
    rows = text[: len(text) // B * B].reshape(B, -1)
    for start in range(0, rows.shape[1] - T - 1, T):
        yield rows[:, start : start + T], rows[:, start + 1 : start + T + 1]


def visit(model: Any, **further: Any) -> Diagnosis:
    given = {
        "batches": batches,
        "corpus": TEXT,
        "carry_state": False,
        "only": ["model"],
        "show": False,
    }
    return examine(model=model, **(given | further))


def outcome(diagnosis: Diagnosis, name: str) -> Outcome:
    (found,) = [each.outcome for each in diagnosis.examined if each.check.name == name]
    return found


def causes(diagnosis: Diagnosis) -> list[str]:
    return [each.check.name for each in diagnosis.causes]


def told(diagnosis: Diagnosis) -> list[tuple[str, str, str]]:
    return [
        (each.check.name, each.outcome.status, each.outcome.seen) for each in diagnosis.findings
    ]


@every_architecture
@pytest.mark.parametrize("seed", [1, 2])
def test_every_architecture_is_healthy(registry: Registry, name: str, seed: int) -> None:
    spec = registry.get("architecture", name)

    def build() -> nn.Module:
        model = spec.build(options_of(spec, **SMALL, dropout=0.2), vocab_size=V)
        model.prepare(np.frombuffer(TEXT, np.uint8))
        return model

    found = visit(build, seed=seed)
    assert {each.outcome.status for each in found.examined} == {"pass"}, told(found)


@pytest.mark.parametrize(
    "model",
    [
        Plain,
        Plain(),
        Stateless,
        Stateless(),
        BeginsAtZero,
        Chaotic,
        lambda: Plain().double(),
        lambda: Plain().bfloat16(),
        lambda: Ending(lambda logits: logits.log_softmax(-1)),
    ],
    ids=[
        "state",
        "instance",
        "stateless",
        "stateless instance",
        "zeros",
        "chaotic",
        "float64",
        "bfloat16",
        "log softmax",
    ],
)
def test_plain_modules_are_healthy(model: Any) -> None:
    found = visit(model)
    assert {each.outcome.status for each in found.examined} == {"pass"}, told(found)


@pytest.mark.parametrize("length", [4, 8, 32, 100])
def test_a_model_that_reads_no_more_than_its_batches_hold_is_healthy(
    registry: Registry, length: int
) -> None:
    found = visit(lambda: Windowed(length), batches=lambda: batches(length))
    assert {each.outcome.status for each in found.examined} == {"pass"}, told(found)
    subject = subject_of(registry, model=lambda: Windowed(length), batches=lambda: batches(length))
    assert subject.trial.points[-1].step == subject.trial.steps > 0


def test_a_model_alone_is_examined_without_batches_or_text() -> None:
    found = examine(model=Plain(), only=["model"], show=False)
    statuses = {each.check.name: each.outcome.status for each in found.examined}
    assert statuses.pop("model.initial_loss") == "skip"
    assert set(statuses.values()) == {"pass"}, told(found)


FAULTS: dict[str, tuple[Any, str]] = {
    "softmax": (lambda: Ending(lambda y: y.softmax(-1)), "model.logits"),
    "softmax over time": (lambda: Ending(lambda y: y.softmax(1)), "model.logits"),
    "softmax over rows": (lambda: Ending(lambda y: y.softmax(0)), "model.logits"),
    "log softmax over time": (lambda: Ending(lambda y: y.log_softmax(1)), "model.logits"),
    "log softmax over rows": (lambda: Ending(lambda y: y.log_softmax(0)), "model.logits"),
    "sigmoid": (lambda: Ending(torch.sigmoid), "model.logits"),
    "relu": (lambda: Ending(torch.relu), "model.logits"),
    "sure": (Sure, "model.initial_loss"),
    "sure instance": (Sure(), "model.initial_loss"),
    "clairvoyant": (Clairvoyant, "model.causality"),
    "bidirectional": (Bidirectional, "model.causality"),
    "peeking in training": (PeekingInTraining, "model.causality"),
    "batch norm": (BatchNormed, "model.rows"),
    "time first": (TimeFirst, "model.rows"),
    "dropout left on": (DropoutLeftOn, "model.eval_mode"),
    "drops by numpy": (DropsByNumpy, "model.eval_mode"),
    "first state drawn": (FirstStateDrawn, "model.eval_mode"),
    "deaf to eval": (DeafToEval, "model.eval_mode"),
    "forgetful": (Forgetful, "model.state"),
    "keeps its graph": (KeepsItsGraph, "model.detached"),
    "keeps its state": (KeepsItsState, "model.untouched"),
    "frozen": (Frozen, "model.gradients"),
    "cut off": (CutOff, "model.gradients"),
    "zero by zero": (ZeroByZero, "model.finite"),
    "counting": (Counting, "model.untouched"),
    "tires of reading": (TiresOfReading, "model.evaluation"),
}


@pytest.mark.parametrize(("model", "expected"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_named_as_its_own_cause(model: Any, expected: str) -> None:
    found = visit(model)
    assert causes(found) == expected.split(", "), told(found)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(
    ("function", "loss"),
    [
        (torch.log_softmax, nn.NLLLoss()),
        (torch.softmax, lambda y, t: F.nll_loss(y.log().flatten(0, 1), t.flatten())),
    ],
)
def test_a_softmax_over_a_wrong_axis_is_the_cause_whatever_the_loss_takes(
    axis: int, function: Any, loss: Any
) -> None:
    found = visit(lambda: Ending(lambda y: function(y, axis)), loss=loss)
    assert causes(found) == ["model.logits"], told(found)
    assert outcome(found, "model.logits").status == "fail"


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda y: y.softmax(1), "probabilities: nonnegative, summing to 1 over time"),
        (lambda y: y.softmax(0), "summing to 1 over the rows"),
        (lambda y: y.log_softmax(1), "a log_softmax over time"),
        (lambda y: y.log_softmax(0), "a log_softmax over the rows"),
        (lambda y: y.sigmoid(), "as after a sigmoid"),
        (lambda y: 0.1 * y.relu(), "as after a ReLU"),
    ],
)
def test_what_the_outputs_are_is_told(function: Any, said: str) -> None:
    found = visit(lambda: Ending(function), only=["model.logits"])
    assert said in outcome(found, "model.logits").seen


@pytest.mark.parametrize(
    ("model", "seen", "remedy"),
    [
        (FirstStateDrawn, "the first state is drawn at random", "Begin with zeros"),
        (DropoutLeftOn, "by no dropout layer", "training=self.training"),
        (DeafToEval, "still in training mode: drop", "nn.Dropout registered"),
    ],
)
def test_what_is_drawn_in_eval_mode_is_told(model: Any, seen: str, remedy: str) -> None:
    found = outcome(visit(model, only=["model.eval_mode"]), "model.eval_mode")
    assert seen in found.seen
    assert remedy in found.remedy


def test_how_far_ahead_it_peeks_is_told() -> None:
    numbers = outcome(visit(PeekingInTraining), "model.causality").numbers
    # x(t) + x(t + 3): an output at t knows of every token up to t + 3.
    assert numbers["farthest"] == 3
    assert numbers["eval_difference"] == 0 < numbers["training_difference"]


def test_logits_that_hold_the_target_are_below_what_is_possible_untrained() -> None:
    found = outcome(visit(Clairvoyant), "model.initial_loss")
    assert found.status == "fail"
    assert found.numbers["nats"] < 1 < 2 < found.numbers["order_0_nats"]
    assert outcome(visit(Clairvoyant()), "model.initial_loss").status == "pass"  # may be trained


def test_initial_loss_is_the_cross_entropy_of_the_text() -> None:
    model = Plain()
    numbers = outcome(visit(model), "model.initial_loss").numbers
    # Sixteen rows of T tokens from the beginning of the training part, by hand.
    tokens = np.frombuffer(TEXT, np.uint8)[: 16 * T + 1].astype(np.int64)
    with torch.no_grad():
        logits = model(torch.from_numpy(tokens[:-1].reshape(16, T)))[0].double().numpy()
    rows = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected = -np.log([row[t] for row, t in zip(rows.reshape(-1, V), tokens[1:], strict=True)])
    assert numbers["nats"] == pytest.approx(expected.mean(), rel=1e-6)
    assert numbers["even_nats"] == pytest.approx(math.log(256))


def one_hot_mean(logits: Tensor, targets: Tensor) -> Tensor:
    return -(F.one_hot(targets, logits.shape[-1]) * logits.log_softmax(-1)).mean()


def cross_entropy(logits: Tensor, targets: Tensor, **further: Any) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), **further)


@pytest.mark.parametrize(
    ("loss", "status", "said"),
    [
        (lambda y, t: F.cross_entropy(y.transpose(1, 2), t), "pass", ""),
        (lambda y, t: F.nll_loss(y.log_softmax(-1).flatten(0, 1), t.flatten()), "pass", ""),
        (lambda y, t: cross_entropy(y, t, reduction="sum"), "pass", "sum over all tokens, 192 "),
        (
            lambda y, t: F.cross_entropy(y.transpose(1, 2), t, reduction="none").sum(1).mean(),
            "warn",
            "T times the mean",
        ),
        (
            lambda y, t: F.cross_entropy(y.transpose(1, 2), t, reduction="none").sum(0).mean(),
            "warn",
            "B times the mean",
        ),
        (
            lambda y, t: F.cross_entropy(y.transpose(1, 2), t, reduction="none").mean(0).sum(),
            "warn",
            "T times the mean",
        ),
        (one_hot_mean, "warn", "1 / V"),
        (lambda y, t: cross_entropy(y, t) / math.log(2), "pass", "1 / ln 2"),
        (lambda y, t: cross_entropy(y, t) / 8, "pass", "0.125 times"),
        (lambda y, t: cross_entropy(y, t) + 1, "pass", "a constant is added"),
        (lambda y, t: cross_entropy(y, t, label_smoothing=0.05), "pass", "label smoothing"),
        (lambda y, t: cross_entropy(y, t, label_smoothing=0.2), "pass", "label smoothing"),
        (nn.CrossEntropyLoss(), "pass", "B, T, V ="),
        (nn.CrossEntropyLoss(reduction="sum"), "pass", "sum over all tokens, 192 "),
        (lambda y, t: F.cross_entropy(y.view(len(y), -1, y.shape[1]), t), "fail", "else"),
        (lambda y, t: F.nll_loss(y.log_softmax(1).flatten(0, 1), t.flatten()), "fail", "else"),
        (lambda y, t: F.nll_loss(y.log_softmax(0).flatten(0, 1), t.flatten()), "fail", "else"),
        (lambda y, t: cross_entropy(y.softmax(-1), t), "fail", "else"),
        (lambda y, t: cross_entropy(y.transpose(0, 1), t), "fail", "else"),
        (lambda y, t: cross_entropy(y[:, :-1], t[:, 1:]), "fail", "else"),
        (lambda y, t: -cross_entropy(y, t), "fail", "else"),
        (lambda y, t: y.log_softmax(-1).gather(-1, t[..., None]), "fail", "shape"),
        (lambda y, t: F.cross_entropy(y, t[:, 1:]), "fail", "raises"),
    ],
)
def test_a_loss_is_told_from_the_mean_cross_entropy(loss: Any, status: str, said: str) -> None:
    found = visit(Plain, loss=loss, only=["model.loss"])
    assert outcome(found, "model.loss").status == status, told(found)
    assert said in outcome(found, "model.loss").seen


def test_a_loss_that_takes_tokens_flattened_is_given_them_so(registry: Registry) -> None:
    # With T = V it would go through as it is, axis 1 taken for the classes.
    logits, targets = torch.randn(2, V, V), torch.randint(V, (2, V))
    given = subject_of(registry, loss=nn.CrossEntropyLoss(weight=torch.ones(V))).network
    assert given.loss(logits, targets) == cross_entropy(logits, targets)
    assert visit(Plain, loss=nn.CrossEntropyLoss()).is_healthy


def test_a_loss_that_fails_in_every_form_is_told_once(registry: Registry) -> None:
    found = whole_visit(registry, loss=lambda y, t: nn.CrossEntropyLoss()(y, t[..., None, None]))
    assert causes(found) == ["model.loss"], told(found)
    assert not any(each.crashed for each in found.examined), told(found)
    assert "criterion(logits.flatten(0, 1), targets.flatten())" in (
        outcome(found, "model.loss").remedy
    )


def test_a_loss_over_the_wrong_axis_is_the_only_cause() -> None:
    found = visit(Plain, loss=lambda y, t: F.cross_entropy(y.view(len(y), -1, y.shape[1]), t))
    assert causes(found) == ["model.loss"]


def test_probabilities_are_no_fault_where_the_loss_takes_them() -> None:
    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return F.nll_loss(outputs.log().flatten(0, 1), targets.flatten())

    found = visit(lambda: Ending(lambda y: y.softmax(-1)), loss=loss)
    assert told(found)[0][:2] == ("model.logits", "warn")
    assert causes(found) == ["model.logits"]
    assert outcome(found, "model.loss").status == "pass"


def test_no_state_is_told_only_where_batches_continue_each_other() -> None:
    windows = visit(Stateless, batches=batches, carry_state=True)
    assert outcome(windows, "model.state").status == "pass"
    lanes = visit(Stateless, batches=contiguous, carry_state=True)
    assert outcome(lanes, "model.state").status == "warn"
    carried = outcome(visit(Plain, batches=contiguous, carry_state=True), "model.state")
    assert "logits differ from those of one pass by" in carried.seen


def test_parameters_that_learn_nothing_are_named_with_their_share() -> None:
    frozen = outcome(visit(Frozen), "model.gradients")
    total = sum(p.numel() for p in Frozen().parameters())
    assert frozen.status == "warn"
    assert f"{V * H / total:.0%} of the parameters are frozen" in frozen.seen
    assert "embed.weight" in frozen.seen
    assert outcome(visit(CutOff), "model.gradients").status == "fail"
    left_out = visit(Plain, optimizer=lambda parameters: torch.optim.SGD(list(parameters)[1:], 0.1))
    assert "embed.weight" in outcome(left_out, "model.gradients").seen


def one_at_a_time() -> Iterator[Any]:
    return batches(1)


def test_recurrent_weights_that_one_token_cannot_teach_are_not_told_as_detached(
    registry: Registry,
) -> None:
    given = {"batches": one_at_a_time, "carry_state": False}
    gradients = outcome(visit(Plain, **given), "model.gradients")
    assert gradients.status == "pass"
    assert "lstm.weight_hh_l0 on longer text" in gradients.seen
    assert causes(visit(CutOff, **given)) == ["model.gradients"]
    found = whole_visit(registry, **given)
    assert "memory.horizon" in causes(found), told(found)
    assert "model.gradients" not in [each.check.name for each in found.findings]


def test_a_model_that_ignores_its_tokens_is_told_so(registry: Registry) -> None:
    found = whole_visit(registry, model=Deaf)
    assert causes(found) == ["model.contract"], told(found)
    seen = outcome(found, "model.contract").seen
    assert "the logits do not depend on the tokens" in seen
    assert "equal in" not in seen
    equal = outcome(visit(AllEqual), "model.contract").seen
    assert "all weights are equal in embed.weight" in equal


def test_no_instance_is_said_to_have_seen_nothing() -> None:
    new, given = (outcome(visit(model), "model.initial_loss") for model in (Sure, Sure()))
    assert new.why.startswith("It is sure of itself before")
    assert given.why.startswith("If it is untrained, it is sure")
    assert given.remedy.startswith("If it is untrained")


def test_a_model_whose_batch_size_is_fixed_is_told_so() -> None:
    found = visit(ForOneBatchSize)
    assert causes(found) == ["model.contract"]
    assert f"the batches' {B} rows and no other" in outcome(found, "model.contract").seen
    assert "its batch size is fixed" not in outcome(visit(Deaf), "model.contract").seen


def test_a_model_that_cannot_be_copied_is_told_so() -> None:
    for model in (Locked, Locked()):
        found = visit(model)
        assert causes(found) == ["model.contract"]
        assert "the model cannot be copied" in outcome(found, "model.contract").seen


@pytest.mark.parametrize("length", [8, 17, 32, 63])
def test_a_model_alone_is_read_as_far_as_its_positions_go(length: int) -> None:
    found = examine(model=Windowed(length), only=["model"], show=False)
    assert {each.outcome.status for each in found.examined} <= {"pass", "skip"}, told(found)


def test_no_check_of_memory_reads_more_than_there_are_positions_for(registry: Registry) -> None:
    found = whole_visit(registry, model=lambda: Windowed(T), batches=batches, carry_state=False)
    assert not any(each.crashed for each in found.examined), told(found)
    alone = whole_visit(registry, model=lambda: Windowed(T), batches=None)
    assert not any(each.crashed for each in alone.examined), told(alone)


def test_where_a_score_differs_it_is_told_by_how_much_a_token_does() -> None:
    seen = outcome(visit(Forgetful), "model.evaluation").seen
    assert "in shorter pieces (single tokens differ by up to " in seen


def test_the_model_that_was_given_is_left_as_it_was() -> None:
    model = KeepsItsGraph()
    model.register_buffer("count", torch.zeros(3))
    model.lstm.eval()
    model(torch.zeros(2, 4, dtype=torch.int64))  # its state has a graph now
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    kept, generator = model.kept, torch.get_rng_state()
    visit(model)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())
    assert [module.training for module in model.modules()] == modes
    assert model.kept is kept
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), generator)


class Raising(Plain):
    """Raises at its n-th call, copies counted with it, and ever after."""

    def __init__(self, calls: list[int], error: type[BaseException]) -> None:
        super().__init__()
        self.calls, self.error = calls, error

    def __deepcopy__(self, memo: dict[int, Any]) -> Raising:
        other = Raising(self.calls, self.error)
        other.load_state_dict(self.state_dict())
        return other.train(self.training)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        self.calls[0] -= 1
        if self.calls[0] < 0:
            raise self.error("no more")
        return super().forward(tokens, state)


def subject_of(registry: Registry, **given: Any) -> Subject:
    """The short training shorter."""
    optional = {"forward": None, "loss": None, "optimizer": None, "seconds": 0.2}
    usual = {"model": Plain, "batches": contiguous, "corpus": TEXT, "carry_state": True}
    return subject_of_code(**(optional | usual | given), registry=registry)


def whole_visit(registry: Registry, *, quick: bool = True, **given: Any) -> Diagnosis:
    """Every check that is quick, or all."""
    return diagnose(subject_of(registry, quick=quick, **given), select_checks(registry))


def visit_until(registry: Registry, calls: int, error: type[BaseException], **how: Any) -> None:
    left = [calls]
    found = whole_visit(registry, model=lambda: Raising(left, error), **how)
    assert len(found.examined) == len(all_checks(registry))
    assert left[0] < 0
    assert any(f"{error.__name__}: no more" in each.outcome.seen for each in found.findings)
    if calls < 4:
        assert causes(found) == ["model.contract"]


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
@pytest.mark.parametrize("calls", [0, 1, 4, 5, 20, 60, 130])
def test_a_model_that_raises_at_its_nth_call_ends_no_visit(
    registry: Registry, calls: int, error: type[BaseException]
) -> None:
    visit_until(registry, calls, error)


@pytest.mark.slow
@pytest.mark.parametrize("calls", [3, 40, 130])
def test_a_model_that_raises_at_its_nth_call_ends_no_visit_in_full(
    registry: Registry, calls: int
) -> None:
    visit_until(registry, calls, SystemExit, quick=False)


def test_what_breaks_off_alike_has_one_cause(registry: Registry) -> None:
    found = visit(lambda left=[9]: Raising(left, RuntimeError))
    crashed = [each for each in found.examined if each.crashed]
    assert len(crashed) > 3
    assert [each.check.name for each in found.causes] == [crashed[0].check.name]


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_a_model_that_cannot_be_built_is_told_once(
    registry: Registry, error: type[BaseException]
) -> None:
    tries = []

    def build() -> nn.Module:
        tries.append(1)
        raise error("no such layer")

    found = whole_visit(registry, model=build)
    assert [each.check.name for each in found.findings] == ["model.contract"]
    assert f"{error.__name__}: no such layer" in outcome(found, "model.contract").seen
    assert outcome(found, "model.causality").seen == "not looked at, see model.contract"
    assert len(tries) == 1


@pytest.mark.parametrize(
    ("number", "error"), [(0, ValueError), (1, SystemExit), (7, SystemExit), (70, ValueError)]
)
def test_batches_that_raise_are_told_once(
    registry: Registry, number: int, error: type[BaseException]
) -> None:
    def raising() -> Iterator[Any]:
        for count, batch in enumerate(batches()):
            if count == number:
                raise error("the disk is gone")
            yield batch

    found = whole_visit(registry, batches=raising)
    assert len(found.examined) == len(all_checks(registry))
    if number < 48:  # what the recording asks for
        assert causes(found) == ["stream.contract"]
        assert f"{error.__name__}: the disk is gone" in outcome(found, "stream.contract").seen
    assert outcome(found, "model.causality").status == "pass"


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ((np.zeros((4, 8), int), np.zeros((4, 7), int)), "differ in shape"),
        ((np.zeros((4, 8), int), np.full((4, 8), 300)), "vocabulary of 256"),
        (np.zeros((3, 4, 8), int), "a batch is a pair"),
    ],
)
def test_batches_that_are_no_pairs_of_ids_are_told(pair: Any, said: str) -> None:
    found = visit(Plain, batches=lambda: iter([pair] * 60), only=["stream.contract"])
    assert outcome(found, "stream.contract").status == "fail"
    assert said in outcome(found, "stream.contract").seen


def test_a_model_that_is_none_or_cannot_be_copied_has_one_cause(registry: Registry) -> None:
    class Locked(Plain):
        def __init__(self) -> None:
            super().__init__()
            self.lock = threading.Lock()

    for model, said in ((lambda: None, "gave NoneType"), (Locked, "cannot be copied")):
        found = whole_visit(registry, model=model)
        assert causes(found) == ["model.contract"]
        assert said in outcome(found, "model.contract").seen


def test_rows_that_become_fewer_are_told() -> None:
    def shrinking() -> Iterator[Any]:
        for count, (inputs, targets) in enumerate(batches()):
            yield (inputs, targets) if count < 9 else (inputs[:2], targets[:2])

    found = visit(Plain, batches=shrinking, only=["stream.contract"], carry_state=True)
    assert "2 rows" in outcome(found, "stream.contract").seen


@pytest.mark.parametrize(
    ("forward", "said"),
    [
        (lambda model, tokens, state: (model(tokens)[0][:, -1], None), "shape (1, 256)"),
        (lambda model, tokens, state: (model(tokens)[0].transpose(0, 1), None), "is (T, B, V)"),
        (lambda model, tokens, state: (model(tokens)[0].transpose(1, 2), None), "is (B, V, T)"),
        (lambda model, tokens, state: (model(tokens)[0].flatten(0, 1), None), "is (B T, V)"),
        (lambda model, tokens, state: ((model(tokens)[0], 1, None), None), "a tuple of 3 (Tensor,"),
        (lambda model, tokens, state: ([model(tokens)[0]], None), "a list of 1 (Tensor)"),
        (lambda model, tokens, state: ({}, None), "no tensor but dict"),
        (lambda model, tokens, state: (model(tokens)[0].argmax(-1, True), None), "torch.int64"),
        (lambda model, tokens, state: (model(tokens)[0], {"a": object()}), "tree of tensors"),
    ],
)
def test_what_a_model_gives_is_told_where_it_is_something_else(forward: Any, said: str) -> None:
    found = visit(Plain, forward=forward)
    assert causes(found) == ["model.contract"]
    assert said in outcome(found, "model.contract").seen


def test_a_failure_that_no_check_is_there_to_tell_is_a_crash(registry: Registry) -> None:
    def build() -> nn.Module:
        raise ValueError("no such layer")

    found = visit(build, only=["model.rows"])
    assert found.examined[0].crashed
    assert "no such layer" in found.examined[0].outcome.seen


def test_a_check_that_raises_ends_no_visit(registry: Registry) -> None:
    def leave(subject: Subject) -> Outcome:
        raise SystemExit(3)

    broken = Check(name="model.leaves", summary="leaves", examine=leave)
    subject = Subject(title="nothing", registry=registry)
    found = diagnose(subject, [broken, *QUICK_MODEL])
    assert found.examined[0].crashed
    assert {each.outcome.status for each in found.examined[1:]} == {"skip"}


def test_a_training_that_breaks_off_is_told_by_the_first_check_that_looks_at_it(
    registry: Registry,
) -> None:
    asked = []

    def look(subject: Subject) -> Outcome:
        asked.append(1)
        return Outcome.passed(f"{subject.trial.steps} updates")

    def stops_learning(logits: Tensor, targets: Tensor) -> Tensor:
        if logits.requires_grad:
            raise SystemExit("no gradient here")
        return cross_entropy(logits, targets)

    names = ("optimisation.one", "optimisation.two", "verdict.three")
    checks = [Check(name=name, summary="looks", examine=look) for name in names]
    first, *others = diagnose(subject_of(registry, loss=stops_learning), checks).examined
    assert first.crashed
    assert "no gradient here" in first.outcome.seen
    assert {each.outcome.status for each in others} == {"skip"}
    assert len(asked) == 3


def test_what_broke_is_not_tried_twice(registry: Registry) -> None:
    def model() -> nn.Module:
        raise ValueError

    subject = subject_of(registry, model=model)
    for _ in range(2):
        with pytest.raises(Unusable, match="see model") as raised:
            _ = subject.network
        assert isinstance(raised.value, Missing)
        assert isinstance(raised.value.__cause__, ValueError)
