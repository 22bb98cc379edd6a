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
from seqzoo.model.kernels import kernels_in_use
from seqzoo.model.threads import (
    Threads,
    available_threads,
    counted,
    requested_threads,
    user_chose_threads,
)
from seqzoo.recipes.sections import RuntimeSection
from seqzoo.version import __version__

__all__ = [
    "Runtime",
    "in_eval_mode",
    "in_float64",
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
    threads_reason: a sentence for the user where the number of threads is not the usual one, else
    "". It is not part of the record.
    """

    device: torch.device
    precision: str
    threads: int
    threads_reason: str = ""

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
            "tf32": False,
            "kernels": kernels_in_use(self.device),
            "versions": {
                "seqzoo": __version__,
                "torch": torch.__version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
        }


def make_runtime(
    section: RuntimeSection, *, device: str | None = None, recorded_threads: int | None = None
) -> Runtime:
    """The runtime of a recipe; `device` replaces the one in the section.

    recorded_threads: of the run that is continued, if the recipe does not set the number.
    Sets torch's number of threads for the whole process. Raises UsageError for an unknown device
    and EnvironmentFault for a device or a precision that is not available.
    """
    threads = _set_threads(section.threads, recorded_threads)
    # cuDNN's documentation: autotuning picks kernels by their measured time, so two runs of one
    # recipe could differ in their last bits.
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    # float32 means float32: by default cuDNN rounds to the 10 bits of TF32 before it multiplies.
    # Both are the older names of these settings; with the newer ones torch refuses to read these.
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    found = _device(device or section.device)
    _require_precision(section.precision, found)
    return Runtime(found, section.precision, threads.number, threads.reason)


class _ThreadCount:
    """torch's number of threads before seqzoo first set it, and the number that was set last."""

    initial: int | None = None
    latest: int | None = None


def _set_threads(wanted: int | None, recorded: int | None) -> Threads:
    """Set the number that the recipe, the continued run or the user says, or the available one."""
    current = torch.get_num_threads()
    if _ThreadCount.initial is None:
        _ThreadCount.initial = current
    elif current != _ThreadCount.latest:  # the user has called torch.set_num_threads since
        wanted = wanted or recorded or current
    if wanted is not None:
        threads = requested_threads(wanted)
    elif user_chose_threads():
        threads = requested_threads(recorded or _ThreadCount.initial)
    else:
        threads = available_threads(_ThreadCount.initial)
        if recorded is not None:
            reason = (
                f"{counted(recorded)} as at the start of this run, because its last bits depend on "
                f"the number; a new run would get {threads.number}"
            )
            threads = Threads(recorded, reason if recorded != threads.number else "")
    _ThreadCount.latest = threads.number
    torch.set_num_threads(threads.number)
    return threads


def random_state() -> dict[str, torch.Tensor]:
    """The state of torch's random generators on CPU and accelerators; dropout uses them."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        for index, state in enumerate(torch.cuda.get_rng_state_all()):
            states[f"cuda.{index}"] = state
    if torch.backends.mps.is_available():
        states["mps"] = torch.mps.get_rng_state()
    return states


def restore_random_state(states: dict[str, torch.Tensor]) -> None:
    """Restore what `random_state` returned; generators that are not in it stay as they are."""
    torch.set_rng_state(states["cpu"])
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            if f"cuda.{index}" in states:
                torch.cuda.set_rng_state(states[f"cuda.{index}"], index)
    if torch.backends.mps.is_available() and "mps" in states:
        torch.mps.set_rng_state(states["mps"])


def in_float64(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor in float64: on its own device, or on the CPU if the device is mps.

    mps has no float64; every conversion to it of a tensor that may be on a device is done here.
    """
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()


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
    """Peak memory of this process so far, or of its accelerator.

    mps reports no peak, but what its driver holds now, which seldom shrinks.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
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


def _require_precision(precision: str, device: torch.device) -> None:
    """Raises EnvironmentFault where the device has no bfloat16 of its own."""
    if precision != "bfloat16" or device.type == "cpu":
        return
    if device.type == "cuda":
        # torch.cuda.is_bf16_supported also says yes where it is emulated, which is slow.
        is_amd = torch.version.hip is not None
        available = is_amd or torch.cuda.get_device_capability(device) >= (8, 0)
        name = _accelerator_name(device)
    else:
        available, name = torch.backends.mps.is_macos_or_newer(14, 0), "mps before macOS 14"
    if not available:
        raise EnvironmentFault(
            f"runtime.precision is bfloat16, which {name} does not have; set "
            f"runtime.precision=float32."
        )


def _accelerator_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else ""


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return f"{line.split(':', 1)[1].strip()} ({os.cpu_count()} cores)"
    return f"{platform.processor() or platform.machine()} ({os.cpu_count()} cores)"
