r"""Error of ⟨J_a²⟩, and what a run may show of it: a mean of few or many energies.

For a Gaussian current of autocorrelation C the mean square over a run of length T has the relative variance

.. math:: r = \frac{2}{T\,C(0)^2}\int_{-T}^{T}\Bigl(1 - \frac{|τ|}{T}\Bigr) C(τ)^2\,dτ,

1 for one mode that keeps its energy, 1/n for n of them, 2ν/T (ν the correlation time of J²) for long runs;
:math:`⟨J_a^2⟩` is then distributed like χ²/n_f of :math:`n_f = 2/r` degrees of freedom.

The squares of a measured C are too large by its own noise. Of K stretches, lags up to half a stretch,
:math:`x = (2/T)\int Ĉ^2 dτ/Ĉ(0)^2` is on the average r (1 + 2 ln 2/K) for many modes and 1/K, whatever the
energies, for a single one, of which it tells nothing; in between the strongest modes stand for those that
happen to have little energy.
"""

from __future__ import annotations

import numpy as np

from bec_md.arrays import Array
from bec_md.spectrum.estimators.periodogram import Periodogram

#: ∫ over lags up to half the stretch of the variance of Ĉ² relative to that of many modes: 2 ln 2.
_NOISE = 2.0 * np.log(2.0)
#: How much the largest measured energies hide those of the others: chosen so that 95 % of the runs of 2 … 30
#: conserved modes lie within two standard errors.
_HIDDEN = 8.0 / 3.0
#: Degrees of freedom that runs with little energy pretend to have.
_PRETENDED = 8.0
#: Part of its energy that no mode falls below: velocities in other units do.
LEAST = 1e-5


def relative_error(bins: Periodogram, total_time_fs: float) -> Array:
    """Return the standard error of ⟨J_a²⟩ relative to its expectation, (3,).

    Parameters
    ----------
    bins
        Periodogram with the squares of the correlation.
    total_time_fs
        Length of all replicas.

    Raises
    ------
    ValueError
        If the periodogram was made without them.
    """
    if bins.squared_correlation is None:
        raise ValueError("a periodogram without `squared_correlation` does not tell")
    count = bins.stretches
    share = bins.squared_correlation / count
    rest = 1.0 + _NOISE / count - _HIDDEN * share
    few = np.where(rest > share * count, share / np.where(rest > 0.0, rest, 1.0), 1.0 / count)
    variance = np.where(share < 1.0 / count, few, share)  # above: J has a mean
    return np.asarray(np.sqrt(variance * bins.stretches * bins.length * bins.timestep_fs / total_time_fs))


def limits(error: Array, sigmas: float) -> tuple[Array, Array]:
    """Return the smallest and the largest ratio to the expectation that so many standard errors allow.

    Parameters
    ----------
    error
        Relative standard error.
    sigmas
        The same probability as so many standard errors of a normal distribution, on either side.
    """
    from scipy.special import gammainccinv, gammaincinv, ndtr

    known = np.maximum(np.asarray(error, dtype=float), 1e-6)
    freedom = 2.0 / known**2
    fewer = freedom**2 / (freedom + _PRETENDED)
    beyond = ndtr(-sigmas)
    low = 2.0 * gammaincinv(fewer / 2.0, beyond) / fewer
    high = 2.0 * gammainccinv(freedom / 2.0, beyond) / freedom
    return np.asarray(low), np.maximum(high, 1.0 + sigmas * known)
