"""Static susceptibility of quartz twice: from the polarization that a field makes, and from fluctuations.

Two runs with ±E along x have polarizations that differ by 2 ε₀ χ V E. Linear response says that the
fluctuations of a third one without field give the same χ = ⟨δP²⟩/(ε₀ V k_B T), which is ε(0) − ε_∞.

    python static_field.py [--field 0.05] [--steps 30000]
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bec_md.units import BOLTZMANN_EV_K

HERE = Path(__file__).parent
#: ε₀ in e²/(eV Å)
EPSILON_0 = 8.8541878128e-12 / 1.602176634e-19 * 1e-10
CELL_ANG3 = 4.9134 * 4.2551292 * 5.4052
BLOCKS = 6


def simulate(name: str, **variables: object) -> NDArray[np.float64]:
    """Run static_field.in in the present folder; P (T, 3) in e Å."""
    options = [word for key, value in variables.items() for word in ("-var", key, str(value))]
    command = ["lmp", "-in", str(HERE / "static_field.in"), "-log", f"{name}.log", "-screen", "none"]
    subprocess.run([*command, "-var", "file", f"{name}.dat", *options], check=True)
    return np.loadtxt(f"{name}.dat")[:, 1:]


def mean_and_error(samples: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and its error from a few blocks."""
    blocks = np.array([block.mean() for block in np.array_split(samples, BLOCKS)])
    return float(samples.mean()), float(blocks.std(ddof=1) / np.sqrt(BLOCKS))


def main() -> None:
    """Simulate three times and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--field", type=float, default=0.05, help="V/Å")
    parser.add_argument("--steps", type=int, default=30000, help="steps of 1 fs")
    parser.add_argument("--equilibration", type=int, default=3000)
    parser.add_argument("--cells", type=int, default=2, help="n × n × n cells of 9 atoms")
    parser.add_argument("--temperature", type=float, default=300.0, help="K")
    arguments = parser.parse_args()
    common = {
        "steps": arguments.steps,
        "equilibration": arguments.equilibration,
        "n": arguments.cells,
        "temperature": arguments.temperature,
    }
    scale = EPSILON_0 * CELL_ANG3 * arguments.cells**3
    along, against = (
        mean_and_error(simulate(name, field=sign * arguments.field, **common)[:, 0])
        for name, sign in (("along", 1), ("against", -1))
    )
    response = (along[0] - against[0]) / (2 * arguments.field * scale)
    response_error = np.hypot(along[1], against[1]) / (2 * arguments.field * scale)
    p = simulate("fluctuations", field=0.0, **common)
    squares = (p - p.mean(axis=0))[:, 0] ** 2
    chi, error = (x / (scale * BOLTZMANN_EV_K * arguments.temperature) for x in mean_and_error(squares))
    print(f"field         ε(0) − ε_∞ = {response:6.3f} ± {response_error:.3f}")
    print(f"fluctuations  ε(0) − ε_∞ = {chi:6.3f} ± {error:.3f}")
    print(f"they differ by {abs(response - chi) / np.hypot(response_error, error):.1f} errors")


if __name__ == "__main__":
    main()
