"""The commands that the baseline `external` runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from seqzoo import Command, Options


def _with_input(command: tuple[str, ...]) -> tuple[str, ...]:
    arguments = command[1:]
    if not any("{input}" in word for word in arguments):
        raise ValueError(
            "the command has no {input}, which stands for the name of the file that it reads"
        )
    if sum(word.count("{output}") for word in arguments) > 1:
        raise ValueError("the command has {output} more than once")
    return command


class ExternalOptions(Options):
    compress: Annotated[Command, AfterValidator(_with_input)] = Field(
        description="command that compresses the file `{input}` and writes `{output}`; without "
        "`{output}`, what it prints is the compressed file"
    )
    decompress: Annotated[Command, AfterValidator(_with_input)] | None = Field(
        default=None,
        description="command that gives back the bytes of `{input}`, a compressed file, in "
        "`{output}` or on its output; they are compared with the text. null: not checked",
    )
    max_seconds: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="time for all its compressions together; null for no limit"
    )
