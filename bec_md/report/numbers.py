"""The numbers of a report: key facts, peaks, shares of groups, static values, parameters."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from pathlib import PurePath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.arrays import Array
from bec_md.plot.quality import number_text

if TYPE_CHECKING:
    from bec_md.spectrum.spectrum import Spectrum


MAX_PEAKS = 20

#: A space where no line is broken.
_FIXED = "\N{NO-BREAK SPACE}"

#: Parameters for people, in this order: name → (label, unit).
_PARAMETERS = {
    "estimator": ("Estimator", ""),
    "window": ("Lag window", ""),
    "resolution_cm": ("Resolution (full width at half maximum)", "cm⁻¹"),
    "equivalent_noise_bandwidth_cm": ("Equivalent noise bandwidth", "cm⁻¹"),
    "lag_window_span_fs": ("Span of the lag window", "fs"),
    "sum_rule": ("Acoustic sum rule restored by", ""),
    "velocity_scheme": ("Velocities", ""),
    "transfer_function_divided_out": ("Finite-difference damping divided out", ""),
    "md_timestep_fs": ("Verlet shift undone, time step", "fs"),
    "quantum": ("Quantum correction", ""),
    "quantum_reason": ("", ""),
    "subtract_dc": ("DC conductivity subtracted from ε", ""),
    "timestep_fs": ("Time between frames", "fs"),
    "n_frames": ("Frames", ""),
    "n_replicas": ("Replicas", ""),
    "total_time_ps": ("Total length", "ps"),
    "nyquist_cm": ("Nyquist wavenumber", "cm⁻¹"),
    "max_cm": ("Highest wavenumber written", "cm⁻¹"),
    "kinetic_temperature_k": ("Kinetic temperature", "K"),
    "com_drift_ang_per_fs": ("Drift of the center of mass (r.m.s.)", "Å/fs"),
    "sum_rule_residual_e": ("|ΣZ − Q|/N before correction (r.m.s.)", "e"),
    "bec_md_version": ("bec-md", ""),
}

_WORDS = {
    ("velocity_scheme", "velocity"): "stored with the positions",
    ("velocity_scheme", "midpoint"): "differences of neighboring frames, at the half step",
    ("velocity_scheme", "central"): "central differences of positions",
    ("estimator", "lag"): "lag window",
    ("window", "gaussian"): "Gaussian",
    ("sum_rule", "mass"): "mass",
    ("sum_rule", "equal"): "equal shares",
    ("sum_rule", "none"): "not restored",
}

_METADATA = {
    "source": "Input",
    "charges": "Born effective charges from",
    "model": "Model",
    "model_chosen": "Model chosen because",
    "model_hash": "Hash of the model",
    "input_hash": "Hash of the input",
    "command": "Command that made the current",
    "version": "bec-md that made the current",
    "warnings": "Warnings about the input",
}


def with_error(value: float, error: float, unit: str = "") -> str:
    """Return value ± error, both to two figures of the error.

    Parameters
    ----------
    value, error
        Number and its standard error.
    unit
        Appended after a space.
    """
    tail = f" {unit}" if unit else ""
    if not np.isfinite(error) or error <= 0.0:
        return f"{value:.4g}".replace("-", "−") + tail
    digits = 1 - int(np.floor(np.log10(error)))
    if digits >= 0:
        text = f"{value:.{digits}f} ± {error:.{digits}f}"
    else:
        text = f"{round(value, digits):.0f} ± {round(error, digits):.0f}"
    return text.replace("-", "−") + tail


def key_facts(spectrum: Spectrum) -> dict[str, str]:
    """Return what a reader looks for first."""
    p = spectrum.parameters
    facts = {"Temperature": f"{spectrum.temperature_k:.4g} K", "Volume": f"{spectrum.volume_ang3:.5g} Å³"}
    if p.get("n_atoms"):
        facts["Atoms"] = f"{p['n_atoms']}"
    if p.get("total_time_ps"):
        replicas = int(p.get("n_replicas") or 1)
        facts["Length"] = f"{p['total_time_ps']:.4g} ps" + (f", {replicas} replicas" if replicas > 1 else "")
    if p.get("timestep_fs"):
        facts["Frame every"] = f"{p['timestep_fs']:.4g} fs"
    if p.get("resolution_cm"):
        facts["Resolution"] = f"{p['resolution_cm']:.3g} cm⁻¹"
    peak = int(np.argmax(spectrum.n_alpha))
    facts["Error at the highest peak"] = (
        f"{100.0 * spectrum.n_alpha_err[peak] / max(spectrum.n_alpha[peak], 1e-300):.2g} %"
    )
    if p.get("f_sum_ratio") is not None:
        errors = p.get("f_sum_error") or (0.0, 0.0, 0.0)
        pairs = zip(p["f_sum_ratio"], errors, strict=True)
        facts["f-sum x, y, z, measured over exact"] = ", ".join(
            with_error(value, error).replace(" ", _FIXED) for value, error in pairs
        )
    return facts


def peak_rows(spectrum: Spectrum) -> list[tuple[str, str, str, str]]:
    """Return position, height, width and natural width of the strongest peaks, by wavenumber."""
    strongest = sorted(spectrum.peaks, key=lambda peak: -peak.height)[:MAX_PEAKS]
    return [
        (
            with_error(peak.wavenumber_cm, peak.wavenumber_err_cm),
            with_error(peak.height, peak.err) + _model_part(spectrum, peak.wavenumber_cm),
            f"{peak.width_cm:.1f}",
            "–" if peak.natural_width_cm is None else f"{peak.natural_width_cm:.1f}",
        )
        for peak in sorted(strongest, key=lambda peak: peak.wavenumber_cm)
    ]


def _model_part(spectrum: Spectrum, wavenumber_cm: float) -> str:
    """Error of nα by the model of the charges at a wavenumber, to two figures; empty if unknown."""
    if spectrum.model_err is None:
        return ""
    error = float(np.interp(wavenumber_cm, spectrum.wavenumber_cm, spectrum.model_err))
    digits = 1 - math.floor(math.log10(error)) if error > 0.0 else 0
    return f" ± {round(error, digits):.{max(digits, 0)}f} (model)"


def band_rows(spectrum: Spectrum) -> list[tuple[str, str, str]]:
    """Return TO and LO frequencies of the average and of x, y, z; empty without ε_∞."""
    if spectrum.eps_inf is None:
        return []
    from bec_md.spectrum.analysis.bands import all_band_frequencies

    return [
        (
            "average" if bands.direction == "isotropic" else bands.direction,
            _positions(bands.to_cm, bands.to_err_cm),
            _positions(bands.lo_cm, bands.lo_err_cm),
        )
        for bands in all_band_frequencies(spectrum)
    ]


def _positions(values: tuple[float, ...], errors: tuple[float, ...]) -> str:
    pairs = zip(values, errors, strict=True)
    texts = (f"{value:.1f} ± {error:.1f}".replace(" ", _FIXED) for value, error in pairs)
    return ", ".join(texts) or "–"


def group_rows(spectrum: Spectrum) -> list[tuple[str, str, str, str]]:
    """Return integral, share, and negative part of ∫nα dν̃ of every group, then of the total."""
    total = integral(spectrum.wavenumber_cm, spectrum.n_alpha)
    rows = []
    for name, values in spectrum.partial_n_alpha.items():
        whole = integral(spectrum.wavenumber_cm, values)
        negative = integral(spectrum.wavenumber_cm, np.clip(values, None, 0.0))
        rows.append((name, number_text(whole, 4), _percent(whole / total), _percent(negative / total)))
    return [*rows, ("total", number_text(total, 4), _percent(1.0), _percent(0.0))]


def integral(wavenumber_cm: Array, values: Array) -> float:
    """∫ values dν̃ from zero by the trapezoidal rule; values are even in ν̃: constant below the first point."""
    return float(np.trapezoid(values, wavenumber_cm) + values[0] * wavenumber_cm[0])


def static_rows(spectrum: Spectrum) -> list[tuple[str, str, str, str, str]]:
    """Return ε_∞, ε(0) by two routes and σ_dc: average, then xx, yy, zz."""
    rows = []
    symbol = "ε(0)" if spectrum.eps_inf is not None else "ε(0) − ε_∞"
    if spectrum.eps_inf is not None:
        rows.append(_tensor_row("ε_∞", spectrum.eps_inf, None))
    insulator = "static" not in spectrum.quality or spectrum.quality["static"].status != "unknown"
    if "fluctuation" in spectrum.static and insulator:
        source = spectrum.parameters.get("static_source") or "fluctuation"
        routes = {"fluctuation": "⟨δM²⟩", "kramers_kronig": "∫ε₂/ω dω"}
        for route in sorted(routes, key=lambda name: name != source):  # the one to be used comes first
            error = spectrum.static.get(f"{route}_err")
            average = spectrum.static_average_err(route)
            rows.append(_tensor_row(f"{symbol} from {routes[route]}", spectrum.static[route], error, average))
    if spectrum.sigma_dc is not None and spectrum.sigma_dc_err is not None:
        error, of_mean = spectrum.sigma_dc_err, spectrum.parameters.get("sigma_dc_err_s_per_m")
        rows.append(_tensor_row("σ_dc (S/m), cepstral", spectrum.sigma_dc, error, of_mean))
    return rows


def parameter_items(spectrum: Spectrum) -> dict[str, Any]:
    """Return the parameters by label, unit included."""
    from bec_md.report.page import value_text

    p = spectrum.parameters
    items: dict[str, Any] = {
        "Temperature": f"{spectrum.temperature_k:.6g} K ({p.get('temperature_source', 'given')})",
        "Volume": f"{spectrum.volume_ang3:.8g} Å³",
        "ε_∞": _tensor_text(spectrum.eps_inf),
    }
    for name, (label, unit) in _PARAMETERS.items():
        value = p.get(name)
        if value is None:
            continue
        text = value_text(_WORDS.get((name, str(value)), value)) + (f" {unit}" if unit else "")
        if not label:  # a remark on the entry before
            last = next(reversed(items))
            items[last] = f"{items[last]} ({text})"
        else:
            items[label] = text
    return items


def provenance_items(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return where the data come from; folders of the author's machine are left out."""
    return {
        label: _provenance(name, metadata[name])
        for name, label in _METADATA.items()
        if metadata.get(name) not in (None, "", [])
    }


