"""Which finding explains which other findings: one table for all built-in checks.

A fault has one cause and many symptoms. A buffer that is overwritten also makes batches repeat and
keeps the model at the order-1 rung. The report names the cause first, because fixing it fixes the
rest. A check of a plugin declares the same in `Check.explains` and `Check.is_gate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from seqzoo.plugin.check import Check

__all__ = ["EXPLAINS", "EXPLAIN_CRASHES", "GATES", "causes_table", "with_causes"]

# What generation reads does not depend on how well a model has learnt.
_LATER = ("memory.*", "optimisation.*", "verdict.*", "decoding.loop")
_WITH_FINITE_LOGITS = (
    "model.registered",
    "model.initial_loss",
    "model.all_tokens",
    "model.ids",
    "model.current_token",
    "model.causality",
    "model.rows",
    "model.order",
    "model.eval_mode",
    "model.state",
    "model.detached",
    "model.gradients",
    "model.untouched",
    "model.evaluation",
)
# How far a gradient reaches is a property of the model and its batches, whatever a loop does.
_LEARNT = (
    "memory.lag",
    "memory.carry",
    "memory.saturation",
    "optimisation.*",
    "verdict.*",
    "decoding.loop",
)

EXPLAINS: Mapping[str, tuple[str, ...]] = {
    "loop.exception": ("loop.optimizer", "loop.steps"),
    "loop.loss": (
        "loop.state",
        "loop.optimizer",
        "loop.updates",
        "stream.targets",
        "stream.continuity",
        "model.logits",
        "model.loss",
        *_LEARNT,
    ),
    "loop.state": ("loop.exception", "loop.memory", "model.detached", *_LEARNT),
    "loop.gradients": ("loop.optimizer", "loop.clipping", "loop.updates", *_LEARNT),
    # No gradient reaches what stands before a detach, in the model as in the loop.
    "loop.optimizer": ("model.gradients", "memory.horizon", *_LEARNT),
    "loop.steps": ("loop.optimizer", "stream.repeats", "stream.continuity", *_LEARNT),
    "loop.clipping": ("loop.optimizer", "loop.updates", *_LEARNT),
    "loop.accumulation": ("optimisation.*",),
    "loop.schedule": ("loop.optimizer", "loop.updates", *_LEARNT),
    "loop.updates": ("loop.optimizer", *_LEARNT),
    "loop.modes": ("model.eval_mode",),
    "loop.memory": (),
    # Of the model, the checks that read real text; the others draw tokens of its vocabulary.
    "stream.contract": (
        "stream.*",
        "model.initial_loss",
        "model.logits",
        "model.loss",
        "model.gradients",
        "model.finite",
        *_LATER,
    ),
    "stream.aliasing": (
        "loop.steps",
        "stream.coverage",
        "stream.repeats",
        "stream.continuity",
        "stream.targets",
        "stream.resets",
        "stream.split",
        "memory.carry",
        "verdict.*",
        "decoding.loop",
    ),
    "stream.text": ("stream.split", "verdict.*", "decoding.loop"),
    "stream.coverage": ("verdict.*", "decoding.loop"),
    "stream.repeats": (
        "stream.coverage",
        "stream.continuity",
        "memory.carry",
        "memory.saturation",
        "optimisation.*",
        "verdict.*",
        "decoding.loop",
    ),
    "stream.targets": (
        "stream.text",
        "stream.continuity",
        "memory.carry",
        "memory.saturation",
        "optimisation.*",
        "verdict.*",
        "decoding.loop",
    ),
    "stream.padding": ("model.all_tokens", "verdict.*", "decoding.loop"),
    "stream.continuity": ("memory.carry", "memory.saturation", "verdict.*", "decoding.loop"),
    "stream.resets": ("memory.carry", "memory.saturation", "verdict.*", "decoding.loop"),
    "stream.split": ("model.*", "verdict.*"),
    "stream.edges": ("verdict.*",),
    "stream.overlap": ("verdict.*",),
    "stream.round_trip": ("stream.byte_count", "verdict.*", "decoding.loop"),
    "stream.byte_count": ("verdict.*",),
    "stream.stable_ids": ("verdict.*", "decoding.loop"),
    "model.contract": ("model.*", *_LATER, "decoding.state", "decoding.batch"),
    # As a gate too: infinity is no chance, no other row and no future. Logits and loss are looked
    # at in any case, because they may be why something is not finite.
    "model.finite": (*_WITH_FINITE_LOGITS, *_LATER, "decoding.state", "decoding.batch"),
    "model.registered": ("model.gradients", "model.eval_mode", *_LATER),
    "model.logits": (
        "model.finite",
        "model.initial_loss",
        "model.causality",
        "model.rows",
        "model.state",
        "model.gradients",
        "model.evaluation",
        *_LATER,
    ),
    "model.initial_loss": (
        "optimisation.gradient_norm",
        "optimisation.learning_rate",
        "verdict.even_guess",
        "verdict.undertrained",
        "verdict.underfitting",
    ),
    "model.loss": ("model.finite", "model.gradients", *_LATER),
    "model.all_tokens": ("model.gradients", *_LATER),
    "model.ids": ("model.initial_loss", "model.gradients", *_LATER),
    "model.current_token": ("model.initial_loss", *_LATER),
    "model.causality": ("model.initial_loss", "model.state", "model.evaluation", *_LATER),
    "model.rows": ("model.causality", "model.order", "model.state", "model.evaluation", *_LATER),
    "model.order": _LATER,
    "model.eval_mode": (
        "model.state",
        "model.untouched",
        "model.evaluation",
        "memory.*",
        "verdict.*",
        "decoding.loop",
    ),
    "model.state": ("model.evaluation", "memory.*", "verdict.*", "decoding.loop"),
    "model.detached": (
        "model.gradients",
        "model.untouched",
        "model.evaluation",
        "memory.*",
        "optimisation.*",
        "verdict.*",
    ),
    # Not optimisation.precision: updates that are rounded away are why parameters do not move.
    "model.gradients": (
        "optimisation.overfit",
        "optimisation.learning_rate",
        "optimisation.gradient_norm",
        "optimisation.update_ratio",
        "optimisation.dead_units",
        "memory.*",
        "verdict.*",
    ),
    # A state that is kept inside also fits no other number of rows.
    "model.untouched": (
        "model.evaluation",
        "memory.carry",
        "memory.saturation",
        "optimisation.dead_units",
        "verdict.*",
        "decoding.batch",
        "decoding.loop",
    ),
    "model.evaluation": ("verdict.*",),
    "memory.horizon": ("memory.lag", "memory.carry", "verdict.*", "decoding.loop"),
    "memory.lag": ("memory.carry", "verdict.*", "decoding.loop"),
    "memory.carry": ("verdict.*", "decoding.loop"),
    "memory.saturation": (
        "memory.lag",
        "memory.carry",
        "optimisation.dead_units",
        "verdict.*",
        "decoding.loop",
    ),
    "memory.linear": ("memory.lag", "verdict.*"),
    "optimisation.overfit": (
        "optimisation.learning_rate",
        "memory.lag",
        "verdict.*",
        "decoding.loop",
    ),
    "optimisation.warmup": ("optimisation.schedule", "verdict.*", "decoding.loop"),
    "optimisation.precision": (
        "model.gradients",
        "optimisation.learning_rate",
        "optimisation.update_ratio",
        "verdict.*",
        "decoding.loop",
    ),
    "optimisation.schedule": ("verdict.*", "decoding.loop"),
    "optimisation.learning_rate": (
        "optimisation.gradient_norm",
        "optimisation.update_ratio",
        "optimisation.dead_units",
        "memory.saturation",
        "memory.carry",
        "verdict.*",
        "decoding.loop",
    ),
    "optimisation.gradient_norm": (
        "optimisation.update_ratio",
        "optimisation.dead_units",
        "verdict.*",
        "decoding.loop",
    ),
    "optimisation.update_ratio": ("verdict.*",),
    "optimisation.dead_units": ("verdict.*",),
    "verdict.even_guess": (
        "verdict.rung",
        "verdict.overfitting",
        "verdict.underfitting",
        "verdict.undertrained",
        "decoding.loop",
    ),
    "verdict.rung": (),
    "verdict.overfitting": (),
    "verdict.underfitting": (),
    "verdict.undertrained": (),
    "decoding.state": ("decoding.batch", "decoding.loop"),
    "decoding.batch": (),
    "decoding.loop": (),
    "environment.torch": (),
    "environment.threads": (),
    "environment.determinism": (),
    "environment.plugins": (),
    "environment.plugin_folders": (),
}
"""For each check, the checks whose findings follow from its own; `group.*` is a whole group."""

EXPLAIN_CRASHES = ("model.untouched",)
"""A warning of these explains why a check cannot be finished; of the others a failure does."""

GATES = ("stream.contract", "model.contract", "model.finite")
"""If one of these fails, nothing can be said of what it explains, and those checks do not run."""


def with_causes(check: Check) -> Check:
    """A built-in check with what this table says of it."""
    return replace(check, explains=EXPLAINS[check.name], is_gate=check.name in GATES)


def causes_table() -> str:
    """The table as Markdown, for docs/doctor.md."""
    lines = ["", "| a finding of | explains findings of |", "|---|---|"]
    for name, explained in EXPLAINS.items():
        if explained:
            gate = " (gate)" if name in GATES else ""
            lines.append(f"| `{name}`{gate} | {', '.join(f'`{each}`' for each in explained)} |")
    return "\n".join(lines) + "\n\n"
