"""Someone's own batches, models and optimizers: whatever form they have is read, or refused in a
sentence, and what is only unusual is no fault.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqzoo.doctor import examine
from seqzoo.doctor.code_batches import read_batch
from seqzoo.doctor.diagnosis import Diagnosis
from seqzoo.doctor.from_code import CodePipeline, subject_of_code
from seqzoo.doctor.network import Network, call_plainly, mean_nats
from seqzoo.doctor.recording import Prefetched, Source, record
from seqzoo.errors import UsageError
from seqzoo.registry import Registry

B, T, V = 8, 32, 62
Pair = tuple[np.ndarray, np.ndarray]

TEXT = np.random.default_rng(0).integers(V, size=20_000)


def windows(count: int | None = None, *, rows: int = B, seed: int = 0) -> Iterator[Pair]:
    """Rows from anywhere."""
    draw = np.random.default_rng(seed)
    while count is None or count > 0:
        count = None if count is None else count - 1
        starts = draw.integers(len(TEXT) - T - 1, size=(rows, 1)) + np.arange(T)
        yield TEXT[starts], TEXT[starts + 1]


class Stateless(nn.Module):
    """A token's logits from itself and the one before."""

    def __init__(self, vocab_size: int = V) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab_size, 8)
        self.head = nn.Linear(16, vocab_size)

    def forward(self, tokens: Tensor) -> Tensor:
        now = self.embed(tokens)
        return self.head(torch.cat([now, F.pad(now, (0, 0, 1, 0))[:, :-1]], -1))


