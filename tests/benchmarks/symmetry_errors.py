"""Errors of spectra averaged over a point group: bias, coverage and gain over independent runs.

    python -m tests.benchmarks.symmetry_errors [--seeds 200]

Three independent, equal Lorentz oscillators along x, y and z, propagated exactly (20 ps, 4 fs), as a cubic
crystal has them; each run is averaged over m-3m. The reference is the mean of all runs, whose own error is
1/√(3 · seeds) of that of one axis.
"""

from __future__ import annotations

import argparse

import numpy as np

from bec_md.spectrum.analysis.point_group import named_group
from bec_md.spectrum.analysis.symmetrize import symmetrized
from tests.spectrum.test_symmetrize import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    seeds = parser.parse_args().seeds
    cube = named_group("m-3m")
    plain = [run(seed) for seed in range(seeds)]
    averaged = [symmetrized(spectrum, cube) for spectrum in plain]
    nu = plain[0].wavenumber_cm
    points = np.flatnonzero((nu > 350.0) & (nu < 650.0))[:: max(round(60.0 / (nu[1] - nu[0])), 1)]
    for name in ("n_alpha", "eps_real"):
        values = {
            kind: np.array([s.get(name, along="x")[points] for s in spectra])
            for kind, spectra in (("plain", plain), ("averaged", averaged))
        }
        exact = values["averaged"].mean(axis=0)
        shift = (values["averaged"].mean(axis=0) - values["plain"].mean(axis=0)) / (
            values["plain"].std(axis=0, ddof=1) / seeds**0.5
        )
        gain = values["plain"].var(axis=0, ddof=1) / values["averaged"].var(axis=0, ddof=1)
        print(
            f"{name}: shift {np.abs(shift).max():.2f} s.e. of the plain mean at most, gain {gain.mean():.2f}"
        )
        for kind, spectra in (("plain", plain), ("averaged", averaged)):
            errors = np.array([s.error(name, along="x")[points] for s in spectra])
            z = np.abs(values[kind] - exact) / errors
            inside = [100.0 * float(np.mean(z < limit)) for limit in (1.0, 1.96)]
            print(f"  {kind}: within 1 s.e. {inside[0]:.1f} %, within 1.96 s.e. {inside[1]:.1f} %")
    for kind, spectra in (("plain", plain), ("averaged", averaged)):
        static = np.array([s.static["fluctuation"][0, 0] for s in spectra])
        error = np.array([s.static["fluctuation_err"][0, 0] for s in spectra])
        z = np.abs(static - np.mean([s.static["fluctuation"].trace() / 3.0 for s in spectra])) / error
        print(
            f"eps(0) {kind}: scatter {static.std(ddof=1):.4f}, within 1 s.e. {100 * np.mean(z < 1):.1f} %, "
            f"within 1.96 s.e. {100 * np.mean(z < 1.96):.1f} %"
        )
    bad = sum(s.quality["symmetry"].status != "ok" for s in averaged)
    print(f"check symmetry: {bad} of {seeds} runs doubted")


if __name__ == "__main__":
    main()
