r"""Units and physical constants, in one place.

Internal units are Å, fs, e, amu, eV and K. Everything here is computed from the CODATA values in
`scipy.constants`; no conversion factor is typed in anywhere else in the package.
"""

from __future__ import annotations

import math

from scipy import constants as _si

ANGSTROM_M = 1e-10
FEMTOSECOND_S = 1e-15
ELEMENTARY_CHARGE_C: float = _si.elementary_charge
ATOMIC_MASS_KG: float = _si.atomic_mass
BOLTZMANN_J_K: float = _si.Boltzmann
VACUUM_PERMITTIVITY_F_M: float = _si.epsilon_0
SPEED_OF_LIGHT_M_S: float = _si.speed_of_light
PLANCK_J_S: float = _si.Planck

BOLTZMANN_EV_K: float = BOLTZMANN_J_K / ELEMENTARY_CHARGE_C

#: Speed of light in cm/fs: converts a wavenumber [cm⁻¹] into a frequency [1/fs].
SPEED_OF_LIGHT_CM_FS: float = SPEED_OF_LIGHT_M_S * 100.0 * FEMTOSECOND_S

#: Atomic units of length (Bohr radius) in Å, of time ħ/E_h in fs, of velocity in Å/fs.
BOHR_ANG: float = _si.physical_constants["Bohr radius"][0] / ANGSTROM_M
ATOMIC_TIME_FS: float = _si.physical_constants["atomic unit of time"][0] / FEMTOSECOND_S
ATOMIC_VELOCITY_ANG_FS: float = BOHR_ANG / ATOMIC_TIME_FS

#: Atomic unit of energy, eV.
HARTREE_EV: float = _si.physical_constants["Hartree energy in eV"][0]

#: Kinetic energy of 1 amu moving at 1 Å/fs, times two, in eV.
AMU_ANG2_FS2_EV: float = ATOMIC_MASS_KG * (ANGSTROM_M / FEMTOSECOND_S) ** 2 / ELEMENTARY_CHARGE_C


#: Conductivity prefactor: ∫⟨J J⟩dt [(e Å/fs)² fs] / (V [Å³] T [K]) in S/m.
CONDUCTIVITY_S_M: float = (
    (ELEMENTARY_CHARGE_C * ANGSTROM_M / FEMTOSECOND_S) ** 2 * FEMTOSECOND_S / (ANGSTROM_M**3 * BOLTZMANN_J_K)
)

#: Susceptibility prefactor: ⟨M²⟩ [e² Å²] / (V [Å³] T [K] ε₀ k_B), dimensionless.
SUSCEPTIBILITY: float = (ELEMENTARY_CHARGE_C * ANGSTROM_M) ** 2 / (
    ANGSTROM_M**3 * BOLTZMANN_J_K * VACUUM_PERMITTIVITY_F_M
)

#: Plasma frequency squared: (Z² [e²] / m [amu] / V [Å³]) / ε₀ in 1/fs².
PLASMA_FREQUENCY2_FS2: float = (
    ELEMENTARY_CHARGE_C**2 / (ATOMIC_MASS_KG * ANGSTROM_M**3 * VACUUM_PERMITTIVITY_F_M) * FEMTOSECOND_S**2
)

#: Integrated absorption of a mole of oscillators, averaged over orientations: Σ_a Z̃_a² [e²/amu] in km/mol.
INTENSITY_KM_MOL: float = (
    _si.Avogadro
    * ELEMENTARY_CHARGE_C**2
    / (12.0 * VACUUM_PERMITTIVITY_F_M * SPEED_OF_LIGHT_M_S**2 * ATOMIC_MASS_KG)
    / 1e3
)

#: nα [cm⁻¹] = Re σ [S/m] × this factor, 1/(ε₀ c).
ABSORPTION_CM_PER_S_M: float = 1.0 / (VACUUM_PERMITTIVITY_F_M * SPEED_OF_LIGHT_M_S) / 100.0

#: hc/k_B in K cm: x = ħω/(k_B T) = this × wavenumber / T.
SECOND_RADIATION_CM_K: float = PLANCK_J_S * SPEED_OF_LIGHT_M_S * 100.0 / BOLTZMANN_J_K

CM_PER_THZ: float = 1e12 / (SPEED_OF_LIGHT_M_S * 100.0)
MEV_PER_CM: float = PLANCK_J_S * SPEED_OF_LIGHT_M_S * 100.0 / ELEMENTARY_CHARGE_C * 1e3

#: Relative difference of times between frames that are one: files of few digits tell it to so many.
SAME_INTERVAL = 1e-4


def angular_frequency_from_wavenumber(wavenumber_cm: float) -> float:
    """Angular frequency ω = 2πc·ν̃ in rad/fs of a wavenumber in cm⁻¹."""
    return 2.0 * math.pi * SPEED_OF_LIGHT_CM_FS * wavenumber_cm


def wavenumber_from_angular_frequency(omega_rad_fs: float) -> float:
    """Wavenumber ν̃ = ω/(2πc) in cm⁻¹ of an angular frequency in rad/fs."""
    return omega_rad_fs / (2.0 * math.pi * SPEED_OF_LIGHT_CM_FS)


def kinetic_temperature_k(kinetic_energy_ev: float, degrees_of_freedom: float) -> float:
    """Kinetic temperature T = 2 E_kin / (k_B n_dof) in K."""
    return 2.0 * kinetic_energy_ev / (BOLTZMANN_EV_K * degrees_of_freedom)