class Recurrent(nn.Module):
    def __init__(self, vocab_size: int = V) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab_size, 8)
        self.rnn = nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(16, vocab_size)

    def forward(self, tokens: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        hidden, state = self.rnn(self.embed(tokens), state)
        return self.head(hidden), state


def visit(batches: Any, *, only: tuple[str, ...] = ("stream",), **further: Any) -> Diagnosis:
    return examine(batches=batches, only=only, show=False, **further)


def outcome(diagnosis: Diagnosis, name: str) -> Any:
    return {each.check.name: each.outcome for each in diagnosis.examined}[name]


def causes(diagnosis: Diagnosis) -> list[str]:
    crashed = [each.outcome.seen for each in diagnosis.examined if each.crashed]
    assert not crashed, crashed
    return [each.check.name for each in diagnosis.causes]


@pytest.fixture(autouse=True)
def _a_fast_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqzoo.doctor.subject._PAUSE_S", 0.0)


# How many rows, and how many batches


def with_a_smaller_last_batch() -> list[Pair]:
    return [*windows(9), *windows(1, rows=3, seed=1)]


def test_a_smaller_last_batch_is_no_fault_where_no_state_is_carried() -> None:
    assert causes(visit(with_a_smaller_last_batch(), carry_state=False)) == []
    assert causes(visit(with_a_smaller_last_batch(), model=Stateless())) == []
    found = visit(with_a_smaller_last_batch(), model=Recurrent())
    assert causes(found) == ["stream.contract"]
    assert "drop_last=True" in outcome(found, "stream.contract").seen


def test_training_goes_on_from_an_empty_state_where_the_rows_change() -> None:
    pipeline = CodePipeline(with_a_smaller_last_batch(), torch.optim.Adam, carry_state=True)
    trainee = pipeline.trainee(Network(Recurrent(), Recurrent), steps=10)
    for _ in range(10):
        trainee.update()
    with pytest.raises(StopIteration):
        trainee.update()


def test_a_generator_that_is_through_is_missing_and_no_fault() -> None:
    found = visit(windows(20), carry_state=False, model=Recurrent, only=("stream", "model"))
    assert causes(found) == []
    assert outcome(found, "stream.contract").seen.startswith("20 batches")
    assert outcome(found, "stream.aliasing").status == "pass"
    assert "the generator is through" in outcome(found, "model.gradients").seen
    anew = visit(lambda: windows(20), carry_state=False, model=Recurrent, only=("model.gradients",))
    assert outcome(anew, "model.gradients").status == "pass"


def test_no_batches_at_all_are_a_fault() -> None:
    found = visit(windows(0), carry_state=False)
    assert causes(found) == ["stream.contract"]
    assert "the batches end before the first" in outcome(found, "stream.contract").seen


def test_what_was_looked_at_first_is_part_of_what_is_recorded() -> None:
    pipeline = CodePipeline(windows(3), torch.optim.Adam, carry_state=False)
    recording = record(pipeline.source(), 10, pause_s=0, numbered=False)
    assert [batch.inputs.tolist() for batch in recording.batches] == [
        inputs.tolist() for inputs, _ in windows(3)
    ]


def test_windows_are_no_fault_for_a_model_without_a_state() -> None:
    assert causes(visit(windows, model=Stateless())) == []
    assert causes(visit(windows, model=Recurrent())) == ["stream.continuity"]


# Slow generators


def test_a_generator_is_asked_for_one_item_at_a_time() -> None:
    def slow() -> Iterator[Pair]:
        for pair in windows():
            time.sleep(0.02)
            yield pair

    pipeline = CodePipeline(slow(), torch.optim.Adam, carry_state=False)
    sources = [pipeline.source() for _ in range(3)]
    raised: list[BaseException] = []

    def read(source: Source) -> None:
        try:
            for _ in range(5):
                source.take()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=read, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == []


def test_a_thread_that_reads_ahead_has_ended_when_it_is_left() -> None:
    def take() -> Any:
        time.sleep(1.2)
        return next(batches)

    batches = windows()
    ahead = Prefetched(Source(take, lambda item: read_batch(item, restarts=True, known={})))
    with ahead as source:
        source.take()
    assert not ahead._thread.is_alive()


def test_a_recording_is_bounded_by_time() -> None:
    def slow() -> Iterator[Pair]:
        for pair in windows():
            time.sleep(0.05)
            yield pair

    pipeline = CodePipeline(slow, torch.optim.Adam, carry_state=False)
    began = time.perf_counter()
    recording = record(pipeline.source(), 48, pause_s=0, numbered=False, seconds=0.3)
    assert time.perf_counter() - began < 1.5  # 2.4 s for all of them
    assert 2 <= len(recording) <= 8


# What arrays may be


ONE_HOT = np.eye(V, dtype=np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, bool])
def test_one_hot_is_told_by_content_whatever_its_dtype(dtype: type) -> None:
    inputs, targets = next(windows())
    eye = np.eye(V, dtype=dtype)
    batch = read_batch((eye[inputs], eye[targets]), restarts=True, known={})
    assert batch.inputs.tolist() == inputs.tolist()
    assert batch.targets.tolist() == targets.tolist()
    mixed = read_batch((eye[inputs], targets), restarts=True, known={})
    assert mixed.targets.tolist() == targets.tolist()
    single = read_batch((eye[inputs[:, :1]], eye[targets[:, 0]]), restarts=True, known={})
    assert single.inputs.tolist() == inputs[:, :1].tolist()
    assert single.targets.tolist() == targets[:, :1].tolist()


def test_tensors_of_one_hot_rows_are_read() -> None:
    inputs, targets = (torch.from_numpy(part) for part in next(windows()))
    batch = read_batch((F.one_hot(inputs, V), targets), restarts=True, known={})
    assert torch.equal(batch.inputs, inputs)


@pytest.mark.parametrize("form", ["ids", "floats", "squeezed", "lists", "uint16"])
def test_ids_are_read_in_every_form(form: str) -> None:
    ids, _ = next(windows())
    given: Any = {
        "ids": ids,
        "floats": ids.astype(np.float32),
        "squeezed": ids[..., None],
        "lists": ids.tolist(),
        "uint16": ids.astype(np.uint16),
    }[form]
    assert read_batch((given, given), restarts=True, known={}).inputs.tolist() == ids.tolist()


