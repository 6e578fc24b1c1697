"""What known energies of mode coordinates leave of the errors of a spectrum, and its bias of second order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bec_md.arrays import Array
from bec_md.spectrum.estimators.blocks import CurrentBlocks
from bec_md.spectrum.estimators.control_variates import Control, Reduction, moments, to_area
from bec_md.spectrum.estimators.estimate import PowerSpectra
from bec_md.spectrum.estimators.mode_basis import (
    ModeBasis,
    ModeBlocks,
    Motion,
    coordinate_lines,
)
from bec_md.spectrum.estimators.ordinates import fine_density, limited, ordinate_variance, smoothed, squares
from bec_md.spectrum.estimators.periodogram import Periodogram, periodogram
from bec_md.units import SPEED_OF_LIGHT_CM_FS

#: Share of the strongest axis below which a cluster is left alone along an axis: it shows what others do.
FAINT = 0.05
#: Share of one ordinate in the area of a line from which leaving it out tells nothing more.
LARGEST_SHARE = 0.5
#: Stretches of which the square of an ordinate is the product of two: independent signals.
INDEPENDENT = 1 << 40


@dataclass(frozen=True, kw_only=True)
class ClusterBlocks(CurrentBlocks):
    """The current that a part of the mode coordinates carries, of one cluster.

    Parameters
    ----------
    scale
        (3G, 3G) of w onto it.
    """

    motion: Motion
    scale: Array

    def currents(self, replica: int, start: int, stop: int) -> Array:
        """Return the current of the cluster, (n, 1, 3)."""
        moved = self.motion.current(replica, start, stop, self.scale)
        return np.asarray(moved.sum(axis=1, keepdims=True))

    @property
    def has_polarization(self) -> bool:
        """No: the cluster's own M is the integral of its current."""
        return False


def _left_out(own: Periodogram) -> Array:
    """Squares of what a spectrum of known area changes by without each of its ordinates, over S², (3, F).

    An ordinate that carries a share h of the area draws the quotient to itself: leaving it out, as the
    jackknife does, moves it by 1/(1 − h) more than the ordinate's own excess says.
    """
    share = own.power / np.maximum(own.power.sum(axis=1, keepdims=True), 1e-300) / own.stretches
    return np.asarray((1.0 - np.minimum(share, LARGEST_SHARE)) ** -2.0)


def static_left(motion: Motion, basis: ModeBasis, bins: Periodogram, thermal: float) -> Array:
    r"""Variance of ⟨δM_a²⟩ that the known covariances of mode coordinates leave, (3,), in ordinates of M.

    With x_i and q_i the ordinates of a coordinate and of its velocity, w_i the square of its charge and
    r_i = ⟨x_i²⟩/⟨q_i²⟩, the pair i, j of one cluster leaves
    :math:`w_i w_j ⟨(x_ix_j - \tfrac12(r_i+r_j)q_iq_j)^2⟩`: what the covariance C of the velocities does to
    :math:`(C^{-1/2} x)_i(C^{-1/2} x)_j` is taken off. Pairs of different clusters, and what is no motion of
    the coordinates (varying tensors, what is slower than all modes), stay as they are.

    Parameters
    ----------
    motion, basis
        The mode coordinates as they were, and their clusters.
    bins
        Periodogram of the current after the change.
    thermal
        k_B T in amu Å²/fs².
    """
    every, blocks = np.hstack(basis.vectors), motion.blocks
    bare = ModeBlocks(
        blocks.series, blocks.sum_rules, motion=motion, change=-every @ every.T, lowest_cm=basis.lowest_cm
    )
    shares = _bright(bins.wavenumber_cm, basis.lowest_cm)
    rest = _positions(periodogram(bare), basis.lowest_cm) + (1.0 - shares) * bins.dipole
    left, before = squares(rest, bins.stretches).sum(axis=1), rest
    for vectors in basis.vectors:
        lines, weights = coordinate_lines(motion, vectors), motion.mode_charges(vectors) ** 2
        unit = thermal / (2.0 * lines.power.sum(axis=1, keepdims=True) / (lines.length * lines.timestep_fs))
        velocity, position = unit * lines.power, unit * _positions(lines, basis.lowest_cm)
        ratio = position.sum(axis=1) / velocity.sum(axis=1)
        x, v, once = weights @ position, weights @ velocity, weights * ratio
        pairs = _both(x, x) - _both(once @ position, v) - _both(x, once @ velocity)
        pairs += 0.5 * (_both((once * ratio) @ velocity, v) + _both(once @ velocity, once @ velocity))
        # the square of one ordinate is no product of two
        alone = 0.5 / (lines.stretches + 1.0) * ((position - ratio[:, None] * velocity) ** 2).sum(axis=1)
        left += np.maximum(pairs - weights**2 @ alone, 0.0) + _both(x, before) + _both(before, x)
        before = before + x
    return np.asarray(left)


