"""Trajectories as streams of frames with stated units: Å, fs, Å/fs, amu, e."""

from __future__ import annotations

from bec_md.structure import Frame
from bec_md.trajectory.compact import write_compact
from bec_md.trajectory.frame import Trajectory, TrajectoryInfo
from bec_md.trajectory.joined import Parts
from bec_md.trajectory.opening import open_trajectory
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.prefetch import prefetch
from bec_md.trajectory.runs import find_runs

__all__ = [
    "Frame",
    "Parts",
    "ReadOptions",
    "Trajectory",
    "TrajectoryInfo",
    "find_runs",
    "open_trajectory",
    "prefetch",
    "write_compact",
]


def __dir__() -> list[str]:
    return sorted(__all__)
