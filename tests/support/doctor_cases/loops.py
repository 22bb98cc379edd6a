"""Whole training loops under `seqzoo.doctor.watch`, each with one fault."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seqzoo
from doctor_cases.case import Case, Run
from doctor_cases.models import Recurrent
from doctor_cases.setting import Setting, lanes
from seqzoo.doctor.diagnosis import Diagnosis

__all__ = ["CASES"]

_STEPS = 40


class Loop:
    """A model, its optimizer and its batches; `carried` is what the next step gets."""

    def __init__(self, setting: Setting) -> None:
        torch.manual_seed(setting.seed)
        self.model = _Dropping(256, setting.H)
        self.optimizer = self.new_optimizer()
        self.carried: Any = None
        self.kept: Any = 0.0
        self.step = 0
        self._batches = lanes(setting, setting.bytes)

    def new_optimizer(self) -> torch.optim.Optimizer:
        """Adam of the model as it is now."""
        return torch.optim.Adam(self.model.parameters(), lr=2e-3)

    def batches(self) -> Any:
        """The first forty, as tensors."""
        for inputs, targets in itertools.islice(self._batches(), _STEPS):
            yield torch.from_numpy(inputs.copy()), torch.from_numpy(targets.copy())

    def logits(self, inputs: Tensor) -> Tensor:
        """The forward pass; the state is detached."""
        logits: Tensor
        logits, (hidden, cell) = self.model(inputs, self.carried)
        self.carried = (hidden.detach(), cell.detach())
        return logits

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The cross-entropy of a forward pass."""
        return F.cross_entropy(self.logits(inputs).flatten(0, 1), targets.flatten())


class _Dropping(Recurrent):
    def __init__(self, V: int, H: int) -> None:
        super().__init__(V, H)
        self.drop = nn.Dropout(0.1)

    def after(self, out: Tensor) -> Tensor:
        return self.drop(out)


Update = Callable[[Loop, Tensor, Tensor], None]


