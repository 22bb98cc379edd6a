"""A broken plugin beside seqzoo: every command works, and says in one line whose fault it is."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from broken_plugins import (
    HEADER,
    ILL_BEHAVED,
    QUIET,
    UNUSABLE,
    declares,
    hook,
    install_all,
    install_plugin,
)
from commands import environment, seqzoo
from stopped_imports import stop_while_importing
from waiting import WAIT

GRU = """\
name: small
corpus: {name: pastiche, options: {size_bytes: 30000}}
tokenizer: {name: bytes}
architecture: {name: gru, options: {hidden_size: 8}}
train:
  batch_size: 4
  bptt_length: 16
  optimizer: {name: adamw, learning_rate: 0.01}
  budget: {steps: 3}
baselines: {include: [uniform]}
sample: {prompt: "A:", length: 8, chain: [{temperature: 0.8}]}
runtime: {threads: 1, device: cpu}
"""

REMEDIES = ("SEQZOO_DISABLE=", "try: pip ")


def beside(
    plugins: Path, *arguments: str, folder: Path, disable: str = ""
) -> subprocess.CompletedProcess[str]:
    """The command line in a process that finds the distributions of a folder."""
    paths = os.pathsep.join(filter(None, [str(plugins), os.environ.get("PYTHONPATH", "")]))
    return seqzoo(*arguments, folder=folder, PYTHONPATH=paths, SEQZOO_DISABLE=disable)


def warnings_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if "warning: plugin" in line]


def assert_one_warning_for_each(
    done: subprocess.CompletedProcess[str], names: Mapping[str, Any]
) -> None:
    said = warnings_of(done)
    for name in names:
        (warning,) = [each for each in said if f"plugin '{name}' (seqzoo-{name} 1.2) " in each]
        assert any(remedy in warning for remedy in REMEDIES), warning
    assert len(said) == len(names)
    assert "Traceback" not in done.stderr


def trained(folder: Path, run: str) -> tuple[bytes, Any]:
    """The weights of a run, and its scores."""
    (weights,) = (folder / "runs" / run / "checkpoints").glob("step-3/model.safetensors")
    result = json.loads((folder / "runs" / run / "result.json").read_text())
    return weights.read_bytes(), result["scores"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the outputs of the commands where no other plugin is installed."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "small.yaml").write_text(GRU)
    for name, command in COMMANDS.items():
        done = beside(folder / "none", *command, folder=folder)
        assert done.returncode == 0, done.stderr
        (folder / f"{name}.out").write_text(done.stdout)
    return folder


COMMANDS = {
    "help": ("--help",),
    "list": ("list", "--json"),
    "doctor": ("doctor", "--json"),
    "run": ("run", "small.yaml", "--json"),
}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every plugin of the tables is installed."""
    folder = tmp_path_factory.mktemp("everything")
    for plugins in (UNUSABLE, ILL_BEHAVED, QUIET):
        install_all(folder, plugins)
    return folder


REPORTED: Mapping[str, str | None] = {**UNUSABLE, **ILL_BEHAVED}


def test_plugins_that_are_not_usable_leave_the_list_as_it_is(alone: Path, tmp_path: Path) -> None:
    install_all(tmp_path, UNUSABLE)
    done = beside(tmp_path, "list", "--json", folder=alone)
    assert (done.returncode, done.stdout) == (0, (alone / "list.out").read_text())
    assert_one_warning_for_each(done, UNUSABLE)


def test_a_run_beside_all_of_them_has_the_same_bits(alone: Path, everything: Path) -> None:
    done = beside(everything, "run", "small.yaml", "--json", "--name", "beside", folder=alone)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["run"] == "beside"
    assert trained(alone, "beside") == trained(alone, "small")
    assert_one_warning_for_each(done, REPORTED)


def test_the_doctor_names_all_that_are_reported(alone: Path, everything: Path) -> None:
    done = beside(everything, "doctor", "--json", folder=alone)
    assert done.returncode == 6, done.stderr
    diagnosis = json.loads(done.stdout)
    assert diagnosis["causes"] == ["environment.plugins"]
    (check,) = [each for each in diagnosis["checks"] if each["name"] == "environment.plugins"]
    for name in REPORTED:
        assert f"plugin '{name}' (seqzoo-{name} 1.2)" in check["seen"]


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", [*UNUSABLE, *ILL_BEHAVED, *QUIET])
def test_every_command_works_beside_every_broken_plugin(
    alone: Path, tmp_path: Path, name: str, command: str
) -> None:
    table: Mapping[str, str | None] = {**UNUSABLE, **ILL_BEHAVED, **QUIET}
    install_all(tmp_path, {name: table[name]})
    run = f"beside_{name}"
    further = ("--name", run) if command == "run" else ()
    done = beside(tmp_path, *COMMANDS[command], *further, folder=alone)
    finds = command == "doctor" and name not in QUIET
    assert done.returncode == (6 if finds else 0), done.stderr
    printed = (alone / f"{command}.out").read_text()
    if command == "help" or (command == "list" and name in UNUSABLE):
        assert done.stdout == printed
    else:
        assert json.loads(done.stdout)
    if command == "run":
        assert trained(alone, run) == trained(alone, "small")
    reported = {} if command == "help" or name in QUIET else {name: None}
    assert_one_warning_for_each(done, reported)


