"""Trajectories as streams of frames with stated units: Å, fs, Å/fs, amu, e."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_md.lazy import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "compact": "write_compact",
        "frame": "Frame Trajectory TrajectoryInfo",
        "joined": "Parts",
        "opening": "open_trajectory",
        "options": "ReadOptions",
        "runs": "find_runs",
    },
)

if TYPE_CHECKING:
    from bec_md.structure import Frame as Frame
    from bec_md.trajectory.compact import write_compact as write_compact
    from bec_md.trajectory.frame import Trajectory as Trajectory
    from bec_md.trajectory.frame import TrajectoryInfo as TrajectoryInfo
    from bec_md.trajectory.joined import Parts as Parts
    from bec_md.trajectory.opening import open_trajectory as open_trajectory
    from bec_md.trajectory.options import ReadOptions as ReadOptions
    from bec_md.trajectory.runs import find_runs as find_runs
