"""A curve to compare: wavenumbers, values, errors where there are any, resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError

Array = NDArray[np.float64]

#: Quantity: what it is called in words. n and κ or ε give them all.
QUANTITIES = {
    "n_alpha": "absorption times index nα (cm⁻¹)",
    "eps_imag": "Im ε",
    "eps_real": "Re ε",
    "n": "refractive index",
    "kappa": "extinction coefficient κ",
    "alpha_cm": "absorption coefficient α (cm⁻¹)",
    "reflectivity": "normal-incidence reflectance",
    "loss": "loss function −Im 1/ε",
}


@dataclass(frozen=True, eq=False)
class Curve:
    """One curve.

    Parameters
    ----------
    label
        Name.
    quantity
        One of `QUANTITIES`.
    wavenumber_cm, values
        (F,) ascending, any spacing.
    errors
        (F,) standard errors, or None for a measured curve without.
    resolution_cm
        Full width at half maximum of the smoothing of a computed curve; 0 for a measured one, which is
        taken as sharp.
    bandwidth_cm
        Equivalent noise bandwidth: points closer than this share noise; 0 without errors.
    note
        How the file was understood.
    """

    label: str
    quantity: str
    wavenumber_cm: Array
    values: Array
    errors: Array | None = None
    resolution_cm: float = 0.0
    bandwidth_cm: float = 0.0
    note: str = ""

    def __post_init__(self) -> None:
        n = len(self.wavenumber_cm)
        good = n >= 4 and self.values.shape == (n,) and np.isfinite(self.values).all()
        if not good or not np.all(np.diff(self.wavenumber_cm) > 0.0):
            raise DataError(
                f"{self.label}: {n} points, or values that are not finite or not in order of frequency",
                "a curve needs at least four points at increasing wavenumbers",
                "check the file and its columns",
            )


def from_index(quantity: str, wavenumber_cm: Array, n: Array, kappa: Array) -> Array:
    """Return any quantity of `QUANTITIES` from the complex refractive index.

    Parameters
    ----------
    quantity
        Which.
    wavenumber_cm, n, kappa
        (F,).
    """
    eps = (n + 1j * kappa) ** 2
    alpha = 4.0 * np.pi * wavenumber_cm * kappa
    index = n + 1j * kappa
    table = {
        "n": n,
        "kappa": kappa,
        "alpha_cm": alpha,
        "n_alpha": n * alpha,
        "eps_real": eps.real,
        "eps_imag": eps.imag,
        "loss": -np.imag(1.0 / eps),
        "reflectivity": np.abs((index - 1.0) / (index + 1.0)) ** 2,
    }
    return np.asarray(table[quantity], dtype=np.float64)
