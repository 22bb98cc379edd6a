"""Whatever a plugin does while it is loaded, the host is as it was, and the plugin is named."""

from __future__ import annotations

import gc
import locale
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from broken_plugins import Install, declares
from commands import environment

from seqzoo.plugin.quarantine import Quarantine
from seqzoo.plugin.registry import Owner, Registry, load_registry


def remarks(registry: Registry, plugin: str) -> list[str]:
    return [remark for remark in registry.remarks if remark.startswith(f"plugin '{plugin}' (")]


CHANGES: dict[str, tuple[str, Callable[[], Any], str]] = {
    "default dtype": (
        "import torch; torch.set_default_dtype(torch.float64)",
        torch.get_default_dtype,
        "torch's default dtype",
    ),
    "default device": (
        "import torch; torch.set_default_device('meta')",
        torch.get_default_device,
        "torch's default device",
    ),
    "grad mode": (
        "import torch; torch.set_grad_enabled(False)",
        torch.is_grad_enabled,
        "torch's grad mode",
    ),
    "threads": (
        "import torch; torch.set_num_threads(torch.get_num_threads() + 6)",
        torch.get_num_threads,
        "torch's number of threads",
    ),
    "torch's seed": (
        "import torch; torch.manual_seed(3)",
        lambda: torch.get_rng_state().tolist(),
        "torch's random generator",
    ),
    "numpy's seed": (
        "import numpy; numpy.random.seed(3)",
        lambda: np.random.get_state(legacy=False)["state"]["key"].tolist(),
        "numpy's random generator",
    ),
    "Python's seed": (
        "import random; random.seed(3)",
        random.getstate,
        "the random generator of Python",
    ),
    "deterministic mode": (
        "import torch; torch.use_deterministic_algorithms(True)",
        torch.are_deterministic_algorithms_enabled,
        "torch's deterministic mode",
    ),
    "matmul precision": (
        "import torch; torch.set_float32_matmul_precision('medium')",
        torch.get_float32_matmul_precision,
        "torch's matmul precision",
    ),
    "cudnn": (
        "import torch; torch.backends.cudnn.benchmark = True",
        lambda: torch.backends.cudnn.benchmark,
        "torch.backends.cudnn.benchmark",
    ),
    "anomaly mode": (
        "import torch; torch.autograd.set_detect_anomaly(True)",
        torch.is_anomaly_enabled,
        "torch's anomaly mode",
    ),
    "numpy's errors": (
        "import numpy; numpy.seterr(all='raise')",
        np.geterr,
        "numpy's handling of errors",
    ),
    "environment": (
        "import os; os.environ['OF_A_PLUGIN'] = '1'; os.environ.pop('PATH')",
        lambda: dict(os.environ),
        "the environment variables OF_A_PLUGIN, PATH",
    ),
    "working directory": ("import os; os.chdir('/')", os.getcwd, "the working directory"),
    "stdout": (
        "import io, sys; sys.stdout = io.StringIO()",
        lambda: sys.stdout,
        "sys.stdout",
    ),
    "stderr": (
        "import io, sys; sys.stderr = io.StringIO()",
        lambda: sys.stderr,
        "sys.stderr",
    ),
    "arguments": ("import sys; sys.argv.append('x')", lambda: list(sys.argv), "sys.argv"),
    "recursion limit": (
        "import sys; sys.setrecursionlimit(sys.getrecursionlimit() + 5)",
        sys.getrecursionlimit,
        "the recursion limit",
    ),
    "signal handler": (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)",
        lambda: signal.getsignal(signal.SIGINT),
        "the handler of SIGINT",
    ),
    "root logger": (
        "import logging; logging.getLogger().addHandler(logging.NullHandler())",
        lambda: list(logging.getLogger().handlers),
        "the handlers of the root logger",
    ),
    "time between collections": (
        "import gc; gc.set_threshold(0)",
        gc.get_threshold,
        "the garbage collection",
    ),
    "permissions": (
        "import os; os.umask(0o777)",
        lambda: (os.umask(present := os.umask(0o077)), present)[1],
        "the permissions of new files",
    ),
    "timer": (
        "import signal; signal.setitimer(signal.ITIMER_REAL, 1000)",
        lambda: signal.getitimer(signal.ITIMER_REAL)[0] > 0,
        "the timer of SIGALRM",
    ),
    "profiler": ("import sys; sys.setprofile(print)", sys.getprofile, "the profile function"),
    "sockets": (
        "import socket; socket.setdefaulttimeout(0.001)",
        socket.getdefaulttimeout,
        "the timeout of new sockets",
    ),
    "a low recursion limit": (
        "import inspect, sys; sys.setrecursionlimit(len(inspect.stack(0)) + 25)",
        sys.getrecursionlimit,
        "the recursion limit",
    ),
    "garbage collection": ("import gc; gc.disable()", gc.isenabled, "the garbage collection"),
    "locale": (
        "import locale; locale.setlocale(locale.LC_NUMERIC, 'C.UTF-8')",
        lambda: locale.setlocale(locale.LC_ALL),
        "the locale",
    ),
}


