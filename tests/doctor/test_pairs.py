"""A batch in any of its usual forms is the pair that its training loop makes of it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from own_batches import TEXT, B, Recurrent, T, causes, outcome, run_doctor, windows

from seqzoo.doctor.subjects.code_batches import read_batch
from seqzoo.doctor.subjects.code_pairs import pair_of

pytestmark = pytest.mark.usefixtures("fast_reader")

X, Y = next(windows(1))
ROWS = np.concatenate([X, Y[:, -1:]], axis=1)
SHORTER = np.arange(T - B, T)

FORMS: dict[str, Callable[[], Any]] = {
    "a list": lambda: [X, Y],
    "T + 1 tokens": lambda: ROWS,
    "T + 1 tokens as a tensor": lambda: torch.from_numpy(ROWS),
    "T + 1 tokens of a TensorDataset": lambda: (torch.from_numpy(ROWS),),
    "a mapping": lambda: {"input_ids": X, "labels": Y},
    "other names": lambda: {"x": X.tolist(), "y": Y.tolist()},
    "labels that equal the inputs": lambda: {"input_ids": ROWS, "labels": ROWS},
    "inputs alone": lambda: {"input_ids": ROWS, "attention_mask": np.ones_like(ROWS)},
    "an object": lambda: SimpleNamespace(input_ids=X, labels=Y),
    "full lengths": lambda: (X, Y, np.full(B, T)),
    "a full mask": lambda: (X, Y, np.ones_like(X, dtype=bool)),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_pair(form: str) -> None:
    batch = read_batch(FORMS[form](), restarts=False, known={})
    assert batch.inputs.tolist() == X.tolist()
    assert batch.targets.tolist() == Y.tolist()


@pytest.mark.parametrize(
    "item",
    [
        (X, Y, SHORTER),
        (X, SHORTER, Y),
        (X, Y, (np.arange(T) < SHORTER[:, None]).astype(int)),
        {"input_ids": X, "labels": Y, "attention_mask": np.arange(T) < SHORTER[:, None]},
    ],
)
def test_what_is_beyond_the_length_of_a_row_is_padding(item: Any) -> None:
    targets = read_batch(item, restarts=False, known={}).targets
    for row, length in enumerate(SHORTER):
        assert targets[row, :length].tolist() == Y[row, :length].tolist()
        assert bool((targets[row, length:] < 0).all())


def test_padding_of_labels_that_equal_the_inputs_stays_padding() -> None:
    labels = ROWS.copy()
    labels[:, -3:] = -100
    batch = read_batch({"input_ids": ROWS, "labels": labels}, restarts=False, known={})
    assert batch.targets[:, :-3].tolist() == Y[:, :-3].tolist()
    assert bool((batch.targets[:, -3:] == -100).all())


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ((X, Y, "names"), r"a tuple of 3 \(\(8, 32\), \(8, 32\), str\)"),
        ((X, Y, X, Y), "a tuple of 4"),
        (3, "a batch is int"),
        (X[:, :1], r"one array \(8, 1\); expected T \+ 1 tokens"),
    ],
)
def test_another_form_is_refused_with_what_it_is(item: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        pair_of(item)


@pytest.mark.parametrize("form", ["T + 1", "mapping", "lengths"])
def test_a_healthy_pipeline_in_any_form_has_no_finding(form: str) -> None:
    def batches() -> Any:
        for inputs, targets in windows():
            whole = np.concatenate([inputs, targets[:, -1:]], axis=1)
            yield {
                "T + 1": torch.from_numpy(whole),
                "mapping": {"input_ids": whole, "labels": whole},
                "lengths": (inputs, targets, np.full(B, T - 2)),
            }[form]

    found = run_doctor(
        batches, carry_state=False, model=Recurrent, only=("stream", "model"), quick=True
    )
    assert causes(found) == []
    assert outcome(found, "stream.targets").status == "pass"


def test_the_advice_for_other_batches_works_as_it_is_written() -> None:
    def batches() -> Any:
        for inputs, targets in windows():
            yield inputs, targets, "names", 5

    said = outcome(run_doctor(batches, carry_state=False), "stream.contract").seen
    assert "give ((b[0], b[1]) for b in batches)" in said
    pairs = ((b[0], b[1]) for b in batches())
    assert causes(run_doctor(itertools.islice(pairs, 400), carry_state=False)) == []
    assert len(TEXT) > T


class Items(torch.utils.data.Dataset[Any]):
    """Lists of numbers, as a data set on disk has them. names: of a mapping, None for a pair."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def __len__(self) -> int:
        return 64

    def __getitem__(self, place: int) -> Any:
        row = TEXT[place * 32 : place * 32 + 33].tolist()
        pair = (row[:-1], row[1:])
        return dict(zip(self._names, pair, strict=True)) if self._names else pair


@pytest.mark.parametrize(
    "names", [(), ("input_ids", "labels"), ("src", "tgt"), ("source", "target"), ("x", "next")]
)
def test_columns_of_a_collation_are_read_as_rows(names: tuple[str, ...]) -> None:
    item = next(iter(torch.utils.data.DataLoader(Items(*names), batch_size=8)))
    inputs, targets = (torch.as_tensor(part) for part in pair_of(item))
    assert inputs.tolist() == [TEXT[32 * row : 32 * row + 32].tolist() for row in range(8)]
    assert torch.equal(inputs[:, 1:], targets[:, :-1])


def test_rows_in_a_list_stay_rows() -> None:
    rows = [torch.as_tensor(TEXT[32 * row : 32 * row + 33]) for row in range(4)]
    inputs, targets = pair_of(([row[:-1] for row in rows], [row[1:] for row in rows]))
    assert inputs.shape == (4, 32)
    assert torch.equal(inputs[:, 1:], targets[:, :-1])


def test_what_is_suggested_for_a_mapping_of_other_names_works_as_it_is_written() -> None:
    batches = [{"aa": TEXT[:32].reshape(2, 16), "bb": TEXT[1:33].reshape(2, 16)}]
    with pytest.raises(TypeError, match="expected a pair") as refused:
        pair_of(batches[0])
    written = re.search(r"give (\(.*\))$", str(refused.value))
    assert written is not None
    inputs, targets = pair_of(next(eval(written[1])))
    assert (inputs is batches[0]["aa"], targets is batches[0]["bb"]) == (True, True)
