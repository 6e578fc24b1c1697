"""The comparison as a table."""

from __future__ import annotations

from bec_md.compare.comparison import Comparison
from bec_md.compare.curve import words_of

_WORDS = {
    "intensity": "A = s·B",
    "stretch": "A(ν) = s·B(ν/f)",
    "shift": "A(ν) = s·B(ν − d)",
}


def to_text(found: Comparison) -> str:
    """Return the comparison as text, one line per number."""
    grid = found.pair.wavenumber_cm
    lines = [
        f"A            {found.a}",
        f"B            {found.b}",
        f"quantity     {words_of(found.quantity)}, {grid[0]:.5g} … {grid[-1]:.5g} cm⁻¹"
        + (f", resolution {found.pair.resolution_cm:g} cm⁻¹" if found.pair.resolution_cm else ""),
    ]
    lines += [f"             {note}" for note in found.notes]
    if found.chi2_reduced is not None and found.p_value is not None:
        lines.append(
            f"significance reduced χ² {found.chi2_reduced:.4g} over {found.n_independent:.0f} independent "
            f"points, p = {found.p_value:.3g}"
        )
    lines.append(f"             {found.verdict}")
    error = "" if found.ratio_err is None else f" ± {found.ratio_err:.2g}"
    lines.append(f"integral     ∫A/∫B = {found.ratio:.4f}{error}")
    for fit in found.fits:
        text = f"s = {fit.scale:.4f} ± {fit.scale_err:.2g}"
        if fit.kind == "stretch":
            text += f", f = {fit.frequency:.5f} ± {fit.frequency_err:.2g}"
        if fit.kind == "shift":
            text += f", d = {fit.frequency:+.2f} ± {fit.frequency_err:.2g} cm⁻¹"
        if fit.chi2_reduced is not None:
            text += f", reduced χ² {fit.chi2_reduced:.3g}"
        lines.append(f"fit          {_WORDS[fit.kind]:<18} {text}")
    if found.peaks:
        lines.append(f"peaks        {'A (cm⁻¹)':>9} {'B (cm⁻¹)':>9} {'A − B':>8} {'height A/B':>11}")
        for a, b, height in found.peaks:
            lines.append(f"             {a:>9.1f} {b:>9.1f} {a - b:>+8.1f} {height:>11.3f}")
    return "\n".join(lines)