def test_ids_that_look_one_hot_stay_ids_beside_others() -> None:
    marks = np.eye(T, dtype=np.int64)[:B]
    others = np.full((B, T), 5)
    assert read_batch((marks, others), restarts=True, known={}).inputs.tolist() == marks.tolist()
    assert read_batch((others, marks), restarts=True, known={}).targets.tolist() == marks.tolist()
    binary = np.array([[0, 1], [1, 0]])
    assert read_batch((binary, binary), restarts=True, known={}).inputs.tolist() == binary.tolist()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.random.default_rng(0).random((B, T, 8)), f"the inputs have the shape ({B}, {T}, 8)"),
        (np.random.default_rng(0).random((B, T)), f"the inputs ({B}, {T}) are fractions"),
        (np.zeros((2, 3, 4, 5), dtype=int), "the inputs have the shape (2, 3, 4, 5)"),
        (np.array(["a", "b"]), "the inputs are an array of <U1"),
    ],
)
def test_other_arrays_are_refused_with_what_they_are_and_what_is_expected(
    given: np.ndarray, said: str
) -> None:
    with pytest.raises(TypeError, match=re.escape(said)) as refused:
        read_batch((given, given), restarts=True, known={})
    assert "expected ids (B, T), or one-hot (B, T, V)" in str(refused.value)


def test_mappings_are_refused_with_their_keys() -> None:
    found = visit([{"input_ids": TEXT[:4], "labels": TEXT[1:5]}])
    assert causes(found) == ["stream.contract"]
    assert "'input_ids', 'labels'" in outcome(found, "stream.contract").seen


def test_one_target_for_many_inputs_is_a_classifiers() -> None:
    found = visit([(inputs, targets[:, -1]) for inputs, targets in windows(3)])
    assert causes(found) == ["stream.contract"]
    told = outcome(found, "stream.contract")
    assert f"inputs ({B}, {T}) with targets ({B},)" in told.seen
    assert "a classifier's" in told.why
    assert "and fails" not in told.why


def test_sequences_without_a_batch_axis_are_told() -> None:
    pairs = [(TEXT[k : k + T], TEXT[k + 1 : k + T + 1]) for k in range(0, 40 * T, T)]
    for carry_state in (False, True):
        found = visit(pairs, carry_state=carry_state)
        assert causes(found) == ["stream.contract"]
        assert "a batch axis is missing" in outcome(found, "stream.contract").seen


def test_a_recipe_is_spoken_of_only_where_there_is_one() -> None:
    broken = outcome(visit([3]), "stream.contract")
    assert "recipe" not in broken.remedy.lower()


# Padding


