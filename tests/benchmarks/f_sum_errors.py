"""How often the f-sum check doubts right runs of few modes, and how often it sees wrong ones.

    python tests/benchmarks/f_sum_errors.py [SEEDS]

Exactly solvable currents of 4 ps at 300 K: 1 … 300 conserved modes along each axis (a harmonic crystal, NVE),
one ion on a spring whose energy lives 0.03 … 4 ps, a liquid of free Langevin ions. For each: axes whose
ratio lies beyond two of the stated standard errors, then runs that the check does not pass as they are, and
with an area too large by 1.15, 1.3, 2 and 4 (J twice too large).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bec_md import compute_spectrum
from bec_md.current import CurrentSeries

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.spectrum.exact import Array, bare, kt_amu, langevin_oscillator, omega_fs, ornstein_uhlenbeck

SAMPLES, STEP_FS, MASS_AMU, TEMPERATURE_K = 1000, 4.0, 10.0, 300.0
FACTORS = (1.0, 1.15, 1.3, 2.0, 4.0)


def conserved(modes: int, seed: int) -> Array:
    """Velocities of modes along each axis whose energies are drawn once, (T, 3)."""
    rng = np.random.default_rng(seed)
    t_fs = STEP_FS * np.arange(SAMPLES)
    phase = omega_fs(rng.uniform(80.0, 800.0, size=(modes, 3)))[None] * t_fs[:, None, None]
    cosine, sine = np.sqrt(kt_amu(TEMPERATURE_K) / MASS_AMU) * rng.normal(size=(2, modes, 3))
    return np.asarray((cosine * np.cos(phase) + sine * np.sin(phase)).sum(axis=1))


def spring(lifetime_ps: float, seed: int) -> Array:
    """Velocity of one ion in a bath."""
    width_cm = 33.356 / (2.0 * np.pi * lifetime_ps)  # γ/(2πc): the energy decays with γ
    return langevin_oscillator(SAMPLES, STEP_FS, 300.0, width_cm, MASS_AMU, seed)[1]


def liquid(ions: int, seed: int) -> Array:
    """Summed velocity of free ions, γ = 50/ps."""
    return ornstein_uhlenbeck(SAMPLES, STEP_FS, 0.05, ions * kt_amu(TEMPERATURE_K) / MASS_AMU, seed)


CASES: dict[str, tuple[Callable[[int], Array], int]] = {
    **{
        f"NVE, {n} modes along each axis": (lambda seed, n=n: conserved(n, seed), n)
        for n in (1, 2, 3, 8, 30, 300)
    },
    **{
        f"one ion, energy lives {life} ps": (lambda seed, life=life: spring(life, seed), 1)
        for life in (0.03, 0.3, 1.0, 4.0)
    },
    "liquid of 20 ions": (lambda seed: liquid(20, seed), 20),
}


def series(velocities: Array, count: int) -> CurrentSeries:
    """Current of unit charges with its Σ⟨ZZᵀ⟩/m."""
    return bare(velocities, STEP_FS, zz_over_mass=np.eye(3)[None, None] * count / MASS_AMU)


def measure(make: Callable[[int], Array], count: int, seeds: int) -> tuple[float, list[float]]:
    """Return the shares of axes beyond two standard errors, and of runs not passed with each factor."""
    beyond, doubted = [], np.zeros(len(FACTORS))
    for seed in range(seeds):
        current = series(make(seed), count)
        for k, factor in enumerate(FACTORS):
            found = compute_spectrum(
                current, temperature_k=TEMPERATURE_K / factor, resolution_cm=60.0, dc=False
            )
            doubted[k] += found.quality["f_sum"].status != "ok"
            if factor == 1.0:
                ratio, error = (np.array(found.parameters[f"f_sum_{name}"]) for name in ("ratio", "error"))
                beyond.append(np.abs(ratio - 1.0) > 2.0 * error)
    return float(np.mean(beyond)), [float(share) for share in doubted / seeds]


def main() -> int:
    """Print one row for each case."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(f"{seeds} seeds; %: axes beyond 2 s.e.; runs doubted with the area x {FACTORS}")
    for name, (make, count) in CASES.items():
        beyond, doubted = measure(make, count, seeds)
        print(f"{name:32s} {100 * beyond:5.1f}   " + " ".join(f"{100 * d:5.1f}" for d in doubted), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
