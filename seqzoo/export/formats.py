"""The files of each format: weights with a network in plain torch, ONNX, a program of torch."""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from seqzoo.errors import UsageError
from seqzoo.export.config import INITIAL_STATE, WEIGHTS, Format
from seqzoo.export.one_step import OneStep, program_of
from seqzoo.plugin.contracts import SequenceModel
from seqzoo.plugin.specs import ArchitectureSpec

__all__ = ["require_possible", "serialised", "write_format"]

_NEEDED = {"onnx": ("onnx", "onnxscript", "onnxruntime")}


def require_possible(chosen: Format, spec: ArchitectureSpec) -> None:
    """Raises UsageError if the architecture has no such form, or if a package is missing."""
    if chosen == "folder" and spec.standalone is None:
        raise UsageError(
            f"architecture '{spec.name}' has no form without seqzoo, which --format folder needs; "
            f"docs/export.md says what each architecture has, and plugins can add one."
        )
    for package in _NEEDED.get(chosen, ()):
        try:
            __import__(package)
        except ModuleNotFoundError as error:
            if error.name != package:
                raise
            raise UsageError(
                f"--format onnx needs the package '{package}', which is not installed; install it "
                f"with: pip install 'seqzoo[onnx]'"
            ) from error


def write_format(
    chosen: Format, folder: Path, model: SequenceModel, spec: ArchitectureSpec
) -> list[str]:
    """Write the files that hold the numbers of the model; returns their names.

    Raises UsageError, in one sentence, where the exporter of torch refuses the model.
    """
    if chosen == "folder":
        assert spec.standalone is not None
        shutil.copyfile(spec.standalone, folder / "seqzoo_network.py")
        (folder / WEIGHTS).write_bytes(serialised(model.state_dict()))
        return [WEIGHTS]
    step = OneStep(model)
    (folder / INITIAL_STATE).write_bytes(serialised(step.first))
    write, name = _WRITERS[chosen]
    _exported(write, step, folder / name, chosen, spec.name)
    return [name, INITIAL_STATE]


def serialised(tensors: dict[str, Tensor]) -> bytes:
    """Tensors as a checkpoint stores them, so that equal weights are equal bytes."""
    # A copy for each name: tied weights share storage, which safetensors does not accept.
    return safetensors.torch.save(
        {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    )


def _exported(
    write: Callable[[OneStep, Path], None], step: OneStep, path: Path, chosen: Format, name: str
) -> None:
    try:
        with _quiet():
            write(step, path)
    except OSError:
        raise
    except Exception as error:  # of many kinds, each with pages of advice to the model's author
        cause = _first_sentence(error)
        raise UsageError(
            f"torch cannot export one step of architecture '{name}' with --format {chosen}: "
            f"{cause} Nothing is written; see docs/export.md for what each architecture can do."
        ) from error


def _write_graph(step: OneStep, path: Path) -> None:
    inputs = ["token", *(f"state.{name}" for name in step.names)]
    outputs = ["logits", *(f"next.{name}" for name in step.names)]
    program: Any = torch.onnx.export(
        program_of(step), input_names=inputs, output_names=outputs, dynamo=True, verbose=False
    )
    # Up to 2 GB in one file, as protobuf allows.
    program.save(str(path), external_data=False)


def _write_program(step: OneStep, path: Path) -> None:
    torch.export.save(program_of(step), path)


_WRITERS = {"onnx": (_write_graph, "model.onnx"), "torch": (_write_program, "model.pt2")}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporters report progress and advice; none of it is about the run."""
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def _first_sentence(error: BaseException) -> str:
    while error.__cause__ is not None:  # the exporter of ONNX wraps that of torch
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    sentence = " ".join((lines or [type(error).__name__])[0].split())
    return f"{sentence.rstrip('.:')[:300]}."
