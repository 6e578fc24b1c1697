r"""Langevin dynamics propagated without time-step error: exact Ornstein–Uhlenbeck steps.

The damped oscillator :math:`dq = p\,dt,\ dp = (-\omega^2 q - \gamma p)\,dt + \sqrt{2\gamma kT}\,dW` is
linear: :math:`x(t+\Delta) = P x(t) + \xi`, :math:`P = e^{A\Delta}`, :math:`\langle\xi\xi^T\rangle =
\Sigma - P\Sigma P^T` with the stationary covariance Σ = diag(kT/ω², kT). Any Δ is exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.units import AMU_ANG2_FS2_EV, BOLTZMANN_EV_K


def thermal_energy(temperature_k: float) -> float:
    """k_B T in amu Å²/fs²."""
    return BOLTZMANN_EV_K * temperature_k / AMU_ANG2_FS2_EV


def oscillators(
    n_steps: int,
    timestep_fs: float,
    omega: Array,
    gamma: float,
    temperature_k: float,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Mass-weighted positions and velocities of underdamped Langevin oscillators in equilibrium.

    Parameters
    ----------
    n_steps, timestep_fs
        Samples and their distance.
    omega
        (M,) frequencies in rad/fs, all above γ/2.
    gamma
        Friction in 1/fs.
    temperature_k
        T in K.
    rng
        Source of the noise.

    Returns
    -------
    positions, velocities
        (n_steps, M) in √amu Å and √amu Å/fs.
    """
    from scipy.linalg import expm
    from scipy.signal import lfilter

    positions, velocities = np.empty((n_steps, len(omega))), np.empty((n_steps, len(omega)))
    for mode, w in enumerate(omega.tolist()):
        step = expm(np.array([[0.0, 1.0], [-(w**2), -gamma]]) * timestep_fs)
        stationary = np.diag([1.0 / w**2, 1.0]) * thermal_energy(temperature_k)
        noise = np.linalg.cholesky(stationary - step @ stationary @ step.T)
        kicks = rng.normal(size=(n_steps, 2)) @ noise.T
        kicks[0] = np.sqrt(np.diag(stationary)) * rng.normal(size=2)
        values, vectors = np.linalg.eig(step)  # a complex pair: one of the two is enough
        modal = lfilter([1.0], [1.0, -values[0]], kicks @ np.linalg.inv(vectors)[0])
        positions[:, mode] = 2.0 * (vectors[0, 0] * modal).real
        velocities[:, mode] = 2.0 * (vectors[1, 0] * modal).real
    return positions, velocities


def velocity_kernel(times_fs: NDArray[Any], omega: Array, gamma: float) -> Array:
    r"""⟨v(t)v(0)⟩/⟨v²⟩ of these oscillators, (T, M).

    .. math:: e^{-\gamma t/2}\,[\cos\Omega t - \tfrac{\gamma}{2\Omega}\sin\Omega t],\quad
              \Omega^2 = \omega^2 - \gamma^2/4
    """
    t = np.asarray(times_fs, dtype=float)[:, None]
    shifted = np.sqrt(omega**2 - 0.25 * gamma**2)
    return np.asarray(
        np.exp(-0.5 * gamma * t) * (np.cos(shifted * t) - 0.5 * gamma / shifted * np.sin(shifted * t))
    )


def ornstein_uhlenbeck(
    n_steps: int, timestep_fs: float, gamma: float, shape: tuple[int, ...], rng: np.random.Generator
) -> Array:
    """Stationary Ornstein–Uhlenbeck noise of unit variance and correlation e^{−γt}, (n_steps, *shape)."""
    from scipy.signal import lfilter

    decay = np.exp(-gamma * timestep_fs)
    kicks = rng.normal(size=(n_steps, *shape))
    kicks[1:] *= np.sqrt(1.0 - decay**2)
    return np.asarray(lfilter([1.0], [1.0, -decay], kicks, axis=0))
