"""A Universe of MDAnalysis, and with a topology whatever else MDAnalysis reads.

MDAnalysis converts to Å, ps and Å/ps. Two of its formats are refused here, because it reads an extended XYZ
without box and velocities, and leaves the velocities of a LAMMPS dump unconverted.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import BecMDError, DataError, UsageError
from bec_md.files import fingerprint, in_words, open_text, require_file
from bec_md.structure import Frame
from bec_md.structure.names import VelocityUnits, find_charge_key
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import place
from bec_md.trajectory.readers.dcd import keeps_time
from bec_md.trajectory.readers.indexed import frames_of_clock, mean_step
from bec_md.trajectory.readers.topology import species_of_universe, style_of_data, topology_path

_REFUSED = ("LAMMPSDUMP", "XYZ")
#: Formats whose box is three vectors of any direction, of which MDAnalysis keeps lengths and angles.
_ANY_DIRECTION = ("H5MD", "HISTORY")
#: Transformations that move atoms in another way than the box, or smooth their motion.
_MOVING = ("fit_rot_trans", "rotateby", "PositionAverager")


def open_with_topology(path: Path, options: ReadOptions) -> MDAnalysisReader:
    """Open a trajectory file with the topology of the options.

    Raises
    ------
    UsageError
        Without a topology.
    """
    return MDAnalysisReader((topology_path(path, options), path), options)


class MDAnalysisReader:
    """Frames of a Universe, or of a trajectory file with a topology file."""

    def __init__(self, source: Any, options: ReadOptions) -> None:
        self._options = options
        self._pair: tuple[Path, Path] | None = None
        self._universe: Any = None
        self.warnings: list[str] = []
        if isinstance(source, tuple):
            topology, trajectory = (require_file(Path(name)) for name in source)
            self._pair = (topology, trajectory)
            self.source = trajectory.name
            self.fingerprint = fingerprint(topology, trajectory)
        else:
            self._universe = source
            self.source = _universe_name(source)
            self.fingerprint = _universe_hash(source)
        universe = self._open()
        kind = _kind(universe.trajectory)
        refused = [_kind(part) for part in _parts(universe.trajectory) if _kind(part) in _REFUSED]
        if refused:
            raise UsageError(
                f"{self.source}: MDAnalysis format {refused[0]} is not used",
                "MDAnalysis drops the box of an XYZ file and leaves velocities of a LAMMPS dump unconverted",
                "open the file itself with open_trajectory(path), without topology",
            )
        _require_own_box(universe.trajectory, self.source)
        if "TRJ" in map(_kind, _parts(universe.trajectory)):
            self._doubt_angles(self._pair[0] if self._pair is not None else self._universe.filename)
        self.format = f"mdanalysis:{kind.lower()}"
        self.n_frames = len(universe.trajectory)
        self._species = species_of_universe(universe, options, self.source)
        self._has_times, self.timestep_fs = _times(universe, kind, options.first_frame(self.n_frames))
        find_charge_key((), options.charges_key, self.source)
        self.notes = ["Å, ps and Å/ps by the convention of MDAnalysis"]
        if not self._has_times:
            self.notes.append("no times in the file, so the time between frames must be given")
        stored = bool(universe.trajectory.ts.has_velocities) and options.need_velocities
        self.velocity_units = VelocityUnits("ang/ps", 1e-3, assumed=False) if stored else None

    def _doubt_angles(self, topology: Any) -> None:
        """Refuse Amber's text format, which keeps edges of the box alone, where the topology has angles.

        Raises
        ------
        DataError
            If they are none of 90°.
        """
        path = Path(str(topology))
        angle = _angle_of_prmtop(path) if path.is_file() else None
        if angle is None:
            self.warnings.append(f"{self.source} keeps edges of the box alone: its angles are taken for 90°")
        elif abs(angle - 90.0) > 1e-3:
            raise DataError(
                f"{self.source}: it keeps edges of the box alone, whose angle is {angle:.4g}° in {path.name}",
                "with 90°, as MDAnalysis takes it, volume and nearest images would be wrong",
                "write the run as NetCDF (ioutfm = 1), or convert it so by cpptraj",
            )

    def read(self, start: int, stride: int) -> Iterator[Frame]:
        """Yield frames start, start + stride, …"""
        universe = self._open()
        for index in range(start, len(universe.trajectory), stride):
            yield self._frame(universe, index)

    def _frame(self, universe: Any, index: int) -> Frame:
        where = place(self.source, index)
        try:
            step = universe.trajectory[index]
            positions = np.array(step.positions, dtype=np.float64)
        except Exception as error:  # MDAnalysis raises OSError, NoDataError, …, by format
            raise DataError(
                f"{where} cannot be read by MDAnalysis: {in_words(error)}",
                "the file is damaged or cut off here, or the frame holds no positions",
                f"read the part before it with `stop={index}`, or write positions into every frame",
            ) from error
        velocities = None
        box = step.triclinic_dimensions
        if self.velocity_units is not None and step.has_velocities:
            velocities = np.array(step.velocities, dtype=np.float64) * self.velocity_units.factor_ang_fs
        return Frame(
            index=index,
            numbers=self._species.numbers,
            masses_amu=self._species.masses_amu,
            positions_ang=positions,
            cell_ang=np.array(np.zeros((3, 3)) if box is None else box, dtype=np.float64),
            pbc=np.ones(3, dtype=bool),
            velocities_ang_fs=velocities,
            time_fs=float(step.time) * 1e3 if self._has_times else None,
        )

    def _open(self) -> Any:
        """A Universe of its own for every pass, because a Universe has one current frame."""
        if self._pair is None:
            return self._universe.copy()
        import MDAnalysis

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                style = style_of_data(self._pair[0])
                return MDAnalysis.Universe(*map(str, self._pair), to_guess=(), **style)
        except BecMDError:
            raise
        except Exception as error:
            raise DataError(
                f"{self.source} with topology {self._pair[0].name} cannot be opened by MDAnalysis: "
                f"{in_words(error, self._pair[1])}",
                "a format is not recognized, a file is damaged, or their numbers of atoms differ",
                "check that both files belong to the same run",
            ) from error


def _angle_of_prmtop(path: Path) -> float | None:
    """Angle of the box in an Amber topology in degrees; None if it is none, or does not tell."""
    with open_text(path) as lines:
        if not next(lines, "").startswith("%VERSION"):
            return None
        for line in lines:
            if line.startswith("%FLAG BOX_DIMENSIONS"):
                numbers = next((row.split() for row in lines if not row.startswith("%")), [])
                return float(numbers[0]) if numbers else None
    return None


def _kind(trajectory: Any) -> str:
    """Format of a trajectory of MDAnalysis, CHAIN for several files."""
    kinds = trajectory.format
    return str(kinds if isinstance(kinds, str) else kinds[0])


def _parts(trajectory: Any) -> list[Any]:
    """Readers of the files of a trajectory, in their order."""
    return list(getattr(trajectory, "readers", [trajectory]))


def _require_own_box(trajectory: Any, source: str) -> None:
    """Refuse positions that are turned against the box, or averaged over frames.

    Raises
    ------
    UsageError
        Where a transformation does it, or MDAnalysis where it turns the box alone (a along x, b in xy).
    """
    moving = [name for one in trajectory.transformations if (name := type(one).__name__) in _MOVING]
    if moving:
        raise UsageError(
            f"{source}: the transformation {moving[0]}",
            "it turns atoms and not their box, or averages over frames: neighbors, Z* and J would be others",
            "use a Universe without it (wrapping, unwrapping, translations do no harm)",
        )
    for part in _parts(trajectory):
        if _kind(part) in _ANY_DIRECTION and _is_turned(part):
            raise UsageError(
                f"{source}: the vectors of its box have directions that MDAnalysis does not keep",
                "it puts a along x and b into the xy plane, and leaves the atoms where they are",
                "open the file itself with open_trajectory(path), without MDAnalysis",
            )


def _is_turned(part: Any) -> bool:
    """Whether the first box of a file has other directions than MDAnalysis gives it."""
    group = getattr(part, "_particle_group", None)
    if part.ts.dimensions is None:
        return False
    if group is None:
        edges = _box_of_history(Path(str(part.filename)))
    else:
        edges = np.asarray(group["box/edges/value"][0]) if "edges" in group["box"] else np.eye(3)
    above = np.triu(edges, 1) if edges.ndim == 2 else np.zeros(1)
    return bool((np.abs(above) > 1e-5 * np.abs(edges).max()).any())


def _box_of_history(path: Path) -> NDArray[np.float64]:
    """Vectors behind the first line of a time step."""
    with open_text(path) as lines:
        while not next(lines).lstrip().startswith("timestep"):
            pass
        return np.array([next(lines).split() for _ in range(3)], dtype=np.float64)


def _keeps_time(part: Any) -> bool:
    """Whether the times of a file are in known units, as far as its format has a doubt."""
    header = getattr(getattr(part, "_file", None), "header", None)
    if _kind(part) != "DCD" or not isinstance(header, dict):
        return True
    return keeps_time(str(header.get("remarks", "")))


def _times(universe: Any, kind: str, wanted: int) -> tuple[bool, float | None]:
    """Whether the frames have times of their own, and the time between them in fs."""
    trajectory = universe.trajectory
    if not all(map(_keeps_time, _parts(trajectory))):
        return False, None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        told = frames_of_clock(wanted, len(trajectory))
        times_ps = [float(trajectory[k].time) for k in told]
        trajectory[0]
    # A DCD counts in the time unit of the program that wrote it, which is CHARMM's only for CHARMM and NAMD.
    no_times = kind in ("MEMORY", "DCD") or any("no dt information" in str(item.message) for item in caught)
    if no_times:
        return False, None
    if len(trajectory) > 1 and times_ps[3] == times_ps[0]:  # some programs write zeros
        return False, None
    return True, mean_step(told, [1e3 * time for time in times_ps])


def _universe_name(universe: Any) -> str:
    filename = universe.trajectory.filename
    return Path(str(filename)).name if filename else "MDAnalysis.Universe"


def _universe_hash(universe: Any) -> str:
    paths = [Path(str(part.filename)) for part in _parts(universe.trajectory) if part.filename]
    if paths and all(path.is_file() for path in paths):
        return fingerprint(*paths)
    copy = universe.copy()
    digest = hashlib.sha256(str(len(copy.trajectory)).encode())
    for index in (0, -1):
        values: NDArray[np.float32] = np.ascontiguousarray(copy.trajectory[index].positions)
        digest.update(values.tobytes())
    return digest.hexdigest()[:16]