def _both(first: Array, second: Array) -> Array:
    """Product of the spectra of two independent signals, summed over ordinates (..., F)."""
    return np.asarray(squares(first, INDEPENDENT, second).sum(axis=-1))


def _positions(lines: Periodogram, lowest_cm: float) -> Array:
    """Ordinates of the integral of J, (..., F), of motion no slower than all modes.

    The sum of a sampled J has a part that walks where noise drives the motion, its ordinates over ω² what
    leaks from the lines: the smaller of the two is taken.
    """
    omega = 2.0 * np.pi * SPEED_OF_LIGHT_CM_FS * np.maximum(lines.wavenumber_cm, 1e-30)
    return np.asarray(
        _bright(lines.wavenumber_cm, lowest_cm) * np.minimum(lines.dipole, lines.power / omega**2)
    )


def _bright(wavenumber_cm: Array, lowest_cm: float) -> Array:
    """From 0 below a sixteenth of the lowest mode to 1 above an eighth of it."""
    return np.clip(16.0 * wavenumber_cm / lowest_cm - 1.0, 0.0, 1.0)


def mode_reduction(
    motion: Motion, basis: ModeBasis, power: PowerSpectra, bins: Periodogram, thermal: float
) -> Reduction:
    r"""Bias and errors of spectra whose modes have been brought to their known mean squares.

    With the area of every band fixed, :math:`S' = \hat S D/\hat D` of one cluster,

    .. math:: ⟨S'⟩ = S\,[1 + \tfrac{m+1}{2}(v - a/SD)], \qquad
              \mathrm{var}\,S' = \mathrm{var}\,\hat S - 2\frac{S}{D}a + \frac{S^2}{D^2}V,

    a, V and v as in `control_variates`, m the coordinates that are brought to k_B T together (⟨C⁻¹⟩ of their
    sample covariance). For a line narrower than the resolution both are S and 0.

    Parameters
    ----------
    motion
        The mode coordinates as they were.
    basis
        Its clusters.
    power, bins
        Spectra and periodogram after the change (`ModeBlocks`).
    thermal
        k_B T in amu Å²/fs².
    """
    size, window, step = 2 * (power.total.shape[-1] - 1), power.lag_window, power.timestep_fs
    top, blocks = np.maximum(power.total[:3], 1e-300), motion.blocks
    factor, shares = np.zeros_like(top), np.zeros_like(top)
    controls, missed = [], np.zeros_like(bins.power)
    for scale, vectors in zip(basis.scales, basis.vectors, strict=True):
        exact = thermal * (motion.mode_charges(vectors) ** 2).sum(axis=1)
        own = periodogram(ClusterBlocks(blocks.series, blocks.sum_rules, motion=motion, scale=scale))
        square = squares(own.power, own.stretches)
        active = exact > FAINT * exact.max()
        alone = np.where(active[:, None], square * (_left_out(own) - 1.0), 0.0)
        missed, found = missed + alone, moments(own, window, size, square + alone)
        area = np.where(active, exact, 1.0)[:, None]
        spectrum = np.maximum(found.spectrum, 1e-12 * found.spectrum.max(axis=1, keepdims=True) + 1e-300)
        twice = 2.0 / (own.stretches * own.length * own.timestep_fs)
        a = twice * smoothed(own.power**2 * own.stretches / (own.stretches + 1.0), window, size, step)
        coupled = 0.5 * (min(len(vectors.T), 3) + 1.0)  # ⟨C⁻¹⟩ of the sample covariance C of so many
        gain = 1.0 / np.clip(1.0 + coupled * (found.spread[:, None] - a / (spectrum * area)), 0.5, 2.0)
        gain = np.where(active[:, None], to_area(gain, spectrum, np.ones_like(top), area[:, 0], step), 1.0)
        shares += spectrum
        factor += spectrum * (gain - 1.0)
        slope = np.where(active[:, None], spectrum / area, 0.0)
        controls.append(Control(found.covariance, found.variance, slope))
    # in the dark below the lowest band leakage is all there is, and ε(0) weighs it with 1/ω²
    bright = np.clip(4.0 * power.wavenumber_cm / basis.lowest_cm - 1.0, 0.0, 1.0)
    factor = 1.0 + bright * factor / np.maximum(shares, top)
    square = squares(bins.power, bins.stretches) + missed
    variance, _ = ordinate_variance(square, window, size, step, bins)
    left = static_left(motion, basis, bins, thermal)
    whole = squares(bins.dipole, bins.stretches).sum(axis=1)
    return Reduction(
        factor=factor,
        density=fine_density(square, size, step),
        variance=limited(variance, smoothed(bins.power, window, size, step)),
        controls=tuple(controls),
        static_share=1.0 - np.clip(left / np.maximum(whole, 1e-300), 0.0, 1.0),
        used=np.ones(3, dtype=bool),
        moved=True,
    )