@pytest.mark.parametrize("where", ["at import", "in a hook", "and fails"])
@pytest.mark.parametrize(("change", "read", "name"), CHANGES.values(), ids=CHANGES)
def test_a_setting_that_a_plugin_changes_is_put_back_and_the_plugin_is_named(
    install: Install, change: str, read: Callable[[], Any], name: str, where: str
) -> None:
    source = declares("changer")
    if where == "in a hook":
        source = source.replace("    return", f"    {change}\n    return")
    else:
        source += f"\n{change}\n" + ("1 / 0\n" if where == "and fails" else "")
    install(source, plugin="changer", version="0.3")
    before = read()
    registry = load_registry()
    assert read() == before
    if where == "and fails":
        assert remarks(registry, "changer") == []  # one report for each plugin: the failure
        assert "changer" in {broken.owner.plugin for broken in registry.broken}
    else:
        (remark,) = remarks(registry, "changer")
        assert remark.startswith("plugin 'changer' (seqzoo-changer 0.3) ")
        assert name in remark.partition("changed ")[2]
        assert "SEQZOO_DISABLE=changer" in remark


def test_a_plugin_that_changes_nothing_is_not_reported(install: Install) -> None:
    install("import json, logging, random, torch\n" + declares("modest"), plugin="modest")
    assert remarks(load_registry(), "modest") == []


def test_filters_of_warnings_are_put_back_without_a_report(install: Install) -> None:
    install("import warnings; warnings.simplefilter('error')\n" + declares("w"), plugin="w")
    before = list(warnings.filters)
    assert remarks(load_registry(), "w") == []
    assert list(warnings.filters) == before


@pytest.mark.parametrize(
    "closes",
    ["sys.stdout.close()", "sys.stderr.close()", "sys.stdout.detach()", "sys.stderr.buffer.close()",
     "sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8'); print('x')",
     "sys.stdout = open(1, 'w', closefd=False)", "sys.stdout.reconfigure(encoding='ascii')"],
)  # fmt: skip
def test_a_plugin_cannot_close_the_streams(
    install: Install, capsys: pytest.CaptureFixture[str], closes: str
) -> None:
    install(f"import io, sys\n{closes}\n{declares('closer')}", plugin="closer")
    encoding = sys.stderr.encoding
    load_registry()
    gc.collect()
    print("still written", file=sys.stderr)
    print("still printed")
    printed = capsys.readouterr()
    assert printed.err.endswith("still written\n")
    assert printed.out == "still printed\n"
    assert sys.stderr.encoding == encoding


def test_what_the_user_has_set_before_is_kept(install: Install) -> None:
    install("import torch; torch.set_default_dtype(torch.float32)\n" + declares("x"), plugin="x")
    torch.set_default_dtype(torch.float64)
    try:
        load_registry()
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


FRESH = """
import sys
import seqzoo
registry = seqzoo.load_registry()
assert "torch" in sys.modules
import torch
print(torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled())
print(*registry.remarks, sep="\\n")
"""


