"""Launchers `local`, `ray` and `submitit`: where the members of a sweep run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seqzoo import LauncherSpec, Options, hookimpl
from seqzoo_plugins.launchers.options import RayOptions, SubmititOptions

if TYPE_CHECKING:
    from seqzoo import Launcher, LauncherContext


@hookimpl
def register_launchers() -> Iterable[LauncherSpec]:
    yield LauncherSpec(
        name="local",
        summary="processes of this machine",
        open=_open_local,
    )
    yield LauncherSpec(
        name="ray",
        summary="the machines of a Ray cluster",
        options=RayOptions,
        open=_open_ray,
        source="docs.ray.io/en/latest/ray-core/walkthrough.html",
    )
    yield LauncherSpec(
        name="submitit",
        summary="the queue of a cluster (Slurm)",
        options=SubmititOptions,
        open=_open_submitit,
        source="github.com/facebookincubator/submitit",
    )


def _open_local(options: Options, context: LauncherContext) -> Launcher:
    from seqzoo_plugins.launchers.local import LocalLauncher

    return LocalLauncher()


def _open_ray(options: RayOptions, context: LauncherContext) -> Launcher:
    from seqzoo_plugins.launchers.ray_cluster import RayLauncher

    return RayLauncher(options, context)


def _open_submitit(options: SubmititOptions, context: LauncherContext) -> Launcher:
    from seqzoo_plugins.launchers.submitit_queue import SubmititLauncher

    return SubmititLauncher(options, context)
