"""`seqzoo eval RUN --prove [static|adaptive]`: an option whose value can be left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from seqzoo.recipes.sections import AdaptiveSection
    from seqzoo.results.result import Result
    from seqzoo.runs.reopen import Trained

__all__ = ["EvaluateCommand", "Prove", "proven", "require_provable"]

_KINDS = ("static", "adaptive")
_OPTION = "--prove"

Prove: TypeAlias = Annotated[
    str | None,
    typer.Option(
        _OPTION,
        metavar="[static|adaptive]",
        help="Also prove the score on test, or on --split: compress it with the model's "
        "probabilities, restore it, and store the size. Default: static.",
        show_default=False,
    ),
]


class EvaluateCommand(TyperCommand):
    """`seqzoo eval`, whose option --prove may have a value; Typer has no such options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments with the value that was left out."""
        return super().parse_args(ctx, _with_kind(args))


def _with_kind(arguments: Sequence[str]) -> list[str]:
    from seqzoo.errors import UsageError

    found: list[str] = []
    for place, word in enumerate(arguments):
        found.append(word)
        following = arguments[place + 1 : place + 2]
        if word.startswith(f"{_OPTION}=") and word.removeprefix(f"{_OPTION}=") not in _KINDS:
            raise UsageError(f"{word}: expected --prove, --prove static or --prove adaptive.")
        if word == _OPTION and not (following and following[0] in _KINDS):
            learns = {"--adaptive", "--adapt"} & {each.split("=")[0] for each in arguments}
            found.append("adaptive" if learns else "static")
    return found


def require_provable(split: str | None, *, is_result: bool) -> None:
    """Raises UsageError if the score that is asked for is none that result.json keeps."""
    from seqzoo.errors import UsageError

    if split == "train" or not is_result:
        raise UsageError(
            f"{_OPTION} is for the scores that result.json keeps; give one of the splits "
            f"validation, test, held_out or all, and leave out --file, --per-byte, --max-bytes, "
            f"--lanes, --warmup and --step."
        )


def proven(
    trained: Trained, result: Result, split: str | None, section: AdaptiveSection | None
) -> Result:
    """The result with the proof of a split, test by default."""
    from seqzoo.plugin.specs import SPLITS
    from seqzoo.runs.proof import prove_result

    splits = SPLITS if split == "all" else (split or "test",)
    return prove_result(trained, result, splits, section=section)
