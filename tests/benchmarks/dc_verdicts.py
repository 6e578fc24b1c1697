"""How often a relaxing dipole is taken for a conductor, and the other way round, from J of one run.

    python tests/benchmarks/dc_verdicts.py [SEEDS]

Exactly solvable currents of 100 ps: overdamped rotors of Δε that relax with τ, free Langevin ions alone and
beside bound dipoles, ions that jump. For each: runs for which a DC conductivity is given.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bec_md import compute_spectrum

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.spectrum.walking import STEP, TEMPERATURE, VOLUME, bare, hopping, ions, rotors

FRAMES = 25_000
RUN_FS = FRAMES * STEP


def bound(seed: int, delta_eps: float, tau_fs: float) -> np.ndarray:
    """Current of dipoles that move on their own, (T, 3)."""
    return rotors(10_000 + seed, FRAMES, delta_eps, tau_fs)


CONDUCTORS: dict[str, Callable[[int], np.ndarray]] = {
    "free ions": lambda seed: ions(seed, FRAMES),
    "half as many": lambda seed: ions(seed, FRAMES, 0.5),
    "ions beside Δε = 40, τ = 0.5 ps": lambda seed: (
        ions(seed, FRAMES) + rotors(10_000 + seed, FRAMES, 40.0, 500.0)
    ),
    "ions beside Δε = 60, τ = 5 ps": lambda seed: (
        ions(seed, FRAMES) + rotors(10_000 + seed, FRAMES, 60.0, 5000.0)
    ),
    "ions that jump": lambda seed: hopping(seed, FRAMES, 1e-3),
    "ions that jump in a channel": lambda seed: hopping(seed, FRAMES, 1e-3, (2,)),
}


def conducting(make: Callable[[int], np.ndarray], seeds: int) -> int:
    """Runs for which σ_dc is given."""
    options = {"temperature_k": TEMPERATURE, "resolution_cm": 40.0, "max_cm": 400.0}
    found = [compute_spectrum(bare(make(seed), STEP, VOLUME), **options) for seed in range(seeds)]
    return sum(spectrum.sigma_dc is not None for spectrum in found)


def main() -> None:
    """Print both tables."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    print(f"Dipoles that relax: of {seeds} runs called conducting\n")
    print("| Δε | " + " | ".join(f"τ = T/{part}" for part in (50, 20, 10, 5)) + " |\n|---|" + "---:|" * 4)
    for strength in (50.0, 100.0, 200.0, 400.0):
        cells = [
            str(conducting(lambda seed, s=strength, t=part: rotors(seed, FRAMES, s, RUN_FS / t), seeds))  # type: ignore[misc]
            for part in (50, 20, 10, 5)
        ]
        print(f"| {strength:g} | " + " | ".join(cells) + " |", flush=True)
    print(f"\nConductors: of {seeds} runs called conducting\n\n| | |\n|---|---:|")
    for name, make in CONDUCTORS.items():
        print(f"| {name} | {conducting(make, seeds)} |", flush=True)


if __name__ == "__main__":
    main()
