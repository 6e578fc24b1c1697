r"""Mode coordinates of a run: each has the mean square velocity k_B T, whatever the forces.

The mean velocity :math:`V_g` of a sublattice of total mass :math:`M_g`, relative to the center of mass, has
:math:`⟨\sqrt{M_gM_h}\,V_gV_h^T⟩ = k_BT\,(δ_{gh} - \sqrt{M_gM_h}/M)` exactly; J of constant tensors depends on
nothing else. In these coordinates w the force constants that reproduce the motion best,
:math:`\min⟨|\ddot w + Φw|^2⟩` over symmetric Φ, solve

.. math:: \tfrac12(ΦC_0 + C_0Φ) = C_0 - C_τ, \qquad C_τ = ⟨w(t)\,w^T(t+τ)⟩_\mathrm{sym},

with eigenvalues 1 − cos ωτ. Modes closer than the run resolves, or degenerate, form one cluster; its
coordinates q are brought to their known covariance by :math:`q' = (⟨qq^T⟩/k_BT)^{-1/2} q`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array, spread_rows
from bec_md.errors import DataError
from bec_md.spectrum.estimators.blocks import REMEMBERED_FRAMES, CurrentBlocks, rows
from bec_md.spectrum.estimators.periodogram import periodogram
from bec_md.units import SPEED_OF_LIGHT_CM_FS

#: Overlap of two normalized lines from which they are one cluster.
OVERLAP = 0.1
#: Least energy over k_B T that a coordinate is brought to k_B T from: what is below is not its own motion.
LEAST_ENERGY = 0.02
#: Coordinates up to this number are kept in memory (256 MB), and frames from which mean tensors are taken.
KEPT_NUMBERS, SAMPLED_FRAMES = 1 << 25, 256
_BLOCK = 1 << 16
#: Share of the energy of a coordinate from which on its motion is said to begin.
LOWEST_SHARE = 0.1
#: Width of the Gaussian mean, in periods of the lowest mode, that is taken off an integral of velocities.
SMOOTHED_PERIODS = 1.5


@dataclass(frozen=True)
class ModeBasis:
    """Clusters of mode coordinates.

    Parameters
    ----------
    wavenumber_cm
        (C,) mean of each cluster.
    lowest_cm
        Wavenumber below which a tenth of the energy of the slowest coordinate lies.
    vectors
        (3G, m) orthonormal, of the m coordinates of each cluster.
    scales
        (C, 3G, 3G) of w onto each cluster, brought to its known covariance.
    energies
        (C,) mean square of the velocities of each cluster over k_B T.
    """

    wavenumber_cm: Array
    lowest_cm: float
    vectors: tuple[Array, ...]
    scales: Array
    energies: Array

    @property
    def sizes(self) -> tuple[int, ...]:
        """Coordinates in each cluster, (C,)."""
        return tuple(own.shape[1] for own in self.vectors)


@dataclass(frozen=True, eq=False)
class Motion:
    """Mode coordinates of the replicas of a run, kept in memory where they fit.

    Parameters
    ----------
    blocks
        The current, with the momenta and the tensors of its groups.
    charges
        (G, 3, 3) of each replica: c of J = c w for the mean tensors of each group, e/√amu.
    """

    blocks: CurrentBlocks
    charges: tuple[Array, ...]
    _kept: dict[int, Array] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, blocks: CurrentBlocks) -> Motion:
        """Take the mean tensors from frames spread over each replica."""
        found = []
        for series in blocks.series:
            mean = spread_rows(series.charge_sum, SAMPLED_FRAMES).mean(axis=0)
            found.append(mean / np.sqrt(np.asarray(series.group_mass_amu, dtype=float))[:, None, None])
        return cls(blocks, tuple(found))

    def velocities(self, replica: int, start: int, stop: int) -> Array:
        """Return w = √M_g V_g of the groups relative to the center of mass, (n, 3G), √amu Å/fs."""
        if 3 * len(self.blocks.groups) * sum(self.blocks.lengths) > KEPT_NUMBERS:
            return self._read(replica, start, stop)
        if replica not in self._kept:
            length = self.blocks.lengths[replica]
            kept = np.empty((length, 3 * len(self.blocks.groups)))
            for at in range(0, length, _BLOCK):
                kept[at : at + _BLOCK] = self._read(replica, at, min(at + _BLOCK, length))
            self._kept[replica] = kept
        return self._kept[replica][start:stop]

    def _read(self, replica: int, start: int, stop: int) -> Array:
        series = self.blocks.series[replica]
        momentum = rows(series.momentum, start, stop)
        mass = np.asarray(series.group_mass_amu, dtype=float)
        center = momentum.sum(axis=1) / mass.sum()
        mean = momentum / mass[:, None] - center[:, None, :]
        return np.asarray((mean * np.sqrt(mass)[:, None]).reshape(len(mean), -1))

    def current(self, replica: int, start: int, stop: int, change: Array) -> Array:
        """Return the current that w carries after a linear change (3G, 3G), of each group, (n, G, 3)."""
        charges = self.charges[replica]  # one product of matrices for all groups
        weights = np.einsum("gab,gbm->mga", charges, change.reshape(len(charges), 3, -1))
        moved = self.velocities(replica, start, stop) @ weights.reshape(change.shape[1], -1)
        return np.asarray(moved.reshape(len(moved), len(charges), 3))

    def row(self, replica: int) -> Array:
        """Charges c of J = c w in one row, (3, 3G)."""
        return np.hstack(list(self.charges[replica]))

    def carried(self, replica: int, weights: Array) -> Array:
        """Return w times weights (3G, 3) over a whole replica, (n, 3)."""
        length = self.blocks.lengths[replica]
        parts = [
            self.velocities(replica, at, min(at + _BLOCK, length)) @ weights
            for at in range(0, length, _BLOCK)
        ]
        return np.concatenate(parts)

    def correlated(self, replica: int, signal: Array) -> Array:
        """Sum of w times a signal (n, 3) over a whole replica, (3G, 3)."""
        found = np.zeros((3 * len(self.blocks.groups), 3))
        for at in range(0, len(signal), _BLOCK):
            part = signal[at : at + _BLOCK]
            found += self.velocities(replica, at, at + len(part)).T @ part
        return found


def motion_of(blocks: CurrentBlocks) -> Motion:
    """Return the mode coordinates of a run.

    Raises
    ------
    DataError
        If the current has no two groups with momenta.
    """
    if any(s.momentum is None or s.charge_sum is None for s in blocks.series) or len(blocks.groups) < 2:
        raise DataError(
            f"{len(blocks.groups)} group(s) without mode coordinates",
            "they are made of the momenta of sublattices",
            "compute the current with the sublattices as `groups`, or use `control_variates=f-sum`",
        )
    return Motion.of(blocks)


def mode_basis(motion: Motion, thermal: float, lag: int = 1) -> ModeBasis:
    """Find the clusters of mode coordinates of a run.

    Parameters
    ----------
    motion
        Its mode coordinates.
    thermal
        k_B T in amu Å²/fs².
    lag
        τ in samples: less than half of the shortest period.
    """
    blocks = motion.blocks
    first = blocks.series[0]
    mass = np.asarray(first.group_mass_amu, dtype=float)
    now, later = _covariances(motion, lag)
    rigid = np.kron(np.sqrt(mass / mass.sum())[:, None], np.eye(3))  # (3G, 3)
    free = np.linalg.svd(rigid, full_matrices=True)[0][:, 3:]
    frequencies, vectors = _modes(free.T @ now @ free, free.T @ later @ free, lag * blocks.timestep_fs)
    vectors = free @ vectors
    members, lowest = _clusters(motion, vectors)
    scales, energies = [], []
    chosen = tuple(vectors[:, member] for member in members)
    for own in chosen:
        values, axes = np.linalg.eigh(own.T @ now @ own / thermal)
        root = (axes / np.sqrt(np.maximum(values, LEAST_ENERGY))) @ axes.T
        scales.append(own @ root @ own.T)
        energies.append(float(values.mean()))
    return ModeBasis(
        np.array([frequencies[m].mean() for m in members]),
        lowest,
        chosen,
        np.array(scales),
        np.array(energies),
    )


def _clusters(motion: Motion, vectors: Array) -> tuple[list[NDArray[np.int64]], float]:
    """Coordinates (3G, M) whose lines overlap, in groups; and where the energy of the slowest begins, cm⁻¹.

    The covariance of two of them scatters by ∫S_k S_l dν, as much as their own energies if that is ∫S² dν.
    """
    from scipy.ndimage import uniform_filter1d
    from scipy.sparse.csgraph import connected_components

    blocks = motion.blocks
    padded = np.hstack([vectors, np.zeros((len(vectors), -vectors.shape[1] % 3))])
    lines = [
        periodogram(
            CoordinateBlocks(blocks.series, blocks.sum_rules, motion=motion, vectors=padded[:, k : k + 3])
        )
        for k in range(0, padded.shape[1], 3)
    ]
    power = np.concatenate([line.power for line in lines])[: vectors.shape[1]]
    below = np.cumsum(power, axis=1) >= LOWEST_SHARE * power.sum(axis=1, keepdims=True)
    lowest = float(lines[0].wavenumber_cm[below.argmax(axis=1)].min())
    power = uniform_filter1d(power, 5, axis=1)
    power /= np.sqrt(np.maximum((power**2).sum(axis=1, keepdims=True), 1e-300))
    count, label = connected_components(power @ power.T > OVERLAP, directed=False)
    return [np.flatnonzero(label == number) for number in range(count)], lowest


def _covariances(motion: Motion, lag: int) -> tuple[Array, Array]:
    """C(0) and C(τ) over all replicas."""
    size = 3 * len(motion.blocks.groups)
    now, later, count, pairs = np.zeros((size, size)), np.zeros((size, size)), 0, 0
    for replica, length in enumerate(motion.blocks.lengths):
        for start in range(0, length, _BLOCK):
            w = motion.velocities(replica, start, min(start + _BLOCK + lag, length))
            inner = w[:_BLOCK]
            now += inner.T @ inner
            later += w[:-lag].T @ w[lag:]
            count, pairs = count + len(inner), pairs + len(w) - lag
    later = 0.5 * (later + later.T) / pairs
    return now / count, later


def _modes(now: Array, later: Array, lag_fs: float) -> tuple[Array, Array]:
    """Wavenumbers (M,) and orthonormal vectors (M, M) of the best symmetric force constants."""
    from scipy.linalg import solve_continuous_lyapunov

    scale = float(np.trace(now)) / len(now)
    steady = now + 1e-9 * scale * np.eye(len(now))
    values, vectors = np.linalg.eigh(solve_continuous_lyapunov(0.5 * steady, now - later))
    phase = np.arccos(np.clip(1.0 - values, -1.0, 1.0))
    return phase / (2.0 * np.pi * SPEED_OF_LIGHT_CM_FS * lag_fs), vectors


@dataclass(frozen=True, kw_only=True)
class ModeBlocks(CurrentBlocks):
    """The current of a run whose mode coordinates have been brought to their known mean squares.

    Parameters
    ----------
    change
        (3G, 3G) what is added to w.
    lowest_cm
        Wavenumber of the lowest mode: what is much slower in an integral of w is no motion of the modes, but
        noise of a thermostat between samples.
    """

    motion: Motion
    change: Array
    lowest_cm: float
    _moved: dict[int, Array] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, motion: Motion, basis: ModeBasis) -> ModeBlocks:
        """Return the current with every cluster rescaled."""
        blocks, every = motion.blocks, np.hstack(basis.vectors)
        change = basis.scales.sum(axis=0) - every @ every.T
        return cls(blocks.series, blocks.sum_rules, motion=motion, change=change, lowest_cm=basis.lowest_cm)

    def currents(self, replica: int, start: int, stop: int) -> Array:
        """Return what is read, with the change of the modes in every group."""
        added = self.motion.current(replica, start, stop, self.change)
        return super().currents(replica, start, stop) + added

    @property
    def has_polarization(self) -> bool:
        """Whether P(t) is known: it needs the integral of what was added."""
        return super().has_polarization and sum(self.lengths) <= REMEMBERED_FRAMES

    def read_polarization(self, replica: int, start: int, stop: int) -> Array:
        """P(t) with the integral of the change, (3, n) in e Å."""
        if replica not in self._moved:
            added = self.motion.carried(replica, (self.motion.row(replica) @ self.change).T)
            self._moved[replica] = integral(added, self.timestep_fs, self.lowest_cm).T
        return super().read_polarization(replica, start, stop) + self._moved[replica][:, start:stop]


def integral(velocity: Array, step: float, lowest_cm: float) -> Array:
    """Integrate (n, 3) by the trapezoidal rule with the first correction of Euler and Maclaurin.

    A Gaussian mean over 1.5 periods of the lowest mode is taken off: what is slower is no motion of modes.
    """
    from scipy.ndimage import uniform_filter1d

    moved = step * (np.cumsum(velocity, axis=0) - 0.5 * velocity - np.gradient(velocity, axis=0) / 12.0)
    slow = moved
    for _ in range(4):  # nearly a Gaussian, in a time that does not depend on its width
        slow = uniform_filter1d(slow, smoothed_samples(lowest_cm, step, len(moved)), axis=0, mode="nearest")
    return np.asarray(moved - slow)


def smoothed_samples(lowest_cm: float, step: float, length: int) -> int:
    """Width of each of four equal means that together are as wide as 1.5 periods (standard deviation)."""
    samples = SMOOTHED_PERIODS * 3.0**0.5 / (SPEED_OF_LIGHT_CM_FS * max(lowest_cm, 1e-6) * step)
    return int(max(min(round(samples), length), 1))


@dataclass(frozen=True, kw_only=True)
class CoordinateBlocks(CurrentBlocks):
    """Three mode coordinates of a run in place of a current.

    Parameters
    ----------
    vectors
        (3G, 3).
    """

    motion: Motion
    vectors: Array

    def currents(self, replica: int, start: int, stop: int) -> Array:
        """Return the coordinates, (n, 1, 3)."""
        return np.asarray((self.motion.velocities(replica, start, stop) @ self.vectors)[:, None, :])

    @property
    def has_polarization(self) -> bool:
        """No."""
        return False
