"""Which torch this is, and whether it can use the accelerator that the machine has.

Method: versions, and whether an NVIDIA driver is loaded that this build cannot use. Cost: none.
Pass rule: no accelerator is unused because of the build.
"""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import torch

from seqzoo.doctor.subject import Subject
from seqzoo.plugin.check import Outcome

__all__ = ["examine"]

_DRIVER = Path("/proc/driver/nvidia/version")


def examine(subject: Subject) -> Outcome:
    stated = (
        f"torch {torch.__version__}, numpy {np.__version__}, Python {platform.python_version()}, "
        f"{torch.cuda.device_count()} CUDA devices"
    )
    if _DRIVER.exists() and torch.version.cuda is None:
        return Outcome.warned(
            f"{stated}, although an NVIDIA driver is loaded",
            why="This build of torch computes only on the CPU; the GPU is not used.",
            remedy="Install a CUDA build of torch (https://pytorch.org/get-started/locally).",
        )
    return Outcome.passed(stated)
