"""A compact trajectory: one compressed ``.npz`` with rounded positions and velocities.

Arrays of the file (NumPy's own format, no pickle; all but the first three optional):

====================== ==================== ==================================================================
numbers                (N,)                 atomic numbers
cell_ang               (3, 3) or (T, 3, 3)  lattice vectors as rows, Å
positions_ang          (T, N, 3)            Å; integers are multiplied by `positions_scale`
velocities_ang_fs      (T, N, 3)            Å/fs; integers are multiplied by `velocities_scale`
timestep_fs            ()                   time between stored frames, fs
masses_amu             (N,)                 amu
pbc                    (3,)                 periodic directions, default all
total_charge           ()                   net charge of the cell, e
born_effective_charges (T, N, 3, 3)         e; integers are multiplied by `born_effective_charges_scale`
X_differences          ()                   0, 1 or 2: how often the integers of X were differenced in time
====================== ==================== ==================================================================

Differenced integers are smaller and compress better. Differences wrap around in 16 bits, so that summing them
up restores the integers exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from bec_md.archive import Header, array_headers, array_names, read_arrays
from bec_md.atomic import replacing
from bec_md.errors import DataError, UsageError
from bec_md.files import fingerprint
from bec_md.schema import Finite, Positive, checked
from bec_md.structure import Frame
from bec_md.structure.names import CHARGES, VelocityUnits, as_tensors, find_charge_key
from bec_md.structure.species import resolve_species, symbols_of
from bec_md.trajectory.block import Block
from bec_md.trajectory.frame import Trajectory
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.plausibility import FAR_ANG
from bec_md.trajectory.reader import place

_REQUIRED = ("numbers", "cell_ang", "positions_ang")
_ARRAYS = (*_REQUIRED, "velocities_ang_fs", "masses_amu", "pbc", "born_effective_charges")


class _Scalars(BaseModel, strict=True):
    """Numbers of a file beside its arrays."""

    timestep_fs: Positive | None = None
    total_charge: Finite = 0.0
    positions_scale: Positive | None = None
    velocities_scale: Positive | None = None
    born_effective_charges_scale: Positive | None = None
    positions_differences: int = Field(0, ge=0, le=2)
    velocities_differences: int = Field(0, ge=0, le=2)
    born_effective_charges_differences: int = Field(0, ge=0, le=2)


#: Kinds of NumPy's types that an array may have, beside real numbers and integers.
_KINDS = {"pbc": "biuf", "timestep_fs": "fiuUSOc", "total_charge": "fiuUSOc"}
_SCALARS = tuple(_Scalars.model_fields)


class CompactReader:
    """Frames of a compact ``.npz``; its (small) arrays are held in memory."""

    format = "compact"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.source = path.name
        self.fingerprint = fingerprint(path)
        self.warnings: list[str] = []
        self.notes = ["Å and Å/fs by definition of the format"]
        self._options = options
        key = options.charges_key or find_charge_key(array_names(path), None, self.source) or CHARGES
        wanted = (*_ARRAYS, *_SCALARS, key, f"{key}_scale", f"{key}_differences")
        headers = array_headers(path, wanted)
        missing = [name for name in _REQUIRED if name not in headers]
        if missing:
            raise DataError(
                f"{self.source}: no array {missing[0]}",
                f"the file holds {', '.join(array_names(path)) or 'nothing'}",
                "write it with write_compact, or convert it to extended XYZ",
            )
        self._check_shapes(headers)
        arrays = read_arrays(path, wanted)
        scalars = {name: values.tolist() for name, values in arrays.items() if name in _SCALARS}
        header = checked(_Scalars, scalars, self.source, "write the file with write_compact")
        self._positions = _stored(arrays, "positions_ang", self.source)
        has_velocities = "velocities_ang_fs" in arrays and options.need_velocities
        self._velocities = _stored(arrays, "velocities_ang_fs", self.source) if has_velocities else None
        if options.charges_key is not None and key not in arrays:
            raise DataError(
                f"{self.source}: no array {key}",
                f"the file holds {', '.join(array_names(path))}",
                "give another `charges_key`",
            )
        self._charges = _stored(arrays, key, self.source) if key in arrays else None
        self._cell = np.asarray(arrays["cell_ang"], dtype=np.float64)
        self._pbc = np.asarray(arrays.get("pbc", np.ones(3)), dtype=bool)
        self._total_charge = header.total_charge
        self.timestep_fs = header.timestep_fs
        numbers = np.asarray(arrays["numbers"], dtype=np.int64)
        if not np.array_equal(numbers, arrays["numbers"]):
            raise DataError(
                f"{self.source}: numbers are {arrays['numbers'].ravel()[:4].tolist()} …",
                "atomic numbers are integers",
                "write the file with write_compact",
            )
        self._species = resolve_species(
            symbols_of(numbers, self.source),
            place=self.source,
            file_masses_amu=arrays.get("masses_amu"),
            masses=options.masses,
        )
        self.velocity_units = (
            None if self._velocities is None else VelocityUnits("ang/fs", 1.0, assumed=False)
        )
        self.n_frames = len(self._positions.values)

    def read(self, start: int, stride: int) -> Iterator[Frame]:
        """Yield frames start, start + stride, …"""
        for index in range(start, self.n_frames, stride):
            yield Frame(
                index=index,
                numbers=self._species.numbers,
                masses_amu=self._species.masses_amu,
                positions_ang=self._positions.frame(index),
                cell_ang=self._cell if self._cell.ndim == 2 else self._cell[index],
                pbc=self._pbc,
                velocities_ang_fs=None if self._velocities is None else self._velocities.frame(index),
                labels=self._charges_of(index),
                total_charge=self._total_charge,
            )

    def block_of(self, frames: Sequence[Frame], old: int) -> Block:
        """These successive frames as a block of the arrays in memory."""
        first = frames[0].index
        stride = frames[1].index - first if len(frames) > 1 else 1
        rows = slice(first, frames[-1].index + 1, stride)
        return CompactBlock(frames, old, rows, self._positions, self._velocities, self._cell)

    def _charges_of(self, index: int) -> dict[str, NDArray[np.float64]]:
        if self._charges is None:
            return {}
        tensors = as_tensors(
            self._charges.frame(index),
            len(self._species.numbers),
            name="born_effective_charges",
            transposed=self._options.charges_transposed,
            place=place(self.source, index),
        )
        return {CHARGES: tensors}

    def _check_shapes(self, arrays: Mapping[str, Header]) -> None:
        n_atoms = arrays["numbers"].size
        n_frames = arrays["positions_ang"].shape[0] if arrays["positions_ang"].ndim else 0
        allowed: dict[str, list[tuple[int, ...]]] = {
            "numbers": [(n_atoms,)],
            "masses_amu": [(n_atoms,)],
            "pbc": [(3,)],
            "cell_ang": [(3, 3), (n_frames, 3, 3)],
            "positions_ang": [(n_frames, n_atoms, 3)],
            "velocities_ang_fs": [(n_frames, n_atoms, 3)],
            "timestep_fs": [()],
            "total_charge": [()],
        }
        for name in allowed:
            if name in arrays and arrays[name].dtype.kind not in _KINDS.get(name, "fiu"):
                raise DataError(
                    f"{self.source}: {name} has the type {arrays[name].dtype}",
                    "positions, velocities and cells are real numbers, atomic numbers are integers",
                    "write the file with write_compact",
                )
        for name, shapes in allowed.items():
            if name in arrays and arrays[name].shape not in shapes:
                raise DataError(
                    f"{self.source}: {name} has shape {arrays[name].shape}, "
                    f"not {' or '.join(f'{shape}' for shape in shapes)}",
                    f"there are {n_atoms} atoms and {n_frames} frames",
                    "write the file with write_compact",
                )


def write_compact(
    path: str | Path,
    frames: Trajectory | Iterable[Frame],
    *,
    timestep_fs: float | None = None,
    positions_resolution_ang: float = 1e-3,
    velocities_resolution_ang_fs: float = 1e-5,
    velocities: bool = True,
) -> Path:
    """Write frames into a compact ``.npz``, rounding positions and velocities to 16-bit multiples.

    Positions are unwrapped first, so that their differences are small. Born effective charges are not kept.

    Parameters
    ----------
    path
        File to write, ending in ``.npz``.
    frames
        A trajectory, or frames.
    timestep_fs
        Time between these frames in fs; by default that of the trajectory.
    positions_resolution_ang, velocities_resolution_ang_fs
        Steps of rounding in Å and Å/fs. Rounding adds white noise of step/√12.
    velocities
        Whether to keep velocities.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    UsageError
        Without a time step, for another suffix, or if the values do not fit 16 bits.
    """
    from bec_md.trajectory.velocities import unwrap

    path = Path(path)
    if path.suffix != ".npz":
        raise UsageError(
            f"{path}: suffix {path.suffix!r}", "NumPy reads archives ending in .npz", "name it ….npz"
        )
    info = frames.info if isinstance(frames, Trajectory) else None
    step = timestep_fs if timestep_fs is not None else (info.timestep_fs if info is not None else None)
    if step is None:
        raise UsageError(
            f"{path}: the time between frames is not known",
            "a trajectory without it gives no wavenumber axis",
            "give `timestep_fs`",
        )
    stored = list(unwrap(frames.frames() if isinstance(frames, Trajectory) else frames))
    if not stored:
        raise UsageError(f"{path}: no frames", "there is nothing to write", "pass at least one frame")
    first = stored[0]
    arrays: dict[str, NDArray[Any]] = {
        "numbers": first.numbers.astype(np.uint8),
        "masses_amu": first.masses_amu,
        "pbc": first.pbc,
        "timestep_fs": np.array(step),
        "total_charge": np.array(first.total_charge),
    }
    cells = np.array([frame.cell_ang for frame in stored])
    arrays["cell_ang"] = cells[0] if np.all(cells == cells[0]) else cells
    positions = np.array([frame.positions_ang for frame in stored])
    arrays |= _rounded("positions_ang", positions, positions_resolution_ang)
    if velocities and first.velocities_ang_fs is not None:
        values = np.array([frame.velocities_ang_fs for frame in stored])
        arrays |= _rounded("velocities_ang_fs", values, velocities_resolution_ang_fs)
    with replacing(path) as partial, partial.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)
    return path


@dataclass(frozen=True)
class StoredArray:
    """Values of all frames as they lie in the file, after summing up differences, and their scale."""

    values: NDArray[Any]
    scale: float

    def frame(self, index: int) -> NDArray[np.float64]:
        """Values of one frame in units."""
        return np.ascontiguousarray(self.values[index], dtype=np.float64) * self.scale

    def part(self, rows: slice, atoms: slice) -> NDArray[np.float64]:
        """Values of some atoms in some frames in units."""
        return np.asarray(self.values[rows, atoms] * self.scale, dtype=np.float64)

    def farthest_step(self, rows: slice) -> float:
        """Largest change of a value from one of these frames to the next, in units."""
        values = self.values[rows]
        if len(values) < 2:
            return 0.0
        if values.dtype.kind in "iu" and values.itemsize < 4:
            span = int(values.max()) - int(values.min())
            if values.dtype.kind == "u" or span > np.iinfo(values.dtype).max:  # differences may not fit
                values = values.astype(np.int32)
        moved = values[1:] - values[:-1]
        return max(float(moved.max()), -float(moved.min())) * self.scale


class CompactBlock(Block):
    """Frames whose arrays lie in memory as they are stored: only what is looked at becomes numbers.

    Parameters
    ----------
    frames, old
        As in `Block`.
    rows
        Of the arrays.
    positions, velocities
        Of the whole file.
    cell_ang
        (3, 3), or (T, 3, 3) of the whole file.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        old: int,
        rows: slice,
        positions: StoredArray,
        velocities: StoredArray | None,
        cell_ang: NDArray[np.float64],
    ) -> None:
        super().__init__(frames, old)
        self._rows, self._positions, self._velocities, self._cell = rows, positions, velocities, cell_ang

    def positions_of(self, atoms: slice) -> NDArray[np.float64]:
        """Positions of some atoms, (F, n, 3), Å."""
        return self._positions.part(self._rows, atoms)

    def velocities_of(self, atoms: slice) -> NDArray[np.float64] | None:
        """Velocities of some atoms, (F, n, 3), Å/fs, or None."""
        return None if self._velocities is None else self._velocities.part(self._rows, atoms)

    @cached_property
    def cells_ang(self) -> NDArray[np.float64]:
        """Lattice vectors: (1, 3, 3) when they are the same in all frames, else (F, 3, 3)."""
        return self._cell[None] if self._cell.ndim == 2 else self._cell[self._rows]

    @property
    def counters(self) -> None:
        """Its frames count nothing: their distance is one number for the file."""
        return None

    @property
    def counted(self) -> bool:
        """Whether a frame has a time or a step."""
        return False

    def finite(self) -> bool:
        """Whether velocities and tensors are numbers of a usual size: integers are."""
        stored = [self._positions, self._velocities]
        integers = all(one is None or one.values.dtype.kind in "iu" for one in stored)
        return (integers and CHARGES not in self.frames[0].labels) or super().finite()

    def in_place(self) -> bool:
        """Whether no two atoms of a frame have moved so far that they may have exchanged places."""
        since = slice(self.frames[max(self.old - 1, 0)].index, self._rows.stop, self._rows.step)
        return self._positions.farthest_step(since) <= FAR_ANG or super().in_place()


