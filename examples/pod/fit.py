"""Fit proper orthogonal descriptors (POD) to labeled configurations with LAMMPS `fitpod`.

    python fit.py frames.xyz more.xyz --settings srtio3_pod_param.pod --output srtio3_pod_coefficients.pod

Every tenth configuration is held out and only tests the fit. A minute on one core.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from engine import start_lammps

SETTINGS = """file_format extxyz
file_extension xyz
path_to_training_data_set "train"
path_to_test_data_set "test"
fitting_weight_energy {energy}
fitting_weight_force 1.0
fitting_regularization_parameter 1.0e-10
error_analysis_for_training_data_set 1
error_analysis_for_test_data_set 1
basename_for_output_files fit
precision_for_pod_coefficients 10
"""
HELD_OUT = 10  # one of so many


def write(frames: Iterable[Atoms], target: Path, energy_zero_ev_atom: float) -> None:
    """Write the columns that `fitpod` knows, atoms wrapped into the cell."""
    lines = []
    for atoms in frames:
        lattice = " ".join(f"{x:.10f}" for x in atoms.cell.array.ravel())
        energy = atoms.get_potential_energy() - energy_zero_ev_atom * len(atoms)
        lines.append(f"{len(atoms)}")
        lines.append(
            f'Lattice="{lattice}" Properties=species:S:1:pos:R:3:forces:R:3 energy={energy:.8f} pbc="T T T"'
        )
        rows = np.hstack([atoms.get_positions(wrap=True), atoms.get_forces()])
        lines += [
            f"{symbol} " + " ".join(f"{x:.8f}" for x in row)
            for symbol, row in zip(atoms.symbols, rows, strict=True)
        ]
    target.parent.mkdir(exist_ok=True)
    target.write_text("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames", type=Path, nargs="+", help="extended XYZ with energies and forces")
    parser.add_argument("--settings", type=Path, required=True, help="POD hyperparameters")
    parser.add_argument("--energy-weight", type=float, default=1.0)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    frames = [atoms for path in options.frames for atoms in ase.io.read(path, ":")]
    # The digits of the fit belong to differences; a constant has no force.
    zero = float(np.mean([atoms.get_potential_energy() / len(atoms) for atoms in frames]))
    settings, output = options.settings.resolve(), options.output.resolve()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # fitpod works where it stands
        write([f for k, f in enumerate(frames) if k % HELD_OUT], Path("train/frames.xyz"), zero)
        write(frames[::HELD_OUT], Path("test/frames.xyz"), zero)
        Path("data.pod").write_text(SETTINGS.format(energy=options.energy_weight))
        lmp = start_lammps()
        lmp.commands_list(["units metal", f"fitpod {settings} data.pod"])
        lmp.close()
        for name in ("training", "test"):
            table = Path(f"fit_{name}_errors.pod").read_text().splitlines()
            row = next(line for line in table if "All files" in line)
            energy, force = row.split()[5], row.split()[7]
            print(f"{name}: rms error {float(energy) * 1000:.2f} meV/atom, {float(force) * 1000:.0f} meV/Å")
        output.write_text(Path("fit_coefficients.pod").read_text())
    forces = np.concatenate([atoms.get_forces().ravel() for atoms in frames])
    print(f"{len(frames)} configurations, rms force {np.sqrt((forces**2).mean()):.2f} eV/Å")


if __name__ == "__main__":
    main()
