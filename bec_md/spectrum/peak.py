"""Peaks of a spectrum with errors of position and height."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from bec_md.spectrum.optics import vertex

Array = NDArray[np.float64]


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
    """

    wavenumber_cm: float
    wavenumber_err_cm: float
    height: float
    err: float
    width_cm: float

    def to_dict(self) -> dict[str, float]:
        """Plain numbers for JSON."""
        return asdict(self)


def find_spectrum_peaks(
    wavenumber_cm: Array, values: Array, errors: Array, resolution_cm: float, n_sigma: float = 3.0
) -> tuple[Peak, ...]:
    """Maxima that stand out of their surroundings by `n_sigma` standard errors and 1 % of the highest.

    Parameters
    ----------
    wavenumber_cm
        Uniform grid (F,).
    values, errors
        Spectrum and standard error (F,).
    resolution_cm
        Full width at half maximum of the smoothing kernel; sets the error of the position.
    n_sigma
        Significance threshold.

    Returns
    -------
    tuple of Peak
        By wavenumber.
    """
    from scipy.signal import find_peaks, peak_widths

    if len(values) < 5 or not np.max(values) > 0.0:
        return ()
    step = float(wavenumber_cm[1] - wavenumber_cm[0])
    distance = max(resolution_cm / step, 1.0)
    index, found = find_peaks(values, prominence=0.01 * float(np.max(values)), distance=distance)
    keep = found["prominences"] > n_sigma * errors[index]
    index = index[keep]
    widths = peak_widths(
        values,
        index,
        rel_height=0.5,
        prominence_data=(
            found["prominences"][keep],
            found["left_bases"][keep],
            found["right_bases"][keep],
        ),
    )[0]
    peaks = []
    for i, width in zip(index, widths, strict=True):
        position, height = vertex(wavenumber_cm, values, int(i))
        width_cm = float(width) * step
        # a parabola of curvature 8 h/w² is tilted by noise that varies by err over one resolution width
        tilt = float(errors[i]) / resolution_cm
        shift = min(tilt * width_cm**2 / (8.0 * max(height, 1e-300)), width_cm)
        peaks.append(Peak(position, shift, height, float(errors[i]), width_cm))
    return tuple(peaks)
