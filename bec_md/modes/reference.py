r"""Normal modes at Γ from force constants.

.. math:: D_{ia,jb} = Φ_{ia,jb}/\sqrt{m_i m_j}, \qquad \sum_{jb} D_{ia,jb}\, e_{m,jb} = ω_m^2\, e_{m,ia}

The cell of the force constants is the reference: all modes of a supercell at Γ, those that fold back from
the zone boundary included. A trajectory may be a supercell of the reference in turn (`projection`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array, brief_repr
from bec_md.errors import DataError
from bec_md.structure import Frame
from bec_md.units import AMU_ANG2_FS2_EV, wavenumber_from_angular_frequency

Indices = NDArray[np.int64]

#: A mode below this is a translation (or an instability: imaginary frequencies are negative here).
TRANSLATION_CM = 1.0
SOFT_CM = 10.0
"""Stable modes up to this are left out of sums over modes."""
#: Groups of neighboring modes are no longer than so many tolerances.
_LONGEST = 3.0
#: A uniform translation with a larger part of the highest frequency shows force constants that are not those
#: of a crystal, or eigenvectors that are no modes (235 crystals: 2e-5, with rows for columns above 0.13;
#: force constants of finite displacements err more before the translations are projected out).
_MAX_TRANSLATION, _MAX_TRANSLATION_PROJECTED = 0.12, 0.3


@dataclass(frozen=True, eq=False)
class ReferenceModes:
    """Reference structure and its modes at Γ.

    Parameters
    ----------
    cell_ang, positions_ang, numbers, masses_amu
        (3, 3) rows are lattice vectors, (n, 3), (n,), (n,).
    frequencies_cm
        (M,) ascending; imaginary ones negative. The three translations are left out.
    eigenvectors
        (M, n, 3) mass-weighted, orthonormal.
    name
        Where they come from.
    pbc
        Periodic directions of the structure.
    """

    cell_ang: Array
    positions_ang: Array
    numbers: Indices
    masses_amu: Array
    frequencies_cm: Array
    eigenvectors: Array
    name: str = "modes"
    pbc: tuple[bool, bool, bool] = (True, True, True)

    __repr__ = brief_repr

    def __post_init__(self) -> None:
        n = len(self.numbers)
        m = len(self.frequencies_cm)
        if self.eigenvectors.shape != (m, n, 3):
            raise DataError(
                f"{self.name}: eigenvectors of shape {self.eigenvectors.shape} for {m} modes of {n} atoms",
                "one mass-weighted vector of (atoms, 3) belongs to each frequency",
                f"give eigenvectors of shape ({m}, {n}, 3)",
            )
        flat = self.eigenvectors.reshape(m, 3 * n)
        off = float(np.abs(flat @ flat.T - np.eye(m)).max()) if m else 0.0
        if off > 1e-3:
            raise DataError(
                f"{self.name}: the eigenvectors are not orthonormal (off by {off:.2g})",
                "mass-weighted eigenvectors of the dynamical matrix are; displacements are not",
                "multiply displacements by √m and normalize, or give the force constants",
            )
        shares = ((flat @ _translations(self.masses_amu)) ** 2).sum(axis=1)  # 1 or 0 of modes of a crystal
        found = float(np.sqrt(shares @ self.frequencies_cm**2 / 3.0))
        _check_translations(self.name, found, self.frequencies_cm, _MAX_TRANSLATION)

    @property
    def frame(self) -> Frame:
        """The reference structure."""
        return Frame(
            positions_ang=self.positions_ang,
            cell_ang=self.cell_ang,
            pbc=np.array(self.pbc),
            numbers=self.numbers,
            masses_amu=self.masses_amu,
        )

    @property
    def unstable(self) -> Array:
        """Imaginary frequencies, as negative cm⁻¹."""
        return self.frequencies_cm[self.frequencies_cm < -TRANSLATION_CM]

    @property
    def soft(self) -> Array:
        """Frequencies too low to be told from zero, cm⁻¹: rotations of molecules, soft modes.

        They are left out of ε, whose share of them is as uncertain as 1/ω².
        """
        flat = self.eigenvectors.reshape(len(self.frequencies_cm), 3 * len(self.numbers))
        translation = ((flat @ _translations(self.masses_amu)) ** 2).sum(axis=1) > 0.5
        near_zero = (self.frequencies_cm >= -TRANSLATION_CM) & (self.frequencies_cm <= SOFT_CM)
        return np.asarray(self.frequencies_cm[near_zero & ~translation])

    def mode_charges(self, charges: Array) -> Array:
        r"""Mode charges :math:`\tilde Z_{ma} = \sum_{ib} Z_{i,ab} e_{m,ib}/\sqrt{m_i}`, (M, 3), e/√amu.

        Parameters
        ----------
        charges
            (n, 3, 3) Born effective charges of the reference atoms, e.

        Returns
        -------
        numpy.ndarray
            (M, 3), e/√amu.
        """
        weighted = np.asarray(charges) / np.sqrt(self.masses_amu)[:, None, None]
        return np.asarray(np.einsum("iab,mib->ma", weighted, self.eigenvectors))

    def degenerate(self, tolerance_cm: float = 1.0) -> list[Indices]:
        """Indices of modes closer than the tolerance to their neighbor: only their sum is defined."""
        return close_together(self.frequencies_cm, tolerance_cm)


def _translations(masses_amu: Array) -> Array:
    """(3n, 3) the three uniform translations, mass-weighted and orthonormal."""
    return np.asarray(np.kron(np.sqrt(masses_amu / masses_amu.sum())[:, None], np.eye(3)))


def _check_translations(name: str, frequency_cm: float, modes_cm: Array, limit: float) -> None:
    """Refuse modes in which a uniform translation has a frequency."""
    highest = float(np.abs(modes_cm).max(initial=0.0))
    if frequency_cm > limit * highest:
        raise DataError(
            f"{name}: a uniform translation has {frequency_cm:.0f} cm⁻¹, the highest mode {highest:.0f} cm⁻¹",
            "it costs no energy in a crystal (acoustic sum rule)",
            "give all force constants of the structure; eigenvectors are rows, (M, atoms, 3): those of "
            "numpy.linalg.eigh are columns, vectors.T.reshape(-1, atoms, 3)",
        )


def close_together(frequencies_cm: Array, tolerance_cm: float = 1.0) -> list[Indices]:
    """Indices of ascending frequencies that are closer than the tolerance to their neighbor, as groups.

    Many modes may form a chain without a gap: it is cut where its neighbors are farthest apart until no part
    is longer than three tolerances.
    """
    steps = np.diff(frequencies_cm)
    breaks = np.flatnonzero(steps > tolerance_cm) + 1
    parts = np.split(np.arange(len(frequencies_cm)), breaks)[::-1] if len(frequencies_cm) else []
    groups: list[Indices] = []
    while parts:
        part = parts.pop()
        first, last = int(part[0]), int(part[-1])
        if frequencies_cm[last] - frequencies_cm[first] <= _LONGEST * tolerance_cm:
            groups.append(part)
        else:
            cut = int(np.argmax(steps[first:last])) + 1
            parts += [part[cut:], part[:cut]]
    return groups


def modes_from_force_constants(
    force_constants: Array,
    cell_ang: Array,
    positions_ang: Array,
    numbers: Indices,
    masses_amu: Array,
    name: str = "force constants",
) -> ReferenceModes:
    """Diagonalize the dynamical matrix at Γ.

    The matrix is made symmetric and translations are projected out, which is the acoustic sum rule; what
    the projection removes must be small.

    Parameters
    ----------
    force_constants
        Φ, (n, n, 3, 3) in eV/Å²: force on i in direction a for a unit displacement of j in b, sign changed.
    cell_ang, positions_ang, numbers, masses_amu
        The reference structure.
    name
        For messages.

    Returns
    -------
    ReferenceModes
        Wavenumbers in cm⁻¹ (imaginary ones negative) and mass-weighted eigenvectors.

    Raises
    ------
    DataError
        For shapes that do not fit, or force constants that are no second derivatives of an energy or give a
        uniform translation a frequency.
    """
    n = len(numbers)
    phi = np.asarray(force_constants, dtype=np.float64)
    if phi.shape != (n, n, 3, 3) or not np.isfinite(phi).all():
        raise DataError(
            f"{name}: force constants of shape {phi.shape} for {n} atoms, or not finite",
            "a 3×3 matrix belongs to each pair of atoms",
            f"give them as ({n}, {n}, 3, 3), and the structure they belong to (phonopy: SPOSCAR)",
        )
    matrix = phi.transpose(0, 2, 1, 3).reshape(3 * n, 3 * n)
    scale = float(np.abs(matrix).max())
    if float(np.abs(matrix - matrix.T).max()) > 0.05 * scale:
        raise DataError(
            f"{name}: Φ_ij differs from Φ_jiᵀ by {np.abs(matrix - matrix.T).max():.3g} eV/Å²",
            "second derivatives do not depend on the order",
            "check that the structure and the force constants list the atoms in the same order",
        )
    root = np.sqrt(np.repeat(masses_amu, 3))
    dynamical = 0.5 * (matrix + matrix.T) / np.outer(root, root) / AMU_ANG2_FS2_EV
    translations = _translations(masses_amu)
    kept = np.eye(3 * n) - translations @ translations.T
    # the three translations go to the end of the spectrum, far above everything else
    lifted = kept @ dynamical @ kept + 10.0 * np.abs(dynamical).sum(axis=1).max() * (
        translations @ translations.T
    )
    squares, vectors = np.linalg.eigh(lifted)
    squares, vectors = squares[: 3 * n - 3], vectors[:, : 3 * n - 3]
    factor = wavenumber_from_angular_frequency(1.0)
    frequencies = np.sign(squares) * np.sqrt(np.abs(squares)) * factor
    cost = np.linalg.norm(dynamical @ translations, axis=0).max()
    _check_translations(name, float(np.sqrt(cost) * factor), frequencies, _MAX_TRANSLATION_PROJECTED)
    return ReferenceModes(
        np.asarray(cell_ang, dtype=np.float64),
        np.asarray(positions_ang, dtype=np.float64),
        np.asarray(numbers, dtype=np.int64),
        np.asarray(masses_amu, dtype=np.float64),
        np.asarray(frequencies, dtype=np.float64),
        np.ascontiguousarray(vectors.T).reshape(3 * n - 3, n, 3),
        name,
    )
