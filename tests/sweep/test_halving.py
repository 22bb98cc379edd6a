"""Halving: a member that stops early was worse by more than noise, in any order of ends."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from commands import SMALL, seqzoo
from hypothesis import given
from hypothesis import strategies as st

from seqzoo.errors import UsageError
from seqzoo.sweep.asha import Halving
from seqzoo.sweep.halving import AshaSection, Stretch, next_stretch, pauses
from seqzoo.sweep.process import MemberState

STEPS, EVERY = 90, 10


class FakeRun:
    """A member whose validations are known before it is trained."""

    def __init__(self, name: str, scores: dict[int, float]) -> None:
        self.name = name
        self.scores = scores
        self.validations: dict[int, float] = {}
        self.state = MemberState.WAITING
        self.pause_at: int | None = None
        self.latest: dict[str, int] = {}
        train = SimpleNamespace(
            budget=SimpleNamespace(steps=STEPS), validation=SimpleNamespace(every_steps=EVERY)
        )
        self.recipe = SimpleNamespace(train=train)

    def run_on(self) -> None:
        """Its metrics have the validation that is wanted, and its job still runs."""
        end = self.pause_at or STEPS
        self.validations |= {step: bits for step, bits in self.scores.items() if step <= end}
        self.latest = {"step": end}
        self.state = MemberState.STOPPING

    def end(self) -> None:
        """The job ends."""
        self.state = MemberState.PAUSED if self.pause_at else MemberState.FINISHED

    @property
    def is_finished(self) -> bool:
        return self.state is MemberState.FINISHED

    def final_validation(self) -> float:
        return self.validations[STEPS]

    def drop(self) -> None:
        assert self.state not in (MemberState.RUNNING, MemberState.STOPPING)
        if not self.is_finished and self.state is not MemberState.FAILED:
            self.state = MemberState.DROPPED


def curves(count: int, seed: int) -> list[dict[int, float]]:
    """Curves that fall to a level of their own, with a little noise."""
    draw = random.Random(seed)
    levels = [draw.uniform(2, 3) for _ in range(count)]
    return [
        {
            step: level + 2 * math.exp(-step / 30) + draw.gauss(0, 0.01)
            for step in range(EVERY, STEPS + 1, EVERY)
        }
        for level in levels
    ]


def members(scores: list[dict[int, float]]) -> list[FakeRun]:
    return [FakeRun(f"member_{number}", each) for number, each in enumerate(scores)]


def work(
    plan: Halving,
    runs: list[FakeRun],
    *,
    jobs: int,
    choose: Callable[[list[FakeRun]], FakeRun],
    most: int | None = None,
) -> list[FakeRun]:
    """Train what the plan says, `jobs` at a time; `choose` says which of them ends next."""
    running: list[FakeRun] = []
    order: list[FakeRun] = []

    def fill() -> None:
        while len(running) < jobs and (found := plan.next()) is not None:
            run: Any = found
            assert run.state is MemberState.WAITING
            assert run not in running  # a member has one job at a time
            run.state = MemberState.RUNNING
            running.append(run)
            order.append(run)

    while most is None or len(order) < most:
        fill()
        if not running:
            break
        for run in running:
            run.run_on()
        fill()  # while jobs run whose scores are in their metrics already
        ended = choose(running)
        ended.end()
        running.remove(ended)
    return order


def halving(runs: list[FakeRun], folder: Path, *, jobs: int, **section: Any) -> Halving:
    return Halving(
        runs,  # type: ignore[arg-type]
        AshaSection(**section),
        folder / "decisions.json",
        jobs=jobs,
    )


def decided(folder: Path) -> list[list[int]]:
    return json.loads((folder / "decisions.json").read_text())["decisions"]


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_decisions_do_not_depend_on_which_job_ends_first(tmp_path: Path, jobs: int) -> None:
    orders = []
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        runs = members(curves(20, 1))
        draw = random.Random(number)
        work(halving(runs, folder, jobs=jobs), runs, jobs=jobs, choose=draw.choice)
        orders.append(decided(folder))
    assert orders.count(orders[0]) == 6


@pytest.mark.parametrize("most", [1, 7, 15, 25])
def test_decisions_are_the_same_after_a_kill(tmp_path: Path, most: int) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    runs = members(curves(20, 2))
    work(halving(runs, whole, jobs=3), runs, jobs=3, choose=lambda running: running[0])
    before = members(curves(20, 2))
    plan = halving(before, broken, jobs=3)
    work(plan, before, jobs=3, choose=lambda running: running[-1], most=most)
    after = members(curves(20, 2))  # a new process knows what the folders say
    for old, new in zip(before, after, strict=True):
        new.validations, new.latest = dict(old.validations), dict(old.latest)
        new.state = MemberState.FINISHED if old.is_finished else MemberState.WAITING
    # The number of jobs is that of the first start, whatever the second one says.
    plan = halving(after, broken, jobs=1)
    work(plan, after, jobs=2, choose=lambda running: running[0])
    assert decided(broken) == decided(whole)
    assert [run.state for run in after] == [run.state for run in runs]


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("jobs", [1, 4])
def test_nobody_stops_early_within_the_noise_of_one_that_continued(
    tmp_path: Path, noise: float, jobs: int
) -> None:
    runs = members(curves(30, 3))
    plan = halving(runs, tmp_path, jobs=jobs, noise=noise)
    work(plan, runs, jobs=jobs, choose=lambda running: running[0])
    for rung in (10, 30):
        reached = sorted(run.validations[rung] for run in runs if rung in run.validations)
        cut = reached[max(1, len(reached) // 3) - 1] + noise
        further = {10: 30, 30: 90}[rung]
        for run in runs:
            if run.validations.get(rung, math.inf) <= cut:
                assert further in run.validations
    assert sum(run.is_finished for run in runs) >= 1
    assert {run.state for run in runs} == {MemberState.FINISHED, MemberState.DROPPED}


def test_most_of_the_updates_are_saved_and_the_best_is_found(tmp_path: Path) -> None:
    runs = members(curves(27, 4))
    plan = halving(runs, tmp_path, jobs=2)
    work(plan, runs, jobs=2, choose=lambda running: running[0])
    best = min(runs, key=lambda run: run.scores[STEPS])
    assert best.is_finished
    trained = sum(run.latest["step"] for run in runs)
    assert trained < 0.45 * STEPS * len(runs)
    (sentence,) = plan.summary()
    assert f"with {trained / (STEPS * len(runs)):.0%} of the updates" in sentence


def test_a_member_counts_as_its_best_validation_so_far(tmp_path: Path) -> None:
    scores = curves(9, 6)
    best = min(scores, key=lambda each: each[STEPS])
    best[20], best[30] = best[STEPS], 9.0  # it stumbles where it is compared
    runs = members(scores)
    work(halving(runs, tmp_path, jobs=1), runs, jobs=1, choose=lambda running: running[0])
    assert [run.scores for run in runs if run.is_finished] == [best]


def test_a_member_that_failed_does_not_continue(tmp_path: Path) -> None:
    runs = members(curves(9, 5))
    best = min(runs, key=lambda run: run.scores[10])
    best.run_on = lambda: None  # type: ignore[method-assign]
    best.end = lambda: setattr(best, "state", MemberState.FAILED)  # type: ignore[method-assign]
    order = work(halving(runs, tmp_path, jobs=1), runs, jobs=1, choose=lambda running: running[0])
    assert order.count(best) == 1
    assert any(run.is_finished for run in runs)


def test_where_the_best_one_fails_late_the_next_best_is_trained_to_its_end(tmp_path: Path) -> None:
    runs = members(curves(3, 8))
    ranked = sorted(runs, key=lambda run: run.scores[10])

    def end_or_fail(run: FakeRun) -> None:
        run.state = MemberState.PAUSED if run.pause_at else MemberState.FAILED

    ranked[0].end = lambda: end_or_fail(ranked[0])  # type: ignore[method-assign]
    plan = halving(runs, tmp_path, jobs=2, noise=0.0)
    work(plan, runs, jobs=2, choose=lambda running: running[-1])
    assert ranked[1].is_finished
    candidates: list[Any] = list(plan.candidates())
    assert candidates == [ranked[1]]
    assert plan.is_over()


def test_a_member_that_ended_before_it_could_pause_is_no_candidate(tmp_path: Path) -> None:
    runs = members(curves(9, 7))
    worst = max(runs, key=lambda run: run.scores[10])
    finish = lambda: setattr(worst, "state", MemberState.FINISHED)  # noqa: E731
    worst.end = finish  # type: ignore[method-assign]
    plan = halving(runs, tmp_path, jobs=3, noise=0.0)
    work(plan, runs, jobs=3, choose=lambda running: running[0])
    assert worst.is_finished
    candidates: list[Any] = list(plan.candidates())
    assert candidates
    assert worst not in candidates


def test_a_budget_that_ends_before_a_pause_does_not_stall_the_others(tmp_path: Path) -> None:
    runs = members(curves(9, 9))
    short = runs[0]
    short.run_on = lambda: setattr(short, "validations", {STEPS: 2.5})  # type: ignore[method-assign]
    short.end = lambda: setattr(short, "state", MemberState.FINISHED)  # type: ignore[method-assign]
    plan = halving(runs, tmp_path, jobs=2)
    work(plan, runs, jobs=2, choose=lambda running: running[0])
    assert plan.is_over()
    assert {run.state for run in runs} <= {MemberState.FINISHED, MemberState.DROPPED}


def test_a_search_that_grows_keeps_its_decisions(tmp_path: Path) -> None:
    few = members(curves(20, 1)[:9])
    work(halving(few, tmp_path, jobs=1), few, jobs=1, choose=lambda running: running[0])
    before = decided(tmp_path)
    more = members(curves(20, 1))
    for old, new in zip(few, more, strict=False):
        new.validations, new.latest = dict(old.validations), dict(old.latest)
        new.state = MemberState.FINISHED if old.is_finished else MemberState.WAITING
    plan = halving(more, tmp_path, jobs=1)
    work(plan, more, jobs=1, choose=lambda running: running[0])
    assert decided(tmp_path)[: len(before)] == before
    assert all(run.validations for run in more)
    assert plan.is_over()


@given(
    st.integers(2, 4),
    st.lists(st.floats(1, 4).map(lambda bits: round(bits, 3)), min_size=1, max_size=30),
)
def test_a_promotion_is_that_of_the_paper(factor: int, scores: list[float]) -> None:
    """Algorithm 2 of Li et al., written from the other side: by counting who is better."""
    section = AshaSection(factor=factor, rungs=1, noise=0.0)
    known = {Stretch(member, 0): bits for member, bits in enumerate(scores)}
    found = next_stretch(section, len(scores), known, set(known), rungs=1)
    promotable = [
        member
        for member, bits in enumerate(scores)
        if sum(other < bits for other in scores) < len(scores) // factor
    ]
    if found is None:
        assert promotable == []
    else:
        assert found.rung == 1
        assert found.member in promotable
        assert scores[found.member] == min(scores)


@pytest.mark.parametrize(
    ("steps", "every", "rungs", "wanted"),
    [(90, 10, 2, (10, 30)), (2400, 300, 1, (900,)), (1000, 250, 1, (250,)), (90, 45, 2, (45,))],
)
def test_members_pause_at_validations(
    steps: int, every: int, rungs: int, wanted: tuple[int, ...]
) -> None:
    assert pauses(AshaSection(rungs=rungs), steps=steps, every_steps=every) == wanted


def test_decisions_of_another_search_or_damaged_ones_are_refused(tmp_path: Path) -> None:
    runs = members(curves(9, 6))
    work(halving(runs, tmp_path, jobs=1), runs, jobs=1, choose=lambda running: running[0])
    other = members(curves(9, 6))
    other[0].name = "other"
    for unlike in (members(curves(8, 6)), other):
        with pytest.raises(UsageError, match="decisions of another search"):
            halving(unlike, tmp_path, jobs=1)
    with pytest.raises(UsageError, match="decisions of another search"):
        halving(runs, tmp_path, jobs=1, noise=0.5)
    (tmp_path / "decisions.json").write_text("{")
    with pytest.raises(UsageError, match="is damaged"):
        halving(runs, tmp_path, jobs=1)


GRID = """\
name: halved
recipes: [small.yaml]
set:
  train.budget.steps: 450
  train.validation.every_steps: 50
  train.checkpoint.every_steps: 25
