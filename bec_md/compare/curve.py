"""A curve to compare: wavenumbers, values, errors where there are any, resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bec_md.arrays import Array, brief_repr
from bec_md.errors import DataError
from bec_md.spectrum.quantities import QUANTITIES as ALL

#: Quantities of a curve. n and κ or ε give them all; Im σ is without ε∞ here, which measured ones contain.
QUANTITIES = tuple(q for q in ALL if q != "sigma_imag")


def words_of(quantity: str) -> str:
    """Return what a quantity is called, with its unit."""
    row = ALL[quantity]
    unit = {"cm^-1": " (cm⁻¹)", "S/m": " (S/m)", "1": ""}[row.unit]
    return row.words + unit


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
        Full width at half maximum, cm⁻¹, of the smoothing of a computed curve, or what the file of a measured
        one states; 0 for one that states none, which is taken as sharp.
    bandwidth_cm
        Equivalent noise bandwidth, cm⁻¹: points closer than this share noise; 0 without errors.
    note
        How the file was understood.
    window
        Lag window of a computed curve, or "welch" or "multitaper".
    """

    label: str
    quantity: str
    wavenumber_cm: Array
    values: Array
    errors: Array | None = None
    resolution_cm: float = 0.0
    bandwidth_cm: float = 0.0
    note: str = ""
    window: str = "gaussian"

    __repr__ = brief_repr

    def __post_init__(self) -> None:
        n = len(self.wavenumber_cm)
        good = n >= 4 and self.values.shape == (n,) and np.isfinite(self.values).all()
        good = good and np.isfinite(self.wavenumber_cm).all()
        if not good or not np.all(np.diff(self.wavenumber_cm) > 0.0):
            raise DataError(
                f"{self.label}: {n} points, or values that are not finite or not in order of frequency",
                "a curve needs at least four points at increasing wavenumbers",
                "check the file and its columns",
            )


def from_index(quantity: str, wavenumber_cm: Array, n: Array, kappa: Array) -> Array:
    """Return any quantity of `QUANTITIES` from the complex refractive index; a negative κ is noise.

    Parameters
    ----------
    quantity
        Which.
    wavenumber_cm, n, kappa
        (F,).
    """
    if quantity in ("n", "kappa"):
        return n if quantity == "n" else kappa
    return np.asarray(ALL[quantity].of_eps(wavenumber_cm, (n + 1j * np.maximum(kappa, 0.0)) ** 2))
