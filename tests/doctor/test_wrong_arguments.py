"""Arguments of the wrong kind are refused at once, by `examine` and by `watch`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from watched_loops import Attention, adam

import seqzoo
from seqzoo.errors import UsageError

BOTH: list[tuple[str, Any]] = [
    ("optimizer", "adam"),
    ("generate", 3),
    ("batches", 5),
    ("batches", "input.txt"),
    ("forward", "x"),
    ("seed", "a"),
    ("seed", -1),
    ("carry_state", "yes"),
    ("quick", "no"),
    ("show", 2),
    ("only", 7),
    ("only", [3]),
    ("corpus", 5),
    ("model", "lstm"),
]


def refused(call: Any) -> str:
    with pytest.raises(UsageError) as raised:
        call()
    said = str(raised.value)
    assert said.count(".\n") == 0
    assert said.endswith(".")
    return said


@pytest.mark.parametrize(("name", "value"), BOTH)
def test_both_refuse_what_they_cannot_use(name: str, value: Any) -> None:
    given: dict[str, Any] = {"model": Attention(), name: value}
    for call in (
        lambda: seqzoo.examine(**given),
        lambda: seqzoo.watch(**given).__enter__(),
    ):
        assert name in refused(call).partition(";")[0].partition(" is ")[0]


@pytest.mark.parametrize("name", ["corpus", "held_out"])
def test_ids_that_are_no_bytes_are_refused_with_what_to_do(name: str) -> None:
    given: dict[str, Any] = {"corpus": b"some text of bytes", name: np.arange(300)}
    said = refused(lambda: seqzoo.examine(**given))
    assert "int64" in said
    assert "astype('uint8') if all are below 256, or leave out corpus=" in said


@pytest.mark.parametrize(
    "value",
    ["adam", torch.optim.Adam, 0.1, [], torch.nn.Linear(2, 2), torch.nn.Linear(2, 2).parameters()],
)
def test_a_loop_has_an_optimizer_object(value: Any) -> None:
    said = refused(lambda: seqzoo.watch(Attention(), value).__enter__())
    assert said.startswith("optimizer is ")
    assert "or leave it out" in said


@pytest.mark.parametrize(("name", "value"), [("loss", 1.5), ("clip_norm", "1"), ("clip_norm", 0)])
def test_an_examination_refuses_a_loss_or_limit_of_the_wrong_kind(name: str, value: Any) -> None:
    assert name in refused(lambda: seqzoo.examine(model=Attention(), **{name: value}))


def test_what_is_refused_does_not_block_the_next_watch() -> None:
    model = Attention()
    refused(lambda: seqzoo.watch(model, adam(model), generate=3).__enter__())  # type: ignore[arg-type]
    with seqzoo.watch(model, adam(model), show=False, only="loop.memory") as visit:
        pass
    assert [each.check.name for each in visit.diagnosis.examined] == ["loop.memory"]


def test_one_name_of_a_check_needs_no_list() -> None:
    found = seqzoo.examine(model=Attention(), only="model.contract", show=False)
    assert [each.check.name for each in found.examined] == ["model.contract"]
