"""The first moments of a process: Ctrl-C in an import is no traceback."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import environment
from stopped_imports import stop_while_importing
from waiting import WAIT

_SLOW = f"import pathlib, time; pathlib.Path('importing').touch()\n{WAIT}\n"
_MODULES = "import json, sys; {imports}; print(json.dumps(sorted(sys.modules)))"


@pytest.mark.parametrize(
    "module", ["locale", "rich/__init__", "typer/__init__", "pydantic/__init__"]
)
@pytest.mark.parametrize(
    "start", [["-m", "seqzoo"], ["-c", "from seqzoo.__main__ import main; main()"]]
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_in_the_first_imports_is_no_traceback(
    module: str, start: list[str], number: signal.Signals, tmp_path: Path
) -> None:
    slow = tmp_path / "slow" / f"{module}.py"
    slow.parent.mkdir(parents=True)
    slow.write_text(_SLOW)
    out, messages, code = stop_while_importing(
        [*start, "list"], number, folder=tmp_path, modules=tmp_path / "slow"
    )
    assert out == ""
    assert messages in ("", "Stopped.\n")
    # Before there is a handler, SIGTERM and SIGHUP end the process; shells say 128 + N for both.
    assert code in (128 + number, -number)
    assert code == 130 or number != signal.SIGINT


def modules(imports: str, folder: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _MODULES.format(imports=imports)],
        cwd=folder, env=environment(), capture_output=True, check=True, text=True,
    )  # fmt: skip
    return set(json.loads(done.stdout))


def test_little_is_imported_before_there_is_a_handler(tmp_path: Path) -> None:
    without = modules("pass", tmp_path)
    found = modules("from seqzoo.__main__ import main", tmp_path) - without
    assert {name for name in found if not name.startswith("seqzoo")} <= {"__future__", "math"}


_READ_A_TOKEN = """
import sys; sys.path.insert(0, {support!r})
import torch
from installed_architectures import build, random_tokens
from seqzoo.plugin.registry import load_registry
for each in load_registry().registered("architecture"):
    with torch.inference_mode():
        build(each.spec).eval()(random_tokens(1, 1))
print(*sys.modules)
"""


def test_a_model_that_is_not_compiled_does_not_load_the_compiler() -> None:
    # Loading it takes about as long as loading torch, at every start of `seqzoo sample`.
    code = _READ_A_TOKEN.format(support=str(Path(__file__).parents[1] / "support"))
    loaded = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, check=True, text=True
    ).stdout.split()
    assert "seqzoo_plugins.recurrent.autocast" in loaded
    assert "torch._dynamo" not in loaded
