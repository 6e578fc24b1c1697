"""Steps that several cases share: compare both parts of σ over runs with the expectation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bec_md.arrays import Array, Complex
from bec_md.validate.expectation import omega_fs
from bec_md.validate.statistics import agreement, independent_points
from bec_md.validate.table import Check, Curve

if TYPE_CHECKING:
    from bec_md.spectrum import Spectrum


def compare_isotropic(
    case: str,
    spectra: Sequence[Spectrum],
    exact: Complex,
    analytic: Complex,
    band_cm: tuple[float, float],
    *,
    imaginary: bool = True,
    more_error: Array | None = None,
) -> tuple[list[Check], Curve]:
    """Rows for ε₂ and ε₁ (tr/3) of several runs, and the curve of their mean.

    Parameters
    ----------
    case
        Name.
    spectra
        One per run.
    exact
        (F,) expectation of σ.
    analytic
        (F,) σ without window and sampling: their bias is noted.
    band_cm
        Frequencies that are compared.
    imaginary
        Also compare ε₁.
    more_error
        (F,) standard error of Re σ that the estimator cannot know of, added in quadrature.
    """
    first = spectra[0]
    resolution = float(first.parameters["resolution_cm"])
    points = independent_points(first.wavenumber_cm, *band_cm, resolution)
    checks: list[Check] = []
    parts = ("real", "imag") if imaginary else ("real",)
    for part, name in zip(parts, ("ε₂", "ε₁"), strict=False):
        values = [getattr(s.sigma_iso, part)[points] for s in spectra]
        extra = 0.0 if more_error is None else more_error[points]
        errors = [np.hypot(getattr(s, f"iso_{part}_err")[points], extra) for s in spectra]
        checks += agreement(case, name, values, errors, getattr(exact, part)[points])
    mean = np.mean([s.n_alpha for s in spectra], axis=0)
    error = np.sqrt(np.mean([s.n_alpha_err**2 for s in spectra], axis=0) / len(spectra))
    scale = mean / np.mean([s.sigma_real for s in spectra], axis=0)
    off = float(np.max(np.abs((exact - analytic).real * scale / error)[points]))
    checks.append(kernel_bias(case, off / len(spectra) ** 0.5))
    keep = first.wavenumber_cm <= 1.2 * band_cm[1]
    return checks, Curve(
        case,
        "nα (cm⁻¹)",
        first.wavenumber_cm[keep],
        mean[keep],
        error[keep],
        (analytic.real * scale)[keep],
    )


def kernel_bias(case: str, off: float) -> Check:
    """Row that says how far window and sampling move one run's spectrum from the formula."""
    return Check(
        case,
        "bias of window and sampling / error of a run",
        0.0,
        off,
        tolerance=1.0,
        note="largest, removed in the rows above",
    )


def value(case: str, quantity: str, exact: float, measured: float, error: float, note: str = "") -> Check:
    """Row of one number with its standard error."""
    return Check(case, quantity, float(exact), float(measured), float(error), note=note)


def permittivity_scale(wavenumber_cm: Array) -> Array:
    """ε₀ω in S/m: ε₂ = Re σ over this."""
    from bec_md.units import VACUUM_PERMITTIVITY_F_M

    return np.asarray(VACUUM_PERMITTIVITY_F_M * omega_fs(wavenumber_cm) * 1e15)
