"""One streamed pass over the current for what is not a spectrum: dipole fluctuations and stationarity."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bec_md.arrays import Array
from bec_md.spectrum.estimators.blocks import CurrentBlocks
from bec_md.spectrum.response.symmetric_tensor import to_matrix

SEGMENTS = 16
#: Mean tensors see a part of the slow motion of a dipole, not a multiple of it.
LARGEST_FACTOR = 3.0
#: Part of slow motion that mean tensors miss: 0.9 and more for a walk, below 0.4 in crystals of unlike sites.
WALKING = 0.75
#: Share of ⟨δM²⟩ in slow motion that makes an ε(0) from it doubtful.
SLOW = 0.03

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
        (3, 3) ⟨δM_a δM_b⟩ in (e Å)², M being P(t) if it is stored, else the integral of J; its mean is
        removed in each replica.
    bounded_share
        Variance of M within stretches over that of the whole run: near 1 if M is bounded and the run is
        long, 1/K if M wanders like the dipole of a conductor.
    diffusive_share
        Variance of the means of M over quarters of the run, over that of the means over stretches: ¼ if these
        are noise, near 1 if M moves slowly.
    unexplained_share
        Part of the variance of the means over stretches that the dipole of the mean tensors of the groups,
        moved alike, does not have; None where the current does not tell.
    """

    frames: Array
    current_square: Array
    current_mean: Array
    dipole_covariance: Array
    bounded_share: float
    diffusive_share: float = 0.0
    unexplained_share: float | None = None

    @property
    def wanders(self) -> bool:
        """Whether M wanders: mobile charges, or a run shorter than the slowest mode."""
        return self.bounded_share < 0.5

    @property
    def walks(self) -> bool:
        """Whether M walks by its tensors alone: they derive from no polarization, and nothing diffuses."""
        slow = 1.0 - self.bounded_share > SLOW and self.diffusive_share > 0.5
        return slow and self.unexplained_share is not None and self.unexplained_share > WALKING


def survey(blocks: CurrentBlocks) -> Survey:
    """Collect the sums of `Survey` from every replica."""
    frames, squares, means, sums, products, references = [], [], [], [], [], []
    loss = (
        0.0 if blocks.has_polarization else INTEGRATION_LOSS[blocks.series[0].scheme] * blocks.timestep_fs**2
    )
    for replica, length in enumerate(blocks.lengths):
        edges = np.linspace(0, length, SEGMENTS + 1).astype(int)
        position, reference = np.zeros(3), np.zeros(3)
        tensors, first = blocks.mean_tensors(replica), None
        for begin, end in pairwise(edges):
            total_square, total, dipole_sum, reference_sum = np.zeros((4, 3))
            dipole_product = np.zeros((3, 3))
            for start in range(begin, end, 65536):
                current = blocks.read_total(replica, start, min(start + 65536, int(end)))
                if blocks.has_polarization:
                    first = first if first is not None else blocks.read_polarization(replica, 0, 1)
                    stop = start + current.shape[1]
                    dipole = blocks.read_polarization(replica, start, stop) - first
                else:
                    dipole = position[:, None] + blocks.timestep_fs * (
                        np.cumsum(current, axis=1) - 0.5 * current
                    )
                position = position + blocks.timestep_fs * current.sum(axis=1)
                total_square += np.sum(current**2, axis=1)
                total += current.sum(axis=1)
                dipole_sum += dipole.sum(axis=1)
                dipole_product += dipole @ dipole.T + loss * (current @ current.T)
                if tensors is not None:
                    moved = blocks.read_mean_current(replica, start, min(start + 65536, int(end)), tensors)
                    path = reference[:, None] + blocks.timestep_fs * (np.cumsum(moved, axis=1) - 0.5 * moved)
                    reference = reference + blocks.timestep_fs * moved.sum(axis=1)
                    reference_sum += path.sum(axis=1)
            frames.append(float(end - begin))
            squares.append(total_square / max(end - begin, 1))
            means.append(total)
            sums.append(dipole_sum)
            products.append(dipole_product)
            references.append(reference_sum if tensors is not None else np.full(3, np.nan))
    shape = (len(blocks.lengths), SEGMENTS)
    count = np.array(frames).reshape(shape)
    dipole_sums = np.array(sums).reshape(*shape, 3)
    dipole_products = np.array(products).reshape(*shape, 3, 3)
    covariance = _covariance(count, dipole_sums, dipole_products)
    filled = np.maximum(count, 1.0)[..., None]
    spread_sum = np.einsum("rkaa->rka", dipole_products) - dipole_sums**2 / filled
    whole = float(np.trace(covariance)) * float(count.sum())
    bounded = float(spread_sum.sum()) / whole if whole > 0.0 else 1.0
    slow = _centered(sums, count)
    return Survey(
        frames=count,
        current_square=np.array(squares).reshape(*shape, 3),
        current_mean=np.sum(means, axis=0) / count.sum(),
        dipole_covariance=covariance,
        bounded_share=bounded,
        diffusive_share=_diffusive(slow),
        unexplained_share=_unexplained(slow, _centered(references, count)),
    )


def _covariance(count: Array, sums: Array, products: Array) -> Array:
    per_replica = count.sum(axis=1)[:, None]
    mean = sums.sum(axis=1) / per_replica
    total = products.sum(axis=(0, 1)) - np.einsum("r,ra,rb->ab", per_replica[:, 0], mean, mean)
    return np.asarray(total / count.sum())


def _centered(sums: list[Array], count: Array) -> Array:
    """Means over stretches less that of their replica, (R, K, 3)."""
    means = np.array(sums).reshape(*count.shape, 3) / np.maximum(count, 1.0)[..., None]
    return np.asarray(means - means.mean(axis=1, keepdims=True))


def _diffusive(slow: Array) -> float:
    quarters = slow.reshape(slow.shape[0], 4, -1, 3).mean(axis=2)
    return float((quarters**2).mean() / max(float((slow**2).mean()), 1e-300))


def _unexplained(slow: Array, reference: Array) -> float | None:
    """Share of slow motion left after regression on the reference, axis by axis."""
    if not np.all(np.isfinite(reference)):
        return None
    own, other = (slow**2).sum(axis=(0, 1)), (reference**2).sum(axis=(0, 1))
    factor = np.clip((slow * reference).sum(axis=(0, 1)) / np.maximum(other, 1e-300), 0.0, LARGEST_FACTOR)
    left = ((slow - factor * reference) ** 2).sum(axis=(0, 1))
    return float(left.sum() / max(float(own.sum()), 1e-300))


def to_tensor(six: Array) -> Array:
    """(3, 3) from six Voigt components."""
    return np.asarray(to_matrix(six[:, None])[0])
