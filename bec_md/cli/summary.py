"""What is said after the work, on one screen: conditions, peaks, TO and LO, checks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bec_md.cli.announce import show_volume
from bec_md.cli.console import Console, concise
from bec_md.cli.details import show_details, show_preview
from bec_md.cli.symmetry import show_control_variates, show_symmetry

if TYPE_CHECKING:
    from bec_md.current.series import CurrentSeries
    from bec_md.spectrum import Spectrum

MAX_BANDS = 12
_MARKS = {"ok": "✓", "warn": "!", "fail": "✗", "unknown": "?"}
_WORDS = {"ok": "passed", "warn": "doubtful", "fail": "FAILED", "unknown": "not known"}


def summarize(
    console: Console, spectrum: Spectrum, series: Sequence[CurrentSeries] = (), *, preview: bool = False
) -> None:
    """Print what a spectrum says; with a verbose console everything, and with `preview` a drawing.

    Numbers in parentheses are standard errors of the last digits.
    """
    console.say()
    source = spectrum.parameters.get("temperature_source", "")
    console.item("temperature", f"{spectrum.temperature_k:.1f} K ({source})")
    for item in series:
        show_volume(console, item)
    _electronic(console, spectrum, series)
    _statics(console, spectrum)
    show_symmetry(console, spectrum)
    show_control_variates(console, spectrum)
    _chosen(console, spectrum)
    _interpolation(console, series)
    _peaks(console, spectrum)
    _bands(console, spectrum)
    _optics(console, spectrum)
    _fit(console, spectrum)
    _f_sum(console, spectrum)
    _lights(console, spectrum)
    if console.verbose:
        show_details(console, spectrum, series)
        if preview:
            show_preview(console, spectrum)
    for check in spectrum.quality.warnings:
        word = "FAILED" if check.status == "fail" else "doubtful"
        console.warn(
            f"check {check.name} {word}: {_value(check.value)} (accepted: {check.threshold})\n"
            f"  why: {check.meaning}\n  fix: {check.advice}"
        )


def _electronic(console: Console, spectrum: Spectrum, series: Sequence[CurrentSeries]) -> None:
    """Print ε_∞ and where it comes from."""
    if spectrum.eps_inf is None:
        predicted = bool(series) and all(item.eps_inf is not None for item in series)
        way = "--eps-inf model takes the prediction" if predicted else "--eps-inf takes numbers"
        console.item("ε∞", f"not given, hence no ε, n, R and LO; {way}")
        return
    source = spectrum.parameters.get("eps_inf_source") or "given"
    axes = [f"{value:.4g}" for value in spectrum.eps_inf.diagonal()]
    text = axes[0] if len(set(axes)) == 1 else f"{', '.join(axes)} along x, y, z"
    console.item("ε∞", f"{text} ({source})")


def _chosen(console: Console, spectrum: Spectrum) -> None:
    """Print a quantum correction other than the usual one."""
    quantum = spectrum.parameters.get("quantum")
    if quantum not in (None, "harmonic"):
        console.item("quantum", f"{quantum}: {spectrum.parameters.get('quantum_reason')}")


def _peaks(console: Console, spectrum: Spectrum) -> None:
    peaks = spectrum.peaks
    if not peaks:
        console.item("peaks", "none stands out of the noise")
        return
    strongest = sorted(peaks, key=lambda peak: -peak.height)
    shown = sorted(strongest[:MAX_BANDS], key=lambda peak: peak.wavenumber_cm)
    each = ", ".join(concise(peak.wavenumber_cm, peak.wavenumber_err_cm) for peak in shown)
    rest = len(peaks) - len(shown)
    top = strongest[0]
    console.item(
        "peaks",
        f"{each} cm⁻¹{f' and {rest} weaker ones' if rest else ''}; the strongest, at "
        f"{top.wavenumber_cm:.0f}: nα = {top.height:.3g} ± {top.err:.2g} cm⁻¹",
    )
    friction = spectrum.parameters.get("thermostat_broadening_cm")
    if friction is not None:
        console.item(
            "", f"the thermostat broadens every band by {friction:.2f} cm⁻¹: taken off the natural widths"
        )


def _bands(console: Console, spectrum: Spectrum) -> None:
    """Print TO and LO frequencies along the axes, those merged that the crystal makes equal."""
    if spectrum.eps_inf is None:
        return
    from bec_md.spectrum.analysis.axes import shown_directions
    from bec_md.spectrum.analysis.bands import band_frequencies

    for direction in shown_directions(spectrum):
        found = band_frequencies(spectrum, direction)
        along = found.direction
        short = len(along) <= len("xyz")
        for name, values, errors in (
            ("TO", found.to_cm, found.to_err_cm),
            ("LO", found.lo_cm, found.lo_err_cm),
        ):
            each = ", ".join(concise(v, e) for v, e in zip(values[:MAX_BANDS], errors, strict=False))
            text = f"{each} cm⁻¹" if each else "none is significant"
            where = "" if short or along == "isotropic" else f"along {along}: "
            console.item(f"{name} {along}" if short else name, where + text)
    known = spectrum.parameters.get("principal_axes")
    if known is not None:
        console.detail("", f"axes merged by the point group {known['point_group']}, {known['source']}")


def _statics(console: Console, spectrum: Spectrum) -> None:
    static = spectrum.static
    if "fluctuation" in static and spectrum.quality["static"].status in ("ok", "warn"):
        routes = {"fluctuation": "⟨δM²⟩", "kramers_kronig": "∫ε₂/ω"}
        source = spectrum.parameters.get("static_source") or "fluctuation"
        texts = []
        for route in sorted(routes, key=lambda name: name != source):  # the one to be used comes first
            value = float(static[route].trace()) / 3
            known = f"{route}_err" in static
            error = f" ± {spectrum.static_average_err(route):.2g}" if known else ""
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


def _f_sum(console: Console, spectrum: Spectrum) -> None:
    ratio = spectrum.parameters.get("f_sum_ratio")
    if ratio is None:
        console.item("f-sum", "unknown: a bare J(t) does not carry ΣZZᵀ/m")
        return
    error = spectrum.parameters.get("f_sum_error") or [0.0, 0.0, 0.0]
    text = "  ".join(f"{a} {v:.3f} ± {e:.2g}" for a, v, e in zip("xyz", ratio, error, strict=True))
    console.item("f-sum", f"{text}  (measured/exact)")


def _lights(console: Console, spectrum: Spectrum) -> None:
    """Print how many checks passed, and the names of the others."""
    each = []
    for status, mark in _MARKS.items():
        names = [check.name for check in spectrum.quality if check.status == status]
        if names:
            said = str(len(names)) if status == "ok" else ", ".join(names)
            each.append(f"{mark} {said} {_WORDS[status]}")
    console.item("checks", "   ".join(each))


def _value(value: float | tuple[float, ...] | None) -> str:
    if value is None:
        return "unknown"
    return ", ".join(f"{v:.3g}" for v in (value if isinstance(value, tuple) else (value,)))


def _interpolation(console: Console, series: Sequence[CurrentSeries]) -> None:
    for item in series:
        charge, current = item.charge_interpolation_error_e, item.current_interpolation_error
        if charge is not None and current is not None:
            console.item(
                "stride",
                f"between evaluated frames the charges are off by {charge:.2g} e (r.m.s.), J by "
                f"{100 * current:.2g} %",
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
    hidden = {n for n in names if n.endswith("width_cm") and band[n] < 1e-3 * band[f"{n}_err"] < math.inf}
    shown = {name: 0.0 if name in hidden else band[name] for name in names}  # not 1e-25 ± 26
    return "   ".join(
        f"{words.get(name, name)} {value:.4g} ± {band[name + '_err']:.2g}" for name, value in shown.items()
    )
