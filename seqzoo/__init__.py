"""seqzoo: a plugin-based zoo of byte-level sequence models.

This is the whole public API, for scripts and notebooks (docs/python.md) and for plugins
(docs/plugins.md): what is not listed in `__all__` may change. Names are loaded when they are first
used, so that `import seqzoo` and declaring a plugin do not import torch.
"""

from __future__ import annotations

import os
import sys

from seqzoo import cores as cores  # measures how busy the machine is from here on
from seqzoo.environment import set_defaults
from seqzoo.version import __version__ as __version__

set_defaults(os.environ, sys.modules)

TYPE_CHECKING = False  # as in seqzoo/cores.py
if TYPE_CHECKING:
    from typing import Any

    from seqzoo.cache import map_bytes, open_cached, write_cached, write_cached_by_sha256
    from seqzoo.doctor.examination import examine
    from seqzoo.doctor.subject import Subject
    from seqzoo.doctor.watching.watch import watch
    from seqzoo.ensembles.api import ensemble
    from seqzoo.errors import CorpusUnavailable, PluginError, SeqzooError, UsageError
    from seqzoo.leaderboards.leaderboard import LeaderboardRow, leaderboard
    from seqzoo.plugin.check import Check, CheckSubject, Outcome
    from seqzoo.plugin.choice import Choice, Kind
    from seqzoo.plugin.command import Command
    from seqzoo.plugin.contexts import (
        ArchitectureContext,
        BaselineContext,
        Context,
        CorpusContext,
        DecoderContext,
        LauncherContext,
        NamedParameter,
        OptimizerContext,
        SamplerContext,
        ScheduleContext,
        StreamContext,
        TokenizerContext,
        TrackerContext,
    )
    from seqzoo.plugin.contracts import (
        Batch,
        Sampler,
        Schedule,
        SequenceModel,
        State,
        Stream,
        Tokenizer,
    )
    from seqzoo.plugin.corpus import Corpus
    from seqzoo.plugin.decoding import Decoder, DecodingTask, Stepper
    from seqzoo.plugin.hooks import hookimpl
    from seqzoo.plugin.launcher import Job, JobEnd, JobProcess, Launched, Launcher
    from seqzoo.plugin.registry import load_registry
    from seqzoo.plugin.roles import ParameterRole
    from seqzoo.plugin.span import Span
    from seqzoo.plugin.specs import (
        ArchitectureSpec,
        BaselineScore,
        BaselineSpec,
        Benchmark,
        Combination,
        CorpusSpec,
        DecoderSpec,
        LauncherSpec,
        OptimizerOptions,
        OptimizerSpec,
        Options,
        SamplerSpec,
        ScheduleSpec,
        StreamSpec,
        TokenizerSpec,
        TrackerSpec,
    )
    from seqzoo.plugin.tracker import RunEnd, Tracker
    from seqzoo.recipes.load import Recipe, recipe
    from seqzoo.results.result import Result
    from seqzoo.runs.api import open_run, resume, run
    from seqzoo.runs.interruption import Interrupted
    from seqzoo.runs.run import Run, TextScore
    from seqzoo.storage import cache_directory, data_directory, write_whole
    from seqzoo.terminal.caller import SeqzooWarning

