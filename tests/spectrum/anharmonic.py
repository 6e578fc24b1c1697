"""A strongly anharmonic system in one dimension: a charge in a double well, with friction and noise."""

from __future__ import annotations

import numpy as np

from bec_md.arrays import Array
from bec_md.current.series import CurrentSeries
from tests.spectrum.exact import TEMPERATURE_K, kt_amu

MASS, VOLUME, BARRIER_KT, WELL_ANG = 16.0, 300.0, 1.0, 0.3


def double_well(picoseconds: float, seed: int, timestep_fs: float = 1.0) -> CurrentSeries:
    """The current of three of the charges of `motion`, along x, y and z."""
    return series_of(*motion(picoseconds, seed, 3, timestep_fs), timestep_fs)


def series_of(positions: Array, velocities: Array, timestep_fs: float = 1.0) -> CurrentSeries:
    """The current of charges with positions and velocities (T, 3) along x, y and z."""
    return CurrentSeries(
        velocities[:, None, :],
        ("total",),
        timestep_fs,
        VOLUME,
        zz_over_mass=(np.eye(3) / MASS)[None, None],
        polarization=positions,
    )


def motion(
    picoseconds: float, seed: int, particles: int, timestep_fs: float = 1.0, gamma_cm: float = 20.0
) -> tuple[Array, Array]:
    """Positions and velocities (T, particles) in U = B[(x/w)² − 1]², B = k_B T: no mode has a frequency.

    Langevin dynamics by the splitting of Leimkuhler and Matthews (BAOAB), started after 2 ps.

    Parameters
    ----------
    picoseconds, timestep_fs
        Length and step of the run.
    seed
        Of the noise.
    particles
        Number of independent charges.
    gamma_cm
        Friction γ/(2πc).
    """
    from bec_md.validate.expectation import omega_fs

    rng = np.random.default_rng(seed)
    n, before = round(picoseconds * 1000.0 / timestep_fs), round(2000.0 / timestep_fs)
    depth, width = BARRIER_KT * kt_amu(TEMPERATURE_K), WELL_ANG
    decay = float(np.exp(-float(omega_fs(np.array(gamma_cm))) * timestep_fs))
    kick = np.sqrt(kt_amu(TEMPERATURE_K) / MASS * (1.0 - decay**2))
    x: Array = width * rng.choice([-1.0, 1.0], particles)
    v: Array = rng.normal(size=particles) * np.sqrt(kt_amu(TEMPERATURE_K) / MASS)

    def acceleration(x: Array) -> Array:
        """Force over mass."""
        return np.asarray(-4.0 * depth / MASS * x / width**2 * ((x / width) ** 2 - 1.0))

    positions, velocities = np.empty((2, n, particles))
    noise = rng.normal(size=(n + before, particles)) * kick
    half, a = 0.5 * timestep_fs, acceleration(x)
    for t in range(n + before):
        v = v + half * a
        x = x + half * v
        v = decay * v + noise[t]
        x = x + half * v
        a = acceleration(x)
        v = v + half * a
        if t >= before:
            positions[t - before], velocities[t - before] = x, v
    return positions, velocities