PRINTS = "print('from a plugin'); os.system('echo from a program'); os.write(1, b'raw')"

CHATTY = f"""
import os, sys
import seqzoo

def build(options, *, vocab_size):
    {PRINTS}
    import torch

    class Chatty(seqzoo.SequenceModel):
        def __init__(self):
            super().__init__()
            self.embed = torch.nn.Embedding(vocab_size, vocab_size)

        def initial_state(self, batch_size):
            return None

        def forward(self, tokens, state=None):
            {PRINTS}
            return self.embed(tokens), None

    return Chatty()

def open_tracker(options, run_directory):
    class Printing(seqzoo.Tracker):
        def log(self, step, metrics):
            print('logged', file=sys.__stdout__, flush=True)

    return Printing()

def sampler(options):
    class Printing(seqzoo.Sampler):
        history_length = 0

        def __call__(self, logits, history):
            {PRINTS}
            return logits

    return Printing()

@seqzoo.hookimpl
def register_architectures():
    return [seqzoo.ArchitectureSpec(name="chatty", summary="prints", build=build)]

@seqzoo.hookimpl
def register_samplers():
    return [seqzoo.SamplerSpec(name="printing", summary="prints", build=sampler)]

@seqzoo.hookimpl
def register_trackers():
    return [seqzoo.TrackerSpec(name="printing", summary="prints", open=open_tracker)]
"""


def test_what_plugins_print_while_they_work_is_no_part_of_the_results(tmp_path: Path) -> None:
    (tmp_path / "chatty.py").write_text(CHATTY)
    recipe = GRU.replace("{name: gru, options: {hidden_size: 8}}", "{name: chatty}")
    recipe = recipe.replace("[{temperature: 0.8}]", "[printing]")
    recipe += "plugins: [chatty.py]\ntrackers: [{name: printing}]\n"
    (tmp_path / "small.yaml").write_text(recipe)
    run = seqzoo("run", "small.yaml", "--trust", "--json", folder=tmp_path)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["architecture"] == "chatty"
    for printed in ("from a plugin", "from a program", "raw", "logged"):
        assert printed in run.stderr
    for command in (
        "eval small --json",
        "doctor small --only model.causality --json",
        "runs show small --json",
    ):
        assert json.loads(seqzoo(*command.split(), folder=tmp_path).stdout)
    sample = seqzoo("sample", "small", "-n", "6", "--prompt", "AB", folder=tmp_path)
    assert sample.returncode == 0, sample.stderr
    assert sample.stdout.startswith("AB")
    assert "plugin" not in sample.stdout


FAILS_LATER = """
import os

import seqzoo


def build(options, context):
    from torch import nn

    if "NOT_ANY_MORE" in os.environ:
        raise RuntimeError("the package of the model is missing")

    class Bigram(seqzoo.SequenceModel):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(context.vocab_size, context.vocab_size)

        def initial_state(self, batch_size):
            return ()

        def forward(self, tokens, state=None):
            return self.table(tokens), ()

    return Bigram()


@seqzoo.hookimpl
def register_architectures():
    return [seqzoo.ArchitectureSpec(name="later", summary="fails later", build=build)]
"""


def test_a_model_that_cannot_be_loaded_writes_no_prompt(tmp_path: Path) -> None:
    (tmp_path / "later.py").write_text(FAILS_LATER)
    recipe = GRU.replace("{name: gru, options: {hidden_size: 8}}", "{name: later}")
    (tmp_path / "small.yaml").write_text(recipe + "plugins: [later.py]\n")
    run = seqzoo("run", "small.yaml", "--trust", folder=tmp_path)
    assert run.returncode == 0, run.stderr
    sample = seqzoo("sample", "small", "--prompt", "AB", folder=tmp_path, NOT_ANY_MORE="1")
    assert sample.returncode != 0
    assert sample.stdout == ""
    assert "the package of the model is missing" in sample.stderr


def test_a_command_that_asks_for_the_plugins_twice_loads_and_reports_them_once(
    alone: Path, tmp_path: Path
) -> None:
    """The options of `sample` are those of the installed samplers; then the run is opened."""
    install_plugin(
        tmp_path,
        "import os\nprint('loading')\nos.environ['OF_A_PLUGIN'] = '1'\n" + declares("x"),
        plugin="once",
        module="module_of_once",
    )
    done = beside(tmp_path, "sample", "small", "-n", "2", folder=alone)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("loading\n") == 1
    assert_one_warning_for_each(done, {"once": None})


def test_no_module_prints_without_saying_where() -> None:
    """`print` would write to stderr in a command: results have functions of their own."""
    package = Path(__file__).parents[2] / "seqzoo"
    for path in package.rglob("*.py"):
        for call in re.findall(r"(?<![\w.])print\(.*", path.read_text(encoding="utf-8")):
            assert "file=sys.stderr" in call, (path, call)


