"""A plugin can be broken in many ways; the others still work."""

from __future__ import annotations

import pickle
import sys
import textwrap
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from broken_plugins import Install, declares, hook

from seqzoo.errors import PluginError, UsageError
from seqzoo.plugin.hooks import ENTRY_POINT_GROUP
from seqzoo.plugin.registry import PLUGIN_KINDS, Owner, Registry, load_registry


def everything(registry: Registry) -> dict[str, list[str]]:
    return {kind: registry.names(kind) for kind in PLUGIN_KINDS}


BROKEN = {
    "missing dependency": (
        "import no_such_module",
        "it needs the module 'no_such_module', which is not installed (",
    ),
    "ImportError": ("raise ImportError('libfoo.so is missing')", "libfoo.so is missing"),
    "ImportError without a message": ("raise ImportError", "ImportError"),
    "syntax error": ("x = 1\ndef broken(:\n", "line 2"),
    "exit at import": ("import sys\nsys.exit(3)", "it called sys.exit(3) while loading"),
    "old API": ("from seqzoo import register_model", "cannot import name 'register_model'"),
    "endless recursion": ("def f(): f()\nf()", "RecursionError"),
    "stale entry point": (None, "does not exist, because the package was removed or moved"),
    "no hook": ("import seqzoo", "no seqzoo hook"),
    "unmarked hook": (
        declares("unmarked").replace("@hookimpl", ""),
        "no seqzoo hook (is @seqzoo.hookimpl missing?)",
    ),
    "misspelt hook": (
        declares("misspelt").replace("register_architectures", "register_architecture"),
        "no hook 'register_architecture'. Did you mean 'register_architectures'?",
    ),
    "hook with an argument": (
        declares("argument").replace("architectures()", "architectures(config)"),
        "config",
    ),
    "hook raises": (hook("raise RuntimeError('no licence\\nfound')"), "no licence found"),
    "hook exits": (hook("raise SystemExit('bye')"), "sys.exit('bye')"),
    "hook returns nothing": (hook("pass"), "register_architectures returned NoneType"),
    "hook returns a spec": (
        hook("return ArchitectureSpec(name='alone', summary='', build=dict)"),
        "returned ArchitectureSpec, expected an iterable of ArchitectureSpec",
    ),
    "hook returns a string": (hook("return 'lstm'"), "returned str"),
    "hook gives strings": (hook("return ['lstm']"), "gave str, expected ArchitectureSpec"),
    "hook gives another kind": (
        hook("return [TokenizerSpec(name='other', summary='', build=dict)]"),
        "gave TokenizerSpec, expected ArchitectureSpec",
    ),
    "generator fails half-way": (
        hook("yield ArchitectureSpec(name='half', summary='', build=dict)\n    1 / 0"),
        "ZeroDivisionError",
    ),
    "one name twice": (declares("twin", "twin"), "declares architecture 'twin' twice"),
    "name with capitals": (declares("My Cell"), "'My Cell'"),
    "options of no use": (
        declares("optional").replace("build=dict", "build=dict, options=dict"),
        "must be a subclass of Options",
    ),
    "missing build": (declares("unbuilt").replace(", build=dict", ""), "Spec needs 'build' ("),
}


