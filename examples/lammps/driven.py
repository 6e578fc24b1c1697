"""σ(ω) of SrTiO₃ twice: from the current that an oscillating field drives, and from fluctuations.

J_z(t) = Re[σ(ω) V E e^{−iωt}] is picked out of the driven run by multiplying with e^{iωt}; linear response
says that the fluctuations of J without field give the same σ(ω), and with it ε(ω) = ε_∞ + iσ/(ε₀ω). The
crystal is cubic: the three directions of the fluctuations are averaged.

    python driven.py [--thz 14.5] [--field 0.008] [--steps 30000]
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.constants import epsilon_0

import bec_md
from bec_md.current.readers import open_current
from bec_md.units import CM_PER_THZ, ELEMENTARY_CHARGE_C

HERE = Path(__file__).parent
#: e Å/fs per (Å³ V/Å) in S/m
CONDUCTIVITY_S_M = ELEMENTARY_CHARGE_C * 1e5 / 1e-30 / 1e10
BLOCKS = 6


def simulate(log: str, **variables: object) -> None:
    """Run driven.in in the present folder."""
    options = [word for name, value in variables.items() for word in ("-var", name, str(value))]
    command = ["lmp", "-in", str(HERE / "driven.in"), "-log", log, "-screen", "none", *options]
    subprocess.run(command, check=True)


def driven_response(log: str, thz: float, field_v_ang: float) -> tuple[complex, float]:
    """σ(ω) in S/m and its error, from the component of J that follows the field."""
    run = open_current(log)
    j: NDArray[np.float64] = run.current.sum(axis=1)[:, 2]  # e Å/fs
    omega = 2 * np.pi * thz * 1e-3  # rad/fs
    samples = 1e3 / (thz * run.timestep_fs)  # in a period
    # whole periods in each block, or the constant part of J would leak in
    n = int(np.floor(len(j) / BLOCKS / samples) * samples)
    t = run.timestep_fs * np.arange(n * BLOCKS)
    amplitudes = (2 * j[: len(t)] * np.exp(1j * omega * t)).reshape(BLOCKS, n).mean(axis=1)
    sigma = CONDUCTIVITY_S_M * amplitudes / (run.volume_ang3 * field_v_ang)
    # of the real as well as of the imaginary part
    error = np.sqrt((sigma.real.var(ddof=1) + sigma.imag.var(ddof=1)) / 2 / BLOCKS)
    return complex(sigma.mean()), float(error)


def fluctuation_response(log: str, thz: float, temperature_k: float) -> tuple[complex, float]:
    """The same from the fluctuations of J."""
    spectrum = bec_md.compute_spectrum(open_current(log), temperature_k=temperature_k, resolution_cm=10.0)
    at = int(np.argmin(np.abs(spectrum.wavenumber_cm - thz * CM_PER_THZ)))
    each = np.diagonal(spectrum.sigma[at])
    # three directions are three measurements
    error = np.sqrt((each.real.var(ddof=1) + each.imag.var(ddof=1)) / 2 / 3)
    estimated = np.sqrt(np.mean(np.diagonal(spectrum.sigma_real_err[at]) ** 2) / 3)
    return complex(each.mean()), float(max(error, estimated))


def main() -> None:
    """Simulate twice and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--thz", type=float, default=14.5, help="frequency of the field, THz")
    parser.add_argument("--field", type=float, default=0.008, help="amplitude, V/Å")
    parser.add_argument("--steps", type=int, default=30000, help="steps of 1 fs")
    parser.add_argument("--equilibration", type=int, default=3000)
    arguments = parser.parse_args()
    common = {"thz": arguments.thz, "steps": arguments.steps, "equilibration": arguments.equilibration}
    simulate("driven.log", field=arguments.field, **common)
    simulate("fluctuations.log", field=0.0, **common)

    driven = driven_response("driven.log", arguments.thz, arguments.field)
    fluctuations = fluctuation_response("fluctuations.log", arguments.thz, 300.0)
    to_eps = 1j / (epsilon_0 * 2 * np.pi * arguments.thz * 1e12)
    print(f"at {arguments.thz * CM_PER_THZ:.0f} cm⁻¹   σ / (S/m)                  ε − ε_∞")
    for name, (sigma, error) in (("driven", driven), ("fluctuations", fluctuations)):
        eps = to_eps * sigma
        print(
            f"{name:12s}  {sigma.real:8.0f} {sigma.imag:+8.0f}i ± {error:5.0f}   "
            f"{eps.real:7.1f} {eps.imag:+7.1f}i ± {error * abs(to_eps):4.1f}"
        )
    deviation = abs(driven[0] - fluctuations[0]) / np.hypot(driven[1], fluctuations[1])
    print(f"they differ by {deviation:.1f} errors")


if __name__ == "__main__":
    main()