_HOMES = {
    "cache": ("map_bytes", "open_cached", "write_cached", "write_cached_by_sha256"),
    "plugin.check": ("Check", "CheckSubject", "Outcome"),
    "plugin.choice": ("Choice", "Kind"),
    "plugin.command": ("Command",),
    "plugin.contexts": (
        "ArchitectureContext",
        "BaselineContext",
        "Context",
        "CorpusContext",
        "DecoderContext",
        "LauncherContext",
        "NamedParameter",
        "OptimizerContext",
        "SamplerContext",
        "ScheduleContext",
        "StreamContext",
        "TokenizerContext",
        "TrackerContext",
    ),
    "plugin.contracts": (
        "Batch",
        "Sampler",
        "Schedule",
        "SequenceModel",
        "State",
        "Stream",
        "Tokenizer",
    ),
    "plugin.corpus": ("Corpus",),
    "doctor.examination": ("examine",),
    "doctor.subject": ("Subject",),
    "doctor.watching.watch": ("watch",),
    "ensembles.api": ("ensemble",),
    "errors": ("CorpusUnavailable", "PluginError", "SeqzooError", "UsageError"),
    "plugin.decoding": ("Decoder", "DecodingTask", "Stepper"),
    "plugin.hooks": ("hookimpl",),
    "plugin.launcher": ("Job", "JobEnd", "JobProcess", "Launched", "Launcher"),
    "plugin.registry": ("load_registry",),
    "leaderboards.leaderboard": ("LeaderboardRow", "leaderboard"),
    "recipes.load": ("Recipe", "recipe"),
    "results.result": ("Result",),
    "runs.api": ("open_run", "resume", "run"),
    "runs.interruption": ("Interrupted",),
    "runs.run": ("Run", "TextScore"),
    "storage": ("cache_directory", "data_directory", "write_whole"),
    "terminal.caller": ("SeqzooWarning",),
    "plugin.roles": ("ParameterRole",),
    "plugin.span": ("Span",),
    "plugin.specs": (
        "ArchitectureSpec",
        "BaselineScore",
        "BaselineSpec",
        "Benchmark",
        "Combination",
        "CorpusSpec",
        "DecoderSpec",
        "LauncherSpec",
        "OptimizerOptions",
        "OptimizerSpec",
        "Options",
        "SamplerSpec",
        "ScheduleSpec",
        "StreamSpec",
        "TokenizerSpec",
        "TrackerSpec",
    ),
    "plugin.tracker": ("RunEnd", "Tracker"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ArchitectureContext",
    "ArchitectureSpec",
    "BaselineContext",
    "BaselineScore",
    "BaselineSpec",
    "Batch",
    "Benchmark",
    "Check",
    "CheckSubject",
    "Choice",
    "Combination",
    "Command",
    "Context",
    "Corpus",
    "CorpusContext",
    "CorpusSpec",
    "CorpusUnavailable",
    "Decoder",
    "DecoderContext",
    "DecoderSpec",
    "DecodingTask",
    "Interrupted",
    "Job",
    "JobEnd",
    "JobProcess",
    "Kind",
    "Launched",
    "Launcher",
    "LauncherContext",
    "LauncherSpec",
    "LeaderboardRow",
    "NamedParameter",
    "OptimizerContext",
    "OptimizerOptions",
    "OptimizerSpec",
    "Options",
    "Outcome",
    "ParameterRole",
    "PluginError",
    "Recipe",
    "Result",
    "Run",
    "RunEnd",
    "Sampler",
    "SamplerContext",
    "SamplerSpec",
    "Schedule",
    "ScheduleContext",
    "ScheduleSpec",
    "SequenceModel",
    "SeqzooError",
    "SeqzooWarning",
    "Span",
    "State",
    "Stepper",
    "Stream",
    "StreamContext",
    "StreamSpec",
    "Subject",
    "TextScore",
    "Tokenizer",
    "TokenizerContext",
    "TokenizerSpec",
    "Tracker",
    "TrackerContext",
    "TrackerSpec",
    "UsageError",
    "cache_directory",
    "data_directory",
    "ensemble",
    "examine",
    "hookimpl",
    "leaderboard",
    "load_registry",
    "map_bytes",
    "open_cached",
    "open_run",
    "recipe",
    "resume",
    "run",
    "watch",
    "write_cached",
    "write_cached_by_sha256",
    "write_whole",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        import importlib
        import random

        # A module that is imported for the first time may draw (rich does), and a user's loop that
        # draws its batches would get others.
        state = random.getstate()
        try:
            return getattr(importlib.import_module(f"seqzoo.{_HOME_OF[name]}"), name)
        finally:
            random.setstate(state)
    raise AttributeError(f"module 'seqzoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
