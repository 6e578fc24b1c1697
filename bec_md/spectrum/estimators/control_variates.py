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

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.spectrum.estimators import corrections, one_sided
from bec_md.spectrum.estimators.blocks import CurrentBlocks
from bec_md.spectrum.estimators.conduction import integral_weight
from bec_md.spectrum.estimators.estimate import PowerSpectra
from bec_md.spectrum.estimators.ordinates import fine_density, limited, ordinate_variance, smoothed, squares
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
    noise
        (3, F) standard deviation, with its sign, that the noise of its exponents adds; None for none.
    """

    covariance: Array
    variance: Array
    slope: Array
    noise: Array | None = None


@dataclass(frozen=True)
class Reduction:
    """What control variates make of the power spectra S_aa of the current.

    Parameters
    ----------
    factor
        (3, F) by which S_aa is multiplied; S_ab by the geometric mean of both.
    density
        (3, 2F − 1) S² of single ordinates on a grid twice as fine (`ordinates.fine_density`).
    variance
        (3, F) of the smoothed spectrum before the reduction.
    controls
        The moments that were used.
    static_share, integral_share
        (3,) share of the variance of ⟨δM_a²⟩, and of ∫ε₂/ω (None: the same), that is taken away.
    used
        (3,) whether the axis has a moment that serves.
    static_factor
        (3,) by which ⟨δM_a²⟩ is multiplied: its ordinates change by the factor there, whatever the resolution
        of the spectrum; slow ones, of which nothing is known, stay. 1 where the motion has been changed.
    """

    factor: Array
    density: Array
    variance: Array
    controls: tuple[Control, ...]
    static_share: Array
    used: NDArray[np.bool_]
    static_factor: Array = field(default_factory=lambda: np.ones(3))
    integral_share: Array | None = None

    def gain(self) -> Array:
        """Variance of S_aa over that of the reduced one, (3, F)."""
        left = self.variance
        for control in self.controls:
            left = left - 2.0 * control.slope * control.covariance
            left = left + (0.0 if control.noise is None else control.noise**2)
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
        return np.asarray(self.variance / np.maximum(self.square, 1e-100) ** 2)

    def exponent(self, spectrum: Array) -> Array:
        """γ of the spectrum (3, F) that these are moments of, or of a part of, (3, F)."""
        scale = self.square / np.maximum(self.variance, 1e-300)
        power = np.maximum(spectrum, 1e-12 * spectrum.max(axis=1, keepdims=True) + 1e-300)
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
        twice * _integral(own, bins) / np.maximum(_integral(bins.power, bins), 1e-100) ** 2,
    )


def to_area(factor: Array, spectrum: Array, exponent: Array, area: Array, step: float) -> Array:
    """Factor (3, F) whose spectrum has the known area (3,): the expansion in its excess, to all orders."""
    for _ in range(4):
        left = one_sided.correlation_from_spectrum(spectrum * factor, step)[:, 0]
        factor = factor * np.exp(
            -exponent * np.log(np.maximum(left, 1e-300) / np.maximum(area, 1e-300))[:, None]
        )
    return factor


@dataclass(frozen=True)
class KnownSquare:
    """A part of the current whose mean square is known.

    Parameters
    ----------
    blocks
        The part, uncorrelated with what is left.
    exact
        (3,) its ⟨J_a²⟩ in (e Å/fs)².
    """

    blocks: CurrentBlocks
    exact: Array


@dataclass(frozen=True)
class _Applied:
    """What one known mean square does: to ln S (3, F), its exponent, errors, ⟨δM_a²⟩ and ∫ε₂/ω (2, 3)."""

    shift: Array
    exponent: Array
    control: Control
    shares: Array
    used: NDArray[np.bool_]


def square_reduction(
    blocks: CurrentBlocks,
    known: Sequence[KnownSquare],
    power: PowerSpectra,
    bins: Periodogram,
    md_timestep_fs: float | None,
) -> Reduction:
    """Reduce the variance of S_aa by known mean squares: of the current, or of each of its independent parts.

    Parameters
    ----------
    blocks
        The current.
    known
        Its parts, which sum to it; or itself.
    power
        Its spectra, corrected for the grid of time.
    bins
        Its periodogram.
    md_timestep_fs
        Time step whose Verlet shift has been undone in `power`, or None.
    """
    size, window, step = 2 * (power.total.shape[-1] - 1), power.lag_window, power.timestep_fs

    def moments_of(whole: Periodogram, part: CurrentBlocks) -> list[Moments]:
        """Of the run and of its halves."""
        found = [whole, *(periodogram(part, part=half) for half in HALVES)]
        return [moments(one, window, size) for one in found]

    total = moments_of(bins, blocks)
    measured = one_sided.correlation_from_spectrum(power.total[:3], step)[:, 0]
    # what the uncorrected spectrum should show, of what the corrected one has to
    corrected = blocks.series[0].scheme != "velocity" or md_timestep_fs is not None
    shown = total[0].square / np.maximum(measured, 1e-300)  # stretches of equal length leave out ends of runs
    bare = shown if corrected else np.ones(3)
    weight = integral_weight(power, bins)
    parts = []
    for one in known:
        itself = one.blocks is blocks
        own = bins if itself else periodogram(one.blocks)
        found = total if itself else moments_of(own, one.blocks)
        shares = [
            _static_share(own, bins, own.dipole, bins.dipole),
            _static_share(own, bins, own.power * weight, bins.power * weight),
        ]
        parts.append(_applied(found, total, one.exact * bare, np.array(shares)))
    first = np.exp(-np.clip(np.sum([part.shift for part in parts], axis=0), -1.0, 1.0))
    exact = np.sum([one.exact for one in known], axis=0)
    exponent = np.sum([part.exponent for part in parts], axis=0)
    factor = to_area(first, power.total[:3], exponent, exact, step)
    of_ordinates = to_area(
        _at(bins.wavenumber_cm, power.wavenumber_cm, first),
        bins.power,
        _at(bins.wavenumber_cm, power.wavenumber_cm, exponent),
        exact * shown,
        step,
    )
    before, after = bins.dipole.sum(axis=1), (bins.dipole * of_ordinates).sum(axis=1)
    shares = np.clip(np.sum([part.shares for part in parts], axis=0), 0.0, 1.0)
    square = squares(bins.power, bins.stretches)
    variance, _ = ordinate_variance(square, window, size, step, bins)
    reduction = Reduction(
        factor=factor,
        density=fine_density(square, window, size, step),
        variance=limited(variance, power.total[:3], window, bins),
        controls=tuple(part.control for part in parts),
        static_share=shares[0],
        integral_share=shares[1],
        used=np.any([part.used for part in parts], axis=0),
        static_factor=np.divide(after, before, out=np.ones(3), where=before > 0.0),
    )
    return reduction if md_timestep_fs is None else _shifted(reduction, power.wavenumber_cm, md_timestep_fs)


def _at(there: Array, grid: Array, rows: Array) -> Array:
    """Interpolate rows (3, F) of a grid."""
    return np.array([np.interp(there, grid, row) for row in rows])


def _applied(found: list[Moments], total: list[Moments], target: Array, shares: Array) -> _Applied:
    """Use a part whose run and halves have moments `found`, of a current with moments `total`."""
    whole, parts = found[0], found[1:]
    served = [(target > 0.0) & (part.spread < LARGEST_VARIANCE) for part in parts]
    shown = [np.maximum(part.square, 1e-300) for part in parts]
    excess = [np.log(square / np.where(target > 0.0, target, square))[:, None] for square in shown]
    first, second = (
        np.where(s[:, None], part.exponent(of.spectrum), 0.0)
        for s, part, of in zip(served, parts, total[1:], strict=True)
    )
    mean, both, height = 0.5 * (first + second), served[0] & served[1], total[0].spectrum
    apart = np.sum([part.relative_variance for part in parts], axis=0)[:, None]
    v = whole.relative_variance[:, None]
    # with one half alone ½L_i is taken off, which leaves half of the variance: 2s − s² = ½
    alone = np.where(both, 1.0, ONE_HALF)[:, None]
    control = Control(
        whole.covariance,
        whole.variance,
        alone * mean * height / np.maximum(whole.square, 1e-300)[:, None],
        0.5 * (first - second) * np.sqrt(v) * height,
    )
    return _Applied(
        0.5 * (second * excess[0] + first * excess[1]) + 0.25 * mean * apart - 0.5 * mean**2 * v,
        np.where(both[:, None], mean, 0.0),
        control,
        0.5 * (served[0].astype(float) + served[1]) * shares,
        served[0] | served[1],
    )


def _shifted(found: Reduction, grid: Array, md_timestep_fs: float) -> Reduction:
    """The same where the Verlet shift of the frequencies has been undone; the factor is there already."""
    shown = corrections.verlet_shown_wavenumber(grid, md_timestep_fs)

    def there(values: Array) -> Array:
        """Interpolate an array (3, F), or on the finer grid (3, 2F − 1)."""
        at, own = (
            np.interp(np.linspace(0, 1, values.shape[1]), np.linspace(0, 1, len(x)), x) for x in (shown, grid)
        )
        return _at(at, own, values)

    def moved(owner: Any, *names: str) -> Any:
        """Move some arrays of a record."""
        return replace(owner, **{name: there(getattr(owner, name)) for name in names})

    controls = tuple(moved(control, "covariance", "slope", "noise") for control in found.controls)
    return cast(Reduction, moved(replace(found, controls=controls), "density", "variance"))


def _static_share(own: Periodogram, bins: Periodogram, part: Array, whole: Array) -> Array:
    """Share of the variance of a static number that goes with the mean square of one part of J, (3,).

    `part` and `whole` are the ordinates (3, F) that it sums, of this part and of all of J.
    """
    count = bins.stretches
    mixed = squares(part, count, own.power) + squares(own.power, count, part)
    known, every = squares(own.power, count).sum(axis=1), squares(whole, count).sum(axis=1)
    mixed = 0.5 * mixed.sum(axis=1)
    return np.asarray(np.clip(mixed**2 / np.maximum(known * every, 1e-300), 0.0, 1.0))
