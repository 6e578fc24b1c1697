"""Rotors: overdamped (Debye) and free (the classical rotational band)."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Debye:
    """Dipoles of equal moment [e Å] that diffuse on circles in three planes, with relaxation time τ [fs]."""

    samples: int = 16384
    timestep_fs: float = 2.0
    moment: float = 0.4
    tau_fs: float = 50.0
    per_plane: int = 16
    volume_ang3: float = 2000.0

    @property
    def strength(self) -> float:
        """Δε: each axis sees two of three planes, ½ μ² per rotor."""
        return SUSCEPTIBILITY / (self.volume_ang3 * TEMPERATURE_K) * self.moment**2 * self.per_plane

    def run(self, rng: np.random.Generator) -> CurrentSeries:
        """Differences of a dipole moment that is known at the frames only."""
        from bec_md.current.readers.dipole import differentiate

        dipole = np.zeros((self.samples + 1, 3))
        for plane in range(3):
            width = (2.0 * self.timestep_fs / self.tau_fs) ** 0.5
            steps = rng.normal(scale=width, size=(self.samples + 1, self.per_plane))
            steps[0] = rng.uniform(0.0, 2.0 * np.pi, self.per_plane)
            phase = np.exp(1j * np.cumsum(steps, axis=0)).sum(axis=1)
            dipole[:, plane] += self.moment * phase.real
            dipole[:, (plane + 1) % 3] += self.moment * phase.imag
        current = differentiate(dipole[:, None, :], self.timestep_fs, "midpoint")
        return CurrentSeries(current, ("total",), self.timestep_fs, self.volume_ang3, scheme="midpoint")

    def kernel(self) -> Array:
        """K of the differences, (6000,) 1/fs²."""
        decay = self.strength * np.exp(-np.arange(6002) * self.timestep_fs / self.tau_fs)
        kernel = np.empty(6000)
        kernel[0] = 2.0 * (decay[0] - decay[1])
        kernel[1:] = 2.0 * decay[1:6000] - decay[2:6001] - decay[:5999]
        return kernel / self.timestep_fs**2


def debye(full: bool = False) -> CaseResult:
    r"""Dipoles that diffuse on circles: ⟨M(t)M(0)⟩ ∝ e^{−t/τ}, M known to the program at the frames only."""
    from bec_md import compute_spectrum

    system, resolution, rng = Debye(), 20.0, np.random.default_rng(40)
    series = [system.run(rng) for _ in range(64 if full else 16)]
    spectra = [_spectrum(one, resolution, 800.0) for one in series]
    nu, strength = spectra[0].wavenumber_cm, system.strength
    exact = expected_sigma(nu, system.kernel(), system.timestep_fs, system.samples, resolution, midpoint=True)
    analytic = sigma_of_susceptibility(nu, strength / (1.0 - 1j * omega_fs(nu) * system.tau_fs))
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


@dataclass(frozen=True)
class FreeRotors:
    """A gas of rotors like HCl: moment [e Å], moment of inertia [amu Å²]."""

    samples: int = 6000
    timestep_fs: float = 5.0
    moment: float = 0.225
    inertia: float = 1.6
    count: int = 6000
    volume_ang3: float = 1.2e6

    @property
    def prefactor(self) -> float:
        """⟨J·J⟩/3V k_B T ε₀ = this · ∫ω² cos ωt p(ω)dω, 1/fs² for ω² in amu Å²/fs²."""
        thermal = langevin.thermal_energy(TEMPERATURE_K)
        return PLASMA_FREQUENCY2_FS2 * self.count * self.moment**2 / (3.0 * self.volume_ang3 * thermal)

    def density(self) -> tuple[Array, Array]:
        """Angular velocities, 1/fs, and their density p(ω) = (Iω/kT) exp(−Iω²/2kT), fs."""
        ratio = self.inertia / langevin.thermal_energy(TEMPERATURE_K)
        w = np.linspace(0.0, 9.0 / ratio**0.5, 1500)
        return w, ratio * w * np.exp(-0.5 * ratio * w**2)

    def run(self, rng: np.random.Generator) -> CurrentSeries:
        """J(t) of one gas."""
        current = _rotor_current(rng, self.samples, self.timestep_fs, self.moment, self.inertia, self.count)
        return CurrentSeries(current, ("total",), self.timestep_fs, self.volume_ang3)

    def kernel(self) -> Array:
        """K(t), (samples,) 1/fs²."""
        w, density = self.density()
        times = np.arange(self.samples) * self.timestep_fs
        return np.asarray(self.prefactor * np.cos(np.outer(times, w)) @ (w**2 * density) * (w[1] - w[0]))


def free_rotors(full: bool = False) -> CaseResult:
    r"""A gas of HCl-like rotors: :math:`nα = Nπμ^2 I ω^3 e^{-Iω^2/2kT}/(6Vε_0c(kT)^2)`."""
    system, resolution, rng = FreeRotors(), 10.0, np.random.default_rng(41)
    spectra = [_spectrum(system.run(rng), resolution, 500.0) for _ in range(96 if full else 20)]
    nu = spectra[0].wavenumber_cm
    exact = expected_sigma(nu, system.kernel(), system.timestep_fs, system.samples, resolution)
    omega, ratio = omega_fs(nu), system.inertia / langevin.thermal_energy(TEMPERATURE_K)
    shape = np.exp(-0.5 * ratio * omega**2) * omega**3 * ratio
    # nα ε₀ c = Nπμ²Iω³ e^{−Iω²/2kT}/(6V(kT)²)
    analytic = (0.5 * np.pi * SIGMA_PER_KERNEL * system.prefactor * shape).astype(complex)
    # rotors in the equivalent noise bandwidth B: a Poisson number, besides the Gaussian noise of their phases
    bandwidth = omega_fs(np.array(2.0 * np.sqrt(np.pi) * resolution / np.sqrt(8.0 * np.log(2.0))))
    found = np.maximum(np.interp(omega, *system.density()) * float(bandwidth) * system.count, 1e-9)
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