grid: {train.optimizer.learning_rate: [0.0001, 0.01, 0.001]}
asha: {factor: 3, rungs: 2, noise: 0}
finalists: 1
seeds: [1, 2]
"""


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_sweep_that_halves_trains_the_best_to_the_bits_of_a_run_without_a_stop(
    tmp_path: Path, jobs: str
) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "grid.yaml").write_text(GRID)
    done = seqzoo("sweep", "grid.yaml", "--jobs", jobs, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    runs = tmp_path / "runs" / "halved"
    best = "small-learning_rate_0.01-seed"
    finished = sorted(path.parent.name for path in runs.glob("*/result.json"))
    assert finished == [f"{best}_1", f"{best}_2"]
    assert "pauses after step 50" in done.stderr
    assert "1 of 3 members were trained to their end" in done.stderr
    assert f"{best}_1: validation" in done.stderr
    assert "over 2 seeds" in done.stderr
    assert not (runs / "small-learning_rate_0.001-seed_2").exists()

    overrides = [
        "train.budget.steps=450",
        "train.validation.every_steps=50",
        "train.checkpoint.every_steps=25",
        "train.optimizer.learning_rate=0.01",
        "train.seed=1",
    ]
    done = seqzoo("run", "small.yaml", "--name", "unbroken", *overrides, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    ours, theirs = (
        json.loads((run / "result.json").read_text())
        for run in (runs / f"{best}_1", tmp_path / "runs" / "unbroken")
    )
    assert ours["weights_sha256"] == theirs["weights_sha256"]

    before = (runs / "decisions.json").read_bytes()
    again = seqzoo("sweep", "grid.yaml", folder=tmp_path)
    assert again.returncode == 0, again.stderr
    assert " starts" not in again.stderr
    assert "continues" not in again.stderr
    assert "over 2 seeds" in again.stderr
    assert (runs / "decisions.json").read_bytes() == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ("train.validation.every_steps: 50", "too few for 2 rungs; set train.validation.every"),
        ("train.budget.steps: 450", "so it needs train.budget.steps"),
    ],
)
def test_asha_without_validations_to_compare_is_one_sentence(
    tmp_path: Path, changed: str, message: str
) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    other = {
        "train.validation.every_steps: 50": "train.validation.every_steps: 400",
        "train.budget.steps: 450": "train.budget: {seconds: 5}",
    }[changed]
    (tmp_path / "grid.yaml").write_text(GRID.replace(changed, other))
    done = seqzoo("sweep", "grid.yaml", folder=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
