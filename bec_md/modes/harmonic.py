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
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array, Complex
from bec_md.errors import DataError
from bec_md.modes.reference import TRANSLATION_CM, ReferenceModes
from bec_md.structure import Frame
from bec_md.units import (
    INTENSITY_KM_MOL,
    PLASMA_FREQUENCY2_FS2,
    angular_frequency_from_wavenumber,
    wavenumber_from_angular_frequency,
)

if TYPE_CHECKING:
    from bec_md.network import BecModel


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
        return cls(modes.frequencies_cm, modes.mode_charges(charges), volume, eps_inf)

    @property
    def optical(self) -> NDArray[np.bool_]:
        """(M,) stable modes that are no translations: the ones that the sums below run over."""
        return np.asarray(self.frequencies_cm > 10.0 * TRANSLATION_CM)

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
        if self.eps_inf is None:
            raise DataError(
                "no ε∞ is known",
                "it screens the field of longitudinal modes",
                "give `eps_inf`, or another model",
            )
        length = float(np.linalg.norm(direction))
        if length == 0.0:
            raise DataError("direction (0, 0, 0)", "it has no length", "give a direction such as (0, 0, 1)")
        q = np.asarray(direction, dtype=np.float64) / length
        factor = PLASMA_FREQUENCY2_FS2 / self.volume_ang3 / float(q @ self.eps_inf @ q)
        polar = self.mode_charges @ q
        unit = angular_frequency_from_wavenumber(1.0) ** 2
        squares = np.sign(self.frequencies_cm) * self.frequencies_cm**2 * unit
        values = np.linalg.eigvalsh(np.diag(squares) + factor * np.outer(polar, polar))
        return np.asarray(np.sign(values) * np.sqrt(np.abs(values)) * wavenumber_from_angular_frequency(1.0))


@dataclass(frozen=True, eq=False)
class HarmonicPrediction:
    """Response from predicted charges, and the same from each member of the ensemble."""

    response: HarmonicResponse
    members: tuple[HarmonicResponse, ...]
    scale: float = 1.0  # calibration of the ensemble's spread

    def error(self, quantity: Callable[[HarmonicResponse], Array]) -> Array | None:
        """Return the model's standard error of a quantity, None without an ensemble."""
        if len(self.members) < 2:
            return None
        values = np.array([quantity(member) for member in self.members])
        return np.asarray(self.scale * values.std(axis=0, ddof=1))


def predict_response(modes: ReferenceModes, model: BecModel) -> HarmonicPrediction:
    """Response of a crystal with the charges and ε∞ of a network."""
    frame = Frame(
        positions_ang=modes.positions_ang,
        cell_ang=modes.cell_ang,
        pbc=np.ones(3, dtype=bool),
        numbers=modes.numbers,
        masses_amu=modes.masses_amu,
    )
    prediction = model.predict_batch([frame])
    eps = None if np.isnan(prediction.eps_inf[0]).any() else np.asarray(prediction.eps_inf[0])
    of = HarmonicResponse.of
    members = tuple(of(modes, z, eps) for z in np.asarray(prediction.members)[0])
    return HarmonicPrediction(
        of(modes, prediction.born_effective_charges[0], eps), members, model.calibration
    )
