"""Exactly solvable currents: white noise, Langevin oscillators propagated without time-step error, drifts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.signal import lfilter

from bec_md.current.series import CurrentSeries
from bec_md.spectrum.spectrum import Spectrum
from bec_md.units import (
    AMU_ANG2_FS2_EV,
    BOLTZMANN_EV_K,
    PLASMA_FREQUENCY2_FS2,
    SPEED_OF_LIGHT_CM_FS,
    angular_frequency_from_wavenumber,
)

Array = NDArray[np.float64]
TEMPERATURE_K = 300.0


def kt_amu(temperature_k: float = TEMPERATURE_K) -> float:
    """k_B T in amu Å²/fs²."""
    return BOLTZMANN_EV_K * temperature_k / AMU_ANG2_FS2_EV


def omega_fs(wavenumber_cm: Any) -> Any:
    return 2.0 * np.pi * SPEED_OF_LIGHT_CM_FS * np.asarray(wavenumber_cm)


def langevin_oscillator(
    n: int,
    dt_fs: float,
    nu_cm: float,
    gamma_cm: float,
    mass_amu: float,
    seed: int,
    shape: tuple[int, ...] = (3,),
) -> tuple[Array, Array]:
    """Positions and velocities (n, *shape) of independent Langevin oscillators, exact for any step."""
    rng = np.random.default_rng(seed)
    w0, gamma = angular_frequency_from_wavenumber(nu_cm), angular_frequency_from_wavenumber(gamma_cm)
    drift = np.array([[0.0, 1.0], [-(w0**2), -gamma]])
    step = expm(drift * dt_fs)
    cov = np.diag([kt_amu() / mass_amu / w0**2, kt_amu() / mass_amu])
    noise = np.linalg.cholesky(cov - step @ cov @ step.T)
    values, vectors = np.linalg.eig(step)
    kicks = np.einsum("ab,nb...->na...", noise, rng.normal(size=(n, 2, *shape)))
    kicks[0] = np.einsum("ab,b...->a...", np.linalg.cholesky(cov), rng.normal(size=(2, *shape)))
    modal = np.einsum("ab,nb...->na...", np.linalg.inv(vectors), kicks)
    for k in range(2):
        modal[:, k] = lfilter([1.0], [1.0, -values[k]], modal[:, k], axis=0)
    state = np.einsum("ab,nb...->na...", vectors, modal).real
    return state[:, 0], state[:, 1]


def ornstein_uhlenbeck(
    n: int, dt_fs: float, gamma_fs: float, variance: float, seed: int, dim: int = 3
) -> Array:
    """Stationary Ornstein–Uhlenbeck velocity (n, dim), exact."""
    rng = np.random.default_rng(seed)
    decay = np.exp(-gamma_fs * dt_fs)
    kicks = rng.normal(size=(n, dim)) * np.sqrt(variance * (1.0 - decay**2))
    kicks[0] = rng.normal(size=dim) * np.sqrt(variance)
    return np.asarray(lfilter([1.0], [1.0, -decay], kicks, axis=0))


def oscillator_correlation(t_fs: Array, nu_cm: float, gamma_cm: float, mass_amu: float) -> Array:
    """⟨v(t)v(0)⟩ of one underdamped Langevin oscillator in Å²/fs²."""
    w0, gamma = angular_frequency_from_wavenumber(nu_cm), angular_frequency_from_wavenumber(gamma_cm)
    w = np.sqrt(w0**2 - 0.25 * gamma**2)
    return (
        kt_amu()
        / mass_amu
        * np.exp(-0.5 * gamma * t_fs)
        * (np.cos(w * t_fs) - gamma / (2 * w) * np.sin(w * t_fs))
    )


def lorentz_chi(nu_cm: Array, nu0_cm: float, gamma_cm: float, z2_over_m: float, volume_ang3: float) -> Any:
    """Z²/(m V ε₀)/(ω₀² − ω² − iγω)."""
    w, w0 = omega_fs(nu_cm), angular_frequency_from_wavenumber(nu0_cm)
    gamma = angular_frequency_from_wavenumber(gamma_cm)
    return PLASMA_FREQUENCY2_FS2 * z2_over_m / volume_ang3 / (w0**2 - w**2 - 1j * gamma * w)


def bare(current: Array, dt_fs: float = 1.0, volume_ang3: float = 1000.0, **more: Any) -> CurrentSeries:
    """A CurrentSeries of a bare total current (T, 3)."""
    return CurrentSeries(
        current=current[:, None, :], groups=("total",), timestep_fs=dt_fs, volume_ang3=volume_ang3, **more
    )


def atoms_series(
    velocities: Array, charges: Array, masses: Array, species: list[str], dt_fs: float, **more: Any
) -> CurrentSeries:
    """CurrentSeries of atoms with constant tensors: velocities (T, N, 3), charges (N, 3, 3)."""
    groups = tuple(dict.fromkeys(species))
    index = np.array([groups.index(s) for s in species])

    def per_group(values: Array, axis: int = 1) -> Array:
        return np.stack(
            [values.take(np.flatnonzero(index == g), axis).sum(axis) for g in range(len(groups))], axis
        )

    n = velocities.shape[0]
    zz = np.einsum("iac,ibc,i->iab", charges, charges, 1.0 / masses)
    energy = 0.5 * AMU_ANG2_FS2_EV * masses * (velocities**2).sum(axis=2)
    return CurrentSeries(
        current=per_group(np.einsum("iab,tib->tia", charges, velocities)),
        groups=groups,
        timestep_fs=dt_fs,
        volume_ang3=more.pop("volume_ang3", 1000.0),
        charge_sum=np.broadcast_to(per_group(charges, 0), (n, len(groups), 3, 3)).copy(),
        momentum=per_group(masses[:, None] * velocities),
        velocity_sum=per_group(velocities),
        group_mass_amu=per_group(masses, 0),
        group_count=np.bincount(index),
        zz_over_mass=per_group(zz, 0)[None],
        kinetic_energy_ev=per_group(energy),
        **more,
    )


def neutral_system(
    n: int = 6000, n_atoms: int = 6, seed: int = 0, dt_fs: float = 1.0, **more: Any
) -> CurrentSeries:
    """Two species, each atom a Langevin oscillator, random full tensors with ΣZ ≠ 0."""
    rng = np.random.default_rng(seed)
    species = ["Si" if i % 3 == 0 else "O" for i in range(n_atoms)]
    masses = np.array([28.085 if s == "Si" else 15.999 for s in species])
    charges = rng.normal(size=(n_atoms, 3, 3)) + np.eye(3) * np.where(masses > 20.0, 4.0, -2.0)[:, None, None]
    velocities = np.stack(
        [
            langevin_oscillator(n, dt_fs, 300.0 + 120.0 * i, 60.0, masses[i], seed + 10 + i)[1]
            for i in range(n_atoms)
        ],
        axis=1,
    )
    return atoms_series(velocities, charges, masses, species, dt_fs, **more)


def expected_n_alpha(spectrum: Spectrum, correlation: Array, n_samples: int) -> Array:
    """Exact expectation of the lag-window estimate of nα, given the exact ⟨J·J⟩/3 at every lag."""
    from bec_md.spectrum.estimators import one_sided
    from bec_md.spectrum.response import conductivity as response

    window = spectrum.lag_window
    lags = np.arange(len(window))
    dt = float(spectrum.parameters["timestep_fs"])
    step = spectrum.wavenumber_cm[0]
    size = round(1.0 / (step * SPEED_OF_LIGHT_CM_FS * dt))
    power = one_sided.two_sided_transform(
        correlation[: len(window)] * window * (1.0 - lags / n_samples), size, dt
    )
    sigma = response.conductivity_from_power(power, spectrum.volume_ang3, spectrum.temperature_k)
    return response.n_alpha_from_conductivity(sigma)[1 : len(spectrum.wavenumber_cm) + 1]
