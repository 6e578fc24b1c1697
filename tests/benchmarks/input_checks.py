"""What the checks of trajectories cost, of reading and of a whole command, in one process and in turns.

    python tests/benchmarks/input_checks.py [REPEATS]

Reading is a pass over `open_trajectory(…).frames()` with the checks of blocks of frames taken out, opening
included (where the numbers of the compact format are unpacked). The checks are measured on frames in memory:
the difference of two passes is smaller than what passes differ by on a machine that others use too. The whole
is `compute_current` with one fixed number for each element, the cheapest charges there are. The three take
turns; processor time of one thread, best of REPEATS (default 3).
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

from bec_md.current import compute_current
from bec_md.structure import Frame
from bec_md.structure.extxyz import frame_text
from bec_md.trajectory import open_trajectory
from bec_md.trajectory.compact import write_compact
from bec_md.trajectory.stream import StreamedTrajectory
from bec_md.units import SPEED_OF_LIGHT_CM_FS

#: Atoms and frames of the trajectories, and formats.
SIZES = ((8, 20_000), (192, 10_000))
FORMATS = ("npz", "xyz", "lammpstrj")
#: Atoms in frames that are checked in memory, as many as lie in the cache after parsing; a whole file where
#: it lies in memory anyway.
IN_MEMORY = {"npz": 2_000_000, "xyz": 50_000, "lammpstrj": 50_000}


def salt(n_atoms: int, n_frames: int) -> Iterator[Frame]:
    """Yield ions on springs of 100 … 900 cm⁻¹, 1 fs apart."""
    random = np.random.default_rng(0)
    edge = (15.0 * n_atoms) ** (1 / 3)
    omega = 2 * np.pi * SPEED_OF_LIGHT_CM_FS * random.uniform(100, 900, (n_atoms, 3))
    phase = random.uniform(0, 2 * np.pi, (n_atoms, 3))
    side = int(np.ceil(n_atoms ** (1 / 3)))
    site = np.array(list(np.ndindex(side, side, side)))[:n_atoms] * edge / side
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


def write(folder: Path, n_atoms: int, n_frames: int) -> Iterator[Path]:
    """Write the same motion in three formats, one after the other."""
    for suffix in FORMATS:
        path = folder / f"{n_atoms}.{suffix}"
        if suffix == "npz":
            write_compact(path, salt(n_atoms, n_frames), timestep_fs=1.0)
        elif suffix == "xyz":
            with path.open("w") as file:
                file.writelines(frame_text(frame) for frame in salt(n_atoms, n_frames))
        else:
            write_dump(path, salt(n_atoms, n_frames))
        yield path


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


def computed(path: Path) -> float:
    """Processor time of `compute_current` with fixed charges, s."""
    begin = time.process_time()
    compute_current(path, charges="fixed:Na=1,Cl=-1", timestep_fs=1.0)
    return time.process_time() - begin


def measure(path: Path, n_frames: int, repeats: int) -> tuple[float, float, float]:
    """Time of reading, of checking and of the whole computation, µs a frame."""
    trajectory = open_trajectory(path, timestep_fs=1.0)
    assert isinstance(trajectory, StreamedTrajectory)
    frames = list(islice(trajectory.frames(), IN_MEMORY[path.suffix[1:]] // trajectory.info.n_atoms))
    found: dict[str, list[float]] = {"reading": [], "checked": [], "plain": [], "whole": []}
    for _ in range(repeats):
        found["reading"].append(seconds(unchecked(path)) / n_frames)
        found["checked"] += [seconds(trajectory._verified(iter(frames))) / len(frames) for _ in range(4)]
        found["plain"] += [seconds(frame for frame in frames) / len(frames) for _ in range(4)]
        found["whole"].append(computed(path) / n_frames)
    best = {name: 1e6 * min(times) for name, times in found.items()}
    return best["reading"], best["checked"] - best["plain"], best["whole"]


def main() -> None:
    """Measure and print a table."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print("| format | atoms | frames | reading | checks | of reading | whole | of the whole |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for n_atoms, n_frames in SIZES:
            for path in write(Path(folder), n_atoms, n_frames):
                reading, checks, whole = measure(path, n_frames, repeats)
                parts = f"{reading:.1f} µs | {checks:.2f} µs | {100 * checks / reading:.1f} %"
                row = f"{path.suffix[1:]} | {n_atoms} | {n_frames} | {parts}"
                print(f"| {row} | {whole:.0f} µs | {100 * checks / whole:.2f} % |", flush=True)
                path.unlink()


if __name__ == "__main__":
    main()
