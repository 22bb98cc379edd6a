"""A compiler that fails is reported in one sentence, and other errors are left as they are."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from seqzoo.errors import EnvironmentFault
from seqzoo.model.compiling import compiler_faults


def fails(graph: torch.fx.GraphModule, inputs: object) -> None:
    raise RuntimeError("CppCompileError: no header\nand thirty more lines")


def test_a_failing_backend_is_one_sentence_with_what_to_do() -> None:
    module = torch.compile(nn.Linear(2, 2), backend=fails)
    with pytest.raises(EnvironmentFault) as caught, compiler_faults():
        module(torch.zeros(1, 2))
    message = str(caught.value)
    assert "could not be compiled (runtime.compile)" in message
    assert "runtime.compile=false" in message
    assert "\n" not in message


def test_an_error_of_the_model_is_not_blamed_on_the_compiler() -> None:
    with pytest.raises(ZeroDivisionError), compiler_faults():
        raise ZeroDivisionError


def test_the_compilers_own_warnings_are_not_shown(recwarn: pytest.WarningsRecorder) -> None:
    with compiler_faults():
        for module in ("torch._inductor.compile_fx", "seqzoo_plugins.other"):
            warnings.warn_explicit("look", UserWarning, "file.py", 1, module=module)
    assert [str(each.message) for each in recwarn] == ["look"]
