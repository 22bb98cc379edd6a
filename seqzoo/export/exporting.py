"""Writes an exported folder beside its place, proves it, and then puts it in place."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from seqzoo.errors import UsageError
from seqzoo.export.card import model_card
from seqzoo.export.config import CONFIG, ExportConfig, FileRecord, Format, LeafRecord
from seqzoo.export.formats import require_possible, serialised, write_format
from seqzoo.export.place import new_folder, require_place
from seqzoo.export.proof import expected_of, prove
from seqzoo.model import state as states
from seqzoo.plugin.contracts import SequenceModel, Tokenizer
from seqzoo.plugin.specs import ArchitectureSpec, TokenizerSpec

__all__ = ["Exportable", "export_model"]

_LOADER = Path(__file__).parent / "standalone" / "seqzoo_model.py"


@dataclass(frozen=True, eq=False)
class Exportable:
    """A trained model, on the CPU and in eval mode, and what its folder says of it.

    facts: the fields of `ExportConfig` that do not depend on the folder. text: what it is proven
    with; source: where these bytes are from. sample: what the model wrote.
    """

    model: SequenceModel
    tokenizer: Tokenizer
    architecture: ArchitectureSpec
    tokenizer_spec: TokenizerSpec
    facts: dict[str, object]
    text: bytes
    source: str
    sample: bytes


def export_model(given: Exportable, place: Path, *, format: Format, name: str) -> ExportConfig:
    """Write the model to a new folder; it is complete and proven, or it is not there.

    name: what messages call the model. Raises UsageError if the place is taken or if the model has
    no such form, FindingsError if the folder does not compute what seqzoo computes, OSError.
    """
    require_place(place)
    require_possible(format, given.architecture)
    if given.tokenizer_spec.standalone is None:
        raise UsageError(
            f"tokenizer '{given.tokenizer_spec.name}' has no form without seqzoo, which an "
            f"exported folder needs; its plugin can give one (docs/plugins.md, 'standalone')."
        )
    expected = expected_of(
        given.model,
        given.tokenizer,
        given.text,
        source=given.source,
        threads=torch.get_num_threads(),
    )
    with new_folder(place) as folder:
        numbers = write_format(format, folder, given.model, given.architecture)
        shutil.copyfile(_LOADER, folder / _LOADER.name)
        shutil.copyfile(given.tokenizer_spec.standalone, folder / "seqzoo_tokenizer.py")
        config = ExportConfig.model_validate(
            {
                **given.facts,
                "format": format,
                "state": {
                    leaf: LeafRecord(
                        shape=tuple(value.shape[1:]), dtype=str(value.dtype).removeprefix("torch.")
                    )
                    for leaf, value in states.flatten(given.model.initial_state(1)).items()
                },
                "parameters": sum(each.numel() for each in given.model.parameters()),
                "weights_sha256": _sha256(serialised(given.model.state_dict())),
                "files": {number: _record(folder / number) for number in numbers},
            }
        )
        _write(folder / CONFIG, config.model_dump_json(indent=1))
        proof = prove(folder, expected, name=name)
        config = config.model_copy(update={"proof": proof})
        _write(folder / CONFIG, config.model_dump_json(indent=1))
        card = model_card(
            config,
            summary=given.architecture.summary,
            source=given.architecture.source,
            sample=given.sample,
        )
        _write(folder / "README.md", card)
    return config


def _write(path: Path, text: str) -> None:
    path.write_text(text + ("" if text.endswith("\n") else "\n"), encoding="utf-8")


def _record(path: Path) -> FileRecord:
    content = path.read_bytes()
    return FileRecord(bytes=len(content), sha256=_sha256(content))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