def _stored(arrays: Mapping[str, NDArray[Any]], name: str, source: str) -> StoredArray:
    values = arrays[name]
    integers = np.issubdtype(values.dtype, np.integer)
    if not integers and not np.issubdtype(values.dtype, np.floating):
        raise DataError(
            f"{source}: {name} has type {values.dtype}",
            "it holds numbers",
            "store floats, or integers and a scale",
        )
    if integers and f"{_stem(name)}_scale" not in arrays:
        raise DataError(
            f"{source}: {name} are integers, but there is no {_stem(name)}_scale",
            "integers are multiples of that step",
            f"add {_stem(name)}_scale, or store floats",
        )
    scale = float(np.asarray(arrays[f"{_stem(name)}_scale"])) if integers else 1.0
    order = int(np.asarray(arrays.get(f"{_stem(name)}_differences", np.int64(0))))
    for _ in range(order):
        values = np.cumsum(values, axis=0, dtype=values.dtype)
    return StoredArray(np.ascontiguousarray(values), scale)


def _rounded(name: str, values: NDArray[np.float64], resolution: float) -> dict[str, NDArray[Any]]:
    """Integers, their scale, and as many differences in time as make them smallest."""
    multiples = np.rint(values / resolution)
    small = np.abs(multiples).max() <= np.iinfo(np.int16).max
    best = multiples.astype(np.int16 if small else np.int32)
    order, current = 0, best
    for candidate in (1, 2):
        # Prepending zero keeps the first frame, and wrap-around makes every order invertible.
        current = np.diff(current, axis=0, prepend=np.zeros_like(current[:1]))
        if np.abs(current[2:].astype(np.float64)).mean() < np.abs(best[2:].astype(np.float64)).mean():
            order, best = candidate, current
    # Time runs fastest in the file: neighbors in time are alike, which halves the compressed size.
    return {
        name: np.asfortranarray(best),
        f"{_stem(name)}_scale": np.array(resolution),
        f"{_stem(name)}_differences": np.array(order),
    }


def _stem(name: str) -> str:
    return name.removesuffix("_fs").removesuffix("_ang")
