"""A path in a file starts from the file's folder, a path that was typed from where the user is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from seqzoo.errors import RecipeError
from seqzoo.plugin.hooks import hookimpl
from seqzoo.plugin.registry import Owner, Registry, load_registry
from seqzoo.plugin.specs import CorpusSpec, Options, TrackerSpec
from seqzoo.recipes.load import Recipe, load_recipe, plugin_options, recipe
from seqzoo.recipes.paths import recipe_paths
from seqzoo.recipes.yaml_reader import load_yaml


class Inner(BaseModel):
    where: Path | None = None


class StrangersOptions(Options):
    """Paths under names that say nothing, and texts that look like paths."""

    source: Path = Path("default.bin")
    others: tuple[Path, ...] = ()
    inner: Inner = Inner()
    maybe: int | Path = 3
    label: str = "./not/a/path"


class Stranger:
    @hookimpl
    def register_corpora(self) -> list[CorpusSpec]:
        return [
            CorpusSpec(name="alien", summary="a", options=StrangersOptions, open=lambda *_: None)  # type: ignore[arg-type]
        ]

    @hookimpl
    def register_trackers(self) -> list[TrackerSpec]:
        return [
            TrackerSpec(name="alien", summary="a", options=StrangersOptions, open=lambda *_: None)  # type: ignore[arg-type]
        ]


RECIPE = """\
name: far
corpus:
  name: alien
  options: {source: a.bin, others: [b, ../c], inner: {where: d}, label: e}
  fallback: {name: alien, options: {source: fallback.bin}}
tokenizer: {name: bytes}
architecture: {name: lstm}
train: {budget: {steps: 1}, start_from: runs/first}
"""


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The folder of the recipe, and another one, in which the user is."""
    far, here = tmp_path / "far", tmp_path / "here"
    far.mkdir()
    here.mkdir()
    (far / "far.yaml").write_text(RECIPE)
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return far, here


@pytest.fixture
def registry() -> Registry:
    registry = load_registry()
    registry.add(Stranger(), Owner("stranger"))
    return registry


def load(registry: Registry, *overrides: str) -> Recipe:
    return load_recipe(Path("../far/far.yaml"), registry, overrides=overrides)


def test_every_value_whose_type_is_a_path_is_found_and_no_other(registry: Registry) -> None:
    data, _ = load_yaml(RECIPE, "far.yaml")
    assert {".".join(map(str, place)) for place in recipe_paths(data, registry)} == {
        "corpus.options.source",
        "corpus.options.others.0",
        "corpus.options.others.1",
        "corpus.options.inner.where",
        "corpus.fallback.options.source",
        "train.start_from",
    }


def test_paths_of_a_file_stay_relative_to_it(
    folders: tuple[Path, Path], registry: Registry
) -> None:
    options = load(registry).corpus.options
    assert (options.source, options.others) == (Path("a.bin"), (Path("b"), Path("../c")))
    assert load(registry).base.resolve() == folders[0]


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("corpus.options.source=x.bin", lambda r: r.corpus.options.source),
        ("corpus.options.source='x.bin'", lambda r: r.corpus.options.source),
        ("corpus.options.others=[x.bin]", lambda r: r.corpus.options.others[0]),
        ("corpus.options.others.1=x.bin", lambda r: r.corpus.options.others[1]),
        ("corpus.options.inner.where=x.bin", lambda r: r.corpus.options.inner.where),
        ("corpus.options.inner={where: x.bin}", lambda r: r.corpus.options.inner.where),
        ("corpus.options.maybe=x.bin", lambda r: r.corpus.options.maybe),
        ("corpus={name: alien, options: {source: x.bin}}", lambda r: r.corpus.options.source),
        ("corpus.fallback.options.source=x.bin", lambda r: r.corpus.fallback.options.source),
        ("train.start_from=x.bin", lambda r: r.train.start_from),
        (
            "trackers=[{name: alien, options: {source: x.bin}}]",
            lambda r: r.trackers[0].options.source,
        ),
    ],
)
def test_a_path_that_is_typed_starts_from_where_the_user_is(
    folders: tuple[Path, Path], registry: Registry, override: str, read: Any
) -> None:
    assert read(load(registry, override)) == folders[1] / "x.bin"


