"""Puts hooks on a model, on backward passes and on optimizers, and takes all of them away again.

The user's loop calls nothing of ours. What fails inside a hook is remembered and the loop does not
see it. Calls of other threads are passed through without a look.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from seqzoo.doctor.evidence.missing import cause_of
from seqzoo.doctor.watching.recorder import Recorder

__all__ = ["Hooks"]

_MOST_ERRORS = 5


class Hooks:
    """All hooks of one watch. `install`, then `remove`, which can be called twice."""

    def __init__(self, recorder: Recorder, optimizer: Any = None) -> None:
        self._recorder = recorder
        self._model = recorder.model
        self._is_active = True
        self._optimizer = optimizer
        self._undo: list[Callable[[], Any]] = []
        self._thread = threading.get_ident()
        self._depth = 0

    def install(self) -> None:
        """Raises what torch raises if a hook cannot be set; then none is left."""
        try:
            self._patch(type(self._model), "__call__", self._call)
            self._patch(torch.autograd, "backward", self._backward)
            self._undo.append(register_optimizer_step_pre_hook(self._step_begins).remove)
            self._undo.append(register_optimizer_step_post_hook(self._step_ends).remove)
            if self._optimizer is not None and not hasattr(self._optimizer, "param_groups"):
                self._wrap_apply(self._optimizer)
            self._patch(
                torch.nn.utils.clip_grad, "_clip_grads_with_norm_", self._clip, optional=True
            )
            self._patch(torch.amp.grad_scaler.GradScaler, "scale", self._scale)
            for scheduler in _schedulers(torch.optim.lr_scheduler.LRScheduler):
                self._patch(scheduler, "step", self._schedule)
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Take away what `install` has set, the last one first."""
        # A function that somebody took while it was replaced (a compiled model) stays in use.
        self._is_active = False
        while self._undo:
            try:
                self._undo.pop()()
            except Exception as error:
                self._note(error)

    def _call(self, original: Any) -> Any:
        """The class's call and not a hook of the instance: a hook would be copied and saved with
        the model, and layers of Keras do not run hooks.
        """

        def call(owner: Any, /, *args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_compiling() or owner is not self._model or not self._is_ours:
                return original(owner, *args, **kwargs)
            seen = self.guarded(lambda: self._recorder.forward_begins(args, kwargs))
            output = original(owner, *args, **kwargs)
            if seen is not None:
                self.guarded(lambda: self._recorder.forward_ends(seen, output))
            return output

        return call

    def _backward(self, original: Any) -> Any:
        def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            if not self._is_ours or self._depth:
                return original(tensors, *args, **kwargs)
            retain = bool(kwargs.get("retain_graph") or (len(args) > 1 and args[1]))
            seen = self.guarded(lambda: self._recorder.backward_begins(tensors, retain))
            self._depth += 1
            try:
                answer = original(tensors, *args, **kwargs)
            finally:
                self._depth -= 1
            if seen is not None:
                self.guarded(lambda: self._recorder.backward_ends(seen))
            return answer

        return backward

    def _step_begins(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self._is_ours:
            closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
            self.guarded(lambda: self._recorder.step_begins(optimizer, callable(closure)))

    def _step_ends(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self._is_ours:
            self.guarded(lambda: self._recorder.step_ends(optimizer))

    def _wrap_apply(self, optimizer: Any) -> None:
        """An optimizer that is not torch's, with a method `apply(gradients, variables)`."""
        original = getattr(optimizer, "apply", None)
        if not callable(original):
            return
        stand_in = _AnyOptimizer(self._recorder.model)

        def apply(*args: Any, **kwargs: Any) -> Any:
            if self._is_ours:
                stand_in.read_rate(optimizer)
                self.guarded(lambda: self._recorder.step_begins(stand_in, False))
            answer = original(*args, **kwargs)
            if self._is_ours:
                self.guarded(lambda: self._recorder.step_ends(stand_in))
            return answer

        object.__setattr__(optimizer, "apply", apply)
        self._undo.append(lambda: object.__delattr__(optimizer, "apply"))

    def _clip(self, original: Any) -> Any:
        def clip(parameters: Any, max_norm: Any, total_norm: Any, *args: Any, **kwargs: Any) -> Any:
            if self._is_ours:
                self.guarded(lambda: self._recorder.clipped(float(max_norm), float(total_norm)))
            return original(parameters, max_norm, total_norm, *args, **kwargs)

        return clip

    def _scale(self, original: Any) -> Any:
        def scale(scaler: Any, *args: Any, **kwargs: Any) -> Any:
            answer = original(scaler, *args, **kwargs)
            if self._is_ours and self._recorder.is_close:
                self.guarded(lambda: self._recorder.scaled(float(scaler.get_scale())))
            return answer

        return scale

    def _schedule(self, original: Any) -> Any:
        def step(scheduler: Any, *args: Any, **kwargs: Any) -> Any:
            # A scheduler calls its own step once when it is made.
            if self._is_ours and not getattr(scheduler, "_is_initial", False):
                self.guarded(self._recorder.scheduler_stepped)
            return original(scheduler, *args, **kwargs)

        return step

    @property
    def _is_ours(self) -> bool:
        return self._is_active and threading.get_ident() == self._thread

    def _patch(
        self, owner: Any, name: str, make: Callable[[Any], Any], *, optional: bool = False
    ) -> None:
        if optional and not hasattr(owner, name):
            return
        is_own = name in vars(owner)
        original = getattr(owner, name)
        replacement = functools.wraps(original)(make(original))
        setattr(owner, name, replacement)
        self._undo.append(
            (lambda: setattr(owner, name, original)) if is_own else lambda: delattr(owner, name)
        )

    def guarded(self, look: Callable[[], Any]) -> Any:
        """What `look` returns; None if it fails, which is remembered."""
        try:
            return look()
        except Exception as error:
            self._note(error)
            return None

    def _note(self, error: Exception) -> None:
        errors = self._recorder.visit.errors
        if len(errors) < _MOST_ERRORS and (said := cause_of(error)) not in errors:
            errors.append(said)


class _AnyOptimizer:
    """What an optimizer that is not torch's looks like to the recorder."""

    def __init__(self, model: nn.Module) -> None:
        parameters = [p for p in model.parameters() if p.requires_grad]
        self.param_groups: list[dict[str, Any]] = [{"params": parameters, "lr": 0.0}]

    def read_rate(self, optimizer: Any) -> None:
        try:
            self.param_groups[0]["lr"] = float(optimizer.learning_rate)
        except Exception:  # then the rate is not known
            self.param_groups[0]["lr"] = float("nan")


def _schedulers(base: type[Any]) -> list[type[Any]]:
    """A scheduler class and those below it that have their own `step`."""
    found = [base] if "step" in vars(base) else []
    for below in base.__subclasses__():
        found += [each for each in _schedulers(below) if each not in found]
    return found
