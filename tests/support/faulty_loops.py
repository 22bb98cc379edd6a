"""All training loops with one fault each, and the check that names it."""

from __future__ import annotations

import faulty_forms  # noqa: F401 (adds its loops)
import faulty_losses  # noqa: F401
import faulty_rates  # noqa: F401
import faulty_states  # noqa: F401
import faulty_updates  # noqa: F401
from watched_loops import FAULTY

__all__ = ["FAULTY"]
