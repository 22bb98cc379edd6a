"""Running out of memory becomes one sentence that says what to lower and what is saved."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from commands import SMALL

import seqzoo
from seqzoo.errors import NotEnoughMemory
from seqzoo.model.memory import enough_memory, is_out_of_memory

CPU = torch.device("cpu")
FULL = "CUDA out of memory. Tried to allocate 2.00 GiB."


@pytest.mark.parametrize(
    "request_too_much",
    [
        lambda: torch.empty(2**55, dtype=torch.uint8),
        lambda: np.empty(2**55, dtype=np.uint8),
        lambda: bytearray(2**55),
    ],
)
def test_a_real_failure_of_an_allocator_is_recognised(request_too_much: Any) -> None:
    expected = pytest.raises(NotEnoughMemory, match="scoring needs more memory than cpu has")
    with expected, enough_memory("scoring", CPU, dict):
        request_too_much()


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (torch.OutOfMemoryError(FULL), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("MPS backend out of memory"), False),
        (OSError("No space left on device"), False),
    ],
)
def test_other_errors_stay_what_they_are(error: Exception, is_memory: bool) -> None:
    assert is_out_of_memory(error) == is_memory
    expected = pytest.raises(NotEnoughMemory if is_memory else type(error))
    with expected, enough_memory("training", CPU, dict):
        raise error


def test_the_settings_to_lower_are_those_above_one_at_the_moment_of_the_failure() -> None:
    sizes = {"train.batch_size": 64, "train.bptt_length": 1}

    def work() -> None:
        with enough_memory("training", CPU, lambda: sizes, saved=lambda: "nothing is saved"):
            sizes["train.batch_size"] = 32
            raise MemoryError

    with pytest.raises(NotEnoughMemory) as caught:
        work()
    assert str(caught.value) == (
        "training needs more memory than cpu has free; lower train.batch_size (32); nothing is "
        "saved."
    )


RECIPE: Mapping[str, Any] = yaml.safe_load(SMALL)


def test_a_training_that_runs_out_of_memory_names_its_sizes_and_how_to_continue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, steps = tmp_path / "my runs", itertools.count(1)
    clip = torch.nn.utils.clip_grad_norm_

    def fails(*arguments: Any) -> Any:
        if next(steps) == 15:
            raise torch.OutOfMemoryError(FULL)
        return clip(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.utils, "clip_grad_norm_", fails)
        with pytest.raises(NotEnoughMemory) as caught:
            seqzoo.run(RECIPE, root=root)
    assert str(caught.value) == (
        "training needs more memory than cpu has free; lower train.batch_size (8) or "
        "train.bptt_length (16); the run is saved up to step 10, and when memory is free, continue "
        f"with: seqzoo resume '{root / 'small'}'."
    )
    assert seqzoo.resume(root / "small").result is not None


def test_a_text_that_is_too_much_for_the_memory_is_reported_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = seqzoo.run(RECIPE, {"train.budget.steps": 2}, root=tmp_path)

    def fails(*arguments: Any, **named: Any) -> Any:
        raise torch.OutOfMemoryError(FULL)

    monkeypatch.setattr("seqzoo.runs.text.score_split", fails)
    with pytest.raises(NotEnoughMemory, match="scoring needs more memory than cpu has free"):
        run.score(b"text")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("seqzoo.runs.train.score_split", "validation needs .* lower train.validation.lanes"),
        (
            "seqzoo.scoring.splits.score_splits",
            r"lower evaluate.lanes \(2\) or evaluate.chunk_length \(",
        ),
        (
            "seqzoo.scoring.splits.score_adaptively",
            r"lower evaluate.adaptive.segment_length \(90\)",
        ),
        ("seqzoo.scoring.splits.usual_gradients", r"lower evaluate.adaptive.segment_length \(90\)"),
        (
            "seqzoo.runs.experiment.generate",
            "sampling needs more memory than cpu has free; use a smaller",
        ),
        ("torch.nn.Embedding.__init__", "^the model needs more memory"),  # in a plugin
        (
            "seqzoo.runs.experiment.new_model",
            "the model needs more memory than cpu has free; use a small",
        ),
    ],
)
def test_every_task_of_a_run_names_its_own_settings(
    name: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: Any, **named: Any) -> Any:
        raise torch.OutOfMemoryError(FULL)
        yield  # so that `generate` fails when it is read, as the real one does

    def fails_at_once(*arguments: Any, **named: Any) -> Any:
        next(fails())

    patched = fails if name.endswith(".generate") else fails_at_once
    monkeypatch.setattr(name, patched)
    changes = {
        "train.budget.steps": 2,
        "corpus.options.size_bytes": 60_000,  # two lanes of validation have a thousand bytes each
        "evaluate.adaptive": {"segment_length": 90},
        "evaluate.lanes": 2,
    }
    with pytest.raises(NotEnoughMemory, match=remedy) as caught:
        seqzoo.run(RECIPE, changes, root=tmp_path)
    assert caught.value.exit_code == 3
    has_checkpoint = any((tmp_path / "small" / "checkpoints").glob("step-2"))
    assert ("up to step 2, " in str(caught.value)) == has_checkpoint