def padded() -> Iterator[Pair]:
    for inputs, targets in windows():
        targets = targets.copy()
        targets[:, -T // 4 :] = -100
        yield inputs, targets


def test_padding_is_left_out_and_told() -> None:
    found = visit(
        padded, carry_state=False, model=Recurrent, only=("stream", "model", "optimisation.overfit")
    )
    assert causes(found) == []
    assert "25.0% of the targets padding" in outcome(found, "stream.contract").seen
    assert outcome(found, "stream.targets").numbers["share_at_+1"] == 1.0
    assert outcome(found, "model.gradients").status == "pass"


def test_the_loss_is_the_mean_over_what_is_no_padding() -> None:
    subject = subject_of_code(
        model=Stateless(), batches=None, corpus=None, registry=Registry(), forward=None, loss=None,
        optimizer=None, carry_state=False,
    )  # fmt: skip
    logits, targets = torch.randn(2, 3, V), torch.randint(V, (2, 3))
    expected = mean_nats(logits[:, :2], targets[:, :2])
    for padding in (-100, -1):
        targets[:, 2] = padding
        assert subject.network.loss(logits, targets) == pytest.approx(float(expected))


# Ids and vocabulary


@pytest.mark.parametrize("model", [Stateless, Recurrent])
def test_ids_beyond_the_vocabulary_are_one_cause(model: type[nn.Module]) -> None:
    found = visit(windows, model=lambda: model(40), carry_state=False, only=(), quick=True)
    assert causes(found) == ["stream.contract"]
    assert f"ids from 0 to {V - 1} for a vocabulary of 40" in outcome(found, "stream.contract").seen


def test_the_corpus_is_not_read_as_the_ids_of_a_large_vocabulary() -> None:
    corpus = bytes((TEXT % 26 + 97).astype(np.uint8))

    def tokens(ids: np.ndarray) -> Any:
        return subject_of_code(
            model=Stateless(5_000), batches=[(ids, ids)], corpus=corpus, registry=Registry(),
            forward=None, loss=None, optimizer=None, carry_state=False,
        ).tokens  # fmt: skip

    assert bytes(tokens(np.frombuffer(corpus[:64], dtype=np.uint8).reshape(2, 32))) == corpus
    with pytest.raises(Exception, match="are not the corpus's bytes"):
        tokens(np.arange(1_000, 1_064).reshape(2, 32))


@pytest.mark.parametrize("text", ["It was the best of times. " * 500, "short\0text"])
def test_text_in_place_of_a_path_is_told_and_not_printed(text: str) -> None:
    with pytest.raises(UsageError, match=r"looks like text.*text\.encode\(\)") as told:
        examine(corpus=text, show=False)
    assert len(str(told.value)) < 250


def test_a_path_that_is_not_there_is_told_as_a_path() -> None:
    with pytest.raises(UsageError, match="No such file") as told:
        examine(corpus="nothere.txt", show=False)
    assert "text.encode" not in str(told.value)


# Optimizers


def test_an_optimizer_that_is_made_already_is_refused() -> None:
    model = Stateless()
    with pytest.raises(UsageError, match=r"Adam, made already.*lambda p: Adam\(p\)"):
        examine(model=model, optimizer=torch.optim.Adam(model.parameters()), show=False)


def test_an_optimizer_of_ones_own_model_is_told_and_its_gradients_stay() -> None:
    model = Stateless()
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 7.0)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    found = examine(
        model=model, batches=windows, carry_state=False, show=False,
        optimizer=lambda _: torch.optim.Adam(model.parameters()),
        only=["model.gradients", "optimisation"], quick=True,
    )  # fmt: skip
    assert [each.check.name for each in found.causes] == ["model.gradients"]
    assert "other parameters than those it is called with" in found.causes[0].outcome.seen
    for parameter, earlier in zip(model.parameters(), before, strict=True):
        assert parameter.grad is not None
        assert bool((parameter.grad == 7.0).all())
        assert torch.equal(parameter, earlier)


def test_gradients_are_clipped_where_training_clips_them() -> None:
    def moved(clip_norm: float | None) -> tuple[float, float]:
        torch.manual_seed(0)
        network = Network(Stateless(), Stateless, call_plainly)
        before = nn.utils.parameters_to_vector(network.module.parameters()).detach().clone()
        pipeline = CodePipeline(
            windows, lambda p: torch.optim.SGD(p, lr=1.0), carry_state=False, clip_norm=clip_norm
        )
        norm = pipeline.trainee(network, steps=1).update().gradient_norm
        after = nn.utils.parameters_to_vector(network.module.parameters()).detach()
        return norm, float((after - before).norm())

    norm, free = moved(None)
    assert free == pytest.approx(norm, rel=1e-4)
    unclipped, step = moved(norm / 4)
    assert (unclipped, step) == (pytest.approx(norm), pytest.approx(norm / 4, rel=1e-3))
    subject = subject_of_code(
        model=Stateless, batches=windows, corpus=None, registry=Registry(), forward=None, loss=None,
        optimizer=None, carry_state=False, clip_norm=0.5,
    )  # fmt: skip
    assert subject.pipeline.trainee(subject.network, steps=1).clip_norm == 0.5
