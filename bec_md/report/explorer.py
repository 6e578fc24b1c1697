"""The part of a report that moves: values under the pointer, a range to drag, numbers to take away."""

from __future__ import annotations

import base64
import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.current.provenance import first_source
from bec_md.report.page import piece

if TYPE_CHECKING:
    from bec_md.arrays import Array
    from bec_md.spectrum.spectrum import Spectrum

SCRIPT = Path(__file__).with_name("explorer.js")

#: Quantities in the order of the list, with their names there.
_NAMES = {
    "n_alpha": "absorption nα",
    "eps_real": "real part ε₁",
    "eps_imag": "imaginary part ε₂",
    "n": "refractive index n",
    "kappa": "extinction coefficient κ",
    "reflectivity": "reflectivity R",
    "loss": "loss function −Im(1/ε)",
}
_SYMBOLS = {"n_alpha": "nα", "eps_real": "ε₁", "eps_imag": "ε₂", "kappa": "κ", "reflectivity": "R"}


def script() -> str:
    """Return the script of the page."""
    return SCRIPT.read_text(encoding="utf-8")


def content_policy() -> str:
    """Return what the page may do: run this script and no other, and load nothing."""
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def explorer(shown: Spectrum) -> str:
    """Return the chart, which appears where scripts run, and the link to its numbers (HTML).

    Parameters
    ----------
    shown
        The spectrum on the grid and over the range of the figures.
    """
    data = {"x": _numbers(shown.wavenumber_cm), "curves": _curves(shown)}
    source = Path(first_source(shown.metadata) or "spectrum").name.split(".")[0]
    return piece("explorer", data, source, base64.b64encode(_table(shown).encode()).decode())


def _curves(shown: Spectrum) -> list[dict[str, Any]]:
    """Isotropic quantities with errors, nα along the axes, nα of groups."""
    resolution = float(shown.parameters.get("resolution_cm") or 0.0)
    names = [name for name in _NAMES if shown.eps_inf is not None or name in ("n_alpha", "eps_imag")]
    curves = [
        _curve(
            _NAMES[name],
            _SYMBOLS.get(name, name),
            shown.get(name),
            shown.error(name),
            unit="cm⁻¹" if name == "n_alpha" else "",
            start=0.0 if name == "n_alpha" else resolution,
        )
        for name in names
    ]
    curves += [
        _curve(
            f"nα along {a}", f"nα along {a}", shown.get("n_alpha", along=a), shown.error("n_alpha", along=a)
        )
        for a in "xyz"
    ]
    curves += [
        _curve(f"nα of {name}", f"nα of {name}", values, shown.partial_n_alpha_err.get(name))
        for name, values in shown.partial_n_alpha.items()
    ]
    return curves


def _curve(
    label: str, name: str, values: Array, errors: Array | None, unit: str = "cm⁻¹", start: float = 0.0
) -> dict[str, Any]:
    """One curve as plain values; it is drawn from `start` on, where 1/ω has a meaning."""
    found: dict[str, Any] = {"label": label, "name": name, "unit": unit, "from": start, "y": _numbers(values)}
    return found if errors is None else {**found, "e": _numbers(errors, 3)}


def _numbers(values: Array, digits: int = 5) -> list[float | None]:
    return [float(f"{v:.{digits}g}") if np.isfinite(v) else None for v in values.tolist()]


def _table(shown: Spectrum) -> str:
    """The table of `Spectrum.to_csv`, which is a file in the page itself."""
    from bec_md.spectrum.output import write_table

    stream = io.StringIO()
    write_table(shown, stream)
    return stream.getvalue()
