"""The options of the launchers."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from seqzoo import Options

__all__ = ["RayOptions", "SubmititOptions"]


class RayOptions(Options):
    """Options of `ray`."""

    shorthand: ClassVar[str | None] = "address"
    address: str | None = Field(
        default=None,
        min_length=1,
        description="address of the cluster; auto: the one that this machine belongs to; local: "
        "this machine alone; null: that of the environment variable RAY_ADDRESS, else local",
    )
    threads: int = Field(
        default=1, ge=1, description="processor cores of each member, and its threads"
    )
    gpus: float = Field(default=0, ge=0, description="GPUs of each member; they can be shared")
    other_versions: bool = Field(
        default=False,
        description="whether machines with other versions of Python or torch may help",
    )


class SubmititOptions(Options):
    """Options of `submitit`."""

    shorthand: ClassVar[str | None] = "cluster"
    cluster: Literal["auto", "slurm", "local"] = Field(
        default="auto",
        description="slurm: the queue of the cluster that this machine belongs to; local: this "
        "machine alone, without a queue; auto: slurm where its commands are installed, else local",
    )
    partition: str | None = Field(
        default=None,
        min_length=1,
        description="part of the cluster (Slurm's partition); null: the cluster's default",
    )
    minutes: int = Field(
        default=60,
        ge=5,  # Slurm announces the end 90 seconds before it, or up to a minute earlier
        description="time limit of a job; a member that needs longer saves before it, and "
        "continues in a new job",
    )
    threads: int = Field(
        default=1, ge=1, description="processor cores of each member, and its threads"
    )
    memory_gb: float | None = Field(
        default=None, gt=0, description="memory of each member; null: the cluster's default"
    )
    gpus: int = Field(
        default=0, ge=0, description="GPUs of each member; with local they share the first ones"
    )
    sbatch: dict[str, str | int | bool] = Field(
        default_factory=dict,
        description="further options of Slurm's command sbatch, such as {account: physics}",
    )

    @field_validator("cluster", mode="before")
    @classmethod
    def _runs_beside_the_sweep(cls, value: Any) -> Any:
        if value == "debug":
            raise ValueError(
                "debug runs a job inside the sweep, which could not stop it; use local"
            )
        return value
