"""Currents whose dipole does each of the things that a dipole can do, all with known ε(0) or σ_dc."""

from __future__ import annotations

import numpy as np
from scipy import constants as si

from bec_md.current.series import CurrentSeries
from bec_md.units import CONDUCTIVITY_S_M, SUSCEPTIBILITY
from tests.spectrum.exact import bare, kt_amu, langevin_oscillator, ornstein_uhlenbeck

VOLUME, STEP, TEMPERATURE = 1000.0, 4.0, 300.0
ION_MASS, FRICTION = 7.0, 0.02
CRYSTAL_VOLUME = 150.0


def ions(seed: int, frames: int, number: float = 1.0) -> np.ndarray:
    """Current of free Langevin ions (their sum is one ion with a larger charge), (T, 3)."""
    return number**0.5 * ornstein_uhlenbeck(frames, STEP, FRICTION, kt_amu() / ION_MASS, seed)


def sigma_of_ions(number: float = 1.0) -> float:
    """n q²/(m γ), S/m."""
    return number * si.e**2 / (VOLUME * 1e-30) / (ION_MASS * si.atomic_mass) / (FRICTION * 1e15)


def rotors(seed: int, frames: int, delta_eps: float, tau_fs: float) -> np.ndarray:
    """Current of overdamped rotors: M relaxes with τ and has the fluctuation that belongs to Δε, (T, 3)."""
    variance = delta_eps * VOLUME * TEMPERATURE / SUSCEPTIBILITY
    return np.diff(ornstein_uhlenbeck(frames + 1, STEP, 1.0 / tau_fs, variance, seed), axis=0) / STEP


def hopping(seed: int, frames: int, rate: float, axes: tuple[int, ...] = (0, 1, 2)) -> np.ndarray:
    """Current of 20 ions with e that jump by 2.5 Å along some axes, `rate` per fs, and vibrate, (T, 3)."""
    random = np.random.default_rng(seed)
    time, moment = STEP * np.arange(frames), np.zeros((frames, 3))
    for axis in range(3):
        jumps = random.poisson(20 * rate * STEP, frames)
        signs = 2 * random.binomial(jumps, 0.5) - jumps
        moment[:, axis] = 2.5 * np.cumsum(signs) * (axis in axes)
        omega = 2.0 * np.pi * si.c * 1e-13 * random.uniform(150.0, 300.0, 20)
        moment[:, axis] += 0.15 * np.cos(omega * time[:, None] + random.uniform(0.0, 6.3, 20)).sum(axis=1)
    smooth = np.exp(-0.5 * (np.arange(-40, 41) * STEP / 30.0) ** 2)  # a jump takes some 60 fs
    padded = np.pad(moment, ((40, 40), (0, 0)), mode="edge")
    moment = np.stack([np.convolve(padded[:, a], smooth / smooth.sum(), "valid") for a in range(3)], axis=1)
    return np.gradient(moment, STEP, axis=0)


def sigma_of_hopping(rate: float) -> float:
    """n q² Γ a²/(2 V k_B T) along an axis, S/m."""
    return CONDUCTIVITY_S_M * 20 * 2.5**2 * rate / (2.0 * VOLUME * TEMPERATURE)


def crystal(seed: int, frames: int, twist: float, atoms: int = 8) -> tuple[CurrentSeries, float]:
    """Isotropic oscillators of two species with Z = q + b [u]×, and the exact ε(0) − ε_∞ of b = 0.

    For b ≠ 0 the tensors derive from no polarization: ∮Z·du = 2b × area, J = q v + b u × v contains the
    angular momentum, and its integral walks although every atom stays at its site.
    """
    species = np.arange(atoms) % 2
    charges, masses = np.where(species == 0, 2.0, -2.0), np.where(species == 0, 24.3, 16.0)
    current, charge_sum = np.zeros((frames, 2, 3)), np.zeros((frames, 2, 3, 3))
    momentum, velocity_sum = np.zeros((frames, 2, 3)), np.zeros((frames, 2, 3))
    strength = 0.0
    for i in range(atoms):
        nu = 380.0 + 15.0 * i
        path, _ = langevin_oscillator(frames + 1, STEP, nu, 20.0, masses[i], 1000 * seed + i)
        u, v = 0.5 * (path[1:] + path[:-1]), np.diff(path, axis=0) / STEP  # ∫v dt is the path, exactly
        g = species[i]
        current[:, g] += charges[i] * v + twist * np.cross(u, v)
        # rows of [u]×, so that Z v = q v + b u × v
        cross = np.zeros((frames, 3, 3))
        for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            cross[:, a, b], cross[:, b, a] = -u[:, c], u[:, c]
        charge_sum[:, g] += charges[i] * np.eye(3) + twist * cross
        momentum[:, g] += masses[i] * v
        velocity_sum[:, g] += v
        omega = 2.0 * np.pi * si.c * 1e-13 * nu
        strength += charges[i] ** 2 * kt_amu() / masses[i] / omega**2
    series = CurrentSeries(
        current,
        ("Mg", "O"),
        STEP,
        CRYSTAL_VOLUME,
        scheme="midpoint",
        charge_sum=charge_sum,
        momentum=momentum,
        velocity_sum=velocity_sum,
        group_mass_amu=np.array([masses[species == g].sum() for g in (0, 1)]),
        group_count=np.array([atoms // 2, atoms // 2]),
    )
    return series, SUSCEPTIBILITY / (CRYSTAL_VOLUME * TEMPERATURE) * strength


__all__ = ["bare", "crystal", "hopping", "ions", "rotors", "sigma_of_hopping", "sigma_of_ions"]
