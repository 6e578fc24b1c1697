r"""What the dipole does at the end of a run: it is bounded, relaxes, wanders, walks or conducts.

Four things make :math:`M=\int J\,dt` wander, and only one is a DC conductivity:

- **mobile ions**: :math:`⟨ΔM^2⟩` grows linearly for ever and the spectrum is flat down to the resolution of
  the run;
- **slow relaxation**: above the relaxation rate 1/τ a Debye band looks flat too, with a "conductivity"
  :math:`ε_0Δε/τ`; nothing in a run shorter than τ tells it from ions. It needs, however, an
  :math:`ε(0)` at least as large as what the run has shown, and no liquid or insulator whose dipole is slower
  than a run of picoseconds goes far beyond `LARGEST_PERMITTIVITY`;
- **tensors that derive from no polarization**: ∮Z·du ≠ 0 over thermal motion adds a random walk to M although
  no atom diffuses. The dipole of the mean tensors of the same motion does not show it;
- **random forces between samples**: under a Langevin thermostat of friction γ velocities have a spectrum
  :math:`2γ⟨J^2⟩/ω^2` at high frequency, and sampled every Δ it folds onto ω = 0, where it looks like a
  conductivity (`folded`). Differences of positions and P(t) have none of it.

For Brownian motion of M with the conductivity σ the variance of M over a run of length T, its mean removed,
gives the apparent :math:`ε(0)-ε_∞ = σT/3ε_0`, with the relative scatter :math:`\sqrt{4/5n}` of n components.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.spectrum.estimators import one_sided
from bec_md.spectrum.estimators.cepstral import CepstralEstimate
from bec_md.spectrum.estimators.estimate import PowerSpectra
from bec_md.spectrum.estimators.periodogram import LOWEST_TAPERED, TAIL_PARTS, Periodogram
from bec_md.spectrum.estimators.relaxation import Relaxation
from bec_md.spectrum.response.symmetric_tensor import VOIGT, to_matrix
from bec_md.units import VACUUM_PERMITTIVITY_F_M

#: ε(0) of water 78, formamide 111, liquid HCN 115: beyond this a wandering dipole belongs to mobile ions.
LARGEST_PERMITTIVITY = 100.0
#: Probability with which a conductor is taken for a relaxing dipole by the growth of ⟨ΔM²⟩.
MISSED = 0.01
#: The same by its lowest frequencies, of which this many are looked at.
MISSED_FLAT, LOWEST_BINS = 0.001, 8
#: Share of ⟨δM²⟩ of an axis from power folded onto ω = 0 above which it is not taken off, but ⟨δM²⟩ not used;
#: how near the power found there must be.
FOLDED_SHARE, FOLDED_FACTOR = 0.2, 3.0
#: Relative error of a tail ∝ 1/ω²: of oscillators whose tail is recognized by its shape, at most this.
FOLDED_FORM = 0.1
#: How much finer a resolution tells of motion that ∫ε₂/ω misses.
FINER = 3.0
#: Power at 1/2, 3/4 and 17/20 of the Nyquist frequency over that at it: 2, 1.17, 1.06 of a tail ∝ 1/ω² (more
#: at the first with bands beside it), 1 of overdamped dipoles, more at all of overtones and bands.
TAIL_AT_LEAST, TAIL_AT_MOST = np.array([1.5, 0.85, 0.8]), np.array([np.inf, 1.6, 1.45])


@dataclass(frozen=True)
class Conduction:
    """Whether a run shows a DC conductivity.

    Parameters
    ----------
    shown
        The verdict.
    bounded
        Whether the run itself shows that M is bounded.
    reason
        In words, for the reader of a result.
    growth
        Apparent ε(0) − ε_∞ over σT/3ε₀: about 1 if M diffuses, small if it is bounded.
    """

    shown: bool
    bounded: bool
    reason: str
    growth: float

    def unless(self, slowest: Relaxation | None) -> Conduction:
        """Return the verdict, or that M relaxes where its slowest motion is rather that of a dipole."""
        if slowest is None or not slowest.likely:
            return self
        why = (
            f"M moves like a dipole that relaxes in about {slowest.time_fs / 1000.0:.2g} ps, rather than "
            f"like charges that diffuse (e^{slowest.advantage:.2g} times as likely)"
        )
        return Conduction(False, False, why, self.growth)


def conduction(
    sigma_dc: Array, lowest: float, components: float, apparent: float, run_fs: float, replicas: int
) -> Conduction:
    """Judge a DC conductivity.

    Parameters
    ----------
    sigma_dc
        (3,) estimate along each axis, S/m.
    lowest
        Mean power of the lowest bins over the estimate at zero (`lowest_over_zero`).
    components
        Independent periodograms in that mean.
    apparent
        ε(0) − ε_∞ from ⟨δM²⟩, tr/3.
    run_fs
        Length of one replica, fs.
    replicas
        Their number.
    """
    from scipy.special import gammaincinv

    mean = float(np.mean(sigma_dc))
    shape = 0.5 * LOWEST_BINS * 2.0 * components
    flat = lowest > float(gammaincinv(shape, MISSED_FLAT)) / shape
    brownian = mean * run_fs * 1e-15 / (3.0 * VACUUM_PERMITTIVITY_F_M)
    growth = apparent / brownian if brownian > 0.0 else 0.0
    shape = 1.25 * effective_axes(sigma_dc) * replicas  # of the gamma law with that mean and scatter
    grows = growth > float(gammaincinv(shape, MISSED)) / shape
    if not flat:
        return Conduction(
            False, True, "the spectrum falls towards ω = 0 within the resolution of the run", growth
        )
    if not grows:
        why = (
            f"⟨ΔM²⟩ does not grow linearly to the end of the run ({growth:.2f} of what diffusion would give)"
        )
        return Conduction(False, True, why, growth)
    if apparent < LARGEST_PERMITTIVITY:
        longer = LARGEST_PERMITTIVITY / max(brownian, 1e-300) * run_fs / 1000.0
        why = (
            f"M wanders, but no further than a dielectric with ε(0) − ε_∞ = {apparent:.3g} whose dipole is "
            f"slower than the run lets it; ions would show after about {longer:.2g} ps"
        )
        return Conduction(False, False, why, growth)
    return Conduction(
        True, False, "the spectrum is flat and ⟨ΔM²⟩ grows linearly to the end of the run", growth
    )


def effective_axes(sigma_dc: Array) -> float:
    """Return (Σσ)²/Σσ²: three of an isotropic conductor, one of a channel."""
    largest = float(np.abs(sigma_dc).max())
    shares = sigma_dc / largest if largest > 0.0 else np.ones(3)
    return float(np.sum(shares)) ** 2 / float(np.sum(shares**2))


def folded(bins: Periodogram) -> Array:
    r"""S(0), (3, 3) in (e Å/fs)² fs, that a tail ∝ 1/ω² folds there if it makes what is found at Nyquist.

    Images of the tail at :math:`ω+2πk/Δ` add up to :math:`CΔ^2/12` at 0 and to :math:`CΔ^2/4` at π/Δ.
    """
    return np.asarray(bins.tail[-1] / 3.0)


def folding_walk(bins: Periodogram, run_fs: float) -> Array:
    """What random forces between samples add to ⟨δM_a δM_b⟩, (3, 3) in (e Å)²; zeros without any.

    Brownian motion with S(0) adds S(0)·T/6, T = `run_fs` being the length of a replica, weighted by frames.
    Every principal axis is judged by itself.
    """
    if not len(bins.tail):
        return np.zeros((3, 3))
    tail = np.einsum("kaa->k", bins.tail)
    shaped = ((tail[:-1] > TAIL_AT_LEAST * tail[-1]) & (tail[:-1] < TAIL_AT_MOST * tail[-1])).all()
    floor, frame = np.linalg.eigh(folded(bins))
    lowest = np.einsum("ai,kab,bi->ki", frame, bins.lowest, frame)
    near, far = (float(np.mean(np.arange(first, last + 1) ** 2)) for first, last in LOWEST_TAPERED)
    at_zero = (far * lowest[0] - near * lowest[1]) / (far - near)  # the flanks of bands rise as ω²
    alike = np.minimum(lowest.min(axis=0), at_zero) < FOLDED_FACTOR * floor
    alike &= floor < FOLDED_FACTOR * lowest.max(axis=0)
    walk = np.where(shaped & alike, floor * run_fs / 6.0, 0.0)
    return np.asarray((frame * walk) @ frame.T)


def folding_uncertainty(bins: Periodogram) -> float:
    """Relative error of `folding_walk`: of the form of the tail, and of the noise of its ordinates."""
    low, high = TAIL_PARTS[-1]
    independent = 0.5 * (high - low) * bins.power.shape[1] * bins.stretches  # a taper joins two ordinates
    return float(np.hypot(FOLDED_FORM, independent**-0.5))


def lowest_over_zero(bins: Periodogram, found: CepstralEstimate) -> float:
    """Mean power of the lowest bins above zero over S(0), all axes."""
    power = bins.power[:, 1 : LOWEST_BINS + 1].mean()
    return float(power / found.value) if found.value > 0.0 else 0.0


def integral_weight(power: PowerSpectra, bins: Periodogram) -> Array:
    r"""Weight of each ordinate of J in ∫ε₂/ω of the smoothed spectrum, (F,) in fs².

    :math:`|Δ^2 (Σ_k k w_k \cos kωΔ + 1/12)|`, which is 1/ω² beyond the resolution and finite within.
    """
    step, size = power.timestep_fs, 2 * (len(power.wavenumber_cm) - 1)
    lags = np.arange(len(power.lag_window)) * power.lag_window
    weight = 0.5 * step * one_sided.two_sided_transform(lags, size, step) + step**2 / 12.0
    return np.interp(bins.wavenumber_cm, power.wavenumber_cm, np.abs(weight))


def missed_by_integral(power: PowerSpectra, bins: Periodogram) -> tuple[Array, Array, float, float]:
    """What ∫ε₂/ω has more at a third of the resolution, its standard error, that of tr/3, and by chance.

    Motion slower than the resolution is missing in it; what is flat there, as a walk by folded power, is not.

    Returns
    -------
    more, error, average, chance
        (3, 3) and of tr/3, in (e Å)², as fine as half of a stretch shows; the last if all the power there is
        folded: slow motion has few ordinates, and its own noise.
    """
    step, last = power.timestep_fs, len(power.lag_window) - 1
    finer = min(FINER, 0.5 * bins.length / last)
    lags = np.arange(max(int(finer * last), last) + 1)
    window = np.append(power.lag_window, np.zeros(len(lags) - last - 1))
    change = lags * (np.interp(lags / max(finer, 1.0), np.arange(last + 1), power.lag_window) - window)
    change = change[: bins.length // 2]
    spectra = np.concatenate([bins.power, bins.cross[0]])
    more = one_sided.correlation_from_spectrum(spectra, step)[:, : len(change)] @ -change * step**2
    weight = np.abs(0.5 * step * one_sided.two_sided_transform(change, bins.length, step))
    at = np.linspace(0.0, 1.0, len(weight)), np.linspace(0.0, 1.0, bins.power.shape[1])
    weight = np.interp(at[1], at[0], weight)
    own = static_error(bins, bins.power * weight, bins.cross[0] * weight)
    floor = float(np.linalg.norm(folded(bins))) if len(bins.tail) else 0.0
    scale = 1.0 / (3.0 * (bins.power.shape[1] - 1) * step * bins.stretches**0.5)
    return to_matrix(more[:, None])[0], *own, scale * floor * float(np.linalg.norm(weight[1:]))


def static_error(bins: Periodogram, ordinates: Array, cross: NDArray[Any]) -> tuple[Array, float]:
    r"""Standard errors (3, 3) of a static number in (e Å)², and of its trace/3, from ordinates that it sums.

    Those of ⟨δM_a δM_b⟩ are the periodogram of M itself.

    Its ordinates are independent with standard deviations equal to their means, so that

    .. math:: \mathrm{var}⟨δM_a δM_b⟩ = \frac{(2Δν)^2}{K}\sum_k \tfrac12 (S_{aa}S_{bb} + S_{ab}^2)_k, \quad
              \mathrm{var}\,\mathrm{tr}⟨δM δM⟩ = \frac{(2Δν)^2}{K}\sum_k \sum_{ab} (S_{ab}^2)_k,

    K stretches being averaged; products of averaged ordinates have the bias of their noise, which is taken
    off. A dipole that moves slowly has few of them: ±70 % of each axis if all of it lies in one.

    Parameters
    ----------
    bins
        The periodogram.
    ordinates, cross
        (3, F) its `dipole`, or that of J with the weights of another sum, and (3, F) the `cross` of both.
    """
    count = bins.stretches
    scale = 1.0 / ((bins.dipole.shape[1] - 1) * bins.timestep_fs * count**0.5)
    products = scale**2 * (ordinates[:, 1:] @ ordinates[:, 1:].T)
    # ⟨I_aa I_bb⟩ = S_aa S_bb + S_ab²/K, ⟨I_ab²⟩ = S_ab² + (S_aa S_bb + S_ab²)/2K
    shared = np.diag(np.diag(products)) * count / (count + 1.0)
    for (a, b), row in zip(VOIGT[3:], cross, strict=True):
        square = scale**2 * float(np.einsum("f,f->", row[1:], row[1:], dtype=np.float64, casting="safe"))
        found = (square - products[a, b] / (2.0 * count)) / (1.0 + 0.5 / count - 0.5 / count**2)
        shared[a, b] = shared[b, a] = np.clip(found, 0.0, products[a, b] * count / (count + 1.0))
    separate = products - shared / count
    return np.sqrt(0.5 * (separate + shared)), float(shared.sum()) ** 0.5 / 3.0