def test_other_paths_are_not_changed_by_an_override_beside_them(
    folders: tuple[Path, Path], registry: Registry
) -> None:
    loaded = load(registry, "corpus.options.others.1=x", "corpus.options.label=./y")
    assert loaded.corpus.options.others == (Path("b"), folders[1] / "x")
    assert loaded.corpus.options.source == Path("a.bin")
    assert loaded.corpus.options.label == "./y"


def test_a_path_that_reads_as_a_number_is_still_a_path(
    folders: tuple[Path, Path], registry: Registry
) -> None:
    assert load(registry, "corpus.options.source=2024").corpus.options.source == (
        folders[1] / "2024"
    )
    assert load(registry, "corpus.options.maybe=7").corpus.options.maybe == 7


def test_a_tilde_is_the_home_folder_in_files_and_in_overrides(
    folders: tuple[Path, Path], registry: Registry
) -> None:
    home = folders[0].parent / "home"
    (folders[0] / "far.yaml").write_text(RECIPE.replace("a.bin", "~/a.bin"))
    assert load(registry).corpus.options.source == home / "a.bin"
    assert load(registry, "train.start_from=~/one").train.start_from == home / "one"
    file = load_registry().get("corpus", "file")
    assert plugin_options(file, ["path=~/b"]).path == home / "b"


@pytest.mark.parametrize("path", ["", " "])
@pytest.mark.parametrize("key", ["corpus.options.source", "train.start_from", "plugins.0"])
def test_an_empty_path_is_refused_in_one_sentence(
    folders: tuple[Path, Path], registry: Registry, key: str, path: str
) -> None:
    (folders[0] / "far.yaml").write_text(RECIPE + "plugins: []\n")
    override = f'plugins=["{path}"]' if key == "plugins.0" else f'{key}="{path}"'
    with pytest.raises(RecipeError) as caught:
        load(registry, override)
    assert f"{key} is empty" in str(caught.value)
    assert len(caught.value.problems) == 1


def test_a_plugin_file_that_is_typed_starts_from_where_the_user_is(
    folders: tuple[Path, Path], registry: Registry
) -> None:
    (folders[1] / "mine.py").write_text(
        "from pathlib import Path\n"
        "import seqzoo\n"
        "class Own(seqzoo.Options):\n"
        "    book: Path\n"
        "@seqzoo.hookimpl\n"
        "def register_corpora():\n"
        "    return [seqzoo.CorpusSpec(name='own', summary='', options=Own, open=print)]\n"
    )
    loaded = load(registry, "plugins=[mine.py]", "corpus={name: own, options: {book: b.txt}}")
    assert loaded.plugins == (folders[1] / "mine.py",)
    assert loaded.corpus.options.book == folders[1] / "b.txt"


def test_a_recipe_that_is_written_down_means_the_same_files_from_any_folder(
    folders: tuple[Path, Path], registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load(registry, "corpus.options.source=x.bin", "train.start_from=runs/one")
    (folders[0] / "again.yaml").write_text(loaded.to_yaml())
    monkeypatch.chdir("/")
    assert load_recipe(folders[0] / "again.yaml", registry) == loaded


def test_overrides_of_a_recipe_from_python_start_from_the_working_directory(
    folders: tuple[Path, Path], registry: Registry
) -> None:
    first = load(registry)
    again = recipe(first, {"train.start_from": Path("runs/one")})
    assert again.train.start_from == folders[1] / "runs" / "one"
    assert again.corpus.options.source == Path("a.bin")
    assert again.base == first.base


def test_paths_of_a_grid_start_from_a_folder_that_is_given(
    registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "r.yaml").write_text(RECIPE)
    loaded = load_recipe(
        tmp_path / "r.yaml", registry, overrides=["train.start_from=one"], here=tmp_path / "grids"
    )
    assert loaded.train.start_from == tmp_path / "grids" / "one"


def test_a_default_that_is_a_path_is_used(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(RECIPE.replace("source: a.bin, ", ""))
    assert load_recipe(tmp_path / "r.yaml", registry).corpus.options.source == Path("default.bin")
    for name in ("file", "directory", "files"):
        spec = registry.get("corpus", name)
        assert plugin_options(spec, []) == spec.options()