def test_ctrl_c_while_a_plugin_loads_names_it(tmp_path: Path) -> None:
    install_plugin(
        tmp_path,
        f"import pathlib, time\npathlib.Path('importing').touch()\n{WAIT}",
        plugin="slow",
        module="module_of_slow",
    )
    out, messages, code = stop_while_importing(
        ["-m", "seqzoo", "list"], signal.SIGINT, folder=tmp_path, modules=tmp_path
    )
    assert (code, out) == (130, "")
    assert messages == "Stopped while plugin 'slow' (seqzoo-slow 1.2) was loading.\n"


def test_ctrl_c_in_a_hook_names_the_plugin_too(tmp_path: Path) -> None:
    stops = "import signal; signal.raise_signal(signal.SIGINT)"
    install_plugin(tmp_path, hook(stops), plugin="slow", module="module_of_slow")
    done = beside(tmp_path, "list", folder=tmp_path)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "Stopped while plugin 'slow' (seqzoo-slow 1.2) was loading.\n"


def test_an_exit_function_that_fails_is_one_line_and_keeps_the_exit_code(tmp_path: Path) -> None:
    source = (
        "import atexit\n\n\ndef leave():\n    raise SystemExit(3)\n\n\natexit.register(leave)\n"
    )
    install_plugin(tmp_path, source + declares("x"), plugin="leaves", module="module_of_leaves")
    done = beside(tmp_path, "list", "--json", folder=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)
    assert done.stderr == (
        "warning: leave failed and was ignored: SystemExit: 3 (module_of_leaves.py, line 5)\n"
    )


def test_a_check_with_the_name_of_a_built_in_one_is_refused(tmp_path: Path) -> None:
    source = (
        f"{HEADER}\n@hookimpl\ndef register_checks():\n"
        "    return [Check(name='environment.threads', summary='x', examine=print)]\n"
    )
    install_plugin(tmp_path, source, plugin="threads", module="module_of_threads")
    done = beside(tmp_path, "doctor", "--json", folder=tmp_path)
    assert done.returncode == 6
    (warning,) = warnings_of(done)
    said = "it declares the check 'environment.threads', which is a name of seqzoo itself"
    assert said in warning
    assert said in done.stdout


def test_plugins_shows_what_was_found_and_what_became_of_it(tmp_path: Path) -> None:
    install_plugin(tmp_path, declares("mine", "other"), plugin="mine", module="module_of_mine")
    install_plugin(tmp_path, "1 / 0", plugin="bad", module="module_of_bad")
    shown = beside(tmp_path, "plugins", folder=tmp_path, disable="rnn")
    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    row = {line.split()[0]: line for line in lines if not line.startswith(" ")}
    assert "seqzoo-mine 1.2" in row["mine"]
    assert "loaded" in row["mine"]
    assert "architecture mine," in row["mine"]
    assert "broken" in row["bad"]
    assert "ZeroDivisionError" in row["bad"]
    assert "disabled" in row["rnn"]
    done = beside(tmp_path, "plugins", "--json", folder=tmp_path, disable="rnn")
    found = {each["plugin"]: each for each in json.loads(done.stdout)}
    assert {name: found[name]["status"] for name in ("mine", "bad", "rnn", "gru")} == {
        "mine": "loaded", "bad": "broken", "rnn": "disabled", "gru": "loaded",
    }  # fmt: skip
    assert found["mine"]["declares"] == [
        {"kind": "architecture", "name": "mine"},
        {"kind": "architecture", "name": "other"},
    ]
    assert found["bad"]["cause"].startswith("ZeroDivisionError: division by zero (module_of_bad")


def test_the_list_says_who_brought_a_name_in_a_narrow_terminal(tmp_path: Path) -> None:
    install_plugin(tmp_path, declares("mine"), plugin="mine", module="module_of_mine")
    shown = beside(tmp_path, "list", "architecture", folder=tmp_path).stdout
    (row,) = [line for line in shown.splitlines() if " mine " in line]
    assert row.endswith("(from seqzoo-mine 1.2)")
    assert "(from seqzoo " not in shown


def test_the_list_beside_many_plugins_imports_nothing_heavy(tmp_path: Path) -> None:
    for number in range(20):
        install_plugin(
            tmp_path,
            declares(f"cell-{number}"),
            plugin=f"cell_{number}",
            module=f"module_of_cell_{number}",
        )
    program = (
        "import sys, seqzoo.cli\n"
        "sys.argv = ['seqzoo', 'list', '--json']\n"
        "code = seqzoo.cli._exit_code()\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment(PYTHONPATH=paths),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    names = {row["name"] for row in json.loads(done.stdout)}
    assert names >= {f"cell-{number}" for number in range(20)}
    heavy = {"torch", "numpy", "certifi", "ssl", "safetensors", "jinja2", "asyncio", "yaml", "pip"}
    assert heavy & set(done.stderr.split()) == set()
