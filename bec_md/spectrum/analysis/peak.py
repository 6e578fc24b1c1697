"""Peaks of a spectrum with errors of position and height."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist

import numpy as np

from bec_md.arrays import Array
from bec_md.spectrum.analysis.maxima import find_maxima
from bec_md.spectrum.estimators.lag_window import kernel_over_top
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
    chance: float = 0.05,
    rough: float = 1.0,
) -> tuple[Peak, ...]:
    """Maxima that stand out of their surroundings by more than noise makes, and by 1 % of the highest.

    Noise of a smoothed spectrum grows with it: without a band, top and base are two draws from one level, the
    geometric mean of both. Of N independent points, one per resolution, N²/2 pairs may differ by chance; a
    spectrum of noise alone has a maximum in the list as often as `chance` says. A line over nothing counts
    however noisy it is.

    Parameters
    ----------
    wavenumber_cm
        Uniform grid (F,).
    values, errors
        Spectrum and standard error (F,).
    resolution_cm
        Full width at half maximum of the smoothing kernel, cm⁻¹; sets the error of the position.
    chance
        Number of maxima of noise in the list, on average; infinity takes all maxima.
    rough
        `roughness` of the lag window: how much more than a Gaussian one it lets noise tilt the top of a band.

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
    independent = max(len(values) / distance, 2.0)
    limit = NormalDist().inv_cdf(1.0 - min(2.0 * chance / independent**2, 0.5))
    noise = np.sqrt(2.0 * errors[found.index] * errors[found.base])
    keep = found.prominence > limit * noise
    index, widths, prominence = found.index[keep], found.width[keep], found.prominence[keep]
    peaks = []
    for i, width, rise in zip(index, widths, prominence, strict=True):
        position, height = vertex(wavenumber_cm, values, int(i))
        width_cm = float(width) * step
        top = max(height, 1e-300)
        own = _own_width(width_cm, float(rise) / top)
        shift = _shift(float(errors[i]) / top, own, resolution_cm, rough)
        peaks.append(Peak(position, shift, height, float(errors[i]), width_cm))
    return tuple(peaks)


def _own_width(width_cm: float, part: float) -> float:
    """Full width at half height of a Gaussian that falls by half of this part of its height over `width_cm`.

    Beside another band a top stands out by a part of its height only, and is narrower there than the kernel.
    """
    return width_cm * math.sqrt(math.log(0.5) / math.log1p(-0.5 * min(part, 1.0)))


def _shift(noise: float, width_cm: float, resolution_cm: float, rough: float) -> float:
    r"""Standard error of the position of a maximum of width w with the relative noise r of its height.

    Noise smoothed by a Gaussian kernel of variance σ² tilts the top (by another one `rough` times as much).
    Where the band is S before smoothing its slope has the standard deviation

    .. math:: \frac{r}{σ^2}\Bigl[\frac{\int x^2 K^2S^2}{\int K^2S^2}\Bigr]^{1/2}
              ≈ \frac{r}{σ^2}\Bigl[\frac{2}{σ^2} + \frac{4}{L^2}\Bigr]^{-1/2}

    with the width L = w − G²/w of a Lorentzian of which the kernel of width G makes w; the curvature of the
    top is 8/w² of a Lorentzian, 8 ln 2/w² of a Gaussian. A top flatter than its noise shifts by no more than
    where it has fallen by half of it.
    """
    sharpest = min(resolution_cm / width_cm, 1.0)  # 1: as narrow as the kernel
    lorentz = max(width_cm * (1.0 - sharpest**2), 1e-3 * width_cm)
    variance = resolution_cm**2 / (8.0 * math.log(2.0))
    slope = rough * noise / variance / math.sqrt(2.0 / variance + 4.0 / lorentz**2)
    curvature = 8.0 / width_cm**2 * (1.0 - (1.0 - math.log(2.0)) * sharpest**2)
    return min(slope / curvature, math.sqrt(noise / curvature), width_cm)


def natural_width_cm(
    measured_cm: float, window: Array, timestep_fs: float, friction_cm: float = 0.0
) -> float:
    """Width of a Lorentzian band before smoothing, less the broadening by a thermostat.

    The width L is the one with which a Lorentzian, folded with the kernel of the lag window (a Voigt profile
    for a Gaussian), is as wide as the band. Langevin friction γ adds γ to the width of every band: the
    equation of motion of a mode with damping Γ gets the damping Γ + γ.

    Parameters
    ----------
    measured_cm, friction_cm
        Full widths at half maximum, cm⁻¹.
    window, timestep_fs
        (L + 1,) lag window that the spectrum was smoothed with, and the time between its lags, fs.
    """
    from scipy.optimize import brentq

    def beyond(lorentz_cm: float) -> float:
        """How far the folded band lies above half of its height where the measured one has it."""
        return kernel_over_top(window, timestep_fs, 0.5 * measured_cm, lorentz_cm) - 0.5

    if beyond(0.0) >= 0.0:
        return 0.0
    lorentz = measured_cm if beyond(measured_cm) <= 0.0 else brentq(beyond, 0.0, measured_cm, xtol=1e-4)
    return max(float(lorentz) - friction_cm, 0.0)