def healthy_update(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """Clear, forward, backward, clip, step."""
    loop.optimizer.zero_grad()
    loop.loss(inputs, targets).backward()
    nn.utils.clip_grad_norm_(loop.model.parameters(), 1.0)
    loop.optimizer.step()


def _never_cleared(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    loop.loss(inputs, targets).backward()
    loop.optimizer.step()


def _schedule_per_batch(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """A decay to a tenth that was meant for each epoch."""
    if loop.step == 0:
        loop.kept = torch.optim.lr_scheduler.StepLR(loop.optimizer, 1, gamma=0.5)
    healthy_update(loop, inputs, targets)
    loop.kept.step()


def _clipped_after_the_step(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    loop.optimizer.zero_grad()
    loop.loss(inputs, targets).backward()
    loop.optimizer.step()
    nn.utils.clip_grad_norm_(loop.model.parameters(), 0.05)


def _evaluation_mode(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """eval() for a validation, and never train() again."""
    if loop.step == 5:
        loop.model.eval()
        with torch.no_grad():
            loop.model(inputs, None)
    healthy_update(loop, inputs, targets)


def _undivided_accumulation(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """Four backward passes for an update, none divided by four."""
    loop.loss(inputs, targets).backward()
    if loop.step % 4 == 3:
        loop.optimizer.step()
        loop.optimizer.zero_grad()


def _another_model(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """The optimizer is of a model that was built before."""
    if loop.step == 0:
        earlier = _Dropping(256, loop.model.H)
        loop.optimizer = torch.optim.Adam(earlier.parameters(), lr=2e-3)
    healthy_update(loop, inputs, targets)


def _detached_loss(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """The loss is made a new tensor, which has no graph."""
    loop.optimizer.zero_grad()
    value = loop.loss(inputs, targets).item()
    torch.tensor(value, requires_grad=True).backward()
    loop.optimizer.step()


def _state_with_its_graph(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """retain_graph=True makes the error go away, and each backward pass longer."""
    logits, loop.carried = loop.model(inputs, loop.carried)
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    loop.kept = loop.kept + loss
    if loop.step % 2:
        loop.optimizer.zero_grad()
        loop.kept.backward(retain_graph=True)


def _clipped_while_scaled(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """The gradients are 65,536 times too large when they are clipped."""
    if loop.step == 0:
        loop.kept = torch.amp.GradScaler("cpu")
    loop.optimizer.zero_grad()
    loop.kept.scale(loop.loss(inputs, targets)).backward()
    nn.utils.clip_grad_norm_(loop.model.parameters(), 1.0)
    loop.kept.step(loop.optimizer)
    loop.kept.update()


def _graphs_kept_in_a_total(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    loop.optimizer.zero_grad()
    loss = loop.loss(inputs, targets)
    loss.backward()
    loop.optimizer.step()
    loop.kept = loop.kept + loss


def _cleared_before_the_step(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    loop.loss(inputs, targets).backward()
    loop.optimizer.zero_grad()
    loop.optimizer.step()


def _divided_accumulation(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """Four backward passes for an update, each divided by four."""
    (loop.loss(inputs, targets) / 4).backward()
    if loop.step % 4 == 3:
        loop.optimizer.step()
        loop.optimizer.zero_grad()


def _clipped_after_unscaling(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    if loop.step == 0:
        loop.kept = torch.amp.GradScaler("cpu")
    loop.optimizer.zero_grad()
    loop.kept.scale(loop.loss(inputs, targets)).backward()
    loop.kept.unscale_(loop.optimizer)
    nn.utils.clip_grad_norm_(loop.model.parameters(), 1.0)
    loop.kept.step(loop.optimizer)
    loop.kept.update()


def _validated_in_between(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """A validation without gradients, in eval mode, and train() after it."""
    healthy_update(loop, inputs, targets)
    if loop.step % 10 == 9:
        loop.model.eval()
        with torch.no_grad():
            logits, _ = loop.model(inputs, None)
            loop.kept = F.cross_entropy(logits.flatten(0, 1), targets.flatten()).item()
        loop.model.train()


def _warmed_up(loop: Loop, inputs: Tensor, targets: Tensor) -> None:
    """A schedule that is meant for each update: ten steps of warm-up, then a slow decay."""
    if loop.step == 0:
        loop.kept = torch.optim.lr_scheduler.LambdaLR(
            loop.optimizer, lambda step: min((step + 1) / 10, 1 - step / 400)
        )
    healthy_update(loop, inputs, targets)
    loop.kept.step()


def watched(update: Update) -> Run:
    """A loop of forty batches with that update."""

    def run(corpus: bytes, seed: int) -> Diagnosis:
        loop = Loop(Setting(corpus, seed))
        watch: Any = getattr(seqzoo.doctor, "watch")  # noqa: B009 (may not exist yet)
        with watch(loop.model, corpus=corpus, show=False) as visit:
            for step, (inputs, targets) in enumerate(loop.batches()):
                loop.step = step
                update(loop, inputs, targets)
        diagnosis: Diagnosis = visit.diagnosis
        return diagnosis

    return run


def _case(name: str, source: str, cause: str, update: Update, named_by: tuple[str, ...]) -> Case:
    return Case(name=name, source=source, cause=cause, named_by=named_by, run=watched(update))


CASES = (
    _case(
        "gradients are never cleared",
        "github facebookresearch/nwm#16, deepjavalibrary/d2l-java#202",
        "Each update moves by the sum of all gradients so far.",
        _never_cleared,
        ("loop.gradients",),
    ),
    _case(
        "gradients are cleared before the step",
        "github sacmehta/EdgeNets#14",
        "zero_grad() stands between backward() and step(): nothing is left to step with.",
        _cleared_before_the_step,
        ("loop.gradients", "loop.optimizer"),
    ),
    _case(
        "a schedule for epochs, stepped by batches",
        "github pytorch/tutorials#640, ivadomed/ivadomed#55",
        "The learning rate is halved after each batch instead of each epoch.",
        _schedule_per_batch,
        ("loop.schedule",),
    ),
    _case(
        "clipped after the step",
        "github VGraphRNN/VGRNN#4, jongwook/onsets-and-frames#24, awslabs/graphstorm#1366",
        "Gradients are clipped when the optimizer has used them.",
        _clipped_after_the_step,
        ("loop.clipping",),
    ),
    _case(
        "training in eval mode",
        "github shubhamagarwal92/mmd#14, fartashf/vsepp#4",
        "After the first validation nobody calls train(): dropout is off from there.",
        _evaluation_mode,
        ("loop.modes",),
    ),
    _case(
        "accumulation that is not divided",
        "github hirofumi0810/neural_sp#168, agokrani/distillKitPlus#5",
        "Four losses are added for each update, which is four times too large.",
        _undivided_accumulation,
        ("loop.accumulation",),
    ),
    _case(
        "the optimizer of another model",
        "github spro/practical-pytorch#9, pytorch/tutorials#86",
        "The model that is trained was built after the optimizer's.",
        _another_model,
        ("loop.optimizer",),
    ),
    _case(
        "a loss without its graph",
        "github rballester/tntorch#3",
        "The loss is copied into a new tensor: no gradient reaches the model.",
        _detached_loss,
        ("loop.loss", "loop.optimizer"),
    ),
    _case(
        "a state with its graph, retained",
        "github MorvanZhou/PyTorch-Tutorial#57, yunjey/pytorch-tutorial#90",
        "The state is not detached, and retain_graph=True hides the error.",
        _state_with_its_graph,
        ("loop.state", "loop.memory"),
    ),
    _case(
        "clipped while scaled",
        "github milesial/Pytorch-UNet#468, pytorch/examples#1196",
        "Gradients are clipped before unscale_(), when they are 65,536 times too large.",
        _clipped_while_scaled,
        ("loop.clipping",),
    ),
    _case(
        "graphs kept in a total",
        "PyTorch documentation, frequently asked questions: memory",
        "total += loss keeps the graph of every step.",
        _graphs_kept_in_a_total,
        ("loop.memory",),
    ),
    *(
        Case(name=name, source=source, run=watched(update))
        for name, source, update in (
            ("a sound loop", "pytorch/examples, word_language_model", healthy_update),
            (
                "accumulation that is divided",
                "github karpathy/nanoGPT#206",
                _divided_accumulation,
            ),
            (
                "clipped after unscale_",
                "PyTorch documentation, automatic mixed precision examples",
                _clipped_after_unscaling,
            ),
            (
                "validated in between",
                "github udacity/deep-learning-v2-pytorch#3",
                _validated_in_between,
            ),
            ("a warm-up of ten updates", "arXiv:1706.03762, section 5.3", _warmed_up),
        )
    ),
)
