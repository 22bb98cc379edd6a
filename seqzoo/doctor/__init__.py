"""Says what is wrong with a model or a pipeline, and how to fix it.

`examine` (seqzoo/doctor/examine.py) is for code that is not a plugin, `watch`
(seqzoo/doctor/watching/watch.py) for a training loop, `seqzoo doctor` for recipes and runs. Each
check is one file in `checks/`; `Subject` is what a check looks at; `causes.py` says what explains
what.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from seqzoo.doctor.watching.watch import watch

__all__ = ["watch"]


def __getattr__(name: str) -> Any:
    if name == "watch":  # it imports torch
        from seqzoo.doctor.watching.watch import watch

        return watch
    raise AttributeError(f"module 'seqzoo.doctor' has no attribute {name!r}")
