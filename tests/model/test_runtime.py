"""Devices and precision: which is chosen, what is refused, and what is restored."""

from __future__ import annotations

import pytest
import torch

from seqzoo.errors import EnvironmentFault
from seqzoo.model.kernels import kernels_in_use
from seqzoo.model.runtime import (
    in_float64,
    make_runtime,
    peak_memory_bytes,
    random_state,
    restore_random_state,
)
from seqzoo.recipes.sections import RuntimeSection


def devices(monkeypatch: pytest.MonkeyPatch, *available: str) -> None:
    """As if torch had these accelerators."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in available)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: int("cuda" in available))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in available)


@pytest.mark.parametrize(
    ("available", "chosen"),
    [((), "cpu"), (("mps",), "mps"), (("cuda",), "cuda"), (("cuda", "mps"), "cuda")],
)
def test_auto_takes_cuda_then_mps_then_the_cpu(
    available: tuple[str, ...], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices(monkeypatch, *available)
    assert make_runtime(RuntimeSection(device="auto")).device.type == chosen


def test_float32_is_not_rounded_to_tf32_whatever_was_set_before() -> None:
    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.allow_tf32 = True
    built = make_runtime(RuntimeSection(device="cpu"))
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    assert built.record()["tf32"] is False
    with torch.backends.cudnn.flags(enabled=False):  # adaptive scoring reads and restores them
        pass
    assert not torch.backends.cudnn.allow_tf32


def test_bfloat16_on_a_gpu_without_it_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    devices(monkeypatch, "cuda")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    section = RuntimeSection(device="cuda", precision="bfloat16")
    with pytest.raises(EnvironmentFault) as caught:
        make_runtime(section)
    assert str(caught.value) == (
        "runtime.precision is bfloat16, which Tesla T4 does not have; set "
        "runtime.precision=float32."
    )
    assert make_runtime(RuntimeSection(device="cuda")).precision == "float32"
    assert make_runtime(section, device="cpu").precision == "bfloat16"


class Generator:
    """The random generator of mps, whose state is one number."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.state = torch.tensor([3], dtype=torch.uint8)
        monkeypatch.setattr(torch.mps, "get_rng_state", lambda: self.state.clone())
        monkeypatch.setattr(torch.mps, "set_rng_state", lambda state: setattr(self, "state", state))


def test_the_generator_of_mps_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    devices(monkeypatch, "mps")
    generator = Generator(monkeypatch)
    states = random_state()
    generator.state += 1
    restore_random_state(states)
    assert int(generator.state) == 3


def test_a_state_from_a_machine_without_that_device_leaves_its_generator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    devices(monkeypatch)
    states = random_state()
    devices(monkeypatch, "mps")
    generator = Generator(monkeypatch)
    restore_random_state(states)
    assert int(generator.state) == 3
    devices(monkeypatch)
    restore_random_state({**states, "mps": generator.state})


def test_the_memory_of_mps_is_that_of_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 12345)
    assert peak_memory_bytes(torch.device("mps")) == 12345


def test_float64_keeps_every_value_and_the_place_of_a_tensor() -> None:
    values = torch.tensor([0.1, 1e30, -0.0])
    exact = in_float64(values)
    assert exact.dtype == torch.float64
    assert exact.device == values.device
    assert torch.equal(exact.float(), values)


def test_the_kernels_of_a_gpu_depend_on_more_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKL_CBWR", "AVX2")
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":0:0")
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    on_gpu = kernels_in_use(torch.device("cuda"))
    assert on_gpu["variable MKL_CBWR"] == "AVX2"
    assert on_gpu["variable CUBLAS_WORKSPACE_CONFIG"] == ":0:0"
    assert on_gpu["variable NVIDIA_TF32_OVERRIDE"] == "1"
    on_cpu = kernels_in_use(torch.device("cpu"))
    assert on_cpu.keys() < on_gpu.keys()
    assert "variable NVIDIA_TF32_OVERRIDE" not in on_cpu
