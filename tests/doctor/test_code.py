"""Batches of any iterator, fast or slow, are not a fault."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from own_batches import (
    Pair,
    Recurrent,
    Stateless,
    causes,
    outcome,
    run_doctor,
    windows,
    with_a_smaller_last_batch,
)

from seqzoo import examine
from seqzoo.doctor.evidence.network import Network
from seqzoo.doctor.evidence.recording import Prefetched, Source, record
from seqzoo.doctor.subjects.code_batches import read_batch
from seqzoo.doctor.subjects.code_pipeline import CodePipeline
from seqzoo.errors import UsageError

pytestmark = pytest.mark.usefixtures("fast_reader")


def test_a_smaller_last_batch_is_not_a_fault_if_no_state_is_carried() -> None:
    assert causes(run_doctor(with_a_smaller_last_batch(), carry_state=False)) == []
    assert causes(run_doctor(with_a_smaller_last_batch(), model=Stateless())) == []
    found = run_doctor(with_a_smaller_last_batch(), model=Recurrent())
    assert causes(found) == ["stream.contract"]
    assert "drop_last=True" in outcome(found, "stream.contract").seen


def test_training_continues_from_an_empty_state_if_the_number_of_rows_changes() -> None:
    pipeline = CodePipeline(with_a_smaller_last_batch(), torch.optim.Adam, carry_state=True)
    trainer = pipeline.trainer(Network(Recurrent(), Recurrent), steps=10)
    for _ in range(10):
        trainer.update()
    with pytest.raises(StopIteration):
        trainer.update()


def test_a_generator_that_has_ended_is_skipped_and_not_a_fault() -> None:
    found = run_doctor(windows(20), carry_state=False, model=Recurrent, only=("stream", "model"))
    assert causes(found) == []
    assert outcome(found, "stream.contract").seen.startswith("20 batches")
    assert outcome(found, "stream.aliasing").status == "pass"
    assert "the generator has ended" in outcome(found, "model.gradients").seen
    repeatable = run_doctor(
        lambda: windows(20), carry_state=False, model=Recurrent, only=("model.gradients",)
    )
    assert outcome(repeatable, "model.gradients").status == "pass"


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_torch_may_refuse_is_one_sentence(seed: int) -> None:
    with pytest.raises(UsageError, match=f"^seed is {seed}, expected a whole number from 0 to"):
        examine(model=Recurrent, seed=seed)
    assert examine(model=Recurrent, seed=2**63 - 1, quick=True, show=False).examined


def test_no_batches_at_all_are_a_fault() -> None:
    found = run_doctor(windows(0), carry_state=False)
    assert causes(found) == ["stream.contract"]
    assert "the batches end before the first" in outcome(found, "stream.contract").seen


def test_the_first_batch_is_part_of_the_recording() -> None:
    pipeline = CodePipeline(windows(3), torch.optim.Adam, carry_state=False)
    recording = record(pipeline.source(), 10, pause_s=0, numbered=False)
    assert [batch.inputs.tolist() for batch in recording.batches] == [
        inputs.tolist() for inputs, _ in windows(3)
    ]


def test_windows_are_not_a_fault_for_a_model_without_a_state() -> None:
    assert causes(run_doctor(windows, model=Stateless())) == []
    assert causes(run_doctor(windows, model=Recurrent())) == ["stream.continuity"]


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


def test_a_thread_that_reads_ahead_ends_with_its_context() -> None:
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
