"""Check the stored trajectory: temperature, momentum, and every Γ mode against its phonon frequency.

    python examples/quartz/check_md.py examples/quartz/quartz_300K.npz

The velocities of the 2×2×2 supercell are folded onto the 9-atom cell (which leaves the q = 0 part) and
projected on the 0 K eigenvectors; the power spectrum of each projection is smoothed with a Gaussian of
10 cm⁻¹ full width, and its peak is the frequency at 300 K. The last table is a quick infrared spectrum with
one constant charge per element.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from phonons import Phonons, compute
from potentials import POTENTIALS
from scipy import constants
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from bec_md.trajectory import open_trajectory

WIDTH_CM = 10.0
SILICON_CHARGE_E = 3.4  # for the quick look only; oxygen −1.7


def power_spectrum(
    series: NDArray[np.float64], timestep_fs: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smoothed one-sided power spectrum of (T, K) columns.

    Returns
    -------
    tuple
        Wavenumbers (F,) in cm⁻¹ and spectra (F, K).
    """
    n = len(series)
    window = np.hanning(n)[:, None]
    power = np.abs(np.fft.rfft(window * series, axis=0)) ** 2
    wavenumber = np.fft.rfftfreq(n, timestep_fs) / (constants.speed_of_light * 100 * 1e-15)
    sigma_bins = WIDTH_CM / 2.3548 / (wavenumber[1] - wavenumber[0])
    return wavenumber, gaussian_filter1d(power, sigma_bins, axis=0)


def temperature_k(velocities: NDArray[np.float64], masses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kinetic temperature of each frame with 3N − 3 degrees of freedom."""
    joule = constants.atomic_mass * 1e10 * np.einsum("i,tix,tix->t", masses, velocities, velocities)
    return joule / (constants.Boltzmann * (3 * len(masses) - 3))


def site_drift_ang(positions: NDArray[np.float64]) -> float:
    """Largest distance in Å between an atom's mean position in the first fifth and in any later fifth.

    A 72-atom crystal can flip as a whole into its Dauphiné twin, in which other eigenvectors hold.
    """
    fifths = np.array([part.mean(axis=0) for part in np.array_split(positions, 5)])
    return float(np.linalg.norm(fifths - fifths[0], axis=-1).max())


def mode_table(phonons: Phonons, velocities: NDArray[np.float64], timestep_fs: float) -> None:
    """Print 0 K frequency, 300 K peak and kinetic temperature of the optic Γ modes."""
    n_cells = velocities.shape[1] // 9
    folded = velocities.reshape(len(velocities), n_cells, 9, 3).sum(axis=1) / np.sqrt(n_cells)
    root_mass = np.sqrt(np.repeat(phonons.atoms.get_masses(), 3))
    modes = (folded.reshape(len(folded), 27) * root_mass) @ phonons.eigenvectors
    wavenumber, spectra = power_spectrum(modes, timestep_fs)
    unit = constants.atomic_mass * 1e10 / constants.Boltzmann
    print("| mode | phonon 0 K [cm⁻¹] | MD 300 K [cm⁻¹] | shift | kinetic T [K] |\n|---|---|---|---|---|")
    skip = False
    for k, label in enumerate(phonons.labels):
        if label == "T" or skip:
            skip = False
            continue
        columns = [k, k + 1] if label == "E" else [k]  # a degenerate pair gives one row
        skip = label == "E"
        peak = wavenumber[np.argmax(spectra[:, columns].sum(axis=1))]
        frequency = phonons.frequencies_cm[columns].mean()
        temperature = unit * (modes[:, columns] ** 2).mean()
        print(f"| {label} | {frequency:.1f} | {peak:.1f} | {peak - frequency:+.1f} | {temperature:.0f} |")


def infrared_table(velocities: NDArray[np.float64], numbers: NDArray[np.int64], timestep_fs: float) -> None:
    """Print the peaks of the current of constant charges, in the plane (E) and along the axis (A2)."""
    charges = np.where(numbers == 14, SILICON_CHARGE_E, -SILICON_CHARGE_E / 2)
    current = np.einsum("i,tix->tx", charges, velocities)
    wavenumber, spectra = power_spectrum(current, timestep_fs)
    for name, spectrum in (("x, y (E)", spectra[:, 0] + spectra[:, 1]), ("z (A2)", spectra[:, 2])):
        peaks, _ = find_peaks(spectrum, prominence=0.003 * spectrum.max())
        print(f"{name}: " + ", ".join(f"{wavenumber[p]:.0f}" for p in peaks) + " cm⁻¹")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trajectory", type=Path)
    trajectory = open_trajectory(parser.parse_args().trajectory)
    masses, timestep_fs = trajectory.info.masses_amu, trajectory.info.timestep_fs
    velocities = np.array([frame.velocities_ang_fs for frame in trajectory.frames()])
    positions = np.array([frame.positions_ang for frame in trajectory.frames()])
    temperature = temperature_k(velocities, masses)
    momentum = np.einsum("i,tix->tx", masses, velocities)
    center = np.abs(momentum).max() / masses.sum() / np.sqrt((velocities**2).mean())
    picoseconds = len(velocities) * timestep_fs / 1000
    print(f"{len(velocities)} frames, {timestep_fs} fs apart, {picoseconds:.1f} ps, {len(masses)} atoms")
    print(f"temperature {temperature.mean():.1f} K, fluctuation {temperature.std():.1f} K")
    print(f"largest center-of-mass velocity {center:.1e} of the rms velocity (rounding)")
    print(f"largest drift of a site {site_drift_ang(positions):.2f} Å (0.7 Å: the other Dauphiné twin)\n")
    mode_table(compute(POTENTIALS["pod"]), velocities, timestep_fs)
    print("\nPeaks of the current with constant charges:")
    infrared_table(velocities, trajectory.info.numbers, timestep_fs)


if __name__ == "__main__":
    main()