@pytest.mark.parametrize(("source", "cause"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_reported_with_its_owner_and_cause_and_the_others_work(
    install: Install, registry: Registry, source: str | None, cause: str
) -> None:
    install(source, plugin="brittle", distribution="seqzoo-brittle", version="0.2")
    install(declares("healthy"), plugin="healthy")
    loaded = load_registry()
    assert loaded.names("architecture") == sorted([*registry.names("architecture"), "healthy"])
    assert {k: v for k, v in everything(loaded).items() if k != "architecture"} == {
        k: v for k, v in everything(registry).items() if k != "architecture"
    }
    (broken,) = [b for b in loaded.broken if b.owner.plugin == "brittle"]
    assert broken.owner == Owner("brittle", "seqzoo-brittle", "0.2")
    assert cause in broken.cause
    message = str(broken)
    assert message.startswith("plugin 'brittle' (seqzoo-brittle 0.2) could not be loaded: ")
    assert "SEQZOO_DISABLE=brittle" in message
    assert "\n" not in message


@pytest.mark.parametrize(("source", "cause"), BROKEN.values(), ids=BROKEN)
def test_strict_mode_raises_for_any_broken_plugin(
    install: Install, monkeypatch: pytest.MonkeyPatch, source: str | None, cause: str
) -> None:
    install(source, plugin="brittle")
    monkeypatch.setenv("SEQZOO_DISABLE", all_plugins_but("brittle"))
    monkeypatch.setenv("SEQZOO_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError, match="brittle") as caught:
        load_registry()
    assert cause in str(caught.value)
    assert caught.value.exit_code == 3


def all_plugins_but(*kept: str) -> str:
    found = {entry_point.name for entry_point in metadata.entry_points(group=ENTRY_POINT_GROUP)}
    return ",".join(found - set(kept))


def test_a_half_uninstalled_distribution_is_reported_by_its_entry_point(
    install: Install, tmp_path: Path
) -> None:
    install(None, plugin="ghost")
    (information,) = tmp_path.glob("*.dist-info")
    (information / "METADATA").unlink()
    (broken,) = [b for b in load_registry().broken if b.owner.plugin == "ghost"]
    assert str(broken).startswith(
        "plugin 'ghost' (seqzoo_ghost 1.2) could not be loaded: its module"
    )


@pytest.mark.parametrize("table", [b"[seqzoo]\nno equals sign\n", b"\xff\xfe\x00"])
def test_a_damaged_table_of_one_distribution_leaves_the_others_usable(
    install: Install, tmp_path: Path, table: bytes
) -> None:
    before = everything(load_registry())
    install(None, plugin="mangled")
    (information,) = tmp_path.glob("*.dist-info")
    (information / "entry_points.txt").write_bytes(table)
    registry = load_registry()
    assert everything(registry) == before
    (broken,) = [b for b in registry.broken if b.owner.distribution == "seqzoo-mangled"]
    assert [f.status for f in registry.found if f.owner == broken.owner] == ["broken"]
    assert "SEQZOO_DISABLE" not in str(broken)


def test_strict_mode_is_not_about_damaged_packages_that_may_have_no_plugin(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(None, plugin="mangled")
    (information,) = tmp_path.glob("*.dist-info")
    (information / "entry_points.txt").write_bytes(b"\xff\xfe\x00")
    monkeypatch.setenv("SEQZOO_STRICT_PLUGINS", "1")
    assert "gru" in load_registry().names("architecture")


@pytest.mark.parametrize("value", ["", "0"])
def test_strict_mode_is_off_by_default(
    install: Install, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    install("1 / 0", plugin="brittle")
    monkeypatch.setenv("SEQZOO_STRICT_PLUGINS", value)
    assert "brittle" in {broken.owner.plugin for broken in load_registry().broken}


def test_what_a_plugin_prints_while_loading_goes_to_stderr(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("print('importing')\n" + hook("print('calling')\n    return []"), plugin="chatty")
    load_registry()
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "importing\ncalling\n"


def test_a_plugin_that_declares_nothing_is_not_broken(install: Install) -> None:
    install(hook("return []"), plugin="modest")
    assert "modest" not in {broken.owner.plugin for broken in load_registry().broken}


def test_a_name_that_two_plugins_declare_is_unusable_and_both_are_named(
    install: Install,
) -> None:
    install(declares("contested", "mine"), plugin="one", version="1.0")
    install(declares("contested", "yours"), plugin="two", version="2.0")
    loaded = load_registry()
    assert "contested" not in loaded.names("architecture")
    assert {"mine", "yours"} <= set(loaded.names("architecture"))
    with pytest.raises(PluginError) as caught:
        loaded.get("architecture", "contested")
    for message in (
        str(caught.value),
        loaded.explain_missing("architecture", "contested"),
        "".join(str(broken) for broken in loaded.broken),
    ):
        assert "'one' (seqzoo-one 1.0) and 'two' (seqzoo-two 2.0)" in message


def test_two_kinds_can_use_the_same_name(install: Install) -> None:
    tokenizer = (
        "@hookimpl\ndef register_tokenizers():\n"
        "    return [TokenizerSpec(name='shared', summary='', build=dict)]\n"
    )
    install(declares("shared") + tokenizer, plugin="both")
    loaded = load_registry()
    assert loaded.get("architecture", "shared").kind == "architecture"
    assert loaded.get("tokenizer", "shared").kind == "tokenizer"


def test_two_plugins_with_the_same_name_are_both_loaded(install: Install) -> None:
    install(declares("first-cell"), plugin="cell", distribution="seqzoo-first")
    install(declares("second-cell"), plugin="cell", distribution="seqzoo-second")
    assert {"first-cell", "second-cell"} <= set(load_registry().names("architecture"))


def test_strict_mode_refuses_a_name_that_is_declared_twice(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(declares("contested"), plugin="one")
    install(declares("contested"), plugin="two")
    monkeypatch.setenv("SEQZOO_DISABLE", all_plugins_but("one", "two"))
    monkeypatch.setenv("SEQZOO_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError, match=r"'one' .* and 'two' "):
        load_registry()


def test_disabled_plugins_are_never_imported(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = [install("1 / 0", plugin="one"), install(declares("contested"), plugin="two")]
    install(declares("contested"), plugin="three")
    monkeypatch.setenv("SEQZOO_DISABLE", "one, two")
    loaded = load_registry()
    assert not {"one", "two"} & {broken.owner.plugin for broken in loaded.broken}
    assert loaded.get("architecture", "contested")
    assert not set(modules) & set(sys.modules)


def test_a_missing_name_is_explained(install: Install) -> None:
    install(declares("sequencer"), plugin="sequencer")
    install("1 / 0", plugin="brittle")
    loaded = load_registry()
    with pytest.raises(UsageError, match=r"'sequenser' is not installed. Did you mean 'sequencer'"):
        loaded.get("architecture", "sequenser")
    with pytest.raises(UsageError, match=r"because plugin 'brittle' .* could not be loaded"):
        loaded.get("architecture", "brittle")


def test_loading_twice_gives_the_same_registry_and_a_copy_is_independent(
    install: Install, tmp_path: Path
) -> None:
    install(declares("healthy"), plugin="healthy")
    first, second = load_registry(), load_registry()
    assert everything(first) == everything(second)
    extra = tmp_path / "extra.py"
    extra.write_text(declares("extra"))
    copied = first.copy()
    copied.add_file(extra)
    assert "extra" in copied.names("architecture")
    assert everything(first) == everything(second)


def test_a_plugin_file_adds_what_it_declares(tmp_path: Path) -> None:
    path = tmp_path / "my cell.py"
    path.write_text(declares("from-a-file"))
    registry = Registry()
    registry.add_file(path)
    (registered,) = registry.registered("architecture")
    assert registered.spec.name == "from-a-file"
    assert str(registered.owner) == f"'my cell.py' ({path})"


def test_a_plugin_file_that_is_loaded_again_replaces_what_it_declared(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(declares("first", "both"))
    registry = Registry()
    registry.add_file(path)
    path.write_text(declares("both", "second-name"))
    registry.add_file(path)
    assert registry.names("architecture") == ["both", "second-name"]


def test_a_plugin_file_can_define_its_options(tmp_path: Path) -> None:
    """pydantic looks annotations up in the module, so it must be able to find the module."""
    path = tmp_path / "with_options.py"
    path.write_text(
        "from __future__ import annotations\n"
        + declares("optional").replace("build=dict", "build=dict, options=Mine")
        + "\nclass Mine(seqzoo.Options):\n    width: Width = 3\n\nWidth = int\n"
    )
    registry = Registry()
    registry.add_file(path)
    options: Any = registry.get("architecture", "optional").options
    assert options(width="4").width == 4


@pytest.mark.parametrize(
    ("source", "cause"),
    [(source, cause) for source, cause in BROKEN.values() if source is not None],
    ids=[name for name, (source, _) in BROKEN.items() if source is not None],
)
def test_a_broken_plugin_file_is_refused_by_name_and_adds_nothing(
    tmp_path: Path, source: str, cause: str
) -> None:
    path = tmp_path / "broken.py"
    path.write_text(textwrap.dedent(source))
    registry, modules = Registry(), set(sys.modules)
    with pytest.raises(PluginError) as caught:
        registry.add_file(path)
    assert str(caught.value).startswith(f"plugin file {path} could not be loaded: ")
    assert cause in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not any(everything(registry).values())
    assert set(sys.modules) - modules <= {"seqzoo_plugin_file_broken"}


@pytest.mark.parametrize("name", ["absent.py", "folder", "notes.txt"])
def test_a_plugin_file_that_is_not_a_python_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("not Python")
    with pytest.raises(PluginError, match="no such Python file"):
        Registry().add_file(tmp_path / name)


def test_a_plugin_file_cannot_declare_a_name_that_is_in_use(
    tmp_path: Path, install: Install
) -> None:
    install(declares("healthy"), plugin="healthy", version="1.2")
    registry = load_registry()
    path = tmp_path / "pretender.py"
    path.write_text(declares("healthy"))
    with pytest.raises(PluginError) as caught:
        registry.add_file(path)
    assert f"'healthy' (seqzoo-healthy 1.2) and 'pretender.py' ({path})" in str(caught.value)


def test_a_copy_in_another_process_has_the_installed_plugins_and_the_files(
    tmp_path: Path, install: Install
) -> None:
    install(declares("healthy"), plugin="healthy", version="1.2")
    registry = load_registry()
    path = tmp_path / "mine.py"
    path.write_text(declares("mine"))
    registry.add_file(path)
    copied = pickle.loads(pickle.dumps(registry))
    assert everything(copied) == everything(registry)
    assert {"healthy", "mine"} <= set(copied.names("architecture"))


def test_a_plugin_that_is_only_in_this_process_is_not_lost_in_a_copy(install: Install) -> None:
    install(declares("healthy"), plugin="healthy", version="1.2")
    (registry := Registry()).add(load_registry()._plugins[0], Owner("mine", "by hand"))
    with pytest.raises(TypeError, match=r"'mine'.*was added in this process.*cannot be pickled"):
        pickle.dumps(registry)
