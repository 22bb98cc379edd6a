"""The checks of seqzoo itself, registered as those of any plugin are.

Each is a file in the folder of its group. The file is imported when the check runs, because most
of them need torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from seqzoo.doctor.causes import with_causes
from seqzoo.plugin.check import Check, Outcome
from seqzoo.plugin.hooks import hookimpl

if TYPE_CHECKING:
    from seqzoo.doctor.subject import Subject

__all__ = ["CheckFile", "register_checks"]


class CheckFile:
    """The function `examine` of a file below this folder."""

    def __init__(self, module: str) -> None:
        self.module = f"{__package__}.{module}"

    def __call__(self, subject: Subject) -> Outcome:
        outcome: Outcome = import_module(self.module).examine(subject)
        return outcome


@hookimpl
def register_checks() -> Iterator[Check]:
    """Every built-in check, with what it explains."""
    return map(with_causes, _checks())


def _check(
    name: str, rank: int, summary: str, *, is_quick: bool = True, source: str = "", file: str = ""
) -> Check:
    """file: below this folder, where its name is not that of the check."""
    return Check(
        name=name,
        summary=summary,
        examine=CheckFile(file or name),
        rank=rank,
        is_quick=is_quick,
        source=source,
    )


def _checks() -> Iterator[Check]:
    yield _check("loop.exception", 1, "the loop ends without an exception")
    yield _check("loop.loss", 10, "the loss is the cross-entropy of the model's own output")
    yield _check(
        "loop.state",
        20,
        "a backward pass stays within its own step",
        source="Williams and Peng 1990, truncated backpropagation through time",
    )
    yield _check("loop.gradients", 30, "gradients are cleared between steps")
    yield _check("loop.optimizer", 40, "the optimizer has every trained parameter and moves it")
    yield _check("loop.steps", 50, "each batch gets one step, and each step a new batch")
    yield _check(
        "loop.clipping",
        60,
        "gradients are clipped at their true size, before the step",
        source="Pascanu et al. 2013, arXiv:1211.5063",
    )
    yield _check("loop.accumulation", 70, "losses of several passes are divided by their number")
    yield _check("loop.schedule", 80, "the learning rate is above zero, also at the end")
    yield _check(
        "loop.updates",
        85,
        "a step is smaller than the weights, and decay is smaller than the gradient",
        source="Loshchilov and Hutter 2019, arXiv:1711.05101",
    )
    yield _check("loop.modes", 90, "training and evaluation use their modes")
    yield _check("loop.memory", 100, "graphs of earlier losses are freed")
    yield _check("stream.contract", 1, "batches can be read, and contain token ids")
    yield _check(
        "stream.aliasing",
        10,
        "batches keep their content after they are handed out",
        source="Keras 1 fit_generator queued references, not copies",
    )
    yield _check(
        "stream.text",
        15,
        "the batches have the text of the corpus",
        source="Baker 1993, doi:10.1145/167088.167115, on matches up to renumbering",
    )
    yield _check("stream.coverage", 17, "the batches come from all of the corpus")
    yield _check("stream.repeats", 20, "batches do not repeat each other within an epoch")
    yield _check("stream.targets", 25, "each target is the token right after its input")
    yield _check(
        "stream.continuity", 30, "rows continue from batch to batch if the state is carried"
    )
    yield _check("stream.resets", 40, "the state is reset where the text jumps and nowhere else")
    yield _check("stream.split", 50, "training reads only the training part")
    yield _check("stream.padding", 27, "padding is not among the targets that count")
    yield _check("stream.edges", 55, "the first, last and rarest batches are like the others")
    yield _check(
        "stream.overlap",
        60,
        "held-out text does not occur in the training part",
        source="Lee et al. 2022, arXiv:2107.06499",
    )
    yield _check("stream.round_trip", 70, "the tokenizer gives back every byte")
    yield _check("stream.byte_count", 80, "the tokenizer counts the bytes of its tokens")
    yield _check("stream.stable_ids", 90, "another process gives the same ids")
    yield _check("model.contract", 10, "the model can be built, called and trained")
    yield _check("model.finite", 15, "logits, loss and gradients are finite")
    yield _check("model.registered", 17, "parameters() has every weight, each in one place")
    yield _check(
        "model.logits",
        20,
        "the outputs are logits, not probabilities",
        source="torch.nn.CrossEntropyLoss: the input is expected to contain unnormalised logits",
    )
    yield _check(
        "model.initial_loss",
        30,
        "an untrained model gives uniform guesses",
        source="Karpathy, A Recipe for Training Neural Networks, 2019",
    )
    yield _check("model.loss", 40, "the loss is the mean cross-entropy")
    yield _check(
        "model.all_tokens",
        42,
        "each token of the text is learnt, as an input and as a target",
        source="torch.nn.Embedding (padding_idx), torch.nn.CrossEntropyLoss (ignore_index)",
    )
    yield _check("model.ids", 45, "ids are looked up, and not used as numbers")
    yield _check("model.current_token", 47, "logits depend on the token of their own place")
    yield _check("model.causality", 50, "no logits depend on tokens that come after them")
    yield _check(
        "model.rows",
        60,
        "a row's logits do not depend on the other rows",
        source="Ioffe and Szegedy 2015, arXiv:1502.03167, section 3.1, on batch statistics",
    )
    yield _check(
        "model.order",
        65,
        "the order of earlier tokens changes the logits",
        source="Vaswani et al. 2017, arXiv:1706.03762, section 3.5",
    )
    yield _check("model.eval_mode", 70, "eval mode is deterministic")
    yield _check(
        "model.state", 80, "text read in pieces gives the same logits as text read at once"
    )
    yield _check(
        "model.detached",
        90,
        "an update does not reach back into the one before",
        source="Williams and Peng 1990, truncated backpropagation through time",
    )
    yield _check("model.gradients", 100, "every parameter has a gradient and moves")
    yield _check("model.untouched", 120, "scoring leaves the model as it was")
    yield _check("model.evaluation", 130, "a score depends neither on chunks nor on the batch")
    yield _check(
        "memory.horizon",
        10,
        "the gradient reaches far enough back to learn a word",
        source="Williams and Peng 1990; Pascanu et al. 2013, arXiv:1211.5063",
    )
    yield _check(
        "memory.lag",
        20,
        "the architecture learns to remember a token",
        is_quick=False,
        source="Hochreiter and Schmidhuber 1997, section 5",
    )
    yield _check(
        "memory.carry", 30, "the carried state is used, also in long texts", is_quick=False
    )
    yield _check(
        "memory.saturation",
        40,
        "gates are not stuck at one end",
        source="Karpathy et al. 2015, arXiv:1506.02078",
    )
    yield _check(
        "memory.linear",
        50,
        "something between a token and later logits is nonlinear",
        source="Martin and Cundy 2018, arXiv:1709.04057",
    )
    yield _check(
        "optimisation.overfit",
        10,
        "the network can learn one small batch by heart",
        source="Karpathy 2019, A recipe for training neural networks",
    )
    yield _check(
        "optimisation.warmup",
        15,
        "the warm-up ends well before the budget",
        source="Goyal et al. 2017, arXiv:1706.02677",
    )
    yield _check(
        "optimisation.precision",
        17,
        "updates are not smaller than the last place of the weights",
        source="Micikevicius et al. 2018, arXiv:1710.03740, section 3.1",
    )
    yield _check(
        "optimisation.learning_rate",
        20,
        "the learning rate has the right order of magnitude",
        is_quick=False,
        source="Smith 2017, arXiv:1506.01186",
    )
    yield _check("optimisation.schedule", 18, "some updates have a rate that is not almost 0")
    yield _check(
        "optimisation.gradient_norm",
        30,
        "gradients arrive, and none is much larger than the others",
        is_quick=False,
        source="Pascanu et al. 2013, arXiv:1211.5063",
    )
    yield _check(
        "optimisation.update_ratio",
        40,
        "updates move every matrix, and none too far",
        is_quick=False,
        source="Karpathy 2015, CS231n: ratio of weights and updates",
    )
    yield _check(
        "optimisation.dead_units",
        50,
        "the units of the last hidden layer vary",
        is_quick=False,
        source="He et al. 2015, arXiv:1502.01852",
    )
    yield _check("verdict.even_guess", 5, "the model is better than an even guess")
    yield _check(
        "verdict.rung",
        10,
        "the model is above the low rungs of the ladder, or is still improving",
        is_quick=False,
        source="Chen and Goodman 1999, doi:10.1006/csla.1999.0128",
    )
    yield _check("verdict.overfitting", 20, "validation loss falls as long as training loss does")
    yield _check(
        "verdict.underfitting", 30, "training loss falls below that of a short n-gram table"
    )
    yield _check("verdict.undertrained", 40, "the budget was enough for the model to stop learning")
    yield _check("decoding.state", 5, "generation reads each token once and keeps the state")
    yield _check("decoding.batch", 7, "several prompts at once give what each gives alone")
    yield _check(
        "decoding.loop",
        10,
        "generated text is not a loop",
        is_quick=False,
        source="Holtzman et al. 2020, arXiv:1904.09751",
    )
    yield _check(
        "environment.torch",
        10,
        "torch can use what the machine has",
        file="environment.torch_build",
    )
    yield _check("environment.threads", 20, "every thread has a core")
    yield _check("environment.determinism", 30, "runs can be repeated bit for bit")
    yield _check(
        "environment.plugins",
        40,
        "every installed plugin can be loaded, and changes no shared setting",
    )
    yield _check(
        "environment.plugin_folders", 50, "every plugin next to the others has an entry point"
    )
