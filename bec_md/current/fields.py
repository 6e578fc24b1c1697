r"""The data of a current: every stored field once, with its shape, type, unit and meaning.

The file, the checks, sizes in memory and the reference in the documentation follow from this table: a new
quantity is one row here, and the sum that makes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array

SumRule = Literal["mass", "equal", "none"]
Scheme = Literal["velocity", "midpoint", "central"]

#: Kinds of internal motion of molecules, in the order of K.
INTERNAL = ("stretching", "bending")
#: Rows treated at once: 16384 × 10 groups × 9 numbers are 12 MB, whatever the length of the series.
BLOCK_ROWS = 16384


@dataclass(frozen=True)
class Field:
    """A time-dependent field of a current.

    Parameters
    ----------
    name
        Name of the attribute and of the dataset.
    row_shape
        Shape of one row; ``"G"`` stands for the groups, ``"M"`` for the members of a model, ``"K"`` for the
        kinds of internal motion.
    dtype
        Type in the file: statistics whose rounding is far below their sampling error are ``"f4"``.
    unit
        Unit of the numbers.
    meaning
        What it is, in one phrase.
    one_row
        A single row may stand for all frames.
    may_be_nan
        Rows that were not evaluated are NaN.
    summed
        Rows are computed as changes since the row before, and added up when they are joined: where a
        computation is cut into pieces does not matter then.
    """

    name: str
    row_shape: tuple[int | str, ...]
    dtype: str
    unit: str
    meaning: str
    one_row: bool = False
    may_be_nan: bool = False
    summed: bool = False

    def shape(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """Return the shape of one row, given G, M and K."""
        return tuple(sizes[n] if isinstance(n, str) else n for n in self.row_shape)

    def row_bytes(self, sizes: Mapping[str, int]) -> int:
        """Return the size of one row in the file."""
        return np.dtype(self.dtype).itemsize * math.prod(self.shape(sizes))


def _stored(*row_shape: int | str, unit: str, meaning: str, dtype: str = "f8", **allowed: bool) -> Field:
    return Field("", row_shape, dtype, unit, meaning, **allowed)


@dataclass(frozen=True, eq=False)
class CurrentData:
    r"""Polarization current of a trajectory as arrays, per group of atoms, and what belongs to it.

    Fields annotated with `_stored` depend on time, (T, …); `FIELDS` has their shapes, units and meanings.
    They may be arrays or lazily read stand-ins with ``shape`` and slicing (`bec_md.current.lazy_rows`).

    Parameters
    ----------
    groups
        Names of the G groups.
    timestep_fs
        Time between two samples, fs.
    volume_ang3, cell_ang
        Mean volume, Å³, and mean cell (3, 3), rows are lattice vectors, Å.
    scheme
        ``"velocity"``: velocities and tensors of the same frame. ``"midpoint"``: difference of two
        neighboring frames, value at the half step. ``"central"``: difference of frames t ± Δ.
    group_mass_amu, group_count, group_inverse_mass
        (G,) total mass, number of atoms, and :math:`\sum_{i \in g} 1/m_i`.
    group_free
        (G,) number of atoms with degrees of freedom: those that move and have a mass; None for all.
    anchored
        Whether atoms that do not move hold the center of mass (`total_mass_amu` is infinite then).
    total_charge_e
        Net charge of the cell, e.
    start_time_fs
        Time of the first sample, fs.
    temperature_k
        Temperature that an input file states, K (a current without velocities has no other).
    metadata
        Source, model, fingerprints, version, parameters, warnings.
    """

    current: Annotated[Array, _stored("G", 3, unit="e Å/fs", meaning="Σ Z v of each group, with raw tensors")]
    groups: tuple[str, ...]
    timestep_fs: float
    volume_ang3: float
    cell_ang: Array | None = None
    scheme: Scheme = "velocity"
    charge_sum: Annotated[Array | None, _stored("G", 3, 3, unit="e", meaning="Σ Z of each group")] = None
    momentum: Annotated[Array | None, _stored("G", 3, unit="amu Å/fs", meaning="Σ m v of each group")] = None
    velocity_sum: Annotated[Array | None, _stored("G", 3, unit="Å/fs", meaning="Σ v of each group")] = None
    group_mass_amu: Array | None = None
    group_count: NDArray[np.int64] | None = None
    group_inverse_mass: Array | None = None
    group_free: NDArray[np.int64] | None = None
    anchored: bool = False
    zz_over_mass: Annotated[
        Array | None,
        _stored("G", 3, 3, dtype="f4", unit="e²/amu", meaning="Σ Z Zᵀ/m of each group", one_row=True),
    ] = None
    charge_over_mass: Annotated[
        Array | None,
        _stored(
            "G", 3, 3, dtype="f4", unit="e/amu", one_row=True,
            meaning="Σ Z/m of each group, for the equal rule on groups of mixed masses",
        ),
    ] = None  # fmt: skip
    kinetic_energy_ev: Annotated[
        Array | None, _stored("G", unit="eV", meaning="kinetic energy of each group")
    ] = None
    total_charge_e: float = 0.0
    charge_uncertainty_e: Annotated[
        Array | None,
        _stored(dtype="f4", unit="e", meaning="mean over atoms of the uncertainty of the tensors"),
    ] = None
    member_current: Annotated[
        Array | None,
        _stored(
            "M", 3, unit="e Å/fs",
            meaning="total current with each member of an ensemble of models, in the barycentric frame",
        ),
    ] = None  # fmt: skip
    polarization: Annotated[
        Array | None,
        _stored(
            3,
            unit="e Å",
            meaning="P(t), continuous, of a model whose tensors are its derivatives",
            summed=True,
        ),
    ] = None
    internal_current: Annotated[
        Array | None,
        _stored(
            "K", 3, unit="e Å/fs",
            meaning="Σ Z v of the parts of velocities that stretch and that bend molecules",
        ),
    ] = None  # fmt: skip
    internal_zz_over_mass: Annotated[
        Array | None,
        _stored(
            "K", 3, 3, dtype="f4", unit="e²/amu", may_be_nan=True,
            meaning="Σ Z P Zᵀ/m of these two parts, at frames whose tensors were evaluated",
        ),
    ] = None  # fmt: skip
    cells_ang: Annotated[
        Array | None, _stored(3, 3, unit="Å", meaning="cell, rows are lattice vectors", one_row=True)
    ] = None
    eps_inf: Annotated[
        Array | None,
        _stored(3, 3, unit="1", meaning="ε_∞ that the source of tensors predicts", one_row=True),
    ] = None
    interpolation_check: Annotated[
        Array | None,
        _stored(
            3, dtype="f4", unit="e², (e Å/fs)², (e Å/fs)²", may_be_nan=True,
            meaning="at held-out frames the mean square error of interpolated tensors, and the squares of "
            "the error of J and of J itself",
        ),
    ] = None  # fmt: skip
    start_time_fs: float = 0.0
    temperature_k: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    # ------------------------------------------------------------------ size and rows
    @property
    def n_frames(self) -> int:
        """Number of samples T."""
        return int(self.current.shape[0])

    @property
    def n_groups(self) -> int:
        """Number of groups G."""
        return len(self.groups)

    @property
    def n_atoms(self) -> int | None:
        """Number of atoms, when known."""
        return None if self.group_count is None else int(np.sum(self.group_count))

    @property
    def total_mass_amu(self) -> float | None:
        """Total mass, amu, when known; infinite where atoms that do not move hold the others."""
        if self.group_mass_amu is None:
            return None
        return float("inf") if self.anchored else float(np.sum(self.group_mass_amu))

    @property
    def times_fs(self) -> Array:
        """(T,) time of each sample, fs."""
        return self.start_time_fs + self.timestep_fs * np.arange(self.n_frames, dtype=np.float64)

    def time_fields(self) -> Iterator[tuple[str, Array]]:
        """Yield the name and the array of every time-dependent field that is present."""
        for name in FIELDS:
            array = getattr(self, name)
            if array is not None:
                yield name, array

    def blocks(self, rows: int = BLOCK_ROWS) -> Iterator[slice]:
        """Yield slices that cover the time axis."""
        for start in range(0, self.n_frames, rows):
            yield slice(start, min(start + rows, self.n_frames))

    def read(self, name: str, rows: slice) -> Array:
        """Return rows of a time-dependent field as numbers in memory."""
        return np.asarray(getattr(self, name)[rows], dtype=np.float64)


def _table() -> dict[str, Field]:
    table = {}
    for name, hint in get_type_hints(CurrentData, include_extras=True).items():
        for row in get_args(hint)[1:] if hasattr(hint, "__metadata__") else ():
            table[name] = Field(**{**vars(row), "name": name})
    return table


#: Every time-dependent field by name.
FIELDS: Mapping[str, Field] = _table()


def bytes_per_row(groups: int, members: int = 0) -> int:
    """Return the size of one row of all fields."""
    sizes = {"G": groups, "M": members, "K": len(INTERNAL)}
    return sum(one.row_bytes(sizes) for one in FIELDS.values())
