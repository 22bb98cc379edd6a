"""laws, check and parametrize_laws: what they find, what they refuse, and what pytest shows."""

from __future__ import annotations

import re
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from commands import environment
from planted_architectures import ARCHITECTURES, HEALTHY
from planted_files import HEALTHY_FILE
from planted_text import TOKENIZERS
from pydantic import Field

import seqzoo
from seqzoo import Launcher, LauncherContext, LauncherSpec, Options, TokenizerSpec, UsageError
from seqzoo.testing import LawBroken, check, laws, parametrize_laws

PEEKS = ARCHITECTURES["reads ahead where T > 100"].spec

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(HEALTHY_FILE)
    return path


def test_a_finding_has_the_smallest_input_what_was_seen_and_the_usual_cause() -> None:
    (law,) = [each for each in laws(PEEKS) if each.law.what == "causality"]
    with pytest.raises(LawBroken) as raised:
        law.check()
    finding = raised.value.finding
    assert finding.law == "architecture.causality"
    assert finding.declared == "architecture 'mine'"
    assert finding.smallest["length"] == 101
    assert finding.options == {"hidden_size": 16}
    text = str(raised.value)
    for part in (finding.says, finding.seen, finding.cause, "length=101", "hidden_size=16"):
        assert part in text


def test_check_returns_the_findings_and_prints_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = check(TOKENIZERS["byte_lengths in wrong places"].spec)
    assert [each.law for each in found] == ["tokenizer.byte_places"]
    assert capsys.readouterr() == ("", "")


def test_a_broken_gate_leaves_the_other_laws_untried() -> None:
    tried = [law.examine() for law in laws(ARCHITECTURES["raises at the 13th call"].spec)]
    assert [each.status for each in tried].count("broken") == 1
    assert {each.reason for each in tried[1:]} == {
        "not tried, because architecture.calls does not hold"
    }


def test_targets_are_specs_modules_files_and_names_of_what_is_installed(file: Path) -> None:
    whole = {"plugin.mine.py.loads", "tokenizer.mine.round_trip"}
    assert whole <= {law.name for law in laws(file)} == {law.name for law in laws(str(file))}
    module = types.ModuleType("mine")
    module.__dict__.update(register_tokenizers=_hook)
    assert "tokenizer.mine.state" in {law.name for law in laws(module)}
    assert {law.law.kind for law in laws(HEALTHY)} == {"architecture"}
    assert {law.law.kind for law in laws("chars")} == {"tokenizer"}
    assert {law.law.kind for law in laws("samplers")} == {"plugin", "sampler"}
    assert {law.law.kind for law in laws("sampler.top_k")} == {"sampler"}
    every = laws("seqzoo")
    assert {law.name for law in every} == {
        law.name for law in laws() if law.declared.owner.distribution == "seqzoo"
    }


@seqzoo.hookimpl
def _hook() -> list[TokenizerSpec]:
    spec: TokenizerSpec = TOKENIZERS["ids of int64"].spec
    return [spec]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("lstmm", r"Did you mean 'lstm'\?"),
        ("./nothing.py", r"there is no plugin file"),
        ("architecture.lstmm", r"Did you mean 'architecture\.lstm'\?"),
        (str(Path(__file__).parent), r"is a folder, expected a plugin file"),
        (str(ROOT), rf"is the folder of a package; .*: pip install -e {re.escape(str(ROOT))}"),
        ("a.b.c", "neither installed nor a plugin file"),
        ("", "neither installed nor a plugin file"),
        ("x" * 300, "neither installed"),
        ("x" * 300 + ".py", "there is no plugin file"),
    ],
)
def test_a_target_that_is_nothing_is_refused_in_one_sentence(target: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        laws(target)
    assert "\n" not in str(raised.value)


class Needs(Options):
    size: int = Field(description="of the table")


def needing(options: Any, context: Any) -> Any:
    spec: Any = TOKENIZERS["ids of int64"].spec
    return spec.build(Options(), context)


NEEDING = TokenizerSpec(name="needy", summary="needs a size", options=Needs, build=needing)


def test_an_option_without_a_default_is_asked_for_and_can_be_given() -> None:
    with pytest.raises(UsageError, match=r"'needy' needs the option 'size'.*-o size="):
        check(NEEDING)
    assert [each.law for each in check(NEEDING, options={"size": 3})] == ["tokenizer.ids"]
    with pytest.raises(UsageError, match=r"size is 'x', expected a whole number"):
        check(NEEDING, options={"size": "x"})
    with pytest.raises(UsageError, match=r"no.* option 'sise'\. Did you mean 'size'\?"):
        laws(NEEDING, options={"sise": 3})


def test_an_expected_failure_that_is_no_law_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Did you mean 'architecture\.mine\.causality'\?"):
        parametrize_laws(HEALTHY, expected_failures={"architecture.mine.causalty": "why"})


TEST = """
from seqzoo.testing import parametrize_laws

@parametrize_laws({target!r}, expected_failures={expected!r}, kinds=["tokenizer"])
def test_law(law):
    law.check()
"""


WRONG_IDS = HEALTHY_FILE.replace("astype(np.uint16)", "astype(np.int64)")
EXPECTED = {"tokenizer.mine.ids": "they are wide"}


def test_three_lines_are_the_whole_test_of_a_plugin(tmp_path: Path) -> None:
    for name, text, expected in (
        ("healthy", HEALTHY_FILE, {}),
        ("broken", WRONG_IDS, {}),
        ("expected", WRONG_IDS, EXPECTED),
        ("repaired", HEALTHY_FILE, EXPECTED),
    ):
        plugin = tmp_path / name / "mine.py"
        plugin.parent.mkdir()
        plugin.write_text(text)
        test = TEST.format(target=str(plugin), expected=expected)
        (tmp_path / f"test_{name}.py").write_text(test)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rA",
         "-k", "ids or round_trip", str(tmp_path)],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    said = done.stdout
    assert "PASSED test_healthy.py::test_law[tokenizer.mine.round_trip]" in said
    assert "PASSED test_healthy.py::test_law[tokenizer.mine.ids]" in said
    assert "FAILED test_broken.py::test_law[tokenizer.mine.ids]" in said
    assert "usual cause: int64 from a library" in said
    assert "XFAIL test_expected.py::test_law[tokenizer.mine.ids] - they are wide" in said
    # It holds again, so the entry has to be removed.
    assert "[XPASS(strict)] they are wide" in said
    assert "FAILED test_repaired.py::test_law[tokenizer.mine.ids]" in said


def test_importing_the_kit_imports_neither_torch_nor_pytest() -> None:
    program = (
        "import sys, seqzoo.testing\n"
        "sys.exit(str([name for name in ('torch', 'pytest', 'hypothesis') if name in sys.modules]) "
        "if {'torch', 'pytest', 'hypothesis'} & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("cause", [ModuleNotFoundError("seqzoo_far"), FileNotFoundError("farrun")])
def test_a_launcher_whose_package_or_program_is_missing_is_skipped(
    cause: Exception,
) -> None:
    def opens(options: Options, context: LauncherContext) -> Launcher:
        raise UsageError("there is no cluster here") from cause

    spec = LauncherSpec(name="far", summary="another place", open=opens)
    (tried,) = [law.examine() for law in laws(spec) if law.law.name == "launcher.runs"]
    assert (tried.status, tried.reason) == ("skip", "there is no cluster here")
