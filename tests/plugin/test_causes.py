"""Why a plugin is broken, in one sentence that says where and what to do."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest
from broken_plugins import HEADER, Install, declares, hook, install_plugin

from seqzoo.plugin.registry import Broken, load_registry
from seqzoo.version import __version__


def broken(plugin: str) -> Broken:
    (found,) = [each for each in load_registry().broken if each.owner.plugin == plugin]
    return found


SPEC = "ArchitectureSpec(name='a', summary='', build=dict"

CAUSES = {
    "raised in a hook": (
        hook("raise RuntimeError('boom')"),
        "RuntimeError: boom (MODULE.py, line 7)",
    ),
    "raised in a library": (
        "import json\n\njson.loads('{')",
        "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 "
        "(char 1) (MODULE.py, line 3)",
    ),
    "raised in seqzoo": (
        declares("Not A Name"),
        "ValueError: architecture name 'Not A Name' is not lower-case letters, digits, '_' and "
        "'-' (MODULE.py, line 7)",
    ),
    "an unknown argument": (
        hook(f"return [{SPEC}, sumary='x')]"),
        f"ArchitectureSpec of seqzoo {__version__} has no argument 'sumary' (MODULE.py, line 7). "
        "Did you mean 'summary'?",
    ),
    "an argument of a newer version": (
        hook(f"return [{SPEC}, quantum=1)]"),
        f"ArchitectureSpec of seqzoo {__version__} has no argument 'quantum' (MODULE.py, line 7). "
        "The plugin may be made for a newer seqzoo.",
    ),
    "missing arguments": (
        hook("return [ArchitectureSpec(name='a')]"),
        "ArchitectureSpec needs 'summary' and 'build' (MODULE.py, line 7)",
    ),
    "a missing argument of a check": (
        hook("return [Check(name='a.b')]"),
        "Check needs 'summary' and 'examine' (MODULE.py, line 7)",
    ),
    "arguments without names": (
        hook("return [ArchitectureSpec('a', '', dict)]"),
        "ArchitectureSpec takes its arguments by name (MODULE.py, line 7), as in "
        "ArchitectureSpec(name=...)",
    ),
    "a hook with an argument": (
        declares("a").replace("architectures()", "architectures(config)"),
        "register_architectures takes no arguments, found 'config'",
    ),
    "a name that seqzoo does not have": (
        "from seqzoo import register_model",
        "cannot import name 'register_model' from 'seqzoo', which this seqzoo "
        f"({__version__}) does not have; it is made for another version (MODULE.py, line 1)",
    ),
    "a module that seqzoo does not have": (
        "import seqzoo.extras",
        f"it needs the module 'seqzoo.extras', which this seqzoo ({__version__}) does not have; "
        "it is made for another version (MODULE.py, line 1)",
    ),
    "no memory": ("raise MemoryError", "MemoryError (MODULE.py, line 1)"),
    "an endless recursion": (
        "def f(): f()\nf()",
        "RecursionError: maximum recursion depth exceeded (MODULE.py, line 1)",
    ),
    "no exception of the usual kind": (
        "class Odd(BaseException): pass\nraise Odd('at import')",
        "Odd: at import (MODULE.py, line 2)",
    ),
    "an exception that cannot be shown": (
        "class E(Exception):\n    def __str__(self): 1 / 0\nraise E",
        "E: its message cannot be shown (MODULE.py, line 3)",
    ),
    "an object whose attributes raise": (
        "class Evil:\n    def __getattribute__(self, name): raise RuntimeError('no')\n"
        "x = Evil()\n" + declares("a"),
        "RuntimeError: no (MODULE.py, line 2)",
    ),
}


@pytest.mark.parametrize(("source", "cause"), CAUSES.values(), ids=CAUSES)
def test_a_cause_names_the_line_of_the_plugin_and_what_was_expected(
    install: Install, source: str, cause: str
) -> None:
    module = install(source, plugin="brittle")
    assert broken("brittle").cause == cause.replace("MODULE", module)


def test_a_long_message_is_cut(install: Install) -> None:
    install("raise ValueError('x' * 10**6)", plugin="brittle")
    assert len(str(broken("brittle"))) < 600


def test_a_missing_package_comes_with_the_command_that_installs_it(install: Install) -> None:
    install("import no_such_module.part", plugin="brittle")
    message = str(broken("brittle"))
    assert "it needs the module 'no_such_module" in message
    assert message.endswith("or try: pip install no_such_module")


def test_what_the_package_itself_requires_is_installed_by_its_own_name(
    tmp_path: Path,
    install: Install,
) -> None:
    install("import no_such_module", plugin="brittle")
    (described,) = tmp_path.glob("*.dist-info")
    with (described / "METADATA").open("a") as metadata:
        metadata.write(
            "Requires-Dist: numpy>=1\nRequires-Dist: scikit-no-such[all]>=2\n"
            "Requires-Dist: other-no-such; extra == 'all'\n"
        )
    assert str(broken("brittle")).endswith("or try: pip install scikit-no-such")


def test_a_missing_part_of_the_package_asks_for_a_reinstall(
    tmp_path: Path, install: Install
) -> None:
    package = tmp_path / "package_of_a_test"
    package.mkdir()
    (package / "__init__.py").write_text("from package_of_a_test.model import Model")
    install(None, plugin="brittle", value="package_of_a_test")
    message = str(broken("brittle"))
    assert "a part of the package is missing, the module 'package_of_a_test.model'" in message
    assert "(package_of_a_test/__init__.py, line 1)" in message
    assert message.endswith("or try: pip install --force-reinstall seqzoo-brittle")


@pytest.mark.parametrize("value", ["no_such_module", "no_such_module.part", "json.no_such"])
def test_a_stale_entry_point_asks_to_uninstall_the_package(install: Install, value: str) -> None:
    install(None, plugin="ghost", value=value)
    message = str(broken("ghost"))
    assert f"its module '{value}' does not exist" in message
    assert message.endswith("or try: pip uninstall seqzoo-ghost")


@pytest.mark.parametrize(
    "value", ["a b:c", "x:y:z", ":x", "a.b.", "1 + 1", "mod:attr with space", "[red]x[/red]"]
)
def test_an_entry_point_that_is_no_reference_is_shown_as_it_is(
    install: Install, value: str
) -> None:
    install(None, plugin="odd", value=value)
    assert f"its entry point is '{value}'" in broken("odd").cause or "does not exist" in str(
        broken("odd")
    )


def test_an_empty_entry_point_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described = install_plugin(tmp_path, None, plugin="odd", module="x")
    (described / "entry_points.txt").write_text("[seqzoo]\nodd =\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "its entry point is ''" in broken("odd").cause


OBJECTS = {
    "a class": ("class P:\n    @hookimpl\n    def register_architectures(self): return []", "P"),
    "a function": ("@hookimpl\ndef register_architectures(): return []", "register_architectures"),
    "a number": ("answer = 42", "answer"),
    "nothing": ("", "absent"),
}


@pytest.mark.parametrize(("source", "name"), OBJECTS.values(), ids=OBJECTS)
def test_an_entry_point_that_names_no_plugin_object_is_reported(
    install: Install, tmp_path: Path, source: str, name: str
) -> None:
    (tmp_path / f"named_{name}.py").write_text(HEADER + textwrap.dedent(source))
    install(None, plugin="odd", value=f"named_{name}:{name}")
    expected = {
        "P": "names the class 'P', not a module or an instance",
        "register_architectures": "names the function 'register_architectures', not a module",
        "answer": "it implements no seqzoo hook",
        "absent": "has no 'absent'",
    }
    assert expected[name] in broken("odd").cause


def test_an_instance_with_hooks_is_a_plugin(install: Install, tmp_path: Path) -> None:
    source = declares("from-an-instance").replace(
        "@hookimpl\ndef", "class P:\n    @hookimpl\n    def"
    )
    source = source.replace("architectures()", "architectures(self)").replace(
        "    return", "        return"
    )
    (tmp_path / "with_an_instance.py").write_text(source + "\nplugin = P()\n")
    install(None, plugin="instance", value="with_an_instance:plugin")
    assert "from-an-instance" in load_registry().names("architecture")


def test_one_plugin_with_two_entry_points_is_loaded_once(install: Install) -> None:
    module = install(declares("only"), plugin="new", distribution="seqzoo-new")
    install(None, plugin="old", distribution="seqzoo-old", value=module)
    loaded = load_registry()
    assert loaded.broken == []
    assert "only" in loaded.names("architecture")


def test_another_entry_point_of_a_built_in_plugin_changes_nothing(install: Install) -> None:
    install(None, plugin="copy", value="seqzoo_plugins.gru")
    loaded = load_registry()
    assert loaded.broken == []
    assert loaded.owner("architecture", "gru").is_built_in


@pytest.mark.parametrize("name", ["[bold]x", "with space", "a,b", "é", "x\x1b[31m"])
def test_a_strange_name_is_reported_like_any_other(install: Install, name: str) -> None:
    install("1 / 0", plugin=name, distribution="seqzoo-strange")
    (found,) = load_registry().broken
    assert found.owner.distribution == "seqzoo-strange"
    assert "ZeroDivisionError" in found.cause


def test_a_damaged_description_of_an_unrelated_package_is_never_read(
    tmp_path: Path, install: Install
) -> None:
    install(declares("healthy"), plugin="healthy")
    unrelated = tmp_path / "unrelated-1.0.dist-info"
    unrelated.mkdir()
    (unrelated / "METADATA").write_bytes(b"\xff\xfe Name:\x00")
    loaded = load_registry()
    assert loaded.broken == []
    assert "healthy" in loaded.names("architecture")


def test_a_damaged_description_of_a_plugin_is_named_by_its_folder(
    tmp_path: Path, install: Install
) -> None:
    install(declares("healthy"), plugin="healthy")
    (described,) = tmp_path.glob("*.dist-info")
    (described / "METADATA").write_bytes(b"\xff\xfe Name:\x00")
    loaded = load_registry()
    assert str(loaded.owner("architecture", "healthy")) == "'healthy' (seqzoo_healthy 1.2)"


def test_the_first_folder_of_the_path_has_the_plugin(
    tmp_path: Path, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for modules: an older copy in a later folder is not used, even if the first has none."""
    install(declares("copied"), plugin="copied", version="2.0")
    later = tmp_path / "later"
    later.mkdir()
    install_plugin(later, "1 / 0", plugin="copied", module="older_copy", version="1.0")
    monkeypatch.setattr("sys.path", [*sys.path, str(later)])
    found = [each for each in load_registry().found if each.owner.plugin == "copied"]
    assert [each.owner.version for each in found] == ["2.0"]
