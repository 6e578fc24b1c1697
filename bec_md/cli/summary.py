"""What is said after the work: the self-checks, the peaks, the warnings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bec_md.cli.announce import show_volume
from bec_md.cli.console import Console
from bec_md.cli.preview import preview
from bec_md.cli.symmetry import show_symmetry

if TYPE_CHECKING:
    from bec_md.current.series import CurrentSeries
    from bec_md.spectrum import Peak, Spectrum

MAX_PEAKS = 12


def summarize(console: Console, spectrum: Spectrum, series: Sequence[CurrentSeries] = ()) -> None:
    """Print the self-checks and the peaks of a spectrum."""
    console.say()
    _temperature(console, spectrum, series)
    for item in series:
        show_volume(console, item)
    _sums(console, spectrum)
    show_symmetry(console, spectrum)
    _corrections(console, spectrum)
    _interpolation(console, series)
    _statics(console, spectrum)
    _peaks(console, spectrum)
    _bands(console, spectrum)
    _optics(console, spectrum)
    _fit(console, spectrum)
    for check in spectrum.quality.warnings:
        word = "FAILED" if check.status == "fail" else "doubtful"
        console.warn(
            f"check {check.name} {word}: {_value(check.value)} (accepted: {check.threshold})\n"
            f"  why: {check.meaning}\n  fix: {check.advice}"
        )


def _value(value: float | tuple[float, ...] | None) -> str:
    if value is None:
        return "unknown"
    return ", ".join(f"{v:.3g}" for v in (value if isinstance(value, tuple) else (value,)))


def _temperature(console: Console, spectrum: Spectrum, series: Sequence[CurrentSeries]) -> None:
    source = spectrum.parameters.get("temperature_source", "")
    text = f"{spectrum.temperature_k:.1f} K ({source})"
    for number, item in enumerate(series[:4], start=1):
        constraints = int(spectrum.parameters.get("constraints") or 0)
        kinetic = item.kinetic_temperature(constraints)
        if kinetic is not None and item.scheme == "velocity":
            each = ", ".join(f"{g} {t:.1f}" for g, t in zip(item.groups[:8], kinetic[1], strict=False))
            of = "" if len(series) == 1 else f" of run {number}"
            text += (
                f"; kinetic{of}: {kinetic[0]:.1f} K ({f'{constraints} constraints' if constraints else each})"
            )
    console.item("temperature", text)


def _sums(console: Console, spectrum: Spectrum) -> None:
    parameters = spectrum.parameters
    ratio = parameters.get("f_sum_ratio")
    if ratio is None:
        console.item("f-sum", "unknown: a bare J(t) does not carry ΣZZᵀ/m")
    else:
        error = parameters.get("f_sum_error") or [0.0, 0.0, 0.0]
        text = "  ".join(f"{a} {v:.3f} ± {e:.2g}" for a, v, e in zip("xyz", ratio, error, strict=True))
        console.item("f-sum", f"{text}  (measured over exact; 1 if units, masses, time step and T are right)")
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


def _interpolation(console: Console, series: Sequence[CurrentSeries]) -> None:
    for item in series:
        charge, current = item.charge_interpolation_error_e, item.current_interpolation_error
        if charge is not None and current is not None:
            console.item(
                "stride",
                f"between evaluated frames the charges are off by {charge:.2g} e (r.m.s.), J by "
                f"{100 * current:.2g} %",
            )


def _statics(console: Console, spectrum: Spectrum) -> None:
    static = spectrum.static
    if "fluctuation" in static and spectrum.quality["static"].status in ("ok", "warn"):
        routes = {"fluctuation": "⟨δM²⟩", "kramers_kronig": "∫ε₂/ω"}
        source = spectrum.parameters.get("static_source") or "fluctuation"
        texts = []
        for route in sorted(routes, key=lambda name: name != source):  # the one to be used comes first
            value = float(static[route].trace()) / 3
            known = static.get(f"{route}_err")
            error = "" if known is None else f" ± {float((known.diagonal() ** 2).sum() ** 0.5) / 3:.2g}"
            texts.append(f"{value:.4g}{error} from {routes[route]}")
        name = "ε(0)" if spectrum.eps_inf is not None else "ε(0) − ε_∞"
        console.item("static", f"{name} = " + ", ".join(texts))
        reason = spectrum.parameters.get("dipole_reason")
        if reason:
            bound = " (a lower bound)" if spectrum.parameters.get("dipole") == "wanders" else ""
            console.item("", f"the first is ε(0){bound}, and no σ_dc is given: {reason}")
    dc, dc_error = (spectrum.parameters.get(f"sigma_dc{part}_s_per_m") for part in ("", "_err"))
    if dc is not None and dc_error is not None and dc > 5 * dc_error:
        text = f"{dc:.3g} ± {dc_error:.2g} S/m (cepstral)"
        slope, slope_error = (
            spectrum.parameters.get(f"sigma_dc_einstein{part}_s_per_m") for part in ("", "_err")
        )
        if slope is not None and slope_error is not None:
            text += f", {slope:.3g} ± {slope_error:.2g} (Einstein–Helfand)"
        if spectrum.parameters.get("subtract_dc"):
            text += "; left out of ε"
        console.item("σ_dc", text)


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
    friction = spectrum.parameters.get("thermostat_broadening_cm")
    if friction is not None:
        console.item(
            "", f"the thermostat broadens every band by {friction:.2f} cm⁻¹: taken off the natural widths"
        )


def _natural(peak: Peak) -> str:
    """Return the width without window and thermostat, in words."""
    return "" if peak.natural_width_cm is None else f" (natural {peak.natural_width_cm:.1f})"


def _bands(console: Console, spectrum: Spectrum) -> None:
    """Print TO and LO frequencies, averaged and along the directions that were asked for or that differ."""
    if spectrum.eps_inf is None:
        return
    from bec_md.spectrum.analysis.axes import distinct_directions
    from bec_md.spectrum.analysis.bands import band_frequencies

    wanted = (spectrum.parameters.get("optics") or {}).get("directions") or ()
    directions = [*wanted] or list(distinct_directions(spectrum))
    for direction in directions:
        found = band_frequencies(spectrum, direction)
        where = "" if found.direction == "isotropic" else f", along {found.direction}"
        for label, name, values, errors in (
            ("TO", "maxima of ε₂", found.to_cm, found.to_err_cm),
            ("LO", "zeros of ε₁, maxima of −Im(1/ε)", found.lo_cm, found.lo_err_cm),
        ):
            each = ", ".join(f"{v:.1f} ± {e:.1f}" for v, e in zip(values[:MAX_PEAKS], errors, strict=False))
            console.item(label, f"{each} cm⁻¹ ({name}{where})" if each else f"no significant {name}{where}")
        if found.sidebands_cm:
            each = ", ".join(f"{v:.0f}" for v in found.sidebands_cm[:MAX_PEAKS])
            console.item(
                "", f"weak and broad maxima of ε₂, as of two phonons, not called TO: {each} cm⁻¹{where}"
            )


def _optics(console: Console, spectrum: Spectrum) -> None:
    """Print where the reflectances that were asked for are highest; the curves are in the files."""
    if not spectrum.parameters.get("optics"):
        return
    from bec_md.spectrum.analysis.measured_optics import optics_summary

    found = optics_summary(spectrum) or {}
    label = "optics"
    for name, top in found.get("extremes", {}).items():
        if "[along" not in name:
            words = name.removesuffix("_cm").replace("_", " ")
            unit = " cm⁻¹" if name.endswith("_cm") else ""
            bound = "at least" if top["kind"] == "min" else "at most"
            value = f"{top['value']:.4g} ± {top['err']:.2g}{unit}"
            console.item(label, f"{words}: {bound} {value}, at {top['at_cm']:.1f} cm⁻¹")
            label = ""


def _fit(console: Console, spectrum: Spectrum) -> None:
    """Print fitted bands, direction by direction."""
    fit = spectrum.parameters.get("fit")
    if not fit:
        return
    model = fit["model"].replace("_", "-")
    for one in fit["directions"]:
        where = "" if one["direction"] == "isotropic" else f" along {one['direction']}"
        console.item(
            "fit", f"{model}{where}, cm⁻¹; χ² {one['chi2_reduced']:.2f} (about 1 or less if they fit)"
        )
        for band in fit["bands"]:
            if band["direction"] == one["direction"]:
                console.item("", _band_words(band))


def _band_words(band: dict[str, Any]) -> str:
    """Return the parameters of one fitted band with errors."""
    names = [name for name in band if f"{name}_err" in band]
    words = {"position_cm": "at", "width_cm": "width", "strength": "Δε", "to_cm": "TO", "lo_cm": "LO"}
    words |= {"to_width_cm": "width", "lo_width_cm": "width"}
    return "   ".join(
        f"{words.get(name, name)} {band[name]:.4g} ± {band[name + '_err']:.2g}" for name in names
    )


def _model_error(spectrum: Spectrum, wavenumber_cm: float) -> str:
    """Return the spread over the ensemble of networks at a wavenumber, in words."""
    if spectrum.model_err is None:
        return ""
    import numpy as np

    return f" ± {np.interp(wavenumber_cm, spectrum.wavenumber_cm, spectrum.model_err):.2g} (model)"


def show_preview(console: Console, spectrum: Spectrum) -> None:
    """Draw nα up to where it falls below 1 % of its maximum."""
    import numpy as np

    values = spectrum.n_alpha
    visible = np.flatnonzero(values > 0.01 * values.max())
    end = min(max(int(1.15 * visible[-1]) if visible.size else 0, 20), len(values))
    console.say()
    console.say(preview(spectrum.wavenumber_cm[:end].tolist(), values[:end].tolist()))
