"""Rotors: overdamped (Debye) and free (the classical rotational band)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bec_md.arrays import Array
from bec_md.current.series import CurrentSeries
from bec_md.units import PLASMA_FREQUENCY2_FS2, SUSCEPTIBILITY
from bec_md.validate import langevin
from bec_md.validate.common import compare_isotropic, value
from bec_md.validate.expectation import (
    SIGMA_PER_KERNEL,
    expected_sigma,
    omega_fs,
    sigma_of_susceptibility,
)
from bec_md.validate.table import CaseResult

if TYPE_CHECKING:
    from bec_md.spectrum import Spectrum


DEBYE, FREE = "overdamped rotors (Debye)", "free linear rotors"
TEMPERATURE_K = 300.0


def debye(full: bool = False) -> CaseResult:
    r"""Dipoles that diffuse on circles: ⟨M(t)M(0)⟩ ∝ e^{−t/τ}, M known to the program at the frames only."""
    from bec_md import compute_spectrum
    from bec_md.current.readers.dipole import differentiate

    runs, n_steps, dt, resolution = (64 if full else 16), 16384, 2.0, 20.0
    moment, tau, per_plane, volume = 0.4, 50.0, 16, 2000.0
    rng = np.random.default_rng(40)
    series, spectra = [], []
    for _ in range(runs):
        dipole = np.zeros((n_steps + 1, 3))
        for plane in range(3):
            steps = rng.normal(scale=(2.0 * dt / tau) ** 0.5, size=(n_steps + 1, per_plane))
            steps[0] = rng.uniform(0.0, 2.0 * np.pi, per_plane)
            phase = np.exp(1j * np.cumsum(steps, axis=0)).sum(axis=1)
            dipole[:, plane] += moment * phase.real
            dipole[:, (plane + 1) % 3] += moment * phase.imag
        current = differentiate(dipole[:, None, :], dt, "midpoint")
        series.append(CurrentSeries(current, ("total",), dt, volume, scheme="midpoint"))
        spectra.append(_spectrum(series[-1], resolution, 800.0))
    nu = spectra[0].wavenumber_cm
    # each axis sees two of three planes, ½ μ² per rotor
    strength = SUSCEPTIBILITY / (volume * TEMPERATURE_K) * moment**2 * per_plane
    decay = strength * np.exp(-np.arange(6002) * dt / tau)
    kernel = np.empty(6000)
    kernel[0] = 2.0 * (decay[0] - decay[1])
    kernel[1:] = 2.0 * decay[1:6000] - decay[2:6001] - decay[:5999]
    exact = expected_sigma(nu, kernel / dt**2, dt, n_steps, resolution, midpoint=True)
    analytic = sigma_of_susceptibility(nu, strength / (1.0 - 1j * omega_fs(nu) * tau))
    checks, curve = compare_isotropic(DEBYE, spectra, exact, analytic, (30.0, 500.0))
    together = compute_spectrum(series, temperature_k=TEMPERATURE_K, resolution_cm=resolution, dc=False)
    for axis in range(3):
        found = together.static["fluctuation"][axis, axis], together.static["fluctuation_err"][axis, axis]
        checks.append(value(DEBYE, f"Δε from fluctuations, {'xyz'[axis]}", strength, *found))
    return CaseResult(tuple(checks), (curve,))


def _spectrum(series: CurrentSeries, resolution: float, top: float) -> Spectrum:
    from bec_md import compute_spectrum

    return compute_spectrum(
        series, temperature_k=TEMPERATURE_K, resolution_cm=resolution, max_cm=top, dc=False
    )


def free_rotors(full: bool = False) -> CaseResult:
    r"""A gas of HCl-like rotors: :math:`nα = Nπμ^2 I ω^3 e^{-Iω^2/2kT}/(6Vε_0c(kT)^2)`."""
    runs, n_steps, dt, resolution = (96 if full else 20), 6000, 5.0, 10.0
    moment, inertia, count, volume = 0.225, 1.6, 6000, 1.2e6
    rng = np.random.default_rng(41)
    thermal = langevin.thermal_energy(TEMPERATURE_K)
    spectra = [
        _spectrum(
            CurrentSeries(_rotor_current(rng, n_steps, dt, moment, inertia, count), ("total",), dt, volume),
            resolution,
            500.0,
        )
        for _ in range(runs)
    ]
    nu = spectra[0].wavenumber_cm
    # ⟨J·J⟩/3V k_B T ε₀ = N μ²/(3 V kT ε₀) ∫ω² cos ωt p(ω)dω, p(ω) = (Iω/kT) exp(−Iω²/2kT)
    prefactor = PLASMA_FREQUENCY2_FS2 * count * moment**2 / (3.0 * volume * thermal)
    w = np.linspace(0.0, 9.0 * (thermal / inertia) ** 0.5, 1500)
    density = inertia * w / thermal * np.exp(-0.5 * inertia * w**2 / thermal)
    times = np.arange(n_steps) * dt
    kernel = prefactor * np.cos(np.outer(times, w)) @ (w**2 * density) * (w[1] - w[0])
    exact = expected_sigma(nu, kernel, dt, n_steps, resolution)
    omega = omega_fs(nu)
    shape = np.exp(-0.5 * inertia * omega**2 / thermal) * omega**3 * inertia / thermal
    # nα ε₀ c = Nπμ²Iω³ e^{−Iω²/2kT}/(6V(kT)²)
    analytic = (0.5 * np.pi * SIGMA_PER_KERNEL * prefactor * shape).astype(complex)
    # rotors in the equivalent noise bandwidth B: a Poisson number, besides the Gaussian noise of their phases
    bandwidth = omega_fs(np.array(2.0 * np.sqrt(np.pi) * resolution / np.sqrt(8.0 * np.log(2.0))))
    found = np.maximum(np.interp(omega, w, density) * float(bandwidth) * count, 1e-9)
    more = exact.real / np.sqrt(found)
    checks, curve = compare_isotropic(
        FREE, spectra, exact, analytic, (35.0, 200.0), imaginary=False, more_error=more
    )
    return CaseResult(tuple(checks), (curve,))


def _rotor_current(
    rng: np.random.Generator, n_steps: int, dt: float, moment: float, inertia: float, count: int
) -> Array:
    """J(t) of rotors at constant angular velocity: Re Σ a_i e^{iω_i t}, by blocks of time."""
    thermal = langevin.thermal_energy(TEMPERATURE_K)
    omega = np.sqrt(-2.0 * thermal / inertia * np.log(rng.uniform(size=count)))
    frame = rng.normal(size=(count, 2, 3))  # plane of rotation: two orthonormal vectors
    first = frame[:, 0] / np.linalg.norm(frame[:, 0], axis=1)[:, None]
    second = np.cross(first, frame[:, 1])
    second /= np.linalg.norm(second, axis=1)[:, None]
    # n = e₁ cos ωt + e₂ sin ωt; J = μ dn/dt = Re[μω (i e₁ + e₂) e^{iωt}]; e₁ has a random phase already
    amplitude = (moment * omega)[:, None] * (1j * first + second)
    block = 50
    inner = np.exp(1j * np.outer(omega, dt * np.arange(block)))
    starts = dt * block * np.arange(-(-n_steps // block))
    outer = np.exp(1j * np.outer(starts, omega))
    current = np.stack([((outer * amplitude[:, a]) @ inner).real.ravel() for a in range(3)], axis=1)
    return np.ascontiguousarray(current[:n_steps, None, :])
