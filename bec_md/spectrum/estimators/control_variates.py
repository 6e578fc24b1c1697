r"""Control variates: what is known exactly of a run tells how far off its spectrum is.

For any classical Hamiltonian the mean square of the current along an axis is known exactly,

.. math:: D_a = ⟨J_a^2⟩ = k_B T \sum_i ⟨Z_i Z_i^T⟩_{aa}/m_i ,

and what a run shows, :math:`\hat D_a = \int \hat S_{aa}\,dν`, is off by the same fluctuations of the energy
as its spectrum. To first order the ordinates of a periodogram are independent with variance S², so that a
spectrum smoothed with the kernel K over a run of length T has

.. math:: a(ν) = \mathrm{cov}(\hat S, \hat D) = \tfrac2T\, K * S^2, \qquad
          V = \mathrm{var}\,\hat D = \tfrac2T \int S^2 dν, \qquad
          γ(ν) = \frac{a}{V}\,\frac{D}{S},

and the estimate :math:`S' = \hat S (D/\hat D)^γ` has the least variance,
:math:`\mathrm{var}\,\hat S - a^2/V`. It is never negative and converges to the same spectrum for whatever
exponent, since :math:`\hat D \to D` for anharmonic motion as well. γ of each half of the run acts on the
excess :math:`L_i = \ln \hat D_i/D` of the other half, which does not know its noise, and the bias of second
order is taken off,

.. math:: \ln S' = \ln\hat S - \tfrac12(γ_2 L_1 + γ_1 L_2) - \tfrac14γ(v_1 + v_2) + \tfrac12γ^2v, \qquad
          v = V/D^2.

Reference: J. M. Hammersley, D. C. Handscomb, Monte Carlo Methods (1964), chapter 5; Percival & Walden 1993.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.spectrum.estimators import corrections, one_sided
from bec_md.spectrum.estimators.blocks import CurrentBlocks
from bec_md.spectrum.estimators.estimate import PowerSpectra
from bec_md.spectrum.estimators.ordinates import ordinate_variance, smoothed, squares
from bec_md.spectrum.estimators.periodogram import Periodogram, periodogram

#: Relative variance of ⟨J²⟩ in half a run from which an expansion in it means nothing: 10 independent
#: ordinates. Each half decides about the other: a choice by what is corrected would shift the mean.
LARGEST_VARIANCE = 0.1
#: Largest exponent; bands much stronger than the others would have larger ones.
LARGEST_EXPONENT = 4.0
#: 2 − √2: what of the mean exponent counts in errors where one half of the run alone has one.
ONE_HALF = 2.0 - 2.0**0.5
#: Parts of every replica whose exponents act on each other's excess.
HALVES = ((0.0, 0.5), (0.5, 1.0))


@dataclass(frozen=True)
class Control:
    """One known mean square of each axis.

    Parameters
    ----------
    covariance
        (3, F) of the smoothed spectrum with it.
    variance
        (3,) its own.
    slope
        (3, F) what is taken off the spectrum for a unit of its excess.
    """

    covariance: Array
    variance: Array
    slope: Array


@dataclass(frozen=True)
class Reduction:
    """What control variates make of the power spectra S_aa of the current.

    Parameters
    ----------
    factor
        (3, F) by which S_aa is multiplied; S_ab by the geometric mean of both.
    density
        (3, F) S² of single ordinates, smoothed with a third of the resolution.
    variance
        (3, F) of the smoothed spectrum before the reduction.
    exponent_noise
        (3, F) standard deviation, with its sign, that the noise of the exponents adds.
    controls
        The moments that were used.
    static_share
        (3,) share of the variance of ⟨δM_a²⟩ that is taken away.
    used
        (3,) whether the axis has a moment that serves.
    """

    factor: Array
    density: Array
    variance: Array
    exponent_noise: Array
    controls: tuple[Control, ...]
    static_share: Array
    used: NDArray[np.bool_]

    def gain(self) -> Array:
        """Variance of S_aa over that of the reduced one, (3, F)."""
        left = self.variance + self.exponent_noise**2
        for control in self.controls:
            left = left - 2.0 * control.slope * control.covariance
            left = left + control.slope**2 * control.variance[:, None]
        return np.asarray(self.variance / np.maximum(left, 1e-3 * self.variance + 1e-300))


@dataclass(frozen=True)
class Moments:
    """Moments of a part of a run: spectrum (3, F) and what the formulas above call a, V and D.

    `spread` (3,) is V/D² from the squares of the ordinates themselves: those of a line that keeps its energy
    for the whole run have no like neighbors.
    """

    spectrum: Array
    covariance: Array
    variance: Array
    square: Array
    spread: Array

    @property
    def relative_variance(self) -> Array:
        """Variance of ⟨J²⟩ over its square, (3,)."""
        return np.asarray(self.variance / np.maximum(self.square, 1e-300) ** 2)

    @property
    def exponent(self) -> Array:
        """γ, (3, F)."""
        scale = self.square / np.maximum(self.variance, 1e-300)
        power = np.maximum(self.spectrum, 1e-12 * self.spectrum.max(axis=1, keepdims=True) + 1e-300)
        return np.asarray(np.clip(self.covariance / power * scale[:, None], 0.0, LARGEST_EXPONENT))


def _integral(ordinates: Array, bins: Periodogram) -> Array:
    """∫ dν over both signs of ν, 1/fs."""
    return np.asarray(one_sided.correlation_from_spectrum(ordinates, bins.timestep_fs)[..., 0])


def moments(bins: Periodogram, window: Array, size: int, square: Array | None = None) -> Moments:
    """Moments of the ordinates of a periodogram, S² from `squares` if it is not given."""
    twice = 2.0 / (bins.stretches * bins.length * bins.timestep_fs)
    square = squares(bins.power, bins.stretches) if square is None else square
    own = bins.power**2 * bins.stretches / (bins.stretches + 1.0)
    return Moments(
        smoothed(bins.power, window, size, bins.timestep_fs),
        twice * smoothed(square, window, size, bins.timestep_fs),
        twice * _integral(square, bins),
        _integral(bins.power, bins),
        twice * _integral(own, bins) / np.maximum(_integral(bins.power, bins), 1e-300) ** 2,
    )


def bias_of(whole: Moments, parts: list[Moments], exponent: Array) -> Array:
    """Bias of second order of ln S', (3, F), with exponents (3, F)."""
    apart = np.sum([part.relative_variance for part in parts], axis=0)[:, None]
    return np.asarray(0.25 * exponent * apart - 0.5 * exponent**2 * whole.relative_variance[:, None])


