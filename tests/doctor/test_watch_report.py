"""What the report of a watched loop contains, and what other reports do not."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from healthy_loops import HEALTHY
from own_batches import Recurrent as Own
from own_batches import windows as own_windows
from rich.console import Console
from watched_loops import Attention, Recurrent, V, adam, detached, lanes, loss_of, windows

import seqzoo
import seqzoo.doctor.subjects.loop
from seqzoo.doctor.diagnosis import Diagnosis
from seqzoo.doctor.evidence.missing import Missing
from seqzoo.doctor.report.text import print_diagnosis
from seqzoo.doctor.watching.batches import watched_batches
from seqzoo.doctor.watching.recorder import LOOKED_AT
from seqzoo.errors import UsageError


def printed(diagnosis: Diagnosis) -> str:
    console = Console(file=io.StringIO(), width=200)
    print_diagnosis(diagnosis, console)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_a_report_without_a_loop_has_no_line_about_loops() -> None:
    found = seqzoo.examine(model=Own, batches=own_windows, quick=True, show=False)
    skipped = [each for each in found.examined if each.check.group == "loop"]
    assert {each.outcome.seen for each in skipped} == {"no training loop was watched"}
    assert "loop.gradients" not in printed(found)
    others = sum(each.outcome.status == "skip" for each in found.examined) - len(skipped)
    assert f"{others} skipped" in printed(found)
    alone = seqzoo.examine(model=Own, only=("loop",), show=False)
    assert "checks of loop: no training loop was watched" in printed(alone)
    assert "nothing was examined" in printed(alone)


def test_the_report_is_printed_when_the_block_ends(capsys: pytest.CaptureFixture[str]) -> None:
    model = Attention()
    optimizer = adam(model)
    with seqzoo.doctor.watch(model, optimizer, only=("loop",)) as visit:
        for x, y in windows(3):
            loss_of(model(x), y).backward()
            optimizer.step()
        assert capsys.readouterr().out == ""
    shown = " ".join(capsys.readouterr().out.split())
    assert "fix first: loop.gradients" in shown
    assert printed(visit.diagnosis).count("loop.gradients") == 3


def test_what_the_loop_read_is_what_the_checks_of_streams_look_at() -> None:
    model = Recurrent()
    optimizer, state = adam(model), None
    given = []
    with seqzoo.watch(model, optimizer, show=False) as visit:
        for x, y in lanes():
            given.append((x, y))
            optimizer.zero_grad()
            logits, state = model(x, state)
            state = detached(state)
            loss_of(logits, y).backward()
            optimizer.step()
    batches = watched_batches(visit, carry_state=None)
    assert batches.is_carried
    assert not batches.is_time_first
    for (x, y), each in zip(given, batches.batches, strict=True):
        assert torch.equal(each.inputs, x)
        assert torch.equal(each.targets, y)


@pytest.mark.parametrize("name", ["time_first", "token_by_token", "classes_second", "one_hot"])
def test_batches_are_rows_of_time_in_any_layout(name: str) -> None:
    visits = []

    def watching(model: Any, optimizer: Any = None) -> Any:
        context = seqzoo.watch(model, optimizer, show=False, only=("loop",))
        visit = context.__enter__()
        visits.append(visit)

        class Ended:
            def __enter__(self) -> None: ...

            def __exit__(self, *error: Any) -> Any:
                return context.__exit__(*error)

        return Ended()

    HEALTHY[name](watching)
    batches = watched_batches(visits[0], carry_state=None).batches
    for (x, y), each in zip(windows(len(batches)), batches, strict=True):
        assert torch.equal(each.inputs, x)
        assert torch.equal(each.targets, y)


def test_after_its_first_steps_the_watch_only_counts() -> None:
    model = Attention()
    optimizer = adam(model)
    with seqzoo.watch(model, optimizer, show=False, only=("loop",)) as visit:
        for x, y in windows(LOOKED_AT + 20):
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
    assert (visit.steps_seen, visit.forwards_seen) == (LOOKED_AT + 20, LOOKED_AT + 20)
    assert len(visit.steps) == len(visit.forwards) == len(visit.backwards) == LOOKED_AT


def test_evaluation_in_training_mode_is_found_long_after_the_first_steps() -> None:
    model = Attention()
    optimizer = adam(model)
    with seqzoo.watch(model, optimizer, show=False, only=("loop",)) as visit:
        for x, y in windows(LOOKED_AT + 5):
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
        with torch.no_grad():
            for x, _ in windows(3):
                model(x)
    assert [each.check.name for each in visit.diagnosis.causes] == ["loop.modes"]


def test_the_text_of_ones_own_function_is_judged() -> None:
    model = Attention()
    optimizer = adam(model)

    def greedy(_: torch.nn.Module, prompt: list[int], length: int) -> list[int]:
        return prompt[-1:] * length

    def drawn(_: torch.nn.Module, prompt: list[int], length: int) -> torch.Tensor:
        return torch.randint(V, (length,), generator=torch.Generator().manual_seed(0))

    for generate, status in ((greedy, "fail"), (drawn, "pass")):
        with seqzoo.watch(
            model, optimizer, show=False, only=("decoding.loop",), generate=generate
        ) as visit:
            for x, y in windows(3):
                optimizer.zero_grad()
                loss_of(model(x), y).backward()
                optimizer.step()
        (found,) = visit.diagnosis.examined
        assert found.outcome.status == status, found.outcome.seen


def test_a_corpus_that_cannot_be_read_is_said_before_the_loop() -> None:
    began = False
    with (
        pytest.raises(UsageError, match="cannot be read"),
        seqzoo.watch(Attention(), corpus="no such file", show=False),
    ):
        began = True
    assert not began


def test_a_report_that_fails_does_not_end_the_script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("no report today")

    monkeypatch.setattr("seqzoo.doctor.watching.watch.diagnose", fails)
    model = Attention()
    with seqzoo.watch(model, adam(model), show=False) as visit:
        pass
    assert "no report today" in capsys.readouterr().err
    with pytest.raises(RuntimeError, match="no report"):
        _ = visit.diagnosis


def test_batches_that_cannot_be_joined_are_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def missing(*_: Any, **__: Any) -> None:
        calls.append(1)
        raise Missing("they cannot be joined")

    monkeypatch.setattr(seqzoo.doctor.subjects.loop, "watched_batches", missing)
    model = Attention()
    optimizer = adam(model)
    with seqzoo.watch(model, optimizer, show=False) as visit:
        for x, y in windows(3):
            loss_of(model(x), y).backward()
            optimizer.step()
    skipped = [
        each.check.name for each in visit.diagnosis.examined if "joined" in each.outcome.seen
    ]
    assert len(skipped) > 5
    assert calls == [1]


def test_checks_of_recipes_are_counted_and_not_listed() -> None:
    model = Attention()
    optimizer = adam(model)
    with seqzoo.watch(model, optimizer, show=False) as visit:
        for x, y in windows(3):
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
    shown = printed(visit.diagnosis)
    reasons = ("there is no recipe", "there is no run yet", "there is no tokenizer")
    left_out = [each for each in visit.diagnosis.examined if each.outcome.seen.startswith(reasons)]
    assert len(left_out) > 5
    assert not any(each.check.name in shown for each in left_out)
    assert f"{len(left_out)} others" in shown
    lines = [line for line in shown.splitlines() if line.startswith(("pass", "warn", "skip"))]
    assert len(lines) == len(visit.diagnosis.examined) - len(left_out) + 1
    assert "stream.text" in shown  # a corpus can be given
    alone = seqzoo.examine(model=Attention(), only="stream.stable_ids", show=False)
    assert "there is no recipe" in printed(alone)


def test_a_model_that_cannot_be_called_is_not_said_to_be_healthy() -> None:
    class WithMore(Recurrent):
        def forward(self, tokens: Any, more: Any) -> Any:  # type: ignore[override]
            return super().forward(tokens)[0] * more.mean()

    model = WithMore()
    optimizer = adam(model)
    with seqzoo.watch(model, optimizer, show=False) as visit:
        for x, y in windows(30):
            optimizer.zero_grad()
            loss_of(model(x, torch.ones(3)), y).backward()
            optimizer.step()
    text = printed(visit.diagnosis)
    assert visit.diagnosis.is_healthy
    assert "nothing is wrong, but the model was not examined" in text
    assert text.count("give watch(forward=...)") == 1
    assert "of model, memory, optimisation, verdict, decoding: the doctor cannot call" in text
