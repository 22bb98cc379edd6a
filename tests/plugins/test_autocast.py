"""Every architecture of seqzoo runs under bfloat16 autocast, with every switch and choice."""

from __future__ import annotations

from typing import Any

import torch
from installed_architectures import build, every_variant, random_tokens

from seqzoo.plugin.registry import Registry


@every_variant
def test_it_reads_and_learns_under_autocast(
    name: str, variant: dict[str, Any], registry: Registry
) -> None:
    model = build(registry.get("architecture", name), **variant)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, state = model(random_tokens(2, 20))
        logits, _ = model(random_tokens(2, 1), state)
    logits.float().logsumexp(-1).sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
