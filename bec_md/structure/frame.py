"""Atoms in a periodic cell, with velocities, a time and labels where they are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import brief_repr
from bec_md.structure.names import CHARGES, EPS_INF

#: Stands for masses that were not given.
_STANDARD_WEIGHTS: NDArray[np.float64] = np.empty(0)
#: Arrays that every frame has; of another type (single precision, lists) they are converted.
_FLOAT, _INT, _BOOL = np.dtype(np.float64), np.dtype(np.int64), np.dtype(np.bool_)
_TYPES = (
    ("positions_ang", _FLOAT),
    ("cell_ang", _FLOAT),
    ("velocities_ang_fs", _FLOAT),
    ("numbers", _INT),
    ("pbc", _BOOL),
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One structure, or one time step of a trajectory, in internal units.

    Parameters
    ----------
    positions_ang
        Positions in Å, shape (N, 3), wrapped or not.
    cell_ang
        Lattice vectors as rows, in Å, shape (3, 3).
    pbc
        Periodicity along the three lattice vectors, shape (3,).
    numbers
        Atomic numbers, shape (N,).
    masses_amu
        Masses in amu, shape (N,); by default the standard atomic weights.
    velocities_ang_fs
        Velocities in Å/fs at the time of the positions, shape (N, 3), or None.
    time_fs
        Time in fs: the file's own when it has one, else index × time between stored frames, else None.
    labels
        Calculated quantities by name (`bec_md.structure.names`): ``born_effective_charges``
        Z[i, a, b] = ∂M_a/∂u_ib in e (first index polarization), shape (N, 3, 3); ``eps_inf``, shape (3, 3).
    total_charge
        Net charge Q of the cell in e; ΣZ = Q·1.
    index
        Index of the frame in its file, counted from 0.
    step
        Number of the time step, when the file counts them.
    info
        What else a file says about the structure, as text by key.
    """

    positions_ang: NDArray[np.float64]
    cell_ang: NDArray[np.float64]
    pbc: NDArray[np.bool_]
    numbers: NDArray[np.int64]
    masses_amu: NDArray[np.float64] = field(default_factory=lambda: _STANDARD_WEIGHTS)
    velocities_ang_fs: NDArray[np.float64] | None = None
    time_fs: float | None = None
    labels: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    total_charge: float = 0.0
    index: int = 0
    step: int | None = None
    info: Mapping[str, Any] = field(default_factory=dict)

    __repr__ = brief_repr

    def __post_init__(self) -> None:
        if not self._usual():
            for name, dtype in _TYPES:
                value = getattr(self, name)
                if value is not None:
                    object.__setattr__(self, name, np.asarray(value, dtype=dtype))
        if self.masses_amu is _STANDARD_WEIGHTS:
            from ase.data import atomic_masses

            weights = np.asarray(atomic_masses[self.numbers], dtype=np.float64)
            object.__setattr__(self, "masses_amu", weights)

    def _usual(self) -> bool:
        """Whether all are arrays of the usual types: asked of every frame, in half a microsecond."""
        try:
            return (
                self.positions_ang.dtype is _FLOAT
                and self.cell_ang.dtype is _FLOAT
                and self.numbers.dtype is _INT
                and self.pbc.dtype is _BOOL
                and (self.velocities_ang_fs is None or self.velocities_ang_fs.dtype is _FLOAT)
            )
        except AttributeError:
            return False

    @property
    def born_effective_charges(self) -> NDArray[np.float64] | None:
        """The label of this name, or None."""
        return self.labels.get(CHARGES)

    @property
    def eps_inf(self) -> NDArray[np.float64] | None:
        """The label of this name, or None."""
        return self.labels.get(EPS_INF)

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.numbers)

    @property
    def volume_ang3(self) -> float:
        """Volume of the cell in Å³."""
        return cell_volume(self.cell_ang)

    @property
    def formula(self) -> str:
        """Reduced formula, elements in alphabetic order: the composition's name."""
        return reduced_formula(self.numbers)

    def with_labels(self, **labels: NDArray[np.float64] | None) -> Frame:
        """Return a copy with these labels in place of the old ones of the same names; None takes one out."""
        kept = {name: value for name, value in self.labels.items() if name not in labels}
        return replace(
            self, labels={**kept, **{name: value for name, value in labels.items() if value is not None}}
        )


def cell_volume(cell_ang: NDArray[np.float64]) -> float:
    """Volume V = |a · (b × c)| in Å³ of a cell whose rows are the lattice vectors a, b, c in Å."""
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = cell_ang.tolist()
    return abs(float(ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)))


def reduced_formula(numbers: NDArray[np.int64]) -> str:
    """Return the reduced formula of atomic numbers, e.g. ``O2Si``."""
    from ase.data import chemical_symbols

    kinds, counts = np.unique(numbers, return_counts=True)
    counts = counts // np.gcd.reduce(counts)
    parts = sorted((chemical_symbols[k], int(c)) for k, c in zip(kinds, counts, strict=True))
    return "".join(symbol + (str(count) if count > 1 else "") for symbol, count in parts)
