"""Says what is wrong with a model or a pipeline, and how to fix it.

`examine` (seqzoo/doctor/examination.py) is for code that is not a plugin, `watch`
(seqzoo/doctor/watching/watch.py) for a training loop, `seqzoo doctor` for recipes and runs. Each
check is one file in `checks/`; `Subject` is what a check looks at; `causes.py` says what explains
what.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqzoo.doctor.examination import examine
    from seqzoo.doctor.watching.watch import watch

__all__ = ["examine", "watch"]


def __getattr__(name: str) -> Any:
    """The functions for users, imported when they are first used: the checks need no torch."""
    if name not in __all__:
        raise AttributeError(f"module 'seqzoo.doctor' has no attribute '{name}'")
    return getattr(import_module("seqzoo"), name)
