"""σ(ω) of quartz twice: from the current that an oscillating field drives, and from fluctuations.

J_z(t) = Re[σ_zz(ω) V E e^{−iωt}] is picked out of the driven run by multiplying with e^{iωt}; linear
response says that the fluctuations of J without field give the same σ_zz(ω).

    python driven.py [--thz 14.0] [--field 0.01] [--steps 40000]
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import numpy as np

import bec_md
from bec_md.current.readers import open_current
from bec_md.units import CM_PER_THZ, ELEMENTARY_CHARGE_C

HERE = Path(__file__).parent


def simulate(log: str, **variables: str) -> None:
    """Run driven.in in the present folder."""
    options = [word for name, value in variables.items() for word in ("-var", name, value)]
    command = ["lmp", "-in", str(HERE / "driven.in"), "-log", log, "-screen", "none", *options]
    subprocess.run(command, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--thz", type=float, default=14.0, help="frequency of the field, THz")
    parser.add_argument("--field", type=float, default=0.01, help="amplitude, V/Å")
    parser.add_argument("--steps", type=int, default=40000, help="steps of 0.5 fs")
    parser.add_argument("--equilibration", type=int, default=4000)
    arguments = parser.parse_args()
    common = {
        "thz": str(arguments.thz),
        "steps": str(arguments.steps),
        "equilibration": str(arguments.equilibration),
    }
    simulate("driven.log", field=str(arguments.field), **common)
    simulate("fluctuations.log", field="0.0", **common)

    driven = open_current("driven.log")
    j = driven.current.sum(axis=1)[:, 2]  # e Å/fs
    omega = 2 * np.pi * arguments.thz * 1e-3  # rad/fs
    period = 1.0 / (arguments.thz * 1e-3 * driven.timestep_fs)  # samples
    n = int(np.floor(np.floor(len(j) / period) * period))  # whole periods
    phase = np.exp(1j * omega * driven.timestep_fs * np.arange(n))
    blocks = [2 * np.mean(part) for part in np.array_split(j[:n] * phase, 5)]
    # e Å/fs per (Å³ V/Å) in S/m
    unit = ELEMENTARY_CHARGE_C * 1e5 / 1e-30 / 1e10
    sigma = unit * np.array(blocks) / (driven.volume_ang3 * arguments.field)
    error = sigma.std(ddof=1) / np.sqrt(len(blocks))
    print(f"driven       σ_zz = {sigma.mean():.3g} ± {error:.2g} S/m")

    spectrum = bec_md.compute_spectrum(open_current("fluctuations.log"), resolution_cm=10.0)
    at = np.argmin(np.abs(spectrum.wavenumber_cm - arguments.thz * CM_PER_THZ))
    value, width = spectrum.sigma[at, 2, 2], spectrum.sigma_real_err[at, 2, 2]
    print(f"fluctuations σ_zz = {value:.3g} ± {width:.2g} S/m at {spectrum.wavenumber_cm[at]:.0f} cm⁻¹")


if __name__ == "__main__":
    main()
