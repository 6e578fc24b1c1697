r"""Infrared response of a harmonic crystal: mode intensities, ionic permittivity, TO and LO frequencies.

.. math::
    ε_{ab}(ω) = ε^∞_{ab} + \frac{1}{V ε_0} \sum_m \frac{\tilde Z_{ma} \tilde Z_{mb}}{ω_m^2 - ω^2 - iγω},
    \qquad
    D^{\hat q}_{mn} = ω_m^2 δ_{mn}
        + \frac{(\hat q·\tilde Z_m)(\hat q·\tilde Z_n)}{V ε_0\, \hat q·ε^∞·\hat q}

with the mode charges :math:`\tilde Z_{ma} = \sum_{ib} Z_{i,ab} e_{m,ib}/\sqrt{m_i}`. The eigenvalues of the
second line are the squares of the frequencies for a wave vector that goes to zero along q̂: longitudinal where
a mode is polar along q̂.

Reference
---------
X. Gonze and C. Lee, Phys. Rev. B 55, 10355 (1997), Eqs. 53–62.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array, Complex
from bec_md.charges import make_charge_source
from bec_md.errors import DataError
from bec_md.modes.reference import SOFT_CM, ReferenceModes, close_together
from bec_md.trajectory.frame import TrajectoryInfo
from bec_md.units import (
    INTENSITY_KM_MOL,
    PLASMA_FREQUENCY2_FS2,
    angular_frequency_from_wavenumber,
    wavenumber_from_angular_frequency,
)

#: A mode with less of the largest intensity is not active: what is left of symmetry in single precision.
ACTIVE = 1e-3


@dataclass(frozen=True, eq=False)
class HarmonicResponse:
    """Mode charges of a crystal and what follows from them.

    Parameters
    ----------
    frequencies_cm
        (M,) transverse frequencies at the zone center; negative: unstable.
    mode_charges
        (M, 3), e/√amu.
    volume_ang3
        Volume of the cell, Å³.
    eps_inf
        (3, 3), or None: no longitudinal frequencies then.
    """

    frequencies_cm: Array
    mode_charges: Array
    volume_ang3: float
    eps_inf: Array | None = None

    @classmethod
    def of(cls, modes: ReferenceModes, charges: Array, eps_inf: Array | None = None) -> HarmonicResponse:
        """Combine the modes of a structure with its Born effective charges, (N, 3, 3) in e."""
        volume = float(abs(np.linalg.det(modes.cell_ang)))
        if volume == 0.0:
            raise DataError(
                f"{modes.name}: the structure has no cell",
                "ε is a polarization per volume",
                "put the molecule in a box (ε is that of the box)",
            )
        return cls(modes.frequencies_cm, modes.mode_charges(charges), volume, eps_inf)

    @property
    def optical(self) -> NDArray[np.bool_]:
        """(M,) stable modes that are no translations: the ones that the sums below run over."""
        return np.asarray(self.frequencies_cm > SOFT_CM)

    @property
    def intensities_km_mol(self) -> Array:
        """(M,) Σ_a Z̃_ma² as the absorption of a mole of cells, km/mol."""
        return np.asarray(INTENSITY_KM_MOL * (self.mode_charges**2).sum(axis=1))

    @property
    def strengths(self) -> Array:
        """(M, 3, 3) contribution of each mode to the static permittivity; zero for unstable ones."""
        omega = angular_frequency_from_wavenumber(1.0) * np.where(self.optical, self.frequencies_cm, np.inf)
        outer = self.mode_charges[:, :, None] * self.mode_charges[:, None, :]
        return np.asarray(PLASMA_FREQUENCY2_FS2 / self.volume_ang3 * outer / omega[:, None, None] ** 2)

    @property
    def ionic_eps(self) -> Array:
        """(3, 3) ionic part of the static permittivity."""
        return np.asarray(self.strengths.sum(axis=0))

    def eps(self, wavenumber_cm: Array, damping_cm: float) -> Complex:
        """Permittivity, (F, 3, 3), with one damping of all modes; without ε∞ its ionic part."""
        nu, kept = np.asarray(wavenumber_cm)[:, None], self.optical
        own = self.frequencies_cm[kept] ** 2
        shape = own / (own - nu**2 - 1j * damping_cm * nu)
        ionic = np.einsum("fm,mab->fab", shape, self.strengths[kept])
        return np.asarray(ionic if self.eps_inf is None else ionic + self.eps_inf)

    def along(self, direction: Array) -> Array:
        """(M,) frequencies, cm⁻¹, for a wave vector that vanishes along a direction (Cartesian).

        Raises
        ------
        DataError
            Without ε∞, or for a direction of no length.
        """
        return self._polar_along(direction)[0]

    def transverse_sticks(
        self, *, over_omega: bool = False, weight: Array | None = None
    ) -> tuple[Array, Array]:
        """Active modes: frequencies, cm⁻¹, and their part of the area of absorption, in any unit.

        Parameters
        ----------
        over_omega
            Area of ε₂ instead of that of nα or Re σ.
        weight
            (3, 3) weight of trace 1 of a direction; by default the average.
        """
        seen = np.eye(3) / 3.0 if weight is None else weight
        areas = np.einsum("ma,ab,mb->m", self.mode_charges, seen, self.mode_charges)
        kept = self.optical
        return _joined(self.frequencies_cm[kept], areas[kept], over_omega)

    def longitudinal_sticks(self, direction: Array) -> tuple[Array, Array]:
        """Modes of the loss function along a direction: frequencies, cm⁻¹, and areas of −Im 1/ε, in any unit.

        Raises
        ------
        DataError
            Without ε∞, or for a direction of no length.
        """
        frequencies, polar = self._polar_along(direction)
        assert self.eps_inf is not None  # refused above
        q = np.asarray(direction) / np.linalg.norm(direction)
        kept = frequencies > SOFT_CM
        screened = (polar[kept] / float(q @ self.eps_inf @ q)) ** 2  # 1/ε = 1/ε∞ − χ/ε∞²
        return _joined(frequencies[kept], screened, over_omega=True)

    def _polar_along(self, direction: Array) -> tuple[Array, Array]:
        """(M,) frequencies of `along`, and (M,) mode charges along the direction, e/√amu."""
        if self.eps_inf is None:
            raise DataError(
                "no ε∞ is known",
                "it screens the field of longitudinal modes",
                "take charges that come with it: those of a network that predicts ε∞, or a BORN file",
            )
        length = float(np.linalg.norm(direction))
        if not 0.0 < length < np.inf:
            shown = ", ".join(f"{x:g}" for x in direction)
            raise DataError(f"direction ({shown})", "it has no length", "give a direction such as (0, 0, 1)")
        q = np.asarray(direction, dtype=np.float64) / length
        factor = PLASMA_FREQUENCY2_FS2 / self.volume_ang3 / float(q @ self.eps_inf @ q)
        polar = self.mode_charges @ q
        unit = angular_frequency_from_wavenumber(1.0) ** 2
        squares = np.sign(self.frequencies_cm) * self.frequencies_cm**2 * unit
        values, vectors = np.linalg.eigh(np.diag(squares) + factor * np.outer(polar, polar))
        frequencies = np.sign(values) * np.sqrt(np.abs(values)) * wavenumber_from_angular_frequency(1.0)
        return np.asarray(frequencies), np.asarray(polar @ vectors)


def _joined(frequencies_cm: Array, areas: Array, over_omega: bool) -> tuple[Array, Array]:
    """Sticks of degenerate modes joined, those of no intensity left out."""
    if over_omega:
        areas = areas / frequencies_cm
    groups = [np.asarray(group) for group in close_together(frequencies_cm)]
    heights = np.array([areas[group].sum() for group in groups])
    places = np.array([frequencies_cm[group].mean() for group in groups])
    kept = heights > ACTIVE * heights.max(initial=0.0)
    return places[kept], heights[kept]


@dataclass(frozen=True, eq=False)
class HarmonicPrediction:
    """Response from predicted charges, and the same from each member of the ensemble."""

    response: HarmonicResponse
    members: tuple[HarmonicResponse, ...]
    scale: float = 1.0  # calibration of the ensemble's spread
    notes: tuple[str, ...] = ()  # of the source of the charges

    def error(self, quantity: Callable[[HarmonicResponse], Array]) -> Array | None:
        """Return the model's standard error of a quantity, None without an ensemble."""
        if len(self.members) < 2:
            return None
        values = np.array([quantity(member) for member in self.members])
        return np.asarray(self.scale * values.std(axis=0, ddof=1))


