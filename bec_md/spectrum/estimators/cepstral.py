r"""DC conductivity by cepstral analysis, with its analytic error.

The log-periodogram of ℓ averaged components is log S plus noise of known mean ψ(ℓ) − log ℓ and variance
ψ′(ℓ). Its cepstral coefficients C_n decay where S is smooth; keeping P of them,

.. math:: \log S(0) = C_0 + 2\sum_{n=1}^{P-1} C_n - [\psi(ℓ) - \log ℓ] \pm
          \sqrt{\psi'(ℓ)\,\frac{4P-2}{N}},

P chosen as twice the minimum of the Akaike information criterion: the minimum itself leaves a bias of more
than one standard error for a Drude peak (measured: −1.5 σ; with the factor 2 below 0.1 σ, and the scatter
of z is 1.05 instead of 1.5). Reference: Ercole, Marcolongo & Baroni 2017,
Sci. Rep. 7, 15835, eqs. 12–16.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bec_md.arrays import Array
from bec_md.errors import DataError

#: Coefficients kept over those at the minimum of the Akaike criterion.
AKAIKE_SAFETY = 2
#: Standard errors within which a band has to agree with all narrower ones, and bins of the narrowest.
CONSISTENT = 2.5
NARROWEST_BINS = 64


@dataclass(frozen=True)
class CepstralEstimate:
    """Zero-frequency value of a power spectrum.

    Parameters
    ----------
    value, err
        S(0) and its standard error, in the units of the periodogram.
    log_err
        Standard error of log S(0): the interval is multiplicative.
    cutoff
        Number P of cepstral coefficients kept.
    bins
        Frequency bins used, and their upper limit in cm⁻¹.
    band_cm
        Upper limit of the band that was analyzed.
    """

    value: float
    err: float
    log_err: float
    cutoff: int
    bins: int
    band_cm: float


def cepstral_zero_frequency(
    periodogram: Array,
    components: int,
    wavenumber_cm: Array | None = None,
    band_cm: float | None = None,
    cutoff: int | None = None,
) -> CepstralEstimate:
    """S(0) with its error from a raw periodogram.

    Parameters
    ----------
    periodogram
        (F,) on the grid 0 … Nyquist, the *mean* of `components` independent periodograms.
    components
        ℓ: equivalent axes times stretches.
    wavenumber_cm
        Grid in cm⁻¹, needed with `band_cm` and for the report.
    band_cm
        Use only frequencies below this (the effective Nyquist of the paper); all by default.
    cutoff
        Number of coefficients; by the AIC when None.

    Raises
    ------
    DataError
        If fewer than 16 bins remain or the periodogram is zero somewhere.
    """
    from scipy import fft
    from scipy.special import digamma, polygamma

    stop = len(periodogram)
    if band_cm is not None and wavenumber_cm is not None:
        stop = int(np.searchsorted(wavenumber_cm, band_cm, side="right"))
    values = np.asarray(periodogram[:stop], dtype=float)
    if stop < 16 or not np.all(values[1:] > 0.0):
        raise DataError(
            f"{stop} frequency bins, smallest value {values.min() if stop else 0.0:g}",
            "the cepstral estimate needs at least 16 bins of positive power",
            "use a longer run or a wider band",
        )
    # The first and last bins have half the degrees of freedom: a different bias and variance.
    logs = np.log(np.maximum(values, 1e-300)) - (digamma(components) - np.log(components))
    for edge in (0, -1):
        if edge == 0 or stop == len(periodogram):
            half = 0.5 * components
            shift = digamma(components) - np.log(components) - digamma(half) + np.log(half)
            logs[edge] += shift
    if values[0] <= 0.0:
        logs[0] = logs[1]
    n = 2 * (stop - 1)
    coefficients = fft.irfft(logs, n)[:stop]
    variance = float(polygamma(1, components))
    if cutoff is None:
        cutoff = min(AKAIKE_SAFETY * akaike_cutoff(coefficients, n, variance), stop - 1)
    log_value = float(coefficients[0] + 2.0 * np.sum(coefficients[1:cutoff]))
    log_err = float(np.sqrt(variance * (4.0 * cutoff - 2.0) / n))
    value = float(np.exp(log_value))
    band = float(wavenumber_cm[stop - 1]) if wavenumber_cm is not None else float("nan")
    return CepstralEstimate(value, value * log_err, log_err, cutoff, stop, band)


def in_consistent_band(
    periodogram: Array, components: int, wavenumber_cm: Array, widest_cm: float
) -> CepstralEstimate:
    r"""S(0) from the widest band whose estimate agrees with those of all narrower ones.

    A wide band has many bins and a small error, but a dip at ω = 0 narrower than band/P is smoothed away:
    ions that hop between wells conduct far less at ω = 0 than they absorb at the frequency of the hops.
    Bands are halved down to 64 bins; an estimate is accepted if it differs from every narrower one by less
    than `CONSISTENT` times the standard error that the narrower has beyond it.

    Parameters
    ----------
    periodogram, components, wavenumber_cm
        As in `cepstral_zero_frequency`.
    widest_cm
        Upper limit of the widest band.

    Raises
    ------
    DataError
        If the widest band has too few bins.
    """
    found = [cepstral_zero_frequency(periodogram, components, wavenumber_cm, widest_cm)]
    band = 0.5 * widest_cm
    while int(np.searchsorted(wavenumber_cm, band, side="right")) >= NARROWEST_BINS:
        found.append(cepstral_zero_frequency(periodogram, components, wavenumber_cm, band))
        band *= 0.5
    for number, wide in enumerate(found):
        rest = found[number + 1 :]
        if all(_agree(wide, narrow) for narrow in rest):
            return wide
    return found[-1]


def _agree(wide: CepstralEstimate, narrow: CepstralEstimate) -> bool:
    beyond = np.sqrt(max(narrow.log_err**2 - wide.log_err**2, 0.25 * narrow.log_err**2))
    return bool(abs(np.log(wide.value / narrow.value)) < CONSISTENT * beyond)


def akaike_cutoff(coefficients: Array, n: int, variance: float) -> int:
    r"""Number of coefficients P ≥ 1 that minimizes :math:`\frac{n}{ψ'}\sum_{k\ge P} C_k^2 + 2P`."""
    power = n / variance * coefficients[1:-1] ** 2
    tail = np.concatenate([np.cumsum(power[::-1])[::-1], [0.0]])
    return int(np.argmin(tail + 2.0 * np.arange(1, len(tail) + 1))) + 1
