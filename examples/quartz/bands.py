"""Table of TO and LO frequencies with errors, and the f-sum and mode weights, against the measured ones.

    python examples/quartz/bands.py [--current quartz_300K_current.h5 …]

TO frequencies are maxima of ω ε₂, LO frequencies zeros of ε₁ or maxima of the loss function −Im(1/ε), both
along the axes: the mean of x and y for the E modes, z for the A2 modes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import measured
import numpy as np
from figure import AXES, compute

from bec_md.spectrum import Spectrum
from bec_md.spectrum.analysis.bands import band_frequencies
from bec_md.spectrum.analysis.peak import find_spectrum_peaks

#: Where the computed partner of a measured frequency is looked for, relative to it: PBE is soft.
WINDOW_CM = (-60.0, 20.0)


Found = tuple[float, float]  # position and standard error, cm⁻¹


def nearest(candidates: list[Found], frequency_cm: float) -> Found | None:
    """Take out of the candidates the computed partner of a measured frequency, if there is one."""
    inside = [c for c in candidates if WINDOW_CM[0] < c[0] - frequency_cm < WINDOW_CM[1]]
    if not inside:
        return None
    # bands are softer by 10 to 45 cm⁻¹: the closest to the middle of that
    best = min(inside, key=lambda found: abs(found[0] - frequency_cm + 25.0))
    candidates.remove(best)
    return best


def longitudinal(spectrum: Spectrum, axis: str) -> list[Found]:
    """Zeros of ε₁ and maxima of the loss function; weak maxima, beside a stronger band, without an error."""
    bands = band_frequencies(spectrum, axis)
    found = list(zip(bands.lo_cm, bands.lo_err_cm, strict=True))
    along, resolution = spectrum.along(axis), float(spectrum.parameters["resolution_cm"])
    weak = find_spectrum_peaks(spectrum.wavenumber_cm, along.loss, along.loss_err, resolution, chance=np.inf)
    found += [
        (peak.wavenumber_cm, float("nan"))
        for peak in weak
        if all(abs(peak.wavenumber_cm - lo) > resolution for lo in bands.lo_cm)
    ]
    return found


def rows(
    spectrum: Spectrum, axis: str, bands: tuple
) -> list[tuple[float, Found | None, float, Found | None]]:
    """Measured TO, computed TO, measured LO, computed LO of each mode along one axis."""
    nu, resolution = spectrum.wavenumber_cm, float(spectrum.parameters["resolution_cm"])
    along = spectrum.along(axis)
    peaks = find_spectrum_peaks(nu, along.n_alpha, along.n_alpha_err, resolution, chance=1.0)
    transverse = [(peak.wavenumber_cm, peak.wavenumber_err_cm) for peak in peaks]
    zeros = longitudinal(spectrum, axis)
    return [
        (to, nearest(transverse, to), lo, nearest(zeros, lo))
        for to, lo in zip(measured.to_frequencies(bands), measured.lo_frequencies(bands), strict=True)
    ]


def shown(found: Found | None) -> str:
    """Position and error."""
    if found is None:
        return "–"
    return f"{found[0]:.1f}" + ("" if np.isnan(found[1]) else f" ± {found[1]:.1f}")


def main() -> None:
    """Print the table and the sum rule."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--current", type=Path, nargs="*", default=[])
    parser.add_argument("--resolution", type=float, default=8.0, help="cm⁻¹")
    options = parser.parse_args()
    spectrum = compute(options.current, options.resolution)
    print("| mode | TO | measured | LO | measured | LO − TO | measured |\n|---|---|---|---|---|---|---|")
    for (axis, _, bands), name in zip(AXES, ("E", "A2"), strict=True):
        for to, found_to, lo, found_lo in rows(spectrum, axis, bands):
            split = "–" if found_to is None or found_lo is None else f"{found_lo[0] - found_to[0]:.1f}"
            print(
                f"| {name} | {shown(found_to)} | {to:g} | {shown(found_lo)} | {lo:g} "
                f"| {split} | {lo - to:.1f} |"
            )
    for check in spectrum.quality:
        if check.name in ("f_sum", "static", "temperature", "stationarity"):
            print(check.name, check.status, check.value, f"(accepted: {check.threshold})")
    static = {key: np.diag(value).round(3).tolist() for key, value in spectrum.static.items()}
    print("static", static)


if __name__ == "__main__":
    main()
