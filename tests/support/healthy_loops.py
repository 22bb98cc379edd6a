"""All healthy training loops."""

from __future__ import annotations

import healthy_forms  # noqa: F401 (adds its loops)
import healthy_losses  # noqa: F401
import healthy_parameters  # noqa: F401
import healthy_shapes  # noqa: F401
import healthy_states  # noqa: F401
import healthy_updates  # noqa: F401
from watched_loops import HEALTHY

__all__ = ["HEALTHY"]
