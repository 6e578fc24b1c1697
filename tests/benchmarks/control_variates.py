"""Control variates: truth, plain and reduced estimates over independent runs whose response is known exactly.

    python -m tests.benchmarks.control_variates [--seeds 200] [--case lorentz …] [--kind f-sum]

Every line: the mean over runs against the exact expectation in standard errors of that mean (a number below 1
in 68 % of the lines is what chance gives), the variance of the plain estimate over that of the reduced one,
the stated error over the scatter, and how often the truth lies within 1 and 1.96 stated errors. Points are
1.5 resolutions apart; `at the peak` is the strongest of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bec_md import compute_current, compute_spectrum, load_current
from bec_md.arrays import Array, Complex
from bec_md.current.series import CurrentSeries
from bec_md.spectrum import Spectrum
from bec_md.units import PLASMA_FREQUENCY2_FS2
from bec_md.validate import langevin
from bec_md.validate.crystal import HarmonicCrystal, cubic_crystal, random_crystal, series_of_atoms
from bec_md.validate.expectation import expected_sigma, omega_fs
from bec_md.validate.rotors import Debye, FreeRotors
from bec_md.validate.statistics import independent_points

TEMPERATURE_K = 300.0


@dataclass(frozen=True)
class Case:
    """Runs of one system, and its exact kernel K(t) (L, 3, 3) in 1/fs² and Δε (3, 3)."""

    runs: Callable[[int], CurrentSeries]
    kernel: Array
    static: Array | None
    timestep_fs: float
    samples: int
    resolution_cm: float
    band_cm: tuple[float, float]
    midpoint: bool = False


def oscillators(
    picoseconds: float, bands: list[tuple[float, float, float]], resolution: float, volume: float = 250.0
) -> Case:
    """Charges on springs along x, y and z: bands of (position, width, Z²/m), 0.5 fs between samples."""
    dt = 0.5
    n = round(picoseconds * 1000.0 / dt)

    def run(seed: int) -> CurrentSeries:
        """One run."""
        rng = np.random.default_rng(seed)
        current, dipole = np.zeros((2, n, 3))
        for position, width, strength in bands:
            w, gamma = float(omega_fs(np.array(position))), float(omega_fs(np.array(width)))
            q, p = langevin.oscillators(n, dt, np.full(3, w), gamma, TEMPERATURE_K, rng)
            current += strength**0.5 * p
            dipole += strength**0.5 * q
        # P(t) itself: the integral of sampled Langevin velocities has a part that walks
        known = {"zz_over_mass": (sum(b[2] for b in bands) * np.eye(3))[None, None], "polarization": dipole}
        return CurrentSeries(current[:, None, :], ("total",), dt, volume, **known)

    times = np.arange(min(n, 24000)) * dt
    kernel, static = np.zeros(len(times)), 0.0
    for position, width, strength in bands:
        plasma = PLASMA_FREQUENCY2_FS2 * strength / volume
        w = omega_fs(np.array([position]))
        kernel += plasma * langevin.velocity_kernel(times, w, float(omega_fs(np.array(width))))[:, 0]
        static += plasma / float(w[0]) ** 2
    positions = [b[0] for b in bands]
    reach = 2.0 * max(b[1] for b in bands) + resolution
    band = (max(min(positions) - reach, 2.0 * resolution), max(positions) + reach)
    return Case(run, kernel[:, None, None] * np.eye(3), static * np.eye(3), dt, n, resolution, band)


def liquid(picoseconds: float, resolution: float) -> Case:
    """Stretching, bending and libration as Langevin oscillators, as wide as those of water."""
    bands = [(3500.0, 300.0, 0.06), (1650.0, 100.0, 0.015), (600.0, 350.0, 0.08)]
    kinds = [oscillators(picoseconds, [band], resolution, volume=2000.0) for band in bands]
    first = kinds[0]

    def run(seed: int) -> CurrentSeries:
        """One run."""
        parts = [case.runs(10 * seed + number) for number, case in enumerate(kinds)]
        zz = np.array([np.asarray(part.zz_over_mass)[0, 0] for part in parts])
        return replace(
            parts[0],
            current=np.sum([part.current for part in parts], axis=0),
            polarization=np.sum([np.asarray(part.polarization) for part in parts], axis=0),
            zz_over_mass=zz.sum(axis=0)[None, None],
            internal_current=np.concatenate([part.current for part in parts[:2]], axis=1),
            internal_zz_over_mass=np.broadcast_to(zz[:2], (len(parts[0].current), 2, 3, 3)),
        )

    static = np.sum([case.static for case in kinds if case.static is not None], axis=0)
    kernel = np.sum([case.kernel for case in kinds], axis=0)
    return Case(run, kernel, static, first.timestep_fs, first.samples, resolution, (150.0, 4000.0))


def crystal(
    found: HarmonicCrystal, picoseconds: float, resolution: float, band: tuple[float, float], dt: float = 1.0
) -> Case:
    """A harmonic crystal, every atom of its cell a group, `dt` fs between samples."""
    n = round(picoseconds * 1000.0 / dt)

    def run(seed: int) -> CurrentSeries:
        """One run."""
        moved, velocities = found.run(n, dt, np.random.default_rng(seed))
        names = tuple(f"{s}{i}" for i, s in enumerate(found.symbols))
        series = series_of_atoms(velocities, found.charges, found.masses_amu, names, dt, found.volume_ang3)
        return replace(series, polarization=np.einsum("iab,tib->ta", found.charges, moved))

    static = found.eps(np.zeros(1))[0].real - found.eps_inf
    return Case(run, found.kernel(np.arange(min(n, 24000)) * dt), static, dt, n, resolution, band)


def ions(picoseconds: float, resolution: float) -> Case:
    """Eight ions without forces (Drude)."""
    dt, gamma, mass, count, volume = 1.0, 0.02, 7.0, 8, 250.0
    n = round(picoseconds * 1000.0 / dt)
    charges = np.where(np.arange(count) % 2 == 0, 1.0, -1.0)
    thermal = (langevin.thermal_energy(TEMPERATURE_K) / mass) ** 0.5

    def run(seed: int) -> CurrentSeries:
        """One run."""
        v = thermal * langevin.ornstein_uhlenbeck(n, dt, gamma, (count, 3), np.random.default_rng(seed))
        names = tuple("Li" if q > 0 else "F" for q in charges)
        tensors = charges[:, None, None] * np.eye(3)
        return series_of_atoms(v, tensors, np.full(count, mass), names, dt, volume)

    kernel = PLASMA_FREQUENCY2_FS2 * count / mass / volume * np.exp(-gamma * dt * np.arange(8000))
    return Case(run, kernel[:, None, None] * np.eye(3), None, dt, n, resolution, (2 * resolution, 600.0))


def rotors(system: Debye | FreeRotors, resolution: float, band: tuple[float, float]) -> Case:
    """A bare J(t), to which nothing is known: the plain estimate in both lines."""
    kernel = system.kernel()[:, None, None] * np.eye(3)
    static = system.strength * np.eye(3) if isinstance(system, Debye) else None
    return Case(
        lambda seed: system.run(np.random.default_rng(seed)),
        kernel, static, system.timestep_fs, system.samples, resolution, band, isinstance(system, Debye),
    )  # fmt: skip


CASES: dict[str, Callable[[], Case]] = {
    "lorentz": lambda: oscillators(20.0, [(600.0, 60.0, 0.1)], 20.0),
    "narrow": lambda: oscillators(20.0, [(600.0, 12.0, 0.1)], 20.0),
    "two bands": lambda: oscillators(40.0, [(400.0, 40.0, 0.03), (800.0, 60.0, 0.1)], 20.0),
    "liquid": lambda: liquid(5.0, 60.0),
    "drude": lambda: ions(20.0, 15.0),
    "debye": lambda: rotors(Debye(), 20.0, (30.0, 500.0)),
    "rotors": lambda: rotors(FreeRotors(), 10.0, (35.0, 200.0)),
    "crystal": lambda: crystal(random_crystal(), 40.0, 12.0, (170.0, 900.0)),
    "rock salt": lambda: crystal(cubic_crystal(), 20.0, 12.0, (360.0, 440.0)),
    "lo and to": lambda: crystal(cubic_crystal(), 131.072, 4.0, (360.0, 440.0), dt=4.0),
}


def spectra(case: Case, seeds: int, kind: str) -> Iterator[tuple[Spectrum, Spectrum]]:
    """Yield plain and reduced spectra of every run."""
    options: dict[str, Any] = {
        "temperature_k": TEMPERATURE_K,
        "resolution_cm": case.resolution_cm,
        "max_cm": 1.3 * case.band_cm[1],
        "eps_inf": 2.0,
        "dc": False,
        "sum_rule": "none",
    }
    for seed in range(seeds):
        series = case.runs(1000 + seed)
        yield (
            compute_spectrum(series, control_variates="none", **options),
            compute_spectrum(series, control_variates=kind, **options),
        )


def line(name: str, truth: Array, plain: tuple[Array, Array], less: tuple[Array, Array], peak: int) -> None:
    """Print what runs (R, P) with errors (R, P) of both estimates give about the truth (P,)."""
    for word, (values, errors) in (("plain", plain), ("reduced", less)):
        se = values.std(axis=0, ddof=1) / len(values) ** 0.5
        z = np.abs(values - truth) / errors
        gain = plain[0].var(axis=0) / values.var(axis=0)
        shift = (values.mean(axis=0) - truth) / se
        stated = np.sqrt((errors**2).mean(axis=0)) / values.std(axis=0)
        percent = 100.0 * (values[:, peak].mean() / truth[peak] - 1.0)
        inside = [100.0 * float(np.mean(z < limit)) for limit in (1.0, 1.96)]
        print(
            f"  {name:12s} {word:8s} shift r.m.s. {np.sqrt(np.mean(shift**2)):5.2f} s.e., at the peak "
            f"{shift[peak]:+5.2f} ({percent:+5.2f} %); gain {1 / np.mean(1 / gain):5.2f}, at the peak "
            f"{gain[peak]:6.2f}; stated/scatter {stated.mean():4.2f}; within 1: {inside[0]:4.1f} %, "
            f"within 1.96: {inside[1]:4.1f} %"
        )


def measure(name: str, case: Case, seeds: int, kind: str) -> None:
    """Print the comparison of one case."""
    pairs = list(spectra(case, seeds, kind))
    nu = pairs[0][0].wavenumber_cm
    exact: Complex = expected_sigma(
        nu, case.kernel, case.timestep_fs, case.samples, case.resolution_cm, midpoint=case.midpoint
    )
    points = independent_points(nu, *case.band_cm, case.resolution_cm)
    applied = sum(p[1].plain_n_alpha is not None for p in pairs)
    print(f"{name}: {seeds} runs of {case.samples * case.timestep_fs / 1000:g} ps, reduced in {applied}")

    def both(pick: Callable[[Spectrum], Array]) -> tuple[Array, Array]:
        """Values of plain and of reduced spectra, (R, P) each."""
        return np.array([pick(p) for p, _ in pairs]), np.array([pick(q) for _, q in pairs])

    peak = int(np.argmax(np.trace(exact.real, axis1=1, axis2=2)[points]))
    for part in ("real", "imag"):
        for label, a in (("tr/3", None), ("x", 0)):
            truth = getattr(exact, part)
            truth = (np.trace(truth, axis1=1, axis2=2) / 3.0 if a is None else truth[:, a, a])[points]

            def value(s: Spectrum, part: str = part, a: int | None = a) -> Array:
                """Part of σ at the points."""
                full = getattr(s.sigma_iso if a is None else s.sigma[:, a, a], part)
                return np.asarray(full[points])

            def error(s: Spectrum, part: str = part, a: int | None = a) -> Array:
                """Its error."""
                if a is None:
                    return np.asarray(getattr(s, f"iso_{part}_err")[points])
                return np.asarray(getattr(s, f"sigma_{part}_err")[points, a, a])

            values, errors = both(value), both(error)
            line(
                f"{'Re' if part == 'real' else 'Im'} σ {label}",
                truth, (values[0], errors[0]), (values[1], errors[1]), peak,
            )  # fmt: skip
    if case.static is None:
        return
    for route in ("fluctuation", "kramers_kronig"):
        values = both(lambda s, r=route: np.diag(s.static[r]))
        errors = both(lambda s, r=route: np.diag(s.static[f"{r}_err"]))
        truth = np.diag(case.static) + 2.0
        line(
            "ε(0) ⟨δM²⟩" if route == "fluctuation" else "ε(0) ∫ε₂/ω",
            truth, (values[0], errors[0]), (values[1], errors[1]), 0,
        )  # fmt: skip


def anharmonic(runs: int) -> None:
    """Print shift and gain for charges in a double well of height k_B T, against all runs together."""
    from tests.spectrum.anharmonic import motion, series_of

    positions, velocities = motion(20.0, 1, 3 * runs)
    options: dict[str, Any] = {
        "temperature_k": TEMPERATURE_K,
        "resolution_cm": 20.0,
        "max_cm": 600.0,
        "dc": False,
    }
    found = []
    for run in range(runs):
        own = slice(3 * run, 3 * run + 3)
        series = series_of(positions[:, own], velocities[:, own])
        found.append([compute_spectrum(series, control_variates=k, **options) for k in ("none", "f-sum")])
    nu = found[0][0].wavenumber_cm
    points = independent_points(nu, 30.0, 400.0, 20.0)
    plain, less = (np.array([pair[k].n_alpha[points] for pair in found]) for k in (0, 1))
    errors = np.array([pair[1].n_alpha_err[points] for pair in found])
    print(f"double well: {runs} runs of 20 ps against all of them together ({runs} times longer)")
    peak = int(np.argmax(plain.mean(axis=0)))
    line("nα", plain.mean(axis=0), (plain, errors), (less, errors), peak)
    still = [np.array([np.diag(pair[k].static["fluctuation"]) for pair in found]) for k in (0, 1)]
    known = [np.array([np.diag(pair[k].static["fluctuation_err"]) for pair in found]) for k in (0, 1)]
    truth = still[0].mean(axis=0)
    line("ε(0) ⟨δM²⟩", truth, (still[0], known[0]), (still[1], known[1]), 0)


#: Bands of liquid water, cm⁻¹.
WATER = {"libration": (350.0, 1000.0), "bending": (1450.0, 1850.0), "stretching": (3000.0, 4000.0)}


def water(files: list[str], picoseconds: float, resolution: float) -> None:
    """Print what pieces of runs of q-TIP4P/F water (`examples/water/run_md.py`) gain, with its charges."""
    pieces = []
    for file in files:
        whole = compute_current(file, charges="fixed:O=-0.81915,H=0.409575", motions="molecules")
        n = round(1000.0 * picoseconds / whole.timestep_fs)
        pieces += [whole[start : start + n] for start in range(0, whole.n_frames - n + 1, n)]
    options: dict[str, Any] = {"resolution_cm": resolution, "max_cm": 4500.0, "eps_inf": 1.0, "dc": False}
    options["temperature_k"] = TEMPERATURE_K
    found = {
        kind: [compute_spectrum(piece, control_variates=kind, **options) for piece in pieces]
        for kind in ("none", "f-sum", "molecules")
    }
    nu = found["none"][0].wavenumber_cm
    plain = np.array([s.n_alpha for s in found["none"]])
    print(f"water: {len(pieces)} pieces of {picoseconds:g} ps, resolution {resolution:g} cm⁻¹")
    for kind in ("f-sum", "molecules"):
        less = np.array([s.n_alpha for s in found[kind]])
        error = np.array([s.n_alpha_err for s in found[kind]])
        for name, (low, high) in WATER.items():
            own = (nu > low) & (nu < high)
            gain = plain.var(axis=0) / less.var(axis=0)
            area = plain[:, own].sum(axis=1), less[:, own].sum(axis=1)
            shift = (area[1] - area[0]).mean() / (area[0].std(ddof=1) / len(pieces) ** 0.5)
            inside = np.mean(np.abs(less - less.mean(axis=0))[:, own] < error[:, own])
            top = int(np.argmax(np.where(own, plain.mean(axis=0), 0.0)))
            print(
                f"  {kind:9s} {name:10s} area: gain {area[0].var() / area[1].var():5.2f}, shift {shift:+.2f} "
                f"s.e.; at the maximum {gain[top]:5.2f}; points: mean {1.0 / np.mean(1.0 / gain[own]):4.2f}, "
                f"within one error {100.0 * inside:.0f} %"
            )
        still = [np.array([np.trace(s.static["fluctuation"]) for s in found[k]]) for k in ("none", kind)]
        print(f"  {kind:9s} ε(0): gain {still[0].var() / still[1].var():5.2f}")


def stored(files: list[str], resolution: float) -> None:
    """Print what the known energies of modes gain in independent runs of one crystal, along each axis."""
    options: dict[str, Any] = {"resolution_cm": resolution, "eps_inf": 1.0, "dc": False}
    options["temperature_k"] = TEMPERATURE_K
    runs = [load_current(file) for file in files]
    found = [
        [compute_spectrum(run, control_variates=k, **options) for run in runs] for k in ("none", "modes")
    ]
    nu = found[0][0].wavenumber_cm
    top = int(np.argmax(np.mean([s.n_alpha for s in found[1]], axis=0)))
    print(f"{len(files)} runs, resolution {resolution:g} cm⁻¹; one axis, means over the runs:")

    def compare(name: str, pick: Callable[[Spectrum], Array], error: Callable[[Spectrum], Array]) -> None:
        """Mean, scatter, stated error over scatter, and gain."""
        values = [np.array([pick(s) for s in part]) for part in found]
        errors = [np.array([error(s) for s in part]) for part in found]
        text = [
            f"{v.mean():10.4g} ± {v.std():8.3g} (stated {np.sqrt((e**2).mean()) / v.std():4.2f} of it)"
            for v, e in zip(values, errors, strict=True)
        ]
        print(f"  {name:28s} {text[0]} → {text[1]}: gain {values[0].var() / values[1].var():.3g}")

    for offset in (-60.0, -40.0, -20.0, -10.0, 0.0, 10.0, 20.0, 40.0, 60.0):
        at = int(np.argmin(np.abs(nu - nu[top] - offset)))
        for part in ("real", "imag"):
            compare(
                f"{part[:2].title()} σ at {nu[at]:.0f} cm⁻¹ (S/m)",
                lambda s, at=at, part=part: np.diag(getattr(s.sigma, part)[at]),
                lambda s, at=at, part=part: np.diag(getattr(s, f"sigma_{part}_err")[at]),
            )
    for route in ("fluctuation", "kramers_kronig"):
        compare(
            f"ε(0), {route}",
            lambda s, r=route: np.diag(s.static[r]),
            lambda s, r=route: np.diag(s.static[f"{r}_err"]),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--case", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--kind", default="f-sum")
    parser.add_argument("--anharmonic", type=int, default=0, help="runs of a double well instead")
    parser.add_argument("--water", nargs="*", help="runs of examples/water/run_md.py instead")
    parser.add_argument("--picoseconds", type=float, default=2.0, help="of each piece of these")
    parser.add_argument("--resolution", type=float, default=60.0, help="of their spectra, cm⁻¹")
    parser.add_argument("--runs", nargs="*", help="stored currents of runs of one crystal (mgo.in) instead")
    given = parser.parse_args()
    if given.runs:
        stored(given.runs, given.resolution)
        return
    if given.water:
        water(given.water, given.picoseconds, given.resolution)
        return
    if given.anharmonic:
        anharmonic(given.anharmonic)
        return
    for name in given.case:
        measure(name, CASES[name](), given.seeds, given.kind)


if __name__ == "__main__":
    main()
