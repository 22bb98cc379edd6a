"""A run in Weights & Biases, or in a module that has the same three functions."""

from __future__ import annotations

import html
import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

from seqzoo import RunEnd, Tracker, TrackerContext, UsageError

if TYPE_CHECKING:
    from seqzoo_plugins.trackers.options import WandbOptions

__all__ = ["ServiceTracker"]


class ServiceTracker(Tracker):
    """Calls `init`, `log` and `finish` of the module.

    A resumed run continues under its id. What the service has already received is not removed: it
    ignores a step that it has passed, and the values of a resumed run are the same.
    """

    def __init__(self, options: WandbOptions, context: TrackerContext) -> None:
        """Raises UsageError if the module is not installed."""
        self._module = _imported(options.module)
        arguments = {
            "project": options.project,
            "group": options.group,
            "config": dict(context.recipe),
            "resume": "allow",
            **_own_arguments(options, context, self._module),
        }
        run = self._module.init(**arguments)
        if options.module == "wandb" and options.mode == "online":  # whose own output is long
            print(f"{context.run_name} is at {run.url}")

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Send the metrics of a step."""
        self._module.log(dict(metrics), step=step)

    def log_text(self, step: int, name: str, text: str) -> None:
        """Send a text in the module's own type."""
        shown: Any
        if self._module.__name__ == "wandb":
            shown = self._module.Html(f"<pre>{html.escape(text)}</pre>", inject=False)
        elif self._module.__name__ == "trackio":
            shown = self._module.Markdown(f"```\n{text}\n```")
        else:
            shown = self._module.Text(text)
        self._module.log({name: shown}, step=step)

    def finish(self, result: Mapping[str, Any] | None, status: RunEnd) -> None:
        """Send the scores, and how the run ended."""
        if result is not None:
            scores = {f"scores/{k}": v["bits_per_byte"] for k, v in result["scores"].items()}
            self._module.log(scores, step=result["steps"])
        if self._module.__name__ == "wandb":
            self._module.finish(exit_code=0 if status == "finished" else 1)
        elif self._module.__name__ == "swanlab":
            stopped = "aborted" if status == "interrupted" else "crashed"
            self._module.finish("success" if status == "finished" else stopped)
        else:
            self._module.finish()


def _own_arguments(
    options: WandbOptions, context: TrackerContext, module: ModuleType
) -> dict[str, Any]:
    """The arguments of `init` that the modules call differently."""
    if options.module == "trackio":
        # It has no ids: a run is continued by its name.
        return {"name": f"{context.run_name}-{context.run_id[:6]}", "embed": False}
    common = {
        "name": context.run_name,
        "id": context.run_id,
        "mode": options.mode,
        "tags": list(options.tags),
    }
    if options.module == "swanlab":
        folder = context.run_directory / "swanlab"
        return {**common, "workspace": options.entity, "log_dir": str(folder)}
    return {
        **common,
        "entity": options.entity,
        "dir": str(context.run_directory),
        "settings": module.Settings(silent=True, console="off"),
    }


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise UsageError(
            f"the module '{name}' is not installed; install it with: pip install {name}"
        ) from error
