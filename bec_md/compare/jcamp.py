r"""Infrared spectra in JCAMP-DX: plain (AFFN, PAC) and compressed (SQZ, DIF, DUP) tables.

Reference: McDonald and Wilks 1988, Appl. Spectrosc. 42, 151.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bec_md.arrays import Array
from bec_md.errors import DataError
from bec_md.files import read_text

_SQUEEZED = {c: str(i) for i, c in enumerate("@ABCDEFGHI")} | {
    c: f"-{i}" for i, c in enumerate("abcdefghi", 1)
}
_DIFFERENCE = {c: str(i) for i, c in enumerate("%JKLMNOPQR")} | {
    c: f"-{i}" for i, c in enumerate("jklmnopqr", 1)
}
_REPEAT = {c: str(i) for i, c in enumerate("STUVWXYZs", 1)}
_TOKEN = re.compile(r"([@A-Ia-i%J-Rj-rS-Zs+\-]?)(\d*\.?\d*(?:[eE][+-]\d+)?)")

#: Noise carries a transmittance above one, but not most of a spectrum.
_MOST = 1.5
#: Ordinate of a file (YUNITS): quantity, and whether the thickness of the sample stands in it.
ORDINATES = {
    "ABSORBANCE": ("alpha_cm", True),
    "TRANSMITTANCE": ("alpha_cm", True),
    "%TRANSMITTANCE": ("alpha_cm", True),
    "REFLECTANCE": ("reflectivity", False),
    "%REFLECTANCE": ("reflectivity", False),
    "ABSORPTION COEFFICIENT": ("alpha_cm", False),
    "ABSORPTIVITY": ("alpha_cm", True),
    "ABSORPTION COEFFICIENT TIMES REFRACTIVE INDEX": ("n_alpha", False),
    "REFRACTIVE INDEX": ("n", False),
    "EXTINCTION COEFFICIENT": ("kappa", False),
    "PERMITTIVITY (REAL PART)": ("eps_real", False),
    "PERMITTIVITY (IMAGINARY PART)": ("eps_imag", False),
    "ENERGY LOSS FUNCTION": ("loss", False),
}


@dataclass(frozen=True)
class JcampSpectrum:
    """What a file holds.

    Parameters
    ----------
    wavenumber_cm
        (F,), as stored.
    quantity
        One of `ORDINATES`.
    values
        (F,); absorbance of a sample of unknown thickness stands for α in a unit of its own.
    scaled
        Whether it does.
    resolution_cm
        Full width at half maximum that the file states, cm⁻¹; 0 where it is silent.
    note
        How it was understood.
    """

    wavenumber_cm: Array
    quantity: str
    values: Array
    scaled: bool
    resolution_cm: float
    note: str


def read_jcamp(path: Path) -> JcampSpectrum:
    """Read a spectrum.

    Raises
    ------
    DataError
        For a damaged file, or units that are no infrared spectrum.
    """
    fields, rows = _parse(read_text(path, strict=False))
    unit, ordinate = fields.get("XUNITS", "").upper(), fields.get("YUNITS", "").upper()
    known = ORDINATES.get(ordinate)
    if unit.replace(" ", "") not in ("1/CM", "CM-1", "CM^-1", "MICROMETERS", "MICRONS") or known is None:
        raise DataError(
            f"{path.name}: XUNITS={unit or '?'}, YUNITS={ordinate or '?'}",
            "an infrared spectrum has 1/CM or MICROMETERS, and one of " + ", ".join(ORDINATES),
            "correct the two lines of the file, if it is one",
        )
    try:
        x, y = _table(fields, rows)
    except (ValueError, IndexError) as error:
        raise DataError(
            f"{path.name}: the table of JCAMP-DX is damaged: {error}",
            "XYDATA or XYPOINTS with FIRSTX, LASTX and NPOINTS is expected",
            "download the file again",
        ) from error
    quantity, scaled = known
    if ordinate.startswith("%"):
        y = y / 100.0
    if "TRANSMITTANCE" in ordinate:
        if np.median(y) > _MOST:
            raise DataError(
                f"{path.name}: transmittances up to {y.max():.4g}",
                "a transmittance lies between 0 and 1; the numbers look like percent",
                "write YUNITS=%TRANSMITTANCE",
            )
        y = -np.log10(np.maximum(y, 1e-6))
    nu = x if "CM" in unit else 1e4 / x
    width = re.match(r"\d+\.?\d*", fields.get("RESOLUTION", "")) if "CM" in unit else None
    note = f"JCAMP-DX, {ordinate.lower()}" + ("; thickness unknown: s carries its unit" if scaled else "")
    return JcampSpectrum(nu, quantity, y, scaled, float(width[0]) if width else 0.0, note)


def _parse(text: str) -> tuple[dict[str, str], list[str]]:
    """Labeled fields, and the lines of the table."""
    fields: dict[str, str] = {}
    rows: list[str] = []
    inside = False
    for line in text.splitlines():
        line = line.split("$$")[0].strip()
        if line.startswith("##"):
            name, _, value = line[2:].partition("=")
            name = re.sub(r"[ _/-]", "", name).upper()
            inside = name in ("XYDATA", "XYPOINTS")
            fields[name] = value.strip()
        elif inside and line:
            rows.append(line)
    return fields, rows


def _table(fields: dict[str, str], rows: list[str]) -> tuple[Array, Array]:
    scale_x, scale_y = (float(fields.get(name, 1.0)) for name in ("XFACTOR", "YFACTOR"))
    if "XYPOINTS" in fields or "XY..XY" in fields.get("XYDATA", "").replace(" ", "").upper():
        pairs = [float(w) for row in rows for w in re.split(r"[,;\s]+", row) if w]
        table = np.array(pairs).reshape(-1, 2)
        return table[:, 0] * scale_x, table[:, 1] * scale_y
    values: list[float] = []
    check = False
    for row in rows:
        found, check_next = _ordinates(row)
        if (
            check and values and found
        ):  # the first value of a line repeats the last one of a line of differences
            found = found[1:]
        values += found
        check = check_next
    count = int(float(fields["NPOINTS"]))
    if len(values) != count:
        raise ValueError(f"{len(values)} points, NPOINTS={count}")
    x = np.linspace(float(fields["FIRSTX"]), float(fields["LASTX"]), count)
    return x, np.array(values) * scale_y


def _ordinates(row: str) -> tuple[list[float], bool]:
    """Ordinates of a line behind its abscissa; whether it ends in differences."""
    tokens = [(kind, digits) for kind, digits in _TOKEN.findall(row.replace(",", " ")) if kind or digits]
    values: list[float] = []
    step: float | None = None
    for kind, digits in tokens[1:]:  # the first one is the abscissa
        if kind in _DIFFERENCE:
            step = float(_DIFFERENCE[kind] + digits)
            values.append(values[-1] + step)
        elif kind in _REPEAT:
            for _ in range(int(_REPEAT[kind] + digits) - 1):
                values.append(values[-1] + (step or 0.0))
        else:
            step = None
            values.append(float((_SQUEEZED.get(kind, kind)) + digits))
    return values, step is not None
