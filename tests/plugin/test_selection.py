"""SEQZOO_DISABLE and SEQZOO_LOAD_PLUGINS choose which plugins are loaded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from broken_plugins import Install, declares

from seqzoo.errors import PluginError
from seqzoo.plugin.registry import Registry, load_registry


def ours(registry: Registry) -> set[str]:
    """The names of architectures that come with seqzoo."""
    entries = registry.registered("architecture")
    return {entry.spec.name for entry in entries if entry.owner.is_built_in}


@pytest.mark.parametrize(
    ("value", "loaded"),
    [("one", {"one"}), ("one, two", {"one", "two"}), ("seqzoo-two", {"two"}), ("", set())],
)
def test_a_load_only_list_leaves_out_all_other_plugins_but_not_the_built_in_ones(
    install: Install,
    monkeypatch: pytest.MonkeyPatch,
    registry: Registry,
    value: str,
    loaded: set[str],
) -> None:
    modules = {name: install(declares(name), plugin=name) for name in ("one", "two", "three")}
    monkeypatch.setenv("SEQZOO_LOAD_PLUGINS", value)
    found = load_registry()
    assert {"one", "two", "three"} & set(found.names("architecture")) == loaded
    assert {name for name, module in modules.items() if module in sys.modules} == loaded
    assert ours(found) == ours(registry)
    assert found.remarks == []


@pytest.mark.parametrize("variable", ["SEQZOO_DISABLE", "SEQZOO_LOAD_PLUGINS"])
def test_a_name_that_is_missing_because_its_plugin_is_disabled_is_explained(
    install: Install, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    install(declares("one"), plugin="one")
    monkeypatch.setenv(variable, "one" if variable == "SEQZOO_DISABLE" else "")
    assert "plugin 'one' is disabled" in load_registry().explain_missing("architecture", "one")


def test_disabling_is_stronger_than_loading(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(declares("one"), plugin="one")
    monkeypatch.setenv("SEQZOO_LOAD_PLUGINS", "one")
    monkeypatch.setenv("SEQZOO_DISABLE", "one")
    assert "one" not in load_registry().names("architecture")


@pytest.mark.parametrize("variable", ["SEQZOO_DISABLE", "SEQZOO_LOAD_PLUGINS"])
def test_a_name_that_fits_no_plugin_is_reported_once_with_the_nearest(
    install: Install, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    install(declares("sequencer"), plugin="sequencer")
    monkeypatch.setenv(variable, "sequenser, sequencer,sequenser,,")
    assert load_registry().remarks == [
        f"{variable} names 'sequenser', and there is no such plugin. Did you mean 'sequencer'?"
    ]


def test_a_package_with_the_name_of_a_built_in_plugin_is_disabled_by_its_own_name(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SEQZOO_DISABLE=gru would leave out the built-in plugin too."""
    install("1 / 0", plugin="gru", distribution="seqzoo-other")
    (broken,) = load_registry().broken
    assert "SEQZOO_DISABLE=seqzoo-other" in str(broken)
    monkeypatch.setenv("SEQZOO_DISABLE", "seqzoo-other")
    loaded = load_registry()
    assert loaded.broken == []
    assert "gru" in loaded.names("architecture")


@pytest.mark.parametrize("name", ["gru", "another"])
def test_a_plugin_that_declares_a_built_in_name_is_left_out_and_the_built_in_one_works(
    install: Install, registry: Registry, name: str
) -> None:
    install(declares("mine", "gru"), plugin=name, distribution="seqzoo-taker", version="0.5")
    loaded = load_registry()
    assert loaded.get("architecture", "gru") == registry.get("architecture", "gru")
    assert "mine" not in loaded.names("architecture")
    (broken,) = loaded.broken
    assert f"plugin '{name}' (seqzoo-taker 0.5) could not be loaded" in str(broken)
    assert "the architecture 'gru', which is a name of seqzoo itself" in str(broken)


def test_a_disabled_built_in_plugin_leaves_its_names_to_others(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(declares("gru"), plugin="mine")
    monkeypatch.setenv("SEQZOO_DISABLE", "gru")
    loaded = load_registry()
    assert loaded.owner("architecture", "gru").plugin == "mine"
    assert loaded.broken == []


def test_a_plugin_file_cannot_take_a_built_in_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(declares("gru"))
    registry = load_registry()
    before = registry.get("architecture", "gru")
    with pytest.raises(PluginError, match=r"mine\.py .*'gru', which is a name of seqzoo itself"):
        registry.add_file(path)
    assert registry.get("architecture", "gru") == before