def test_the_built_in_plugins_import_no_torch_and_change_nothing(tmp_path: Path) -> None:
    program = (
        "import seqzoo\n"
        "for found in seqzoo.load_registry().found:\n"
        "    if found.owner.is_built_in:\n"
        "        print(found.status, found.visit.imported_torch, found.visit.changed)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(PYTHONPATH=os.pathsep.join(sys.path)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert set(done.stdout.splitlines()) == {"loaded False ()"}, done.stderr


@pytest.mark.parametrize("threads", ["1", "2"])
def test_settings_of_torch_are_put_back_where_the_plugin_itself_imports_it(
    install: Install, tmp_path: Path, threads: str
) -> None:
    """The values to put back are those right after the import, which nobody had seen before."""
    install(
        "import torch; torch.set_default_dtype(torch.float64); torch.set_num_threads(7)\n"
        "torch.set_grad_enabled(False)\n" + declares("first"),
        plugin="first",
    )
    install("import torch\n" + declares("second"), plugin="second")
    done = subprocess.run(
        [sys.executable, "-c", FRESH],
        env=environment(PYTHONPATH=os.pathsep.join(sys.path), OMP_NUM_THREADS=threads),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    settings, remark = done.stdout.splitlines()
    assert settings == f"torch.float32 {threads} True"
    assert remark.startswith("plugin 'first' (seqzoo-first 1.2) imports torch")
    assert "torch's default dtype, torch's grad mode and torch's number of threads" in remark


@pytest.mark.parametrize("waits", [True, False])
def test_a_slow_plugin_is_named_with_its_time(install: Install, waits: bool) -> None:
    work = (
        "time.sleep(1.1)"
        if waits
        else "end = time.process_time() + 0.6\nwhile time.process_time() < end: pass"
    )
    install(f"import time\n{work}\n{declares('slow')}", plugin="slow")
    (remark,) = remarks(load_registry(), "slow")
    assert " s to load, and every command waits for it" in remark


def test_a_second_visit_is_not_blamed_for_the_first() -> None:
    with Quarantine() as quarantine:
        with quarantine.visit(Owner("one")) as first:
            random.seed(1)
        with quarantine.visit(Owner("two")) as second:
            pass
    assert first.changed == ("the random generator of Python",)
    assert second.changed == ()


def test_a_keyboard_interrupt_of_the_plugin_itself_is_a_broken_plugin(install: Install) -> None:
    install("raise KeyboardInterrupt", plugin="hasty")
    (broken,) = [each for each in load_registry().broken if each.owner.plugin == "hasty"]
    assert broken.cause == "it raised KeyboardInterrupt while loading"


@pytest.mark.parametrize(
    "body",
    ["{stop}", "try:\n    {stop}\nexcept BaseException:\n    pass",
     "try:\n    {stop}\nexcept BaseException as error:\n    raise ImportError('no') from error"],
    ids=["raised", "caught", "turned into another"],
)  # fmt: skip
def test_ctrl_c_while_a_plugin_loads_stops_the_command_and_names_the_plugin(
    install: Install, body: str
) -> None:
    stop = "import signal; signal.raise_signal(signal.SIGINT)"
    install(body.format(stop=stop), plugin="slow", version="0.2")
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as caught:
        load_registry()
    assert caught.value.__notes__ == ["Stopped while plugin 'slow' (seqzoo-slow 0.2) was loading."]
    assert signal.getsignal(signal.SIGINT) == handler


def test_plugins_can_be_loaded_in_a_thread(install: Install) -> None:
    import threading

    install("import torch; torch.set_default_dtype(torch.float64)\n" + declares("x"), plugin="x")
    found: list[Registry] = []
    thread = threading.Thread(target=lambda: found.append(load_registry()))
    thread.start()
    thread.join()
    assert len(remarks(found[0], "x")) == 1
    assert torch.get_default_dtype() == torch.float32


def test_a_plugin_file_that_changes_a_setting_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import torch; torch.set_default_dtype(torch.float64)\n" + declares("mine"))
    registry = Registry()
    registry.add_file(path)
    (remark,) = registry.remarks_on_files
    assert remark.startswith(f"plugin file {path} changed torch's default dtype")
    assert torch.get_default_dtype() == torch.float32
