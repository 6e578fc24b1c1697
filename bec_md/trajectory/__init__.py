"""Trajectories as streams of frames with stated units: Å, fs, Å/fs, amu, e."""

from __future__ import annotations

from bec_md.trajectory.frame import Frame, Trajectory, TrajectoryInfo
from bec_md.trajectory.opening import open_trajectory

__all__ = ["Frame", "Trajectory", "TrajectoryInfo", "open_trajectory"]
