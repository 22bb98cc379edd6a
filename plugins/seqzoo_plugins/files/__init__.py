"""Corpora `file` and `directory`: the bytes of the user's own files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from seqzoo import CorpusSpec, Options, hookimpl

if TYPE_CHECKING:
    from seqzoo import Corpus


class FileOptions(Options):
    shorthand: ClassVar[str | None] = "path"
    path: str = Field(default="corpus.txt", min_length=1, description="path of the file")


class DirectoryOptions(Options):
    shorthand: ClassVar[str | None] = "path"
    path: str = Field(default=".", min_length=1, description="path of the folder")
    pattern: str = Field(default="**/*", min_length=1, description="glob pattern of the files")
    separator: str = Field(default="\n\n", description="text between two files, in UTF-8")


@hookimpl
def register_corpora() -> Iterable[CorpusSpec]:
    yield CorpusSpec(
        name="file", summary="the bytes of one file", options=FileOptions, open=_open_file
    )
    yield CorpusSpec(
        name="directory",
        summary="the files of a folder, sorted by path and joined with a separator",
        options=DirectoryOptions,
        open=_open_directory,
    )


def _open_file(options: FileOptions, base: Path) -> Corpus:
    from seqzoo_plugins.files.corpora import open_file

    return open_file(base, options.path)


def _open_directory(options: DirectoryOptions, base: Path) -> Corpus:
    from seqzoo_plugins.files.corpora import open_directory

    return open_directory(
        base, options.path, pattern=options.pattern, separator=options.separator.encode()
    )