def to_area(factor: Array, spectrum: Array, exponent: Array, area: Array, step: float) -> Array:
    """Factor (3, F) whose spectrum has the known area (3,): the expansion in its excess, to all orders."""
    for _ in range(4):
        left = one_sided.correlation_from_spectrum(spectrum * factor, step)[:, 0]
        factor = factor * np.exp(
            -exponent * np.log(np.maximum(left, 1e-300) / np.maximum(area, 1e-300))[:, None]
        )
    return factor


def axis_reduction(
    blocks: CurrentBlocks, power: PowerSpectra, bins: Periodogram, exact: Array, md_timestep_fs: float | None
) -> Reduction:
    """Reduce the variance of S_aa by the known ⟨J_a²⟩ of each axis.

    Parameters
    ----------
    blocks
        The current.
    power
        Its spectra, corrected for the grid of time.
    bins
        Its periodogram.
    exact
        (3,) k_B T Σ⟨ZZᵀ⟩_aa/m in (e Å/fs)².
    md_timestep_fs
        Time step whose Verlet shift has been undone in `power`, or None.
    """
    size, window, step = 2 * (power.total.shape[-1] - 1), power.lag_window, power.timestep_fs
    whole = moments(bins, window, size)
    halves = [periodogram(blocks, part=part) for part in HALVES]
    parts = [moments(half, window, size) for half in halves]
    measured = one_sided.correlation_from_spectrum(power.total[:3], step)[:, 0]
    bare = exact / np.maximum(measured, 1e-300) * whole.square  # what the uncorrected spectra should show
    known = bare > 0.0
    served = [known & (part.spread < LARGEST_VARIANCE) for part in parts]
    excess = [np.log(np.maximum(p.square, 1e-300) / np.where(known, bare, 1.0))[:, None] for p in parts]
    first, second = (np.where(s[:, None], p.exponent, 0.0) for s, p in zip(served, parts, strict=True))
    mean, both = 0.5 * (first + second), served[0] & served[1]
    shift = 0.5 * (second * excess[0] + first * excess[1])
    factor = np.exp(-np.clip(shift, -1.0, 1.0) - bias_of(whole, parts, mean))
    factor = to_area(factor, power.total[:3], np.where(both[:, None], mean, 0.0), exact, step)
    used, v = served[0] | served[1], whole.relative_variance
    # with one half alone ½L_i is taken off, which leaves half of the variance: 2s − s² = ½
    fraction = 0.5 * (served[0].astype(float) + served[1])
    alone = np.where(both, 1.0, ONE_HALF)[:, None]
    slope = alone * mean * whole.spectrum / np.maximum(whole.square, 1e-300)[:, None]
    variance, density = ordinate_variance(squares(bins.power, bins.stretches), window, size, step, bins)
    fields = {
        "factor": factor,
        "density": density,
        "variance": variance,
        "exponent_noise": 0.5 * (first - second) * np.sqrt(v)[:, None] * whole.spectrum,
        "slope": slope,
        "covariance": whole.covariance,
    }
    if md_timestep_fs is not None:
        grid = power.wavenumber_cm
        shown = corrections.verlet_shown_wavenumber(grid, md_timestep_fs)
        fields = {n: np.array([np.interp(shown, grid, row) for row in f]) for n, f in fields.items()}
    control = Control(fields.pop("covariance"), whole.variance, fields.pop("slope"))
    return Reduction(**fields, controls=(control,), static_share=fraction * _static_share(bins), used=used)


def _static_share(bins: Periodogram) -> Array:
    """Share of the variance of ⟨δM_a²⟩ that goes with ⟨J_a²⟩, (3,)."""
    count = bins.stretches
    mixed = squares(bins.dipole, count, bins.power) + squares(bins.power, count, bins.dipole)
    own, dipole = squares(bins.power, count).sum(axis=1), squares(bins.dipole, count).sum(axis=1)
    mixed = 0.5 * mixed.sum(axis=1)
    return np.asarray(np.clip(mixed**2 / np.maximum(own * dipole, 1e-300), 0.0, 1.0))
