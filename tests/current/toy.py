"""Small systems with known answers, and a cheap source of tensors that depends on the positions."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.units import fs

from bec_md.charges.source import ChargeBatch, digest
from bec_md.errors import DataError

CELL = np.array([[9.0, 0.0, 0.0], [1.5, 8.0, 0.0], [-1.0, 2.0, 7.0]])
SYMBOLS = ["Si", "O", "O", "Li", "O", "Si", "Li", "O"]


@dataclass(frozen=True)
class Oscillators:
    """Independent oscillators r_i(t) = r_i + A_i sin(ω_i t + φ_i), with a uniform drift."""

    centers: np.ndarray
    amplitudes: np.ndarray
    omegas: np.ndarray
    phases: np.ndarray
    drift: np.ndarray

    def positions(self, time_fs: float) -> np.ndarray:
        return (
            self.centers
            + self.amplitudes * np.sin(self.omegas * time_fs + self.phases)
            + self.drift * time_fs
        )

    def velocities(self, time_fs: float) -> np.ndarray:
        return self.amplitudes * self.omegas * np.cos(self.omegas * time_fs + self.phases) + self.drift


def oscillators(seed: int = 1, drift: float = 0.0) -> Oscillators:
    rng = np.random.default_rng(seed)
    shape = (len(SYMBOLS), 3)
    return Oscillators(
        rng.uniform(0.0, 7.0, shape),
        rng.uniform(0.05, 0.3, shape),
        rng.uniform(0.02, 0.15, shape),
        rng.uniform(0.0, 6.0, shape),
        drift * np.array([1.0, -0.5, 0.3]),
    )


def trajectory(
    model: Oscillators, n_frames: int, timestep_fs: float, *, velocities: bool = True, wrap: bool = False
) -> list[Atoms]:
    frames = []
    for number in range(n_frames):
        time_fs = number * timestep_fs
        atoms = Atoms(SYMBOLS, model.positions(time_fs), cell=CELL, pbc=True)
        if velocities:
            atoms.set_velocities(model.velocities(time_fs) / fs)
        if wrap:
            atoms.wrap()
        frames.append(atoms)
    return frames


def tensors(seed: int = 2) -> np.ndarray:
    """Random full 3×3 tensors that violate the sum rule."""
    return np.random.default_rng(seed).normal(size=(len(SYMBOLS), 3, 3))


@dataclass(frozen=True)
class WavyCharges:
    """Z_i = 1 + 0.3 sin(k·r_i + phase): periodic, smooth, different in every frame."""

    delay_s: float = 0.0
    name: str = "wavy"
    constant: bool = False
    notes: tuple[str, ...] = ()
    members: int = 0

    @property
    def fingerprint(self) -> str:
        return digest("wavy")

    def prepare(self, frame: object) -> WavyCharges:
        return self

    def evaluate(self, frames: Sequence[Any]) -> ChargeBatch:
        if self.delay_s:
            import time

            time.sleep(self.delay_s * len(frames))
        z = np.stack([wavy(f.positions_ang, f.cell_ang) for f in frames])
        members = None
        if self.members:
            members = np.stack([z * (1.0 + 0.01 * m) for m in range(self.members)], axis=1)
        return ChargeBatch(z, 0.1 * np.abs(z).mean(axis=(2, 3)), members)


@dataclass(frozen=True)
class DyingCharges(WavyCharges):
    """At frame 20 it kills its process."""

    def evaluate(self, frames: Sequence[Any]) -> ChargeBatch:
        if any(frame.index >= 20 for frame in frames):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().evaluate(frames)


@dataclass(frozen=True)
class RefusingCharges(WavyCharges):
    """At frame 20 it finds bad data."""

    def evaluate(self, frames: Sequence[Any]) -> ChargeBatch:
        if any(frame.index >= 20 for frame in frames):
            raise DataError("frame 20 is bad", "it was made so", "leave it out")
        return super().evaluate(frames)


def wavy(positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    phase = 2.0 * np.pi * (positions @ np.linalg.inv(cell)).sum(axis=1)
    return np.eye(3) + 0.3 * np.sin(phase[:, None, None] + np.arange(9).reshape(3, 3))
