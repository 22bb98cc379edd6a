"""The watch changes no bit of a training, raises nothing into it, and leaves nothing behind."""

from __future__ import annotations

import copy
import gc
import hashlib
import io
import pickle
import subprocess
import sys
import threading
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from healthy_loops import HEALTHY
from torch import nn
from torch.nn import functional as F
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks
from watched_loops import LOSSES, Attention, V, adam, loss_of, windows

import seqzoo
from seqzoo.doctor.watching.recorder import Recorder
from seqzoo.errors import UsageError


def fingerprint(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    for parameter in model.parameters():
        gradient = parameter.grad
        if gradient is not None:
            digest.update(gradient.to_dense().contiguous().numpy().tobytes())
    digest.update(torch.get_rng_state().numpy().tobytes())
    digest.update(repr(LOSSES).encode() + repr(model.training).encode())
    return digest.hexdigest()


def watching(model: Any, optimizer: Any = None) -> Any:
    return seqzoo.watch(model, optimizer, show=False, only=("loop", "stream", "model"))


# Each kind of loop is watched in test_watch.py as well; a third of them are compared every time.
_COMPARED = [
    pytest.param(name, marks=[pytest.mark.slow] * (place % 3 > 0))
    for place, name in enumerate(HEALTHY)
]


@pytest.mark.parametrize("name", _COMPARED)
def test_no_bit_of_a_training_is_changed(name: str) -> None:
    found = []
    for context in (lambda *_: nullcontext(), watching):
        LOSSES.clear()
        torch.manual_seed(0)
        model = HEALTHY[name](context)
        assert model is not None
        found.append(fingerprint(model))
    assert found[0] == found[1]


def patched() -> list[Any]:
    return [
        torch.autograd.backward,
        nn.Module.__call__,
        torch.nn.utils.clip_grad._clip_grads_with_norm_,
        torch.amp.grad_scaler.GradScaler.scale,
        torch.optim.lr_scheduler.LRScheduler.step,
        torch.optim.lr_scheduler.ReduceLROnPlateau.step,
        "__call__" in vars(Attention),
        len(_global_optimizer_pre_hooks) + len(_global_optimizer_post_hooks),
    ]


def one_step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    x, y = next(windows())
    optimizer.zero_grad()
    loss_of(model(x), y).backward()
    optimizer.step()


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), SystemExit(3)])
def test_an_exception_of_the_loop_is_reported_and_raised_unchanged(error: BaseException) -> None:
    before, model = patched(), Attention()
    optimizer = adam(model)
    raised: BaseException | None = None
    try:
        with watching(model, optimizer) as visit:
            one_step(model, optimizer)
            raise error
    except BaseException as caught:
        raised = caught
    assert raised is error
    assert patched() == before
    (found,) = [e for e in visit.diagnosis.examined if e.check.name == "loop.exception"]
    assert found.outcome.status == ("fail" if isinstance(error, ValueError) else "pass")
    assert "after 1 steps" in found.outcome.seen


