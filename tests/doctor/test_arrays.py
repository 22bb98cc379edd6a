"""Batches of any arrays are read, or refused with a sentence."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from own_batches import (
    TEXT,
    B,
    Recurrent,
    Stateless,
    T,
    V,
    causes,
    outcome,
    padded,
    run_doctor,
    windows,
)
from torch import nn
from torch.nn import functional as F

from seqzoo.doctor import examine
from seqzoo.doctor.evidence.network import Network, call_plainly, mean_nats
from seqzoo.doctor.subjects.code import Code, subject_of_code
from seqzoo.doctor.subjects.code_batches import read_batch
from seqzoo.doctor.subjects.code_pipeline import CodePipeline
from seqzoo.errors import UsageError
from seqzoo.plugin.registry import Registry

pytestmark = pytest.mark.usefixtures("fast_reader")


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, bool])
def test_one_hot_is_recognised_by_content_for_any_dtype(dtype: type) -> None:
    inputs, targets = next(windows())
    eye: np.ndarray = np.eye(V, dtype=dtype)
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


def test_ids_that_look_one_hot_stay_ids_if_the_other_array_has_ids() -> None:
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


def test_mappings_of_other_names_are_refused_with_their_keys() -> None:
    found = run_doctor([{"ids_of": TEXT[:4], "next_ones": TEXT[1:5]}])
    assert causes(found) == ["stream.contract"]
    assert "'ids_of', 'next_ones'" in outcome(found, "stream.contract").seen


def test_one_target_for_many_inputs_is_a_classifiers() -> None:
    found = run_doctor([(inputs, targets[:, -1]) for inputs, targets in windows(3)])
    assert causes(found) == ["stream.contract"]
    reported = outcome(found, "stream.contract")
    assert f"inputs ({B}, {T}) with targets ({B},)" in reported.seen
    assert "a classifier's" in reported.why
    assert "and fails" not in reported.why


def test_sequences_without_a_batch_axis_are_reported() -> None:
    pairs = [(TEXT[k : k + T], TEXT[k + 1 : k + T + 1]) for k in range(0, 40 * T, T)]
    for carry_state in (False, True):
        found = run_doctor(pairs, carry_state=carry_state)
        assert causes(found) == ["stream.contract"]
        assert "a batch axis is missing" in outcome(found, "stream.contract").seen


def test_a_recipe_is_mentioned_only_if_there_is_one() -> None:
    broken = outcome(run_doctor([3]), "stream.contract")
    assert "recipe" not in broken.remedy.lower()


def test_padding_is_left_out_and_reported() -> None:
    found = run_doctor(
        padded, carry_state=False, model=Recurrent, only=("stream", "model", "optimisation.overfit")
    )
    assert causes(found) == []
    assert "25.0% of the targets padding" in outcome(found, "stream.contract").seen
    assert outcome(found, "stream.targets").numbers["share_at_+1"] == 1.0
    assert outcome(found, "model.gradients").status == "pass"


def test_the_loss_is_the_mean_without_padding() -> None:
    subject = subject_of_code(Code(model=Stateless()), Registry())
    logits, targets = torch.randn(2, 3, V), torch.randint(V, (2, 3))
    expected = mean_nats(logits[:, :2], targets[:, :2])
    for padding in (-100, -1):
        targets[:, 2] = padding
        assert subject.network.loss(logits, targets) == pytest.approx(float(expected))


@pytest.mark.parametrize("model", [Stateless, Recurrent])
def test_ids_outside_the_vocabulary_are_one_cause(model: type[nn.Module]) -> None:
    found = run_doctor(windows, model=lambda: model(40), carry_state=False, only=(), quick=True)
    assert causes(found) == ["stream.contract"]
    assert f"ids from 0 to {V - 1} for a vocabulary of 40" in outcome(found, "stream.contract").seen


def test_the_corpus_is_not_read_as_the_ids_of_a_large_vocabulary() -> None:
    corpus = bytes((TEXT % 26 + 97).astype(np.uint8))

    def tokens(ids: np.ndarray) -> Any:
        code = Code(model=Stateless(5_000), batches=[(ids, ids)], corpus=corpus)
        return subject_of_code(code, Registry()).tokens

    assert bytes(tokens(np.frombuffer(corpus[:64], dtype=np.uint8).reshape(2, 32))) == corpus
    with pytest.raises(Exception, match="are not the corpus's bytes"):
        tokens(np.arange(1_000, 1_064).reshape(2, 32))


@pytest.mark.parametrize("text", ["It was the best of times. " * 500, "short\0text"])
def test_text_instead_of_a_path_is_reported_and_not_printed(text: str) -> None:
    with pytest.raises(UsageError, match=r"looks like text.*text\.encode\(\)") as reported:
        examine(corpus=text, show=False)
    assert len(str(reported.value)) < 250


def test_a_path_that_does_not_exist_is_reported_as_a_path() -> None:
    with pytest.raises(UsageError, match="No such file") as reported:
        examine(corpus="nothere.txt", show=False)
    assert "text.encode" not in str(reported.value)


def test_an_optimizer_that_is_already_built_is_refused() -> None:
    model = Stateless()
    optimizer: Any = torch.optim.Adam(model.parameters())
    with pytest.raises(UsageError, match=r"Adam, already built.*lambda p: Adam\(p\)"):
        examine(model=model, optimizer=optimizer, show=False)


def test_an_optimizer_of_the_users_model_is_reported_and_gradients_stay() -> None:
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
    assert "the doctor trains a copy" in found.causes[0].outcome.seen
    for parameter, earlier in zip(model.parameters(), before, strict=True):
        assert parameter.grad is not None
        assert bool((parameter.grad == 7.0).all())
        assert torch.equal(parameter, earlier)


def test_gradients_are_clipped_if_training_clips_them() -> None:
    def moved(clip_norm: float | None) -> tuple[float, float]:
        torch.manual_seed(0)
        network = Network(Stateless(), Stateless, call_plainly)
        before = nn.utils.parameters_to_vector(network.module.parameters()).detach().clone()
        pipeline = CodePipeline(
            windows, lambda p: torch.optim.SGD(p, lr=1.0), carry_state=False, clip_norm=clip_norm
        )
        norm = pipeline.trainer(network, steps=1).update().gradient_norm
        after = nn.utils.parameters_to_vector(network.module.parameters()).detach()
        return norm, float((after - before).norm())

    norm, free = moved(None)
    assert free == pytest.approx(norm, rel=1e-4)
    unclipped, step = moved(norm / 4)
    assert unclipped == pytest.approx(norm)
    assert step == pytest.approx(norm / 4, rel=1e-3)
    subject = subject_of_code(Code(model=Stateless, batches=windows, clip_norm=0.5), Registry())
    assert subject.pipeline.trainer(subject.network, steps=1).clip_norm == 0.5
