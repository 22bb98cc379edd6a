"""Proves a score: the split is compressed with the model's probabilities, and restored from that.

A score is a sum, which could be wrong. A file that is as small as the score says, and from which
the same model restores every byte of the split, shows that it is not.
"""

from __future__ import annotations

from collections.abc import Iterable

from seqzoo.data.tokens import first_input_of
from seqzoo.errors import FindingsError, UsageError
from seqzoo.recipes.sections import AdaptiveSection
from seqzoo.results.proof import proves
from seqzoo.results.result import Result, SplitScore, write_result
from seqzoo.runs.coding import Coding
from seqzoo.runs.compression import compress, decompress
from seqzoo.runs.reopen import Trained
from seqzoo.scoring.splits import named_splits

__all__ = ["prove_result"]


def prove_result(
    trained: Trained, result: Result, splits: Iterable[str], *, section: AdaptiveSection | None
) -> Result:
    """The result with the proven size of these splits, written to result.json.

    section: how the model learnt for the adaptive scores, which are proven; None: the static ones.
    Raises FindingsError if the file is larger than the score says, or gives other bytes back.
    """
    protocol, data = trained.experiment.protocol, trained.experiment.data
    if protocol.lanes > 1 and section is None:
        raise UsageError(
            f"the scores of {trained.directory.path} are of {protocol.lanes} lanes, and a file is "
            f"decompressed in one; score the run in one lane to prove them: "
            f"{trained.directory.to_continue} evaluate.lanes=1"
        )
    adaptive = result.adaptive
    scores = dict(result.scores if section is None or adaptive is None else adaptive.scores)
    spans = named_splits(data.splits, splits)
    coding = Coding(trained, section)
    for name, span in spans.items():
        part = protocol.part(span)
        first_input = first_input_of(trained.experiment.tokenizer, part)
        text = part.bytes.tobytes()
        size = _proven_size(coding, name, text, scores[name], first_input)
        scores[name] = scores[name].model_copy(update={"proven_bytes": size})
    if section is None or adaptive is None:
        result = result.model_copy(update={"scores": scores})
    else:
        learnt = adaptive.model_copy(update={"scores": scores})
        result = result.model_copy(update={"adaptive": learnt})
    data.require_unchanged(again=trained.directory.to_continue)
    write_result(trained.directory.result, result)
    return result


def _proven_size(
    coding: Coding, name: str, text: bytes, score: SplitScore, first_input: int
) -> int:
    content = compress(coding, text, first_input=first_input, verify=False)
    path = coding.trained.directory.path
    if decompress(lambda _: coding, content, first_input=first_input) != text:
        raise FindingsError(
            f"the score of {path} on {name} is not proven: other bytes were restored than those "
            f"that were compressed."
        )
    if not proves(len(content), score.bits):
        raise FindingsError(
            f"the score of {path} on {name} is not proven: it says {score.bits / 8:,.1f} bytes, "
            f"and the compressed file, from which the split was restored, has {len(content):,}; "
            f"the model gives other probabilities token by token than in one pass: seqzoo check "
            f"{coding.trained.experiment.recipe.architecture.name}"
        )
    return len(content)
