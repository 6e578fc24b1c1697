"""Small crystals with tensors that follow a known equivariant law."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from bec_md.network.graph import neighbor_pairs
from bec_md.structure import Frame
from bec_md.structure.extxyz import write_frames
from bec_md.structure.names import labels_of

CHARGE = {3: 1.0, 8: -2.0, 9: -1.0, 12: 2.0, 14: 4.0}


def toy_tensors(numbers, positions, cell, total_charge=0.0, cutoff=4.0):
    """q 1 + Σ_j f r̂ r̂ + ε·(p × s): trace, traceless and antisymmetric parts, each of a few tenths of e."""
    i, j, d = neighbor_pairs(positions, cell, np.ones(3, bool), cutoff)
    r = np.linalg.norm(d, axis=1)
    f = (1 - r / cutoff) ** 2
    sign = np.array([CHARGE[int(z)] for z in numbers])
    z = sign[:, None, None] * np.eye(3)
    np.add.at(z, i, (f * sign[j])[:, None, None] * d[:, :, None] * d[:, None, :] / r[:, None, None] ** 2)
    p, s = np.zeros((2, len(numbers), 3))
    np.add.at(p, i, f[:, None] * d)
    np.add.at(s, i, (f**2 * sign[j])[:, None] * d)
    a = 5 * np.cross(p, s)
    z[:, 0, 1] += a[:, 2]
    z[:, 1, 0] -= a[:, 2]
    z[:, 1, 2] += a[:, 0]
    z[:, 2, 1] -= a[:, 0]
    z[:, 2, 0] += a[:, 1]
    z[:, 0, 2] -= a[:, 1]
    return z - (z.sum(axis=0) - total_charge * np.eye(3)) / len(numbers)


def toy_frames(n_frames, seed=0, kinds=((12, 8), (3, 9)), eps=True):
    """Rattled rock-salt cells of 8 atoms; the composition alternates over `kinds`."""
    generator = np.random.default_rng(seed)
    sites = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    frames = []
    for index in range(n_frames):
        kind = kinds[index % len(kinds)]
        numbers = np.where(sites.sum(axis=1) % 2 == 0, kind[0], kind[1]).astype(np.int64)
        cell = np.eye(3) * generator.uniform(3.9, 4.2)
        positions = sites / 2 @ cell + generator.normal(0, 0.12, (8, 3))
        tensors = toy_tensors(numbers, positions, cell)
        frames.append(
            Frame(
                positions,
                cell,
                np.ones(3, bool),
                numbers,
                labels=labels_of(tensors, np.eye(3) * (1.5 + 60.0 / np.linalg.det(cell)) if eps else None),
                index=index,
            )
        )
    return frames


def with_twins(frames, index):
    """The same frames, in one of which the last atom lies on the first."""
    twice = frames[index].positions_ang.copy()
    twice[7] = twice[0]
    return [*frames[:index], replace(frames[index], positions_ang=twice), *frames[index + 1 :]]


def write_toy(path: Path, n_frames: int, **options) -> Path:
    write_frames(path, toy_frames(n_frames, **options))
    return path
