"""Write spectra: CSV, JSON and HDF5 (opens with xarray)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from bec_md.arrays import Array
from bec_md.atomic import replacing, write_text
from bec_md.spectrum.quantities import tabulated
from bec_md.spreadsheet import header_row, inert_json

if TYPE_CHECKING:
    from bec_md.spectrum.spectrum import Spectrum

FORMAT = "bec-md spectrum 1"
_TENSOR_NAMES = [a + b for a in "xyz" for b in "xyz"]


def plain(value: Any) -> Any:
    """Value made of plain Python types, for JSON; NaN and infinity become None."""
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, str | int | bool) or value is None:
        return value
    return str(value)


def columns(spectrum: Spectrum, tensor: bool = False) -> dict[str, Array]:
    """Columns of the CSV file by name.

    Parameters
    ----------
    spectrum
        The spectrum.
    tensor
        Also the nine elements of ε₂ (and of Re ε with ε_∞) with errors of ε₂.
    """
    seen = spectrum.along()
    shown = tabulated(with_eps_inf=spectrum.eps_inf is not None)
    plain_ones = [q for q in shown if not q.needs_eps_inf]
    later = [q for q in shown if q.needs_eps_inf]
    table = {"wavenumber_cm": spectrum.wavenumber_cm}
    for q in plain_ones:
        table[q.column] = seen.get(q)
        if q.unit != "S/m":  # Re σ is nα in another unit
            table[f"{q.column}_err"] = seen.error(q)
    if spectrum.plain_n_alpha is not None:
        table["n_alpha_plain_cm"] = spectrum.plain_n_alpha.mean(axis=1)
    table |= {q.column: seen.get(q) for q in later}
    table |= {f"n_alpha_cm[{group}]": values for group, values in spectrum.partial_n_alpha.items()}
    table |= {f"{q.column}_err": seen.error(q) for q in later}
    table |= {f"n_alpha_cm_err[{group}]": values for group, values in spectrum.partial_n_alpha_err.items()}
    if spectrum.model_err is not None:
        for q in shown if spectrum.member_sigma is not None else shown[:1]:
            if q.unit != "S/m":
                table[f"{q.column}_model_err"] = np.asarray(seen.model_error(q))
                table[f"{q.column}_total_err"] = seen.total_error(q)
    if spectrum.parameters.get("optics"):
        from bec_md.spectrum.analysis.measured_optics import optics_columns

        table.update(optics_columns(spectrum))
    if tensor:
        table.update(_tensor_columns(spectrum))
    return table


def _tensor_columns(spectrum: Spectrum) -> dict[str, Array]:
    table = {}
    imag, imag_err, eps = spectrum.eps_imag_tensor, spectrum.eps_imag_tensor_err, spectrum.eps
    for number, name in enumerate(_TENSOR_NAMES):
        a, b = divmod(number, 3)
        table[f"eps_imag_{name}"] = imag[:, a, b]
    for number, name in enumerate(_TENSOR_NAMES):
        a, b = divmod(number, 3)
        table[f"eps_imag_{name}_err"] = imag_err[:, a, b]
        if eps is not None:
            table[f"eps_real_{name}"] = eps.real[:, a, b]
    return table


def csv_header(spectrum: Spectrum) -> list[str]:
    """Comment lines: formula, units, convention, parameters."""
    lines = [
        f"bec-md {spectrum.parameters.get('bec_md_version', '')} infrared spectrum",
        "formula: sigma_ab(w) = 1/(V kB T) int_0^inf exp(iwt) <J_a(t) J_b(0)> dt;"
        " n*alpha = Re sigma/(eps0 c); eps = eps_inf + i sigma/(eps0 w)",
        "units: wavenumber and alpha cm^-1, sigma S/m, others dimensionless; isotropic averages are trace/3",
        "_err: statistical standard error (one sigma); _model_err: calibrated spread over the model ensemble;"
        " _total_err: both in quadrature",
        f"temperature_k: {spectrum.temperature_k:g}",
        f"volume_ang3: {spectrum.volume_ang3:.8g}",
        f"eps_inf: {'none' if spectrum.eps_inf is None else spectrum.eps_inf.ravel().tolist()}",
    ]
    for name, value in spectrum.parameters.items():
        lines.append(f"{name}: {inert_json(plain(value))}")
    known = ("source", "model", "charges", "model_fingerprint", "fingerprint")
    lines += [f"{n}: {inert_json(plain(spectrum.metadata[n]))}" for n in known if n in spectrum.metadata]
    return lines


def write_csv(spectrum: Spectrum, path: str | Path, *, tensor: bool = False) -> None:
    """Write one row per frequency, with a comment header.

    Parameters
    ----------
    spectrum
        The spectrum.
    path
        File to write.
    tensor
        Also write all nine elements of ε₂.
    """
    with replacing(path) as partial, partial.open("w", encoding="utf-8") as out:
        write_table(spectrum, out, tensor=tensor)


def write_table(spectrum: Spectrum, out: TextIO, *, tensor: bool = False) -> None:
    """Write what `write_csv` writes to a text stream."""
    table = columns(spectrum, tensor)
    for line in csv_header(spectrum):
        out.write(f"# {line}\n")
    out.write(header_row(table))
    np.savetxt(out, np.column_stack(list(table.values())), fmt="%.8g", delimiter=",")


def summary(spectrum: Spectrum) -> dict[str, Any]:
    """Return the content of the JSON file."""
    p = spectrum.parameters
    names = (
        "n_atoms",
        "n_frames",
        "n_replicas",
        "timestep_fs",
        "resolution_cm",
        "nyquist_cm",
        "f_sum_ratio",
        "f_sum_error",
        "sum_rule_residual_e",
        "com_drift_ang_per_fs",
    )
    with_eps = spectrum.eps_inf is not None
    return {
        "temperature_k": spectrum.temperature_k,
        "volume_ang3": spectrum.volume_ang3,
        **{name: plain(p.get(name)) for name in names},
        "static_eps": plain(dict(spectrum.static)) if with_eps else None,
        "static_susceptibility": None if with_eps else plain(dict(spectrum.static)),
        "static_average_err": plain(p.get("static_average_err")),
        "eps_inf": plain(spectrum.eps_inf),
        "sigma_dc_s_per_m": plain(p.get("sigma_dc_s_per_m")),
        "sigma_dc_err_s_per_m": plain(p.get("sigma_dc_err_s_per_m")),
        "sigma_dc_einstein_s_per_m": plain(p.get("sigma_dc_einstein_s_per_m")),
        "sigma_dc_einstein_err_s_per_m": plain(p.get("sigma_dc_einstein_err_s_per_m")),
        "model": plain(spectrum.metadata.get("model")),
        "warnings": [f"{c.name}: {c.meaning}. {c.advice}" for c in spectrum.quality.warnings]
        + [str(w) for w in spectrum.metadata.get("warnings", ())],
        "bands": _bands(spectrum),
        "optics": _optics(spectrum),
        "fit": plain(p.get("fit")),
        "compare_charges": plain(p.get("compare_charges")),
        "peaks": [peak.to_dict() for peak in spectrum.peaks],
        "quality": plain(spectrum.quality.to_list()),
        "parameters": plain(dict(p)),
        "metadata": plain(dict(spectrum.metadata)),
    }


def _bands(spectrum: Spectrum) -> list[dict[str, Any]] | None:
    """TO and LO frequencies per direction, with ε_∞."""
    from bec_md.spectrum.analysis.bands import DIRECTIONS, all_band_frequencies

    if spectrum.eps_inf is None:
        return None
    further = (spectrum.parameters.get("optics") or {}).get("directions", ())
    directions = dict.fromkeys((*DIRECTIONS, *further))
    return [plain(found.to_dict()) for found in all_band_frequencies(spectrum, list(directions))]


def _optics(spectrum: Spectrum) -> dict[str, Any] | None:
    """Return what was asked for beyond the usual functions, with the highest values."""
    if not spectrum.parameters.get("optics"):
        return None
    from bec_md.spectrum.analysis.measured_optics import optics_summary

    found: dict[str, Any] | None = plain(optics_summary(spectrum))
    return found


def write_json(spectrum: Spectrum, path: str | Path) -> None:
    """Write the summary as JSON."""
    text = json.dumps(summary(spectrum), indent=2, ensure_ascii=False)
    write_text(path, text + "\n")
