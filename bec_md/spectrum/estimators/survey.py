"""One streamed pass over the current for what is not a spectrum: dipole fluctuations and stationarity."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bec_md.arrays import Array
from bec_md.spectrum.estimators.blocks import CurrentBlocks
from bec_md.spectrum.response.symmetric_tensor import to_matrix

SEGMENTS = 16

#: Share c of Δ²⟨J_a J_b⟩ that the trapezoidal integral of J misses in ⟨δM_a δM_b⟩, to order (ωΔ)⁴: the
#: rule's transfer function [(ωΔ/2) cot(ωΔ/2)]² = 1 − (ωΔ)²/6, times that of finite differences over it.
INTEGRATION_LOSS = {"velocity": 1.0 / 6.0, "midpoint": 1.0 / 4.0, "central": 1.0 / 2.0}


@dataclass(frozen=True)
class Survey:
    """Sums over stretches (K per replica) of the total current and its integral.

    Parameters
    ----------
    frames
        (R, K) samples in each stretch.
    current_square
        (R, K, 3) mean of J_a² in each stretch, (e Å/fs)².
    current_mean
        (3,) mean current, e Å/fs.
    dipole_covariance
        (3, 3) ⟨δM_a δM_b⟩ in (e Å)², M the integral of J, its mean removed in each replica.
    dipole_covariance_error
        (3, 3) jackknife standard error of it.
    bounded_share
        Variance of M within stretches over that of the whole run: near 1 if M is bounded and the run is
        long, 1/K if M wanders like the dipole of a conductor.
    """

    frames: Array
    current_square: Array
    current_mean: Array
    dipole_covariance: Array
    dipole_covariance_error: Array
    bounded_share: float

    @property
    def wanders(self) -> bool:
        """Whether M wanders: mobile charges, or a run shorter than the slowest mode."""
        return self.bounded_share < 0.5


def survey(blocks: CurrentBlocks) -> Survey:
    """Collect the sums of `Survey` from every replica."""
    frames, squares, means, sums, products = [], [], [], [], []
    loss = INTEGRATION_LOSS[blocks.series[0].scheme] * blocks.timestep_fs**2
    for replica, length in enumerate(blocks.lengths):
        edges = np.linspace(0, length, SEGMENTS + 1).astype(int)
        position = np.zeros(3)
        for begin, end in pairwise(edges):
            total_square, total, dipole_sum = np.zeros(3), np.zeros(3), np.zeros(3)
            dipole_product = np.zeros((3, 3))
            for start in range(begin, end, 65536):
                current = blocks.read_total(replica, start, min(start + 65536, int(end)))
                dipole = position[:, None] + blocks.timestep_fs * (np.cumsum(current, axis=1) - 0.5 * current)
                position = position + blocks.timestep_fs * current.sum(axis=1)
                total_square += np.sum(current**2, axis=1)
                total += current.sum(axis=1)
                dipole_sum += dipole.sum(axis=1)
                dipole_product += dipole @ dipole.T + loss * (current @ current.T)
            frames.append(float(end - begin))
            squares.append(total_square / max(end - begin, 1))
            means.append(total)
            sums.append(dipole_sum)
            products.append(dipole_product)
    shape = (len(blocks.lengths), SEGMENTS)
    count = np.array(frames).reshape(shape)
    dipole_sums = np.array(sums).reshape(*shape, 3)
    dipole_products = np.array(products).reshape(*shape, 3, 3)
    covariance = _covariance(count, dipole_sums, dipole_products)
    error = _jackknife(count, dipole_sums, dipole_products)
    filled = np.maximum(count, 1.0)[..., None]
    spread_sum = np.einsum("rkaa->rka", dipole_products) - dipole_sums**2 / filled
    whole = float(np.trace(covariance)) * float(count.sum())
    bounded = float(spread_sum.sum()) / whole if whole > 0.0 else 1.0
    return Survey(
        frames=count,
        current_square=np.array(squares).reshape(*shape, 3),
        current_mean=np.sum(means, axis=0) / count.sum(),
        dipole_covariance=covariance,
        dipole_covariance_error=error,
        bounded_share=bounded,
    )


def _covariance(count: Array, sums: Array, products: Array) -> Array:
    per_replica = count.sum(axis=1)[:, None]
    mean = sums.sum(axis=1) / per_replica
    total = products.sum(axis=(0, 1)) - np.einsum("r,ra,rb->ab", per_replica[:, 0], mean, mean)
    return np.asarray(total / count.sum())


def _jackknife(count: Array, sums: Array, products: Array) -> Array:
    """Delete-one over stretches; blind to correlations longer than a stretch."""
    estimates = []
    for replica in range(count.shape[0]):
        for stretch in range(count.shape[1]):
            keep = np.ones(count.shape)
            keep[replica, stretch] = 0.0
            estimates.append(
                _covariance(count * keep, sums * keep[..., None], products * keep[..., None, None])
            )
    values = np.array(estimates)
    n = len(values)
    return np.asarray(np.sqrt((n - 1) / n * np.sum((values - values.mean(axis=0)) ** 2, axis=0)))


def to_tensor(six: Array) -> Array:
    """(3, 3) from six Voigt components."""
    return np.asarray(to_matrix(six[:, None])[0])