def _provenance(name: str, value: Any) -> Any:
    if name == "warnings":
        return "; ".join(str(text) for text in value)
    return without_folders(value) if name in ("source", "command") else value


def without_folders(value: Any) -> Any:
    """Return file names for absolute paths, alone, in lists or in a command line."""
    if isinstance(value, list | tuple):
        return [without_folders(item) for item in value]
    if not isinstance(value, str):
        return value
    try:
        words = shlex.split(value)
    except ValueError:
        words = value.split()
    return " ".join(_file_name(word) for word in words)


def _file_name(word: str) -> str:
    for kind in (PurePath, PureWindowsPath):
        path = kind(word)
        if path.is_absolute() or word.startswith("~"):
            return path.name
    return word


def _tensor_row(
    name: str, tensor: Array, error: Array | None, average_err: float | None = None
) -> tuple[str, str, str, str, str]:
    diagonal = np.diag(tensor)
    errors = np.zeros(3) if error is None else np.diag(error)
    mean = with_error(
        float(diagonal.mean()), float(np.linalg.norm(errors)) / 3.0 if average_err is None else average_err
    )
    x, y, z = (with_error(float(v), float(e)) for v, e in zip(diagonal, errors, strict=True))
    return name, mean, x, y, z


def _tensor_text(tensor: Array | None) -> str:
    """One number if isotropic, three if diagonal, else nine in rows."""
    if tensor is None:
        return "not given"
    diagonal = np.diag(tensor)
    small = 5e-4 * float(diagonal.mean())  # below the figures that are shown
    if np.allclose(tensor, diagonal[0] * np.eye(3), rtol=0.0, atol=1e-9):
        return f"{diagonal[0]:.6g}"
    if np.allclose(tensor, np.diag(diagonal), rtol=0.0, atol=small):
        return "xx, yy, zz: " + ", ".join(f"{v:.5g}" for v in diagonal)
    return "; ".join(", ".join(f"{v:.5g}".replace("-", "−") for v in row) for row in tensor)


def _percent(part: float) -> str:
    return f"{100.0 * part:.1f} %".replace("-0.0", "0.0").replace("-", "−")
