"""Which kernels torch and NumPy use here: the last bits of a result depend on them.

One processor can run several: torch chooses by what the processor has, and variables of the
environment limit the choice, so that two processes on one machine can differ.
"""

from __future__ import annotations

import os

import torch

__all__ = ["CPU_KERNELS", "kernels_in_use"]

CPU_KERNELS = "set of CPU kernels"

_ON_CPU = ("ATEN_", "BLIS_", "DNNL_", "MKLDNN_", "MKL_", "NPY_", "ONEDNN_", "OPENBLAS_")
_ON_GPU = (
    "CUBLAS",
    "CUDNN_",
    "DISABLE_ADDMM_",
    "HIPBLAS",
    "NVIDIA_TF32_",
    "ROCBLAS_",
    "TORCH_ALLOW_TF32_",
    "TORCH_BLAS_",
    "TORCH_CUDNN_",
)
"""How the variables begin that the libraries read; which they know changes with each version."""

_WITHOUT_EFFECT = ("CACHE", "DUMP", "HOME", "LOG", "NUM_THREADS", "PROFILE", "VERBOSE")
"""In the names of those that change no bit; the number of threads is recorded by itself."""


def kernels_in_use(device: torch.device) -> dict[str, str]:
    """What decides the kernels on a device, besides processor and versions, by its name."""
    found = {CPU_KERNELS: torch.backends.cpu.get_cpu_capability()}
    if device.type == "cuda":
        found["version of cuDNN"] = str(torch.backends.cudnn.version())
    libraries = _ON_CPU if device.type == "cpu" else _ON_CPU + _ON_GPU
    for name, value in sorted(os.environ.items()):
        if name.startswith(libraries) and not any(part in name for part in _WITHOUT_EFFECT):
            found[f"variable {name}"] = value
    return found
