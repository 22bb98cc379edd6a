"""Where and how a model runs: device, precision, threads. Passed as an argument, never global."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from seqzoo.errors import EnvironmentFault, UsageError
from seqzoo.recipes.sections import RuntimeSection
from seqzoo.version import __version__

__all__ = [
    "Runtime",
    "in_eval_mode",
    "in_inference_mode",
    "make_runtime",
    "peak_memory_bytes",
    "random_state",
    "restore_random_state",
]


@dataclass(frozen=True)
class Runtime:
    """Device, precision and threads of one run.

    precision: "float32", or "bfloat16" for autocast; parameters stay float32.
    """

    device: torch.device
    precision: str
    threads: int

    def autocast(self) -> AbstractContextManager[Any]:
        """The context of the forward pass: mixed precision if the precision is bfloat16."""
        if self.precision == "bfloat16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return contextlib.nullcontext()

    def record(self) -> dict[str, Any]:
        """What the result of a run depends on besides its recipe; stored with the run."""
        return {
            "device": str(self.device),
            "accelerator": _accelerator_name(self.device),
            "cpu": _cpu_name(),
            "threads": self.threads,
            "precision": self.precision,
            "versions": {
                "seqzoo": __version__,
                "torch": torch.__version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
        }


def make_runtime(section: RuntimeSection, *, device: str | None = None) -> Runtime:
    """The runtime of a recipe; `device` replaces the one in the section.

    Sets torch's number of threads for the whole process. Raises UsageError for an unknown device
    and EnvironmentFault for one that is not available.
    """
    threads = section.threads or torch.get_num_threads()
    torch.set_num_threads(threads)
    # cuDNN's documentation: autotuning picks kernels by their measured time, so two runs of one
    # recipe could differ in their last bits.
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    return Runtime(_device(device or section.device), section.precision, threads)


def random_state() -> dict[str, torch.Tensor]:
    """The state of torch's random generators on CPU and accelerators; dropout uses them."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        for index, state in enumerate(torch.cuda.get_rng_state_all()):
            states[f"cuda.{index}"] = state
    return states


def restore_random_state(states: dict[str, torch.Tensor]) -> None:
    """Restore what `random_state` returned."""
    torch.set_rng_state(states["cpu"])
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            if f"cuda.{index}" in states:
                torch.cuda.set_rng_state(states[f"cuda.{index}"], index)


@contextlib.contextmanager
def in_inference_mode(model: nn.Module) -> Iterator[None]:
    """Eval mode and no gradients inside; every mode and generator is restored afterwards."""
    with in_eval_mode(model), torch.inference_mode():
        yield


@contextlib.contextmanager
def in_eval_mode(model: nn.Module) -> Iterator[None]:
    """Eval mode inside; every mode and generator is restored afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    states = random_state()
    model.eval()
    try:
        yield
    finally:
        # Module by module: `model.train()` would also switch parts that the author keeps in eval
        # mode.
        for module, training in modes:
            module.training = training
        restore_random_state(states)


def peak_memory_bytes(device: torch.device) -> int:
    """Peak memory of this process so far, or of its accelerator."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(
            f"device '{name}' is unknown; use auto, cpu, cuda, cuda:N or mps."
        ) from None
    available = {"cpu": True, "cuda": torch.cuda.is_available()}
    available["mps"] = torch.backends.mps.is_available()
    if not available.get(device.type, False):
        raise EnvironmentFault(
            f"device '{name}' is not available in this torch ({torch.__version__}); use device "
            f"cpu, or install a torch build for that device."
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise EnvironmentFault(
            f"device '{name}' does not exist; there are {torch.cuda.device_count()} CUDA devices."
        )
    return device


def _accelerator_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else ""


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return f"{line.split(':', 1)[1].strip()} ({os.cpu_count()} cores)"
    return f"{platform.processor() or platform.machine()} ({os.cpu_count()} cores)"
