r"""Whether the slowest motion of M is that of a dipole that relaxes, or of charges that diffuse.

Cosines :math:`\cos kπt/T` are the natural modes of Brownian motion over a run of length T: the sine
coefficients :math:`c_k = \sqrt{2/T} \int J \sin(kπt/T)\,dt` of its current are independent, and all have the
variance :math:`σ^2`. Those of a dipole that relaxes with τ, seen in equilibrium, are, with x = kπτ/T,

.. math:: \frac{⟨c_k^2⟩}{σ^2} = \frac{x^2}{1+x^2}
          \left[1 - \frac{2τ}{T} \frac{1 - (-1)^k e^{-T/τ}}{1+x^2}\right].

The ratio of their likelihoods, each with the σ² that suits it and τ with the most likely value, is the
strongest test of one against the other that a single run allows; ⟨ΔM²⟩ and the lowest ordinates of a
periodogram hold the same numbers, and see less in them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bec_md.arrays import Array
from bec_md.spectrum.estimators.blocks import CurrentBlocks
from bec_md.units import SPEED_OF_LIGHT_CM_FS

#: Sine coefficients of each run and axis (more of them see bound dipoles beside the charges), and stretches
#: over which J is summed up for them.
MOST, STRETCHES = 16, 1024
#: Coefficients below which nothing is said.
FEWEST = 8
#: Relaxation times in units of the run.
TIMES = np.geomspace(0.02, 0.35, 12)
#: Logarithm of the ratio of likelihoods that 3 % of all conductors exceed, whatever their number of axes.
MOST_LIKELY = 2.1


@dataclass(frozen=True)
class Relaxation:
    """What the sine coefficients say.

    Parameters
    ----------
    advantage
        Logarithm of the likelihood of a relaxing dipole over that of diffusing charges.
    time_fs
        The most likely τ.
    """

    advantage: float
    time_fs: float

    @property
    def likely(self) -> bool:
        """Whether the dipole rather relaxes."""
        return self.advantage > MOST_LIKELY


def variances(times: Array, count: int) -> Array:
    """⟨c_k²⟩/σ² of dipoles that relax in τ/T = `times`, (len(times), count)."""
    k, t = np.arange(1, count + 1), np.asarray(times)[:, None]
    square = (np.pi * k * t) ** 2
    ends = 2.0 * t * (1.0 - (-1.0) ** k * np.exp(-1.0 / t)) / (1.0 + square)
    return np.asarray(square / (1.0 + square) * (1.0 - ends))


def sine_coefficients(blocks: CurrentBlocks, replica: int, count: int) -> Array:
    """Squares of the sine coefficients of J, mean over the axes, (count,)."""
    length = blocks.lengths[replica]
    edges = np.linspace(0, length, min(STRETCHES, length) + 1).astype(int)
    moved = np.zeros((3, len(edges) - 1))
    for start in range(0, length, 65536):
        stop = min(start + 65536, length)
        current = blocks.read_total(replica, start, stop)
        stretch = np.searchsorted(edges, np.arange(start, stop), side="right") - 1
        first, begins = np.unique(stretch, return_index=True)
        moved[:, first] += np.add.reduceat(current, begins, axis=1)
    middle = (edges[1:] + edges[:-1]) / (2.0 * length)
    sines = np.sin(np.pi * np.arange(1, count + 1)[:, None] * middle)
    return np.asarray(((moved @ sines.T) ** 2).mean(axis=0) * 2.0 / length)


def relaxation(blocks: CurrentBlocks, axes: float, band_cm: float) -> Relaxation | None:
    """Compare a dipole that relaxes with diffusing charges; None if the run is too short for the band.

    Parameters
    ----------
    blocks
        The current.
    axes
        Independent axes in each run, 1 for a channel.
    band_cm
        Where the spectrum of diffusing charges is flat.
    """
    run_fs = sum(blocks.lengths) / len(blocks.lengths) * blocks.timestep_fs
    count = min(MOST, int(2.0 * SPEED_OF_LIGHT_CM_FS * band_cm * run_fs), min(blocks.lengths) // 8)
    if count < FEWEST:
        return None
    squares = np.mean([sine_coefficients(blocks, r, count) for r in range(len(blocks.lengths))], axis=0)
    models = np.vstack([np.ones(count), variances(TIMES, count)])
    scales = np.maximum((squares / models).mean(axis=1), 1e-300)
    likelihoods = -0.5 * axes * len(blocks.lengths) * (count * np.log(scales) + np.log(models).sum(axis=1))
    best = int(likelihoods[1:].argmax())
    return Relaxation(float(likelihoods[best + 1] - likelihoods[0]), float(TIMES[best]) * run_fs)
