"""Frames of an exact harmonic run in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from ase.data import atomic_numbers

from bec_md.structure import Frame
from bec_md.trajectory.frame import TrajectoryInfo
from bec_md.validate.crystal import HarmonicCrystal


class FrameList:
    """A trajectory of frames in memory."""

    def __init__(self, frames: list[Frame], timestep_fs: float | None, scheme: str = "stored") -> None:
        first = frames[0]
        self._frames = frames
        self.info = TrajectoryInfo(
            source="memory", format="memory", n_atoms=len(first.numbers), n_frames=len(frames),
            numbers=first.numbers, masses_amu=first.masses_amu, timestep_fs=timestep_fs,
            has_velocities=scheme == "stored", has_charges=False, velocity_scheme=scheme, units_note="",
            fingerprint="memory",
        )  # fmt: skip

    def frames(self, skip: int = 0) -> Iterator[Frame]:
        return iter(self._frames[skip:])


def frames_of(
    crystal: HarmonicCrystal, displacements: np.ndarray, velocities: np.ndarray | None, dt: float
) -> list[Frame]:
    numbers = np.array([atomic_numbers[s] for s in crystal.symbols])
    first = Frame(
        crystal.positions_ang,
        crystal.cell_ang,
        np.ones(3, dtype=bool),
        numbers,
        crystal.masses_amu,
        None,
        0.0,
    )
    return [
        replace(
            first,
            positions_ang=crystal.positions_ang + displacements[t],
            velocities_ang_fs=None if velocities is None else velocities[t],
            time_fs=t * dt,
            index=t,
        )
        for t in range(len(displacements))
    ]
