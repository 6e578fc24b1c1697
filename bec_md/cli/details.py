"""What a spectrum says beyond one screen (``-v``): how it was corrected, every band with its errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bec_md.cli.console import Console
from bec_md.cli.preview import preview

if TYPE_CHECKING:
    from bec_md.current.series import CurrentSeries
    from bec_md.spectrum import Peak, Spectrum

MAX_PEAKS = 12


def show_details(console: Console, spectrum: Spectrum, series: Sequence[CurrentSeries] = ()) -> None:
    """Print kinetic temperatures, sums, corrections, and bands with widths and errors."""
    console.say()
    _kinetic(console, spectrum, series)
    _sums(console, spectrum)
    _corrections(console, spectrum)
    _peaks(console, spectrum)
    _sidebands(console, spectrum)


def _kinetic(console: Console, spectrum: Spectrum, series: Sequence[CurrentSeries]) -> None:
    constraints = int(spectrum.parameters.get("constraints") or 0)
    for number, item in enumerate(series[:4], start=1):
        kinetic = item.kinetic_temperature(constraints)
        if kinetic is not None and item.scheme == "velocity":
            each = ", ".join(f"{g} {t:.1f}" for g, t in zip(item.groups[:8], kinetic[1], strict=False))
            of = "" if len(series) == 1 else f" of run {number}"
            console.item(
                "kinetic",
                f"{kinetic[0]:.1f} K{of} ({f'{constraints} constraints' if constraints else each})",
            )


def _sums(console: Console, spectrum: Spectrum) -> None:
    parameters = spectrum.parameters
    residual, rule = parameters.get("sum_rule_residual_e"), str(parameters.get("sum_rule"))
    if residual is not None:
        after = {"mass": "0 after, by mass", "equal": "0 after, by equal shares"}.get(rule, "not corrected")
        console.item("sum rule", f"|ΣZ − Q|/N = {residual:.2e} e before (r.m.s.), {after}")
    drift = parameters.get("com_drift_ang_per_fs")
    if drift is not None:
        state = "removed" if rule in ("mass", "equal") else "left in"
        console.item("drift", f"center of mass {drift:.2e} Å/fs (r.m.s.), {state}")


def _corrections(console: Console, spectrum: Spectrum) -> None:
    """Print what was done to the spectrum beyond its definition, and why."""
    parameters = spectrum.parameters
    console.item("quantum", f"{parameters.get('quantum')}: {parameters.get('quantum_reason')}")
    if parameters.get("transfer_function_divided_out"):
        console.item(
            "velocities", f"{parameters['velocity_scheme']} differences; their damping is divided out"
        )
    if parameters.get("md_timestep_fs"):
        console.item(
            "time step", f"{parameters['md_timestep_fs']:g} fs of velocity Verlet: its shift is undone"
        )


def _peaks(console: Console, spectrum: Spectrum) -> None:
    peaks = spectrum.peaks
    if not peaks:
        console.item("peaks", "none stands out of the noise")
        return
    strongest = sorted(peaks, key=lambda peak: -peak.height)[:MAX_PEAKS]
    label = "peaks"
    for peak in sorted(strongest, key=lambda peak: peak.wavenumber_cm):
        console.item(
            label,
            f"{peak.wavenumber_cm:8.1f} ± {peak.wavenumber_err_cm:4.1f} cm⁻¹   "
            f"nα {peak.height:8.4g} ± {peak.err:.2g}{_model_error(spectrum, peak.wavenumber_cm)} cm⁻¹   "
            f"width {peak.width_cm:.1f} cm⁻¹{_natural(peak)}",
        )
        label = ""
    if len(peaks) > len(strongest):
        console.item("", f"and {len(peaks) - len(strongest)} weaker ones")


def _natural(peak: Peak) -> str:
    """Return the width without window and thermostat, in words."""
    return "" if peak.natural_width_cm is None else f" (natural {peak.natural_width_cm:.1f})"


def _sidebands(console: Console, spectrum: Spectrum) -> None:
    """Say what TO and LO are, and which maxima are called neither."""
    if spectrum.eps_inf is None:
        return
    from bec_md.spectrum.analysis.axes import shown_directions
    from bec_md.spectrum.analysis.bands import band_frequencies

    console.item("TO, LO", "TO: maxima of ε₂; LO: zeros of ε₁ and maxima of −Im(1/ε)")
    for direction in shown_directions(spectrum):
        found = band_frequencies(spectrum, direction)
        where = "" if found.direction == "isotropic" else f", along {found.direction}"
        if found.sidebands_cm:
            each = ", ".join(f"{v:.0f}" for v in found.sidebands_cm[:MAX_PEAKS])
            console.item(
                "", f"weak and broad maxima of ε₂, as of two phonons, not called TO: {each} cm⁻¹{where}"
            )


def _model_error(spectrum: Spectrum, wavenumber_cm: float) -> str:
    """Return the spread over the ensemble of networks at a wavenumber, in words."""
    if spectrum.model_err is None:
        return ""
    import numpy as np

    return f" ± {np.interp(wavenumber_cm, spectrum.wavenumber_cm, spectrum.model_err):.2g} (model)"


def show_preview(console: Console, spectrum: Spectrum) -> None:
    """Draw nα over the range that a figure shows."""
    import numpy as np

    from bec_md.plot.limits import visible_range_cm

    grid = spectrum.wavenumber_cm
    end = max(int(np.searchsorted(grid, visible_range_cm(spectrum)[1], side="right")), min(20, len(grid)))
    console.say()
    console.say(preview(grid[:end].tolist(), spectrum.n_alpha[:end].tolist()))
