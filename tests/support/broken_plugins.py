"""Installs plugins into a folder of sys.path, whole ones and ones that are broken in many ways."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

from seqzoo.plugin.hooks import ENTRY_POINT_GROUP

Install = Callable[..., str]
"""(source, plugin=..., version=...) -> the name of the module that was written."""

HEADER = """
import seqzoo
from seqzoo import ArchitectureSpec, Check, TokenizerSpec, hookimpl
"""


def declares(*names: str) -> str:
    """The source of a plugin that declares architectures."""
    specs = ", ".join(f"ArchitectureSpec(name={name!r}, summary='', build=dict)" for name in names)
    return f"{HEADER}\n@hookimpl\ndef register_architectures():\n    return [{specs}]\n"


def hook(body: str) -> str:
    """The source of a plugin whose hook has a body."""
    return f"{HEADER}\n@hookimpl\ndef register_architectures():\n    {body}\n"


def install_plugin(
    folder: Path,
    source: str | None,
    *,
    plugin: str,
    module: str,
    value: str = "",
    distribution: str = "",
    version: str = "1.2",
) -> Path:
    """A distribution with one module and one entry point; returns the folder that describes it.

    source: None for an entry point without its module. value: of the entry point; the module if "".
    """
    if source is not None:
        (folder / f"{module}.py").write_text(textwrap.dedent(source))
    distribution = distribution or f"seqzoo-{plugin}"
    described = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    described.mkdir(exist_ok=True)
    (described / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
    )
    with (described / "entry_points.txt").open("a", encoding="utf-8") as entry_points:
        entry_points.write(f"[{ENTRY_POINT_GROUP}]\n{plugin} = {value or module}\n")
    return described


def _at_import(source: str, name: str) -> str:
    """A plugin that works, and does something when it is imported."""
    return f"{textwrap.dedent(source)}\n{declares(name)}"


UNUSABLE: dict[str, str | None] = {
    "missing": "import no_such_module",
    "import_error": "raise ImportError('libfoo.so is missing')",
    "syntax": "x = 1\ndef broken(:\n",
    "exits": "import sys\nsys.exit('I leave')",
    "base": "class Odd(BaseException): pass\nraise Odd('at import')",
    "generator_exit": "raise GeneratorExit",
    "cancelled": "import asyncio\nraise asyncio.CancelledError",
    "interrupts": "raise KeyboardInterrupt",
    "recursion": "def f(): f()\nf()",
    "memory": "raise MemoryError",
    "unprintable": "class E(Exception):\n    def __str__(self): 1 / 0\nraise E",
    "raises": hook("raise RuntimeError('boom')"),
    "half_way": hook("yield ArchitectureSpec(name='half', summary='', build=dict)\n    1 / 0"),
    "signature": declares("argument").replace("architectures()", "architectures(config)"),
    "misspelt": declares("misspelt").replace("register_architectures", "register_architecture"),
    "wrong_type": hook("return [{'name': 'x'}]"),
    "no_iterable": hook("return 3"),
    "newer": hook("return [ArchitectureSpec(name='n', summary='', build=dict, apii=2)]"),
    "older": hook("return [ArchitectureSpec('o', 'summary', dict)]"),
    "incomplete": hook("return [ArchitectureSpec(name='i', build=dict)]"),
    "gru": declares("gru"),
    "takes_a_name": declares("mine", "lstm"),
    "getattr": "def __getattr__(name): raise RuntimeError(name)",
    "stale": None,
    "silent": "import seqzoo",
}
"""Plugins that declare nothing usable, by the name of their entry point."""

ILL_BEHAVED: dict[str, str] = {
    "float64": _at_import("import torch\ntorch.set_default_dtype(torch.float64)", "float64"),
    "threads": _at_import("import torch\ntorch.set_num_threads(7)", "threads"),
    "seeds": _at_import(
        "import random, torch, numpy as np\n"
        "random.seed(1); torch.manual_seed(1); np.random.seed(1)\n",
        "seeds",
    ),
    "modes": _at_import(
        """
        import torch
        torch.set_grad_enabled(False)
        torch.use_deterministic_algorithms(True)
        torch.set_default_device("meta")
        torch.set_float32_matmul_precision("medium")
        torch.set_flush_denormal(True)
        """,
        "modes",
    ),
    "environ": _at_import(
        "import os\nos.environ['FROM_A_PLUGIN'] = '1'\nos.environ.pop('HOME', None)", "environ"
    ),
    "directory": _at_import("import os\nos.chdir('/')", "directory"),
    "streams": _at_import("import io, sys\nsys.stderr = sys.stdout = io.StringIO()", "streams"),
    "signals": _at_import("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)", "signals"),
    "recursion_limit": _at_import("import sys\nsys.setrecursionlimit(900)", "recursion-limit"),
    "loggers": _at_import(
        "import logging, sys\nlogging.basicConfig(level=0, stream=sys.__stdout__)\n"
        "logging.info('hello')",
        "loggers",
    ),
    "in_a_hook": hook("import torch; torch.set_default_dtype(torch.float64); return []"),
    "sleeps": _at_import("import time\ntime.sleep(1.1)", "sleeps"),
}
"""Plugins that work, and of which something is reported."""

QUIET: dict[str, str] = {
    "prints": _at_import(
        "import os, sys\nprint('hello')\nprint('hello', file=sys.__stdout__, flush=True)\n"
        "os.system('echo hello')\nos.write(1, b'hello')",
        "prints",
    ),
    "warns": _at_import("import warnings\nwarnings.warn('hello')", "warns"),
    "filters": _at_import("import warnings\nwarnings.simplefilter('error')", "filters"),
    "at_exit": _at_import("import atexit, sys\natexit.register(sys.exit, 3)", "at-exit"),
}
"""Plugins that work, and that need no report; what they print goes to stderr."""


def install_all(folder: Path, plugins: dict[str, str | None] | dict[str, str]) -> None:
    """Install plugins of the tables above, each in a distribution of its own."""
    for name, source in plugins.items():
        install_plugin(folder, source, plugin=name, module=f"module_of_{name}")