@pytest.mark.parametrize(
    "method",
    ["forward_begins", "forward_ends", "backward_begins", "backward_ends", "step_begins",
     "step_ends", "clipped"],
)  # fmt: skip
def test_an_error_inside_the_watch_does_not_reach_the_loop(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(Recorder, method, fail)
    before, model = patched(), Attention()
    optimizer = adam(model)
    with watching(model, optimizer) as visit:
        for _ in range(3):
            one_step(model, optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    assert patched() == before
    assert len(visit.errors) == 1
    assert "ZeroDivisionError: ours" in visit.errors[0]
    assert not any(each.crashed for each in visit.diagnosis.examined)
    (found,) = [e for e in visit.diagnosis.examined if e.check.name == "loop.exception"]
    assert "the watch itself had an error: ZeroDivisionError" in found.outcome.seen


def test_a_second_watch_is_refused_and_the_first_continues() -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer) as visit:
        with pytest.raises(UsageError, match="a loop is already watched"), watching(model):
            pass
        one_step(model, optimizer)
    assert visit.steps_seen == 1
    with watching(model, optimizer):
        pass


def test_the_training_of_another_thread_is_not_seen() -> None:
    model, other = Attention(), Attention()
    optimizer, for_other = adam(model), adam(other)
    with watching(model, optimizer) as visit:
        thread = threading.Thread(target=one_step, args=(other, for_other))
        thread.start()
        thread.join()
        one_step(model, optimizer)
    assert (visit.forwards_seen, visit.backwards_seen, visit.steps_seen) == (1, 1, 1)


def test_a_model_that_is_copied_or_saved_in_the_loop_has_nothing_of_the_watch() -> None:
    model = Attention()
    optimizer = adam(model)
    with watching(model, optimizer) as visit:
        one_step(model, optimizer)
        twin, saved = copy.deepcopy(model), pickle.dumps(model)
        torch.save(optimizer.state_dict(), io.BytesIO())
        twin(next(windows())[0])
    assert visit.forwards_seen == 1
    assert b"seqzoo" not in saved
    assert not model._forward_hooks
    assert not model._forward_pre_hooks


def test_the_diagnosis_cannot_be_read_inside_the_block() -> None:
    with watching(Attention()) as visit, pytest.raises(RuntimeError, match="after the with block"):
        print(visit.diagnosis)


def test_what_is_not_a_module_is_refused() -> None:
    with pytest.raises(UsageError, match="model is function; give the torch module"):
        seqzoo.watch(lambda x: x).__enter__()  # type: ignore[arg-type]


def test_a_block_in_which_nothing_is_trained_is_not_called_healthy() -> None:
    with watching(Attention()) as visit:
        pass
    (found,) = visit.diagnosis.causes
    assert found.check.name == "loop.optimizer"
    assert "no training was seen" in found.outcome.seen


def test_a_lazy_layer_before_its_first_call_does_not_end_the_script() -> None:
    model = nn.Sequential(nn.Embedding(8, 4), nn.LazyLinear(8))
    with watching(model) as visit:
        optimizer = None
        for _ in range(3):
            x = torch.randint(8, (4, 16))
            loss = nn.functional.cross_entropy(model(x)[:, :-1].flatten(0, 1), x[:, 1:].flatten())
            optimizer = optimizer or torch.optim.Adam(model.parameters())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert visit.errors == []
    assert visit.steps_seen == 3


def test_the_first_use_draws_from_no_generator_of_the_loop() -> None:
    program = (
        "import random, numpy, torch, sys\n"
        "random.seed(1); numpy.random.seed(1); torch.manual_seed(1)\n"
        "model = torch.nn.Linear(2, 2)\n"
        "import seqzoo, contextlib\n"
        "watched = seqzoo.watch(model, show=False) if sys.argv[1:] else contextlib.nullcontext()\n"
        "with watched:\n"
        "    drawn = random.random(), numpy.random.rand(), torch.rand(1).item()\n"
        "print(drawn, random.random(), numpy.random.rand(), torch.rand(1).item())\n"
    )
    with_watch, without = (
        subprocess.run(
            [sys.executable, "-c", program, *further], capture_output=True, text=True, check=True
        ).stdout
        for further in (["watch"], [])
    )
    assert with_watch == without


def test_no_graph_is_kept() -> None:
    model = Attention()
    optimizer, x = adam(model), next(windows())[0]
    with watching(model, optimizer) as visit:
        for _ in range(5):
            one_step(model, optimizer)
        logits = model(x)
        node = logits.grad_fn
        assert node is not None
        freed: list[int] = []
        node.metadata["mine"] = Freed(freed)
        F.cross_entropy(logits.view(-1, V), x.flatten()).backward()
        del node, logits
        assert freed == [1]
    assert visit.steps_seen == 5


class Freed:
    def __init__(self, freed: list[int]) -> None:
        self._freed = freed

    def __del__(self) -> None:
        self._freed.append(1)


def test_no_optimizer_is_kept() -> None:
    model, freed = Attention(), list[int]()
    with watching(model) as visit:
        for _ in range(5):
            optimizer = adam(model)
            optimizer.mine = Freed(freed)  # type: ignore[attr-defined]
            one_step(model, optimizer)
            del optimizer
        gc.collect()
        assert len(freed) == 5
    assert visit.steps_seen == 5
