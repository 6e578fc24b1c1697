"""How the constants of `model.PHOSPHATE` were found: least squares to the β crystal.

    python examples/li3po4/fit_field.py

Targets: the mean frequency of each band of PO4 and of lithium, the P–O length, and no stress in the
measured cell. Each evaluation relaxes 16 atoms and computes Γ phonons (0.1 s). The charges are given.
"""

from __future__ import annotations

import argparse

import numpy as np
from model import PHOSPHATE, PhosphateField, beta_cell, build, phosphates
from numpy.typing import NDArray
from phonons import Phonons, analyze, hessian, relax
from scipy.optimize import least_squares

#: Mean frequency in cm⁻¹ and what counts as a deviation of one.
TARGETS_CM = {"ν1": (944, 5), "ν3": (1052, 5), "ν4": (593, 15), "ν2": (465, 15), "Li": (410, 20)}
LENGTH_ANG, LENGTH_UNIT = 1.547, 0.003
STRESS_UNIT_GPA = 1.0


def evaluate(field: PhosphateField) -> tuple[Phonons, float, NDArray[np.float64]]:
    """Γ phonons, mean P–O length in Å and the three normal pressures in GPa."""
    system = build(beta_cell(), field, kspace="ewald 1.0e-6")
    atoms = system.atoms.copy()
    atoms.positions = relax(system)
    system.lmp.commands_list(["thermo_style custom step pxx pyy pzz", "run 0"])
    pressures = np.array([system.lmp.get_thermo(name) for name in ("pxx", "pyy", "pzz")]) * 1e-4
    phonons = analyze(atoms, hessian(system))
    system.lmp.close()
    lengths = [atoms.get_distances(center, corners, mic=True) for center, corners in phosphates(atoms)]
    return phonons, float(np.mean(lengths)), pressures


def field_of(x: NDArray[np.float64], charges: tuple[float, float]) -> PhosphateField:
    """The field of the six numbers that are varied (the logarithm of A for A)."""
    return PhosphateField(*map(float, x[:4]), float(np.exp(x[4])), float(x[5]), *charges)


def residuals(x: NDArray[np.float64], charges: tuple[float, float]) -> NDArray[np.float64]:
    """Deviations from the targets in their units."""
    phonons, length, pressures = evaluate(field_of(x, charges))
    bands = phonons.bands()
    parts = [(bands[name][0] - target) / unit for name, (target, unit) in TARGETS_CM.items()]
    return np.array([*parts, (length - LENGTH_ANG) / LENGTH_UNIT, *(pressures / STRESS_UNIT_GPA)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--charges", type=float, nargs=2, default=(PHOSPHATE.lithium_e, PHOSPHATE.phosphorus_e)
    )
    parser.add_argument("--evaluations", type=int, default=10, help="steps of the least squares")
    options = parser.parse_args()
    p = PHOSPHATE
    start = np.array([p.bond, p.angle, p.edge, p.length_ang, np.log(p.repulsion_ev), p.range_ang])
    found = least_squares(
        residuals,
        start,
        args=(tuple(options.charges),),
        x_scale=[1, 0.5, 0.3, 0.005, 0.2, 0.02],
        bounds=([5, 0.05, 0, 1.5, 3, 0.12], [40, 8, 5, 1.62, 14, 0.4]),
        diff_step=2e-3,
        max_nfev=options.evaluations,
    )
    field = field_of(found.x, tuple(options.charges))
    phonons, length, pressures = evaluate(field)
    print(field)
    for name, (mean, spread) in phonons.bands().items():
        print(f"{name}: {mean:.0f} ± {spread:.0f} cm⁻¹")
    print(f"P–O {length:.3f} Å, pressures {np.round(pressures, 2)} GPa")


if __name__ == "__main__":
    main()
