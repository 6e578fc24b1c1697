r"""A function of frequency in JCAMP-DX 4.24: integers times YFACTOR, errors as a label of our own.

Reference: McDonald and Wilks 1988, Appl. Spectrosc. 42, 151.
"""

from __future__ import annotations

import numpy as np

from bec_md.arrays import Array
from bec_md.compare.jcamp import ORDINATES
from bec_md.errors import UsageError
from bec_md.export.seen import Seen

#: Largest integer of a table: nine digits, as any reader's integers hold.
_LARGEST = 999_999_999

#: Ordinates of a line; its length stays below the 80 characters of the standard.
_PER_LINE = 6

_UNITS = {quantity: unit for unit, (quantity, scaled) in ORDINATES.items() if not scaled and "%" not in unit}


def jcamp_text(seen: Seen) -> str:
    """Return the file.

    Raises
    ------
    UsageError
        For a quantity without a name in the format, or without the ε_∞ that it needs.
    """
    item = seen.shown
    if item.name not in _UNITS:
        raise UsageError(
            f"`quantity={item.name}` in JCAMP-DX",
            "an infrared spectrum has no such ordinate",
            f"choose one of {', '.join(_UNITS)}",
        )
    kept = seen.kept(item)
    nu = seen.spectrum.wavenumber_cm[kept]
    values, errors = seen.response.get(item)[kept], seen.response.total_error(item)[kept]
    factor = max(float(np.max(np.abs(values))), 1e-300) / _LARGEST
    error_factor = max(float(np.max(np.abs(errors))), 1e-300) / _LARGEST
    spacing = (nu[-1] - nu[0]) / (len(nu) - 1)
    unit = "1/cm" if item.unit == "cm^-1" else "dimensionless"
    lines = [
        f"##TITLE= {_UNITS[item.name].capitalize()} of {seen.source}",
        "##JCAMP-DX= 4.24",
        "##DATA TYPE= INFRARED SPECTRUM",
        f"##ORIGIN= bec-md {seen.spectrum.parameters.get('bec_md_version', '')}",
        "##OWNER= not stated",
        *(f"$$ {fact}" for fact in seen.facts()),
        f"$$ ordinate: {_UNITS[item.name].lower()}, {unit}",
        f"##TEMPERATURE= {seen.spectrum.temperature_k - 273.15:.6g}",
        f"##RESOLUTION= {seen.resolution_cm:.6g}",
        "##XUNITS= 1/CM",
        f"##YUNITS= {_UNITS[item.name]}",
        "##XFACTOR= 1.0",
        f"##YFACTOR= {factor:.12g}",
        f"##DELTAX= {spacing:.12g}",
        f"##FIRSTX= {nu[0]:.12g}",
        f"##LASTX= {nu[-1]:.12g}",
        f"##FIRSTY= {values[0]:.9g}",
        f"##MAXX= {nu[-1]:.12g}",
        f"##MINX= {nu[0]:.12g}",
        f"##MAXY= {values.max():.9g}",
        f"##MINY= {values.min():.9g}",
        f"##NPOINTS= {len(nu)}",
        f"##$STANDARD ERROR FACTOR= {error_factor:.12g}",
        "##$STANDARD ERROR= (X++(Y..Y))",
        *_rows(nu, errors / error_factor),
        "##XYDATA= (X++(Y..Y))",
        *_rows(nu, values / factor),
        "##END=",
    ]
    return "\n".join(lines) + "\n"


def _rows(nu: Array, values: Array) -> list[str]:
    """Lines of the abscissa of their first point, and ordinates."""
    whole = np.rint(values).astype(np.int64)
    return [
        f"{nu[start]:.6f} " + " ".join(str(value) for value in whole[start : start + _PER_LINE])
        for start in range(0, len(nu), _PER_LINE)
    ]
