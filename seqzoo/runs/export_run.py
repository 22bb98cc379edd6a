"""Writes the model of a run to a folder of its own (docs/export.md)."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np

from seqzoo.errors import CorpusUnavailable, UsageError
from seqzoo.export.config import ExportConfig, Format, is_export, read_config
from seqzoo.export.exporting import Exportable, export_model
from seqzoo.export.formats import require_possible
from seqzoo.export.place import require_place
from seqzoo.plugin.span import Span
from seqzoo.plugin.specs import ArchitectureSpec, TokenizerSpec
from seqzoo.recipes.load import Recipe
from seqzoo.recipes.paths import change_paths, recipe_paths
from seqzoo.results.result import CorpusRecord, Result
from seqzoo.runs.experiment import Experiment
from seqzoo.runs.origin import plugins_of, read_origin
from seqzoo.runs.probe import probe_of
from seqzoo.runs.reopen import Trained
from seqzoo.version import __version__

__all__ = ["export_trained", "exportable", "require_exportable"]

_PROOF_BYTES = 2000
_FEWEST_BYTES = 1000
_SAMPLE_TOKENS = 500

_ALL_BYTES = Span(np.arange(256, dtype=np.uint8), 0, 256)


def require_exportable(recipe: Recipe, directory: Path, *, format: Format) -> None:
    """Raises UsageError for what is known without the model: its place, its forms, packages."""
    require_place(directory)
    require_possible(format, _specs(recipe)[0])


def export_trained(
    trained: Trained, result: Result | None, directory: Path, *, format: Format
) -> ExportConfig:
    """Export the weights of a run. result: its scores. Raises what `export_model` raises."""
    given = exportable(trained, result)
    return export_model(given, directory, format=format, name=str(trained.directory.path))


def exportable(trained: Trained, result: Result | None) -> Exportable:
    """The model of a run, a text and a sample, and what the folder says of them."""
    experiment = trained.experiment
    recipe = experiment.recipe
    architecture, tokenizer = _specs(recipe)
    text, source = _text(experiment)
    prompt = recipe.sample.prompt.encode()
    sample = experiment.generate(
        prompt, length=_SAMPLE_TOKENS, chain=recipe.sample.chain, seed=recipe.sample.seed
    )
    return Exportable(
        model=copy.deepcopy(experiment.model).cpu().eval(),
        tokenizer=experiment.tokenizer,
        architecture=architecture,
        tokenizer_spec=tokenizer,
        facts=_facts(trained, result),
        text=text,
        source=source,
        sample=prompt + b"".join(sample),
    )


def _specs(recipe: Recipe) -> tuple[ArchitectureSpec, TokenizerSpec]:
    architecture = recipe.registry.get("architecture", recipe.architecture.name)
    tokenizer = recipe.registry.get("tokenizer", recipe.tokenizer.name)
    assert isinstance(architecture, ArchitectureSpec)
    assert isinstance(tokenizer, TokenizerSpec)
    return architecture, tokenizer


def _facts(trained: Trained, result: Result | None) -> dict[str, object]:
    """The fields of config.json that do not depend on the folder."""
    recipe, tokenizer = trained.experiment.recipe, trained.experiment.tokenizer
    options = {
        part: getattr(recipe, part).options.model_dump(mode="json")
        for part in ("architecture", "tokenizer")
    }
    if result is not None and result.step != trained.step:
        result = None
    if result is None:
        corpus, split = _corpus(trained)
    else:
        corpus, split = result.corpus, result.split
        result = result.model_copy(update={"corpus": _elsewhere(corpus)})
        if result.started_from is not None:
            start = result.started_from
            named = start.model_copy(update={"path": Path(start.path).name})
            result = result.model_copy(update={"started_from": named})
    return {
        "run": trained.directory.path.resolve().name,
        "architecture": {"name": recipe.architecture.name, "options": options["architecture"]},
        "tokenizer": {
            "name": recipe.tokenizer.name,
            "options": options["tokenizer"],
            "state": dict(tokenizer.state()),
        },
        "vocab_size": tokenizer.vocab_size,
        "step": trained.step,
        "recipe": _without_folders(recipe),
        "corpus": _elsewhere(corpus),
        "split": split,
        "result": result,
        "plugins": plugins_of(recipe),
        # Not of the corpus, which may be private: an exported folder is given to others.
        "probe": probe_of(tokenizer, _ALL_BYTES).answered_by(trained.experiment.model),
        "versions": dict(result.versions) if result is not None else {"seqzoo": __version__},
    }


def _corpus(trained: Trained) -> tuple[CorpusRecord, str]:
    """The corpus of a run without a result, and its split; 0 bytes where it cannot be opened."""
    directory, experiment = trained.directory, trained.experiment
    if is_export(directory.path):
        config = read_config(directory.path)
        return config.corpus, config.split
    sha256 = read_origin(directory).sha256
    try:
        data = experiment.data
    except (CorpusUnavailable, UsageError):
        name = experiment.recipe.corpus.name
        return CorpusRecord(name=name, sha256=sha256, bytes=0, origin=""), ""
    corpus, size = data.corpus, len(data.corpus.data)
    record = CorpusRecord(name=corpus.name, sha256=sha256, bytes=size, origin=corpus.origin)
    return record, data.splits.identity


def _elsewhere(corpus: CorpusRecord) -> CorpusRecord:
    """Without folders, which tell a stranger about the user; an address stays as it is."""
    origin = corpus.origin
    if "://" not in origin:
        origin = origin.replace("\\", "/").rpartition("/")[2]
    return corpus.model_copy(update={"origin": origin})


def _without_folders(recipe: Recipe) -> dict[str, object]:
    """A recipe's data, of whose paths the last part is left."""
    data = recipe.as_data()
    change_paths(data, recipe_paths(data, recipe.registry), lambda _, path: Path(path).name or path)
    return data


def _text(experiment: Experiment) -> tuple[bytes, str]:
    """The bytes that the export is proven with, and where they are from."""
    try:
        validation = experiment.data.splits.validation.bytes[:_PROOF_BYTES].tobytes()
    except (CorpusUnavailable, UsageError) as error:
        experiment.display.warn(
            f"the corpus is not used to prove the export, because it cannot be opened: {error}"
        )
        validation = b""
    if len(validation) >= _FEWEST_BYTES:
        return validation, "the validation part"
    filled = validation + bytes(range(256)) * (_FEWEST_BYTES // 256 + 1)
    return filled, "the validation part and all byte values" if validation else "all byte values"
