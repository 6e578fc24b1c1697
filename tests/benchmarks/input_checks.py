"""What the checks of trajectories cost, of reading and of a whole command.

    python tests/benchmarks/input_checks.py [REPEATS]

The time of the checks of blocks of frames is taken within a pass over `open_trajectory(…).frames()`, opening
included (where the numbers of the compact format are unpacked): frames lie in the cache as parsing left
them, and a machine that is slower for a while is slower for both. What handing frames on through the blocks
costs is added from a pass over frames in memory without any check. Motion: the part that looks for repeated
and missing frames, changed intervals and velocities. One by one: a look at every single frame for other
atoms, damaged cells and numbers, exchanged places and uneven clocks alone, as where a block is suspicious.
The whole is `compute_current` with one fixed number for each element, the cheapest charges there are.
Processor time; medians of REPEATS passes (default 5).
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bec_md.current import compute_current
from bec_md.structure import Frame
from bec_md.structure.extxyz import frame_text
from bec_md.trajectory import open_trajectory
from bec_md.trajectory.block import Block, Stack
from bec_md.trajectory.checks import FrameChecker
from bec_md.trajectory.compact import write_compact
from bec_md.trajectory.continuity import Continuity
from bec_md.trajectory.stream import StreamedTrajectory
from bec_md.units import SPEED_OF_LIGHT_CM_FS

#: Atoms and frames of the trajectories, and formats.
SIZES = ((8, 20_000), (192, 10_000))
FORMATS = ("npz", "xyz", "lammpstrj")


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


class Timed(StreamedTrajectory):
    """The same stream, which notes the time that its checks take."""

    spent = motion = 0.0

    def _timed(self, function: Callable[..., Any], *, motion: bool = False) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            begin = time.thread_time()
            try:
                return function(*arguments)
            finally:
                took = time.thread_time() - begin
                self.spent += took
                self.motion += took * motion

        return timed

    def _block(self, before: Sequence[Frame], frames: Sequence[Frame], stack: Stack) -> Block | None:
        return self._timed(super()._block)(before, frames, stack)

    def _checker(self, first: Frame, timestep_fs: float | None) -> FrameChecker:
        checker = super()._checker(first, timestep_fs)
        checker.first_fault = self._timed(checker.first_fault)
        return checker

    def _continuity(self) -> Continuity | None:
        continuity = super()._continuity()
        assert continuity is not None
        continuity.first_break = self._timed(continuity.first_break, motion=True)
        return continuity


class Untouched(StreamedTrajectory):
    """The same stream, which hands blocks on without a look."""

    def _block(self, before: Sequence[Frame], frames: Sequence[Frame], stack: Stack) -> None:
        return None

    def _checker(self, first: Frame, timestep_fs: float | None) -> FrameChecker:
        checker = super()._checker(first, timestep_fs)
        checker.first_fault = lambda frames, block: None
        return checker


def seconds(frames: Iterable[Frame]) -> float:
    """Processor time of a pass, s."""
    begin = time.process_time()
    deque(frames, maxlen=0)
    return time.process_time() - begin


def opened(path: Path, kind: type[StreamedTrajectory]) -> StreamedTrajectory:
    """Open a file as a stream of this kind."""
    trajectory = open_trajectory(path, timestep_fs=1.0)
    trajectory.__class__ = kind
    assert isinstance(trajectory, kind)
    return trajectory


def read(path: Path) -> tuple[float, float, float]:
    """Processor time of reading, of the checks in it, and of what these ask of the motion, s."""
    begin = time.process_time()
    trajectory = opened(path, Timed)
    deque(trajectory.frames(), maxlen=0)
    return time.process_time() - begin - trajectory.spent, trajectory.spent, trajectory.motion


def handed_on(path: Path) -> float:
    """Processor time of handing one frame on through the blocks, s."""
    trajectory = opened(path, Untouched)
    frames = list(islice(trajectory.frames(), 1000))
    through = min(seconds(trajectory._verified(iter(frames))) for _ in range(5))
    return (through - min(seconds(frame for frame in frames) for _ in range(5))) / len(frames)


def one_by_one(path: Path) -> float:
    """Processor time of looking at one frame by itself, s."""
    trajectory = opened(path, Untouched)
    frames = list(islice(trajectory.frames(), 400))
    found = []
    for _ in range(5):
        checker = FrameChecker(path.name, frames[0], 1.0, corrected=True)
        begin = time.process_time()
        for frame in frames:
            checker.check(frame)
        found.append((time.process_time() - begin) / len(frames))
    return min(found)


def computed(path: Path) -> float:
    """Processor time of `compute_current` with fixed charges, s."""
    begin = time.process_time()
    compute_current(path, charges="fixed:Na=1,Cl=-1", timestep_fs=1.0)
    return time.process_time() - begin


def measure(path: Path, n_frames: int, repeats: int) -> tuple[float, ...]:
    """Time of reading, of checking, of its part about motion, and of the whole computation, µs a frame."""
    passes = [(*read(path), computed(path)) for _ in range(repeats)]
    reading, checks, motion, whole = 1e6 * np.median(passes, axis=0) / n_frames
    on = 1e6 * handed_on(path)
    return reading - on, checks + on, motion, whole


def main() -> None:
    """Measure and print a table."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(
        "| format | atoms | reading | checks | of reading | motion | of reading | one by one | of the whole |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for n_atoms, n_frames in SIZES:
            for path in write(Path(folder), n_atoms, n_frames):
                reading, checks, motion, whole = measure(path, n_frames, repeats)
                share, moved = 100 * checks / reading, 100 * motion / reading
                print(
                    f"| {path.suffix[1:]} | {n_atoms} | {reading:.1f} µs | {checks:.2f} µs | {share:.1f} % | "
                    f"{motion:.2f} µs | {moved:.1f} % | {1e6 * one_by_one(path):.0f} µs | "
                    f"{100 * checks / whole:.1f} % |",
                    flush=True,
                )
                path.unlink()


if __name__ == "__main__":
    main()
