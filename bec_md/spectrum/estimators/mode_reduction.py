"""What known energies of mode coordinates leave of the errors of a spectrum, and its bias of second order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bec_md.arrays import Array
from bec_md.spectrum.estimators.blocks import CurrentBlocks
from bec_md.spectrum.estimators.control_variates import Control, Reduction, moments, to_area
from bec_md.spectrum.estimators.estimate import PowerSpectra
from bec_md.spectrum.estimators.mode_basis import ModeBasis, ModeBlocks, Motion, integral, smoothed_samples
from bec_md.spectrum.estimators.ordinates import fine_density, limited, ordinate_variance, smoothed, squares
from bec_md.spectrum.estimators.periodogram import Periodogram, periodogram

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
    r"""Share of the variance of ⟨δM_a²⟩ that the known covariances of mode coordinates leave, (3,).

    With the positions x of the coordinates of a cluster, M = z·x and W = ⟨x xᵀ⟩/k_BT, the covariance C of
    their velocities changes ⟨M²⟩ by :math:`-\dot M\,(Wz)·\dot x`, so that of the ordinates
    :math:`M^*(M - ω^2 (Wz)·x)` are left. Products of different clusters, and what is no motion of the
    coordinates (varying tensors, what is slower than all modes), stay as they are.

    Parameters
    ----------
    motion, basis
        The mode coordinates as they were, and their clusters.
    bins
        Periodogram of the current after the change.
    thermal
        k_B T in amu Å²/fs².
    """
    every, blocks, lowest = np.hstack(basis.vectors), motion.blocks, basis.lowest_cm
    bare = ModeBlocks(
        blocks.series, blocks.sum_rules, motion=motion, change=-every @ every.T, lowest_cm=lowest
    )
    before, count = periodogram(bare).dipole, bins.stretches
    slow = np.zeros_like(before)
    if not blocks.has_polarization:  # what the sum of J shows below the band of the modes: motion, or noise
        width = smoothed_samples(lowest, bins.timestep_fs, bins.length)
        slow = bins.dipole * np.sinc(np.linspace(0.0, 0.5, before.shape[1]) * width) ** 8
    before = before + slow
    variance = squares(before, count).sum(axis=1) + count * slow.sum(axis=1) ** 2
    for scale in basis.scales:
        own, left, both = _dipoles(motion, scale, basis.lowest_cm, thermal, bins)
        variance += _partly_coherent(own, left, both, count)
        variance += squares(own, INDEPENDENT, before).sum(axis=1)
        variance += squares(before, INDEPENDENT, own).sum(axis=1)
        before = before + own
    known = squares(bins.dipole, count).sum(axis=1)
    return np.asarray(np.clip(variance / np.maximum(known, 1e-300), 0.0, 1.0))


def _dipoles(motion: Motion, scale: Array, lowest_cm: float, thermal: float, bins: Periodogram) -> Array:
    """|M|², |M − ω²(Wz)·x|² and the real part of their product, of one cluster, (3, 3, F)."""
    from scipy import fft

    step, length, found = bins.timestep_fs, bins.length, np.zeros((3, len(bins.wavenumber_cm), 3))
    square = (2.0 * np.pi * fft.rfftfreq(length, step)[:, None]) ** 2
    lengths = motion.blocks.lengths
    rows = range(len(lengths))
    # known are the covariances of all runs together, not those of each
    covariances = [_with_dipole(motion, replica, scale, lowest_cm, thermal) for replica in rows]
    weighting = scale @ np.average(covariances, axis=0, weights=lengths)
    for replica, frames in enumerate(lengths):
        weights = ((motion.row(replica) @ scale).T, weighting)
        signals = [integral(motion.carried(replica, w), step, lowest_cm) for w in weights]
        for start in range(0, frames - length + 1, length):
            parts = (x[start : start + length] for x in signals)
            dipole, weighted = (fft.rfft(x - x.mean(axis=0), axis=0) for x in parts)
            left = dipole - square * weighted
            found += np.abs(dipole) ** 2, np.abs(left) ** 2, (dipole.conj() * left).real
    return found.transpose(0, 2, 1) * step / (length * bins.stretches)


def _with_dipole(motion: Motion, replica: int, scale: Array, lowest_cm: float, thermal: float) -> Array:
    """⟨x M⟩/k_BT = Wz of the positions and the dipole of a cluster in one run, (3G, 3).

    ⟨x M⟩ = −⟨v ∫M dt⟩.
    """
    step, charged = motion.blocks.timestep_fs, (motion.row(replica) @ scale).T
    twice = integral(integral(motion.carried(replica, charged), step, lowest_cm), step, lowest_cm)
    return np.asarray(-scale @ motion.correlated(replica, twice) / (len(twice) * thermal))


def _partly_coherent(first: Array, second: Array, both: Array, stretches: int) -> Array:
    """½(S_aa S_bb + S_ab²), the variance of Re a*b, from |a|², |b|² and Re a*b, summed over ordinates."""
    n = stretches
    share = n * (n - 1.0) / ((2.0 * n - 1.0) * (n + 1.0))
    here = (0.5 - 0.5 * share / n) * first * second + share * both**2
    near = (
        0.25 * (first[:, 1:] * second[:, :-1] + first[:, :-1] * second[:, 1:])
        + 0.5 * both[:, 1:] * both[:, :-1]
    )
    return np.asarray(0.5 * (here.sum(axis=1) + near.sum(axis=1)))


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
        lengths, rows = blocks.lengths, range(len(blocks.lengths))
        exact = np.average(
            [thermal * ((motion.row(r) @ vectors) ** 2).sum(axis=1) for r in rows], axis=0, weights=lengths
        )
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
    bright = np.clip(4.0 * power.wavenumber_cm / max(basis.lowest_cm, 1e-6) - 1.0, 0.0, 1.0)
    factor = 1.0 + bright * factor / np.maximum(shares, top)
    square = squares(bins.power, bins.stretches) + missed
    variance, _ = ordinate_variance(square, window, size, step, bins)
    return Reduction(
        factor=factor,
        density=fine_density(square, window, size, step),
        variance=limited(variance, power.total[:3], window, bins),
        controls=tuple(controls),
        static_share=1.0 - static_left(motion, basis, bins, thermal),
        used=np.ones(3, dtype=bool),
    )
