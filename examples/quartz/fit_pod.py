"""Fit the POD potential of this example to first-principles forces, with LAMMPS `fitpod`.

    python examples/quartz/fit_pod.py --train sio2_train.xyz --test sio2_test.xyz
    python examples/quartz/fit_pod.py --train batio3_train.xyz --test batio3_test.xyz \
        --settings examples/batio3/batio3_pod_param.pod --output examples/batio3/batio3_pod_coefficients.pod

The input is extended XYZ with columns ``dft_forces`` (eV/Å) and ``dft_energy`` (eV): α-quartz, 72 atoms,
300 and 600 K, or BaTiO3, 135 atoms, Quantum ESPRESSO, PBE (Falletta et al., 2025, MIT license). The data are
not part of this repository; the fitted coefficients are. About 20 seconds on one core.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from pathlib import Path

import ase.io
import numpy as np
from potentials import start_lammps

HERE = Path(__file__).parent
SETTINGS = """file_format extxyz
file_extension xyz
path_to_training_data_set "train"
path_to_test_data_set "test"
fitting_weight_energy 1.0
fitting_weight_force 1.0
fitting_regularization_parameter 1.0e-10
error_analysis_for_training_data_set 1
error_analysis_for_test_data_set 1
basename_for_output_files quartz
precision_for_pod_coefficients 10
"""


def convert(source: Path, target: Path, zero_ev: float) -> None:
    """Write the columns that `fitpod` knows, atoms wrapped into the cell, energies from `zero_ev`."""
    lines = []
    for atoms in ase.io.read(source, ":"):
        lattice = " ".join(f"{x:.10f}" for x in atoms.cell.array.ravel())
        energy = atoms.info["dft_energy"] - zero_ev
        lines.append(f"{len(atoms)}")
        lines.append(
            f'Lattice="{lattice}" Properties=species:S:1:pos:R:3:forces:R:3 energy={energy:.8f} pbc="T T T"'
        )
        rows = np.hstack([atoms.get_positions(wrap=True), atoms.arrays["dft_forces"]])
        lines += [
            f"{symbol} " + " ".join(f"{x:.8f}" for x in row)
            for symbol, row in zip(atoms.symbols, rows, strict=True)
        ]
    target.parent.mkdir()
    target.write_text("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--settings", type=Path, default=HERE / "quartz_pod_param.pod")
    parser.add_argument("--output", type=Path, default=HERE / "quartz_pod_coefficients.pod")
    options = parser.parse_args()
    sources = {name: getattr(options, name).resolve() for name in ("train", "test")}
    settings, output = options.settings.resolve(), options.output.resolve()
    # keeps the digits of the fit; a constant has no force
    zero_ev = round(ase.io.read(sources["train"], 0).info["dft_energy"], 1)
    # fitpod reads and writes in the working directory.
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, source in sources.items():
            convert(source, Path(name) / "quartz.xyz", zero_ev)
        Path("data.pod").write_text(SETTINGS)
        lmp = start_lammps()
        lmp.commands_list(["units metal", f"fitpod {settings} data.pod"])
        lmp.close()
        for name in ("training", "test"):
            table = Path(f"quartz_{name}_errors.pod").read_text().splitlines()
            row = next(line for line in table if "All files" in line)
            energy, force = row.split()[5], row.split()[7]
            print(f"{name}: rms error {float(energy) * 1000:.2f} meV/atom, {float(force) * 1000:.0f} meV/Å")
        output.write_text(Path("quartz_coefficients.pod").read_text())


if __name__ == "__main__":
    main()