def predict_response(
    modes: ReferenceModes, charges: Any = "model", model: Any = "auto"
) -> HarmonicPrediction:
    """Response of a crystal with Born effective charges and ε∞ of a network or of another source.

    Parameters
    ----------
    modes
        Its modes at the zone center.
    charges
        A loaded network, or a source of tensors as in `bec_md.current.CurrentOptions`: ``"model"``,
        ``"born:PATH[,STRUCTURE]"``, ``"fixed:Mg=2,O=-2"``, ….
    model
        Name, path or loaded network for ``"model"``.

    Raises
    ------
    UsageError, DataError
        If the source does not exist or does not fit the crystal.
    """
    frame = modes.frame
    source = make_charge_source(charges, info=_info(modes), model=model).prepare(frame)
    batch = source.evaluate([frame])
    eps = None if batch.eps_inf is None or np.isnan(batch.eps_inf).any() else np.asarray(batch.eps_inf[0])
    of, members = HarmonicResponse.of, () if batch.members is None else np.asarray(batch.members[0])
    return HarmonicPrediction(
        of(modes, batch.born_effective_charges[0], eps),
        tuple(of(modes, tensors, eps) for tensors in members),
        float(getattr(source, "details", {}).get("uncertainty_scale", 1.0)),
        source.notes,
    )


def _info(modes: ReferenceModes) -> TrajectoryInfo:
    """The reference structure as a source of charges sees it."""
    return TrajectoryInfo(
        source=modes.name,
        format="modes",
        n_atoms=len(modes.numbers),
        n_frames=1,
        numbers=modes.numbers,
        masses_amu=modes.masses_amu,
        timestep_fs=None,
        has_velocities=False,
        has_charges=False,
        velocity_scheme="stored",
        units_note="",
        fingerprint="",
    )
