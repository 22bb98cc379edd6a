"""Corpora `file`, `directory`, `files` and `stdin`: the bytes of the user's own files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from seqzoo import CorpusSpec, Options, hookimpl
from seqzoo_plugins.files import own_text

if TYPE_CHECKING:
    from seqzoo import Corpus, CorpusContext

_SEPARATOR = Field(default="\n\n", description="text between two files, in UTF-8")


class FileOptions(Options):
    shorthand: ClassVar[str | None] = "path"
    path: Path = Field(default=Path("corpus.txt"), description="path of the file")


class DirectoryOptions(Options):
    shorthand: ClassVar[str | None] = "path"
    path: Path = Field(default=Path("."), description="path of the folder")
    pattern: str = Field(default="**/*", min_length=1, description="glob pattern of the files")
    separator: str = _SEPARATOR


class FilesOptions(Options):
    shorthand: ClassVar[str | None] = "paths"
    paths: tuple[Path, ...] = Field(
        default=(Path("."),), min_length=1, description="files, folders and glob patterns"
    )
    separator: str = _SEPARATOR


class StdinOptions(Options):
    sha256: str = Field(
        default="0" * 64,
        pattern="^[0-9a-f]{64}$",
        description="hash of the text; '--text -' reads it and sets this",
    )


@hookimpl
def register_corpora() -> Iterable[CorpusSpec]:
    yield CorpusSpec(
        name="file",
        summary="the bytes of one file",
        options=FileOptions,
        open=_open_file,
        for_texts=_file_for,
    )
    yield CorpusSpec(
        name="directory",
        summary="the files of a folder, sorted by path and joined with a separator",
        options=DirectoryOptions,
        open=_open_directory,
        for_texts=_directory_for,
    )
    yield CorpusSpec(
        name="files",
        summary="several files, folders and patterns, joined in the order given",
        options=FilesOptions,
        open=_open_files,
        for_texts=_files_for,
    )
    yield CorpusSpec(
        name="stdin",
        summary="text that was piped in (--text -), kept in the cache",
        options=StdinOptions,
        open=_open_stdin,
        for_texts=_stdin_for,
    )


def _open_file(options: FileOptions, context: CorpusContext) -> Corpus:
    from seqzoo_plugins.files.corpora import open_file

    return open_file(context.base / options.path)


def _open_directory(options: DirectoryOptions, context: CorpusContext) -> Corpus:
    from seqzoo_plugins.files.corpora import open_directory

    return open_directory(
        context.base / options.path, pattern=options.pattern, separator=options.separator.encode()
    )


def _open_files(options: FilesOptions, context: CorpusContext) -> Corpus:
    from seqzoo_plugins.files.corpora import open_files

    return open_files(
        [context.base / path for path in options.paths], separator=options.separator.encode()
    )


def _open_stdin(options: StdinOptions, context: CorpusContext) -> Corpus:
    from seqzoo_plugins.files.stdin import open_stdin

    return open_stdin(options.sha256)


# Of the four, exactly one opens what the user gave.


def _file_for(texts: tuple[str, ...]) -> Options | None:
    return FileOptions(path=Path(texts[0])) if own_text.is_file(texts) else None


def _directory_for(texts: tuple[str, ...]) -> Options | None:
    if not own_text.is_folder(texts):
        return None
    folder, pattern = own_text.split_pattern(texts[0])
    return DirectoryOptions(path=folder, **({"pattern": pattern} if pattern else {}))


def _files_for(texts: tuple[str, ...]) -> Options | None:
    return FilesOptions(paths=tuple(map(Path, texts))) if len(texts) > 1 else None


def _stdin_for(texts: tuple[str, ...]) -> Options | None:
    if not own_text.is_pipe(texts):
        return None
    from seqzoo_plugins.files.stdin import keep_stdin

    return StdinOptions(sha256=keep_stdin(texts[0]))
