r"""A harmonic crystal with full 3×3 Born effective charges: the system whose ε(ω) is known exactly.

.. math:: ε(ω) = ε_∞ + \frac{1}{Vε_0}\sum_m \frac{\tilde Z_{ma}\tilde Z_{mb}}{ω_m^2 - ω^2 - iγω}, \qquad
          \tilde Z_{ma} = \sum_{ib} Z_{i,ab}\, e_{m,ib}/\sqrt{m_i}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array, Complex
from bec_md.current.series import CurrentSeries
from bec_md.units import AMU_ANG2_FS2_EV, PLASMA_FREQUENCY2_FS2
from bec_md.validate import langevin
from bec_md.validate.expectation import omega_fs


@dataclass(frozen=True, eq=False)
class HarmonicCrystal:
    """Reference structure, dynamical matrix, charges and thermostat.

    Parameters
    ----------
    cell_ang, positions_ang
        (3, 3) rows are lattice vectors, (N, 3).
    symbols, masses_amu
        (N,).
    charges
        (N, 3, 3) Born effective charges, e.
    dynamical_matrix
        (3N, 3N) mass-weighted force constants, (rad/fs)²; three zero eigenvalues (translations).
    gamma_cm
        Uniform friction γ/(2πc), cm⁻¹.
    eps_inf
        (3, 3).
    temperature_k
        T.
    """

    cell_ang: Array
    positions_ang: Array
    symbols: tuple[str, ...]
    masses_amu: Array
    charges: Array
    dynamical_matrix: Array
    gamma_cm: float
    eps_inf: Array
    temperature_k: float = 300.0

    @property
    def volume_ang3(self) -> float:
        """Cell volume."""
        return float(abs(np.linalg.det(self.cell_ang)))

    @property
    def gamma(self) -> float:
        """γ in 1/fs."""
        return float(omega_fs(np.array(self.gamma_cm)))

    def modes(self) -> tuple[Array, Array]:
        """Frequencies (3N−3,) in rad/fs and mass-weighted eigenvectors (3N, 3N−3) without translations."""
        squares, vectors = np.linalg.eigh(self.dynamical_matrix)
        return np.sqrt(squares[3:]), vectors[:, 3:]

    def mode_charges(self) -> Array:
        """Z̃ (3N−3, 3) in e/√amu."""
        _, vectors = self.modes()
        weighted = self.charges / np.sqrt(self.masses_amu)[:, None, None]
        return np.asarray(np.einsum("iab,ibm->ma", weighted, vectors.reshape(-1, 3, vectors.shape[1])))

    def oscillator_strengths(self) -> Array:
        """Z̃_ma Z̃_mb/(V ε₀) in (rad/fs)², (3N−3, 3, 3)."""
        z = self.mode_charges()
        return np.asarray(PLASMA_FREQUENCY2_FS2 / self.volume_ang3 * z[:, :, None] * z[:, None, :])

    def eps(self, wavenumber_cm: NDArray[Any]) -> Complex:
        """Exact ε (F, 3, 3)."""
        omega = omega_fs(wavenumber_cm)[:, None]
        frequencies, _ = self.modes()
        denominator = frequencies**2 - omega**2 - 1j * self.gamma * omega
        return np.asarray(self.eps_inf + np.tensordot(1.0 / denominator, self.oscillator_strengths(), axes=1))

    def kernel(self, times_fs: NDArray[Any]) -> Array:
        """⟨J_a(t)J_b(0)⟩/(V k_B T ε₀) in 1/fs², (T, 3, 3)."""
        frequencies, _ = self.modes()
        decay = langevin.velocity_kernel(times_fs, frequencies, self.gamma)
        return np.asarray(np.tensordot(decay, self.oscillator_strengths(), axes=1))

    def longitudinal(self, direction: Array) -> Array:
        """LO frequencies (3N−3,) in rad/fs for q → 0 along a direction: D with the non-analytic term."""
        q = direction / np.linalg.norm(direction)
        weighted = np.einsum("a,iab->ib", q, self.charges) / np.sqrt(self.masses_amu)[:, None]
        field = PLASMA_FREQUENCY2_FS2 / self.volume_ang3 / (q @ self.eps_inf @ q)
        matrix = self.dynamical_matrix + field * np.outer(weighted.ravel(), weighted.ravel())
        return np.asarray(np.sqrt(np.linalg.eigvalsh(matrix)[3:]))

    def run(self, n_steps: int, timestep_fs: float, rng: np.random.Generator) -> tuple[Array, Array]:
        """Displacements and velocities (T, N, 3) in Å and Å/fs of an exact Langevin run."""
        frequencies, vectors = self.modes()
        q, p = langevin.oscillators(n_steps, timestep_fs, frequencies, self.gamma, self.temperature_k, rng)
        shape = (n_steps, len(self.masses_amu), 3)
        root = np.sqrt(self.masses_amu)[:, None]
        return (q @ vectors.T).reshape(shape) / root, (p @ vectors.T).reshape(shape) / root

    def current(self, velocities: Array, timestep_fs: float) -> CurrentSeries:
        """The current with everything that `compute_current` stores beside it."""
        return series_of_atoms(
            velocities,
            self.charges,
            self.masses_amu,
            self.symbols,
            timestep_fs,
            self.volume_ang3,
        )


def random_crystal(seed: int = 7, n_atoms: int = 8, gamma_cm: float = 80.0) -> HarmonicCrystal:
    """A triclinic crystal with random modes between 200 and 850 cm⁻¹ and random full 3×3 charges, ΣZ = 0."""
    rng = np.random.default_rng(seed)
    cell = np.diag([4.2, 4.6, 5.1]) + np.tril(rng.uniform(-0.6, 0.6, (3, 3)), -1)
    symbols = ("Mg",) * (n_atoms // 2) + ("O",) * (n_atoms - n_atoms // 2)
    masses: Array = np.array([24.305 if s == "Mg" else 15.999 for s in symbols])
    charges = rng.normal(0.0, 0.6, (n_atoms, 3, 3))
    charges += np.where(masses > 20.0, 2.0, -2.0)[:, None, None] * np.eye(3)
    charges -= charges.mean(axis=0)
    positions = rng.uniform(size=(n_atoms, 3)) @ cell
    frequencies = omega_fs(np.sort(rng.uniform(200.0, 850.0, 3 * n_atoms - 3)))
    matrix = _dynamical_matrix(frequencies, masses, rng)
    eps_inf: Array = np.array([[2.2, 0.1, 0.1], [0.1, 2.5, 0.1], [0.1, 0.1, 2.8]])
    return HarmonicCrystal(
        np.asarray(cell, dtype=np.float64),
        positions,
        symbols,
        masses,
        np.asarray(charges, dtype=np.float64),
        matrix,
        gamma_cm,
        eps_inf,
    )


def _dynamical_matrix(frequencies: Array, masses: Array, rng: np.random.Generator) -> Array:
    """D with these frequencies, random eigenvectors, and the three translations at zero."""
    n = 3 * len(masses)
    basis = rng.normal(size=(n, n))
    basis[:, :3] = np.kron(np.sqrt(masses)[:, None], np.eye(3))  # translations: e_ib ∝ √m_i
    vectors, _ = np.linalg.qr(basis)
    optical = vectors[:, 3:]
    return np.asarray(optical * frequencies**2 @ optical.T)


def cubic_crystal(gamma_cm: float = 12.0) -> HarmonicCrystal:
    """Rock salt with one threefold polar mode at 400 cm⁻¹, Z = ±2, ε_∞ = 3: LO far above TO."""
    masses = np.array([24.305, 15.999])
    cell = 4.21 / 2.0 * np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    charges = np.array([2.0, -2.0])[:, None, None] * np.eye(3)
    relative = np.array([np.sqrt(masses[1]), -np.sqrt(masses[0])]) / np.sqrt(masses.sum())
    stiffness = np.kron(np.outer(relative, relative), np.eye(3)) * float(omega_fs(np.array(400.0))) ** 2
    matrix = np.asarray(stiffness, dtype=np.float64)
    positions = np.array([[0.0, 0.0, 0.0], [2.105, 2.105, 2.105]])
    return HarmonicCrystal(cell, positions, ("Mg", "O"), masses, charges, matrix, gamma_cm, 3.0 * np.eye(3))


def series_of_atoms(
    velocities: Array,
    charges: Array,
    masses: Array,
    symbols: tuple[str, ...],
    timestep_fs: float,
    volume_ang3: float,
) -> CurrentSeries:
    """A current series by species of atoms with constant tensors.

    Parameters
    ----------
    velocities
        (T, N, 3), Å/fs.
    charges, masses, symbols
        (N, 3, 3), (N,), (N,).
    timestep_fs, volume_ang3
        Time between samples and cell volume.
    """
    groups = tuple(dict.fromkeys(symbols))
    member = np.array([[s == g for s in symbols] for g in groups], dtype=float)  # (G, N)
    n = len(velocities)
    charge_sum = np.einsum("gi,iab->gab", member, charges)
    zz = np.einsum("gi,iac,ibc,i->gab", member, charges, charges, 1.0 / masses)
    energy = 0.5 * AMU_ANG2_FS2_EV * (velocities**2).sum(axis=2) * masses
    # one matrix product for all groups: (T, 3N) × (3N, 3G)
    weights = np.einsum("gi,iab->ibga", member, charges).reshape(3 * len(masses), -1)
    return CurrentSeries(
        current=(velocities.reshape(n, -1) @ weights).reshape(n, len(groups), 3),
        groups=groups,
        timestep_fs=timestep_fs,
        volume_ang3=volume_ang3,
        charge_sum=np.broadcast_to(charge_sum, (n, *charge_sum.shape)),
        momentum=np.einsum("gi,tia->tga", member * masses, velocities, optimize=True),
        velocity_sum=np.einsum("gi,tia->tga", member, velocities, optimize=True),
        group_mass_amu=member @ masses,
        group_count=member.sum(axis=1).astype(np.int64),
        zz_over_mass=zz[None],
        kinetic_energy_ev=energy @ member.T,
    )
