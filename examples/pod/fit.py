"""Fit proper orthogonal descriptors (POD) to labeled configurations with LAMMPS `fitpod`.

    python fit.py frames.xyz more.xyz --settings srtio3_pod_param.pod --output srtio3_pod_coefficients.pod

Every tenth configuration is held out and only tests the fit. A minute on one core.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import ase.io

from bec_md.dynamics.pod import fit_pod


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames", type=Path, nargs="+", help="extended XYZ with energies and forces")
    parser.add_argument("--settings", type=Path, required=True, help="POD hyperparameters")
    parser.add_argument("--energy-weight", type=float, default=1.0)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    frames = [atoms for path in options.frames for atoms in ase.io.read(path, ":")]
    fit = fit_pod(frames, options.settings.read_text(), energy_weight=options.energy_weight)
    options.output.write_text(fit.coefficients)
    print(
        f"{len(frames)} configurations, rms force {fit.rms_force_ev_ang:.2f} eV/Å; held out: rms error "
        f"{fit.energy_error_mev_atom:.2f} meV/atom, {fit.force_error_mev_ang:.0f} meV/Å"
    )


if __name__ == "__main__":
    main()
