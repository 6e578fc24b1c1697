"""Peaks of a spectrum with errors of position and height."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from bec_md.arrays import Array
from bec_md.spectrum.analysis.maxima import find_maxima
from bec_md.spectrum.response.optics import vertex


@dataclass(frozen=True)
class Peak:
    """One maximum of nα.

    Parameters
    ----------
    wavenumber_cm, wavenumber_err_cm
        Position from the parabola through the top, and its error from the noise of the height.
    height, err
        nα at the maximum and its statistical standard error, cm⁻¹.
    width_cm
        Full width at half prominence, cm⁻¹, broadened by the resolution.
    natural_width_cm
        The same, cm⁻¹, without the broadening by the resolution and by the friction of the thermostat, if one
        was stated; 0 if these explain the whole width.
    """

    wavenumber_cm: float
    wavenumber_err_cm: float
    height: float
    err: float
    width_cm: float
    natural_width_cm: float | None = None

    def to_dict(self) -> dict[str, float]:
        """Plain numbers for JSON."""
        return asdict(self)


def find_spectrum_peaks(
    wavenumber_cm: Array,
    values: Array,
    errors: Array,
    resolution_cm: float,
    n_sigma: float = 3.0,
    friction_cm: float = 0.0,
) -> tuple[Peak, ...]:
    """Maxima that stand out of their surroundings by `n_sigma` standard errors and 1 % of the highest.

    Parameters
    ----------
    wavenumber_cm
        Uniform grid (F,).
    values, errors
        Spectrum and standard error (F,).
    resolution_cm
        Full width at half maximum of the smoothing kernel, cm⁻¹; sets the error of the position.
    n_sigma
        Significance threshold.
    friction_cm
        Known broadening by a thermostat, cm⁻¹.

    Returns
    -------
    tuple of Peak
        By wavenumber.
    """
    if len(values) < 5 or not np.max(values) > 0.0:
        return ()
    step = float(wavenumber_cm[1] - wavenumber_cm[0])
    distance = max(resolution_cm / step, 1.0)
    found = find_maxima(np.asarray(values), 0.01 * float(np.max(values)), distance)
    keep = found.prominence > n_sigma * errors[found.index]
    index, widths = found.index[keep], found.width[keep]
    peaks = []
    for i, width in zip(index, widths, strict=True):
        position, height = vertex(wavenumber_cm, values, int(i))
        width_cm = float(width) * step
        # a parabola of curvature 8 h/w² is tilted by noise that varies by err over one resolution width
        tilt = float(errors[i]) / resolution_cm
        shift = min(tilt * width_cm**2 / (8.0 * max(height, 1e-300)), width_cm)
        natural = natural_width_cm(width_cm, resolution_cm, friction_cm)
        peaks.append(Peak(position, shift, height, float(errors[i]), width_cm, natural))
    return tuple(peaks)


def natural_width_cm(measured_cm: float, resolution_cm: float, friction_cm: float = 0.0) -> float:
    r"""Width of a Lorentzian band before smoothing, less the broadening by a thermostat.

    A band of width L smoothed by a Gaussian of width G is a Voigt profile,

    .. math:: w = 0.5346\,L + \sqrt{0.2166\,L^2 + G^2},

    which is solved for L. Langevin friction γ adds γ to the width of every band: the equation of motion of
    a mode with damping Γ gets the damping Γ + γ.

    Parameters
    ----------
    measured_cm, resolution_cm, friction_cm
        Full widths at half maximum, cm⁻¹.

    Reference
    ---------
    Olivero and Longbothum 1977, J. Quant. Spectrosc. Radiat. Transf. 17, 233.
    """
    if measured_cm <= resolution_cm:
        return 0.0
    a, b = 0.5346, 0.2166
    square = a * a - b
    root = (a * measured_cm) ** 2 - square * (measured_cm**2 - resolution_cm**2)
    lorentz = (a * measured_cm - float(root) ** 0.5) / square
    return max(float(lorentz) - friction_cm, 0.0)
