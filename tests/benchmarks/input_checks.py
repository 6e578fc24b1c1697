"""What the checks of trajectories cost: the same pass with and without them, in the same process.

    python tests/benchmarks/input_checks.py [REPEATS]

Reading is a pass over `open_trajectory(…).frames()` with the checks of blocks of frames taken out, opening
included (where the numbers of the compact format are unpacked). The checks are measured on the same frames in
memory: the difference of two passes is smaller than what passes differ by on a machine that others use too.
Processor time of one thread, best of REPEATS (default 5).
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from bec_md.structure import Frame
from bec_md.structure.extxyz import frame_text
from bec_md.trajectory import open_trajectory
from bec_md.trajectory.compact import write_compact
from bec_md.trajectory.stream import StreamedTrajectory
from bec_md.units import SPEED_OF_LIGHT_CM_FS

#: Atoms and frames of the trajectories.
SIZES = ((4, 10_000), (24, 4000), (192, 1000), (1536, 200))
#: Frames that are checked in memory, as many as lie in the cache after parsing.
IN_MEMORY = 600


def salt(n_atoms: int, n_frames: int) -> Iterator[Frame]:
    """Yield ions on springs of 100 … 900 cm⁻¹, 1 fs apart."""
    random = np.random.default_rng(0)
    edge = (15.0 * n_atoms) ** (1 / 3)
    omega = 2 * np.pi * SPEED_OF_LIGHT_CM_FS * random.uniform(100, 900, (n_atoms, 3))
    phase, site = random.uniform(0, 2 * np.pi, (n_atoms, 3)), random.uniform(0, edge, (n_atoms, 3))
    cell, numbers = np.eye(3) * edge, np.array([11, 17] * (n_atoms // 2))
    for number in range(n_frames):
        angle = omega * number + phase
        velocities = 0.02 * omega * np.cos(angle)
        yield Frame(
            site + 0.02 * np.sin(angle),
            cell,
            np.ones(3, dtype=bool),
            numbers,
            velocities_ang_fs=velocities,
            time_fs=float(number),
            step=number,
        )


def write_dump(path: Path, frames: Iterator[Frame]) -> None:
    """Write a LAMMPS dump in metal units."""
    with path.open("w") as file:
        for frame in frames:
            bounds = "".join(f"0 {edge:.6f}\n" for edge in frame.cell_ang.diagonal())
            file.write(
                f"ITEM: UNITS\nmetal\nITEM: TIMESTEP\n{frame.step}\nITEM: NUMBER OF ATOMS\n{frame.n_atoms}\n"
            )
            file.write(f"ITEM: BOX BOUNDS pp pp pp\n{bounds}ITEM: ATOMS id element x y z vx vy vz\n")
            assert frame.velocities_ang_fs is not None
            rows = np.hstack([frame.positions_ang, frame.velocities_ang_fs * 1000.0])
            for number, row in enumerate(rows):
                symbol = "Cl" if number % 2 else "Na"
                file.write(f"{number + 1} {symbol} " + " ".join(f"{value:.6f}" for value in row) + "\n")


def write(folder: Path, n_atoms: int, n_frames: int) -> list[Path]:
    """Write the same motion in three formats."""
    paths = [folder / f"{n_atoms}.{suffix}" for suffix in ("npz", "xyz", "lammpstrj")]
    write_compact(paths[0], salt(n_atoms, n_frames), timestep_fs=1.0)
    paths[1].write_text("".join(frame_text(frame) for frame in salt(n_atoms, n_frames)))
    write_dump(paths[2], salt(n_atoms, n_frames))
    return paths


class Unchecked(StreamedTrajectory):
    """The same stream without the checks of blocks."""

    def _verified(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        return frames


def seconds(frames: Iterable[Frame]) -> float:
    """Processor time of a pass, s."""
    begin = time.process_time()
    deque(frames, maxlen=0)
    return time.process_time() - begin


def unchecked(path: Path) -> Iterator[Frame]:
    """Open and read without the checks of blocks."""
    trajectory = open_trajectory(path, timestep_fs=1.0)
    trajectory.__class__ = Unchecked
    yield from trajectory.frames()


def measure(path: Path, n_frames: int, repeats: int) -> tuple[float, float]:
    """Time of reading and of checking a frame, µs."""
    reading = min(seconds(unchecked(path)) for _ in range(repeats)) / n_frames
    trajectory = open_trajectory(path, timestep_fs=1.0)
    assert isinstance(trajectory, StreamedTrajectory)
    frames = list(islice(trajectory.frames(), IN_MEMORY))
    checked = min(seconds(trajectory._verified(iter(frames))) for _ in range(4 * repeats))
    plain = min(seconds(frame for frame in frames) for _ in range(4 * repeats))
    return 1e6 * reading, 1e6 * (checked - plain) / len(frames)


def main() -> None:
    """Measure and print a table."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print("| format | atoms | reading, µs a frame | checks, µs a frame | of reading |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for n_atoms, n_frames in SIZES:
            for path in write(Path(folder), n_atoms, n_frames):
                reading, checks = measure(path, n_frames, repeats)
                row = f"{path.suffix[1:]} | {n_atoms} | {reading:.1f} | {checks:.2f}"
                print(f"| {row} | {100 * checks / reading:.1f} % |")


if __name__ == "__main__":
    main()
