"""Open a curve: a spectrum of this program (HDF5 or CSV), a CSV table, refractiveindex.info, JCAMP-DX."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from bec_md.arrays import Array
from bec_md.compare.curve import QUANTITIES, Curve, from_index
from bec_md.errors import BecMDError, DataError, UsageError
from bec_md.files import expanded, parsing, read_text, require_file
from bec_md.hdf5 import is_hdf5
from bec_md.spectrum.quantities import ALIASES
from bec_md.spectrum.quantities import QUANTITIES as ALL
from bec_md.spectrum.response.conductivity import n_alpha_from_conductivity
from bec_md.spectrum.response.optics import refractive_index
from bec_md.units import CM_PER_THZ, MEV_PER_CM

#: Column names of the frequency: factor to cm⁻¹, 0 for a wavelength in µm and −1 for one in nm.
_AXES = {
    "wavenumber_cm": 1.0, "wavenumber": 1.0, "cm-1": 1.0, "cm^-1": 1.0, "1/cm": 1.0,
    "thz": CM_PER_THZ, "frequency_thz": CM_PER_THZ, "mev": 1.0 / MEV_PER_CM, "energy_mev": 1.0 / MEV_PER_CM,
    "ev": 1000.0 / MEV_PER_CM, "energy_ev": 1000.0 / MEV_PER_CM, "um": 0.0, "wl": 0.0, "microns": 0.0,
    "wavelength_um": 0.0, "micron": 0.0, "wavelength_nm": -1.0, "nm": -1.0,
    "frequency_cm": 1.0, "ghz": 1e-3 * CM_PER_THZ, "hz": 1e-12 * CM_PER_THZ,
}  # fmt: skip
#: Beside a unit these words say that a column is no frequency, or one in radians.
_NO_AXIS = re.compile("absor|abs[ ._]|abs$|coef|alpha|α|width|(?<!energy.)loss|err|angular")

#: Column names of quantities, and factors to the program's units.
_COLUMNS = {
    "n_alpha_cm": ("n_alpha", 1.0), "n_alpha": ("n_alpha", 1.0),
    "alpha-n": ("n_alpha", 1000.0), "n-alpha": ("n_alpha", 1000.0),
    "n": ("n", 1.0), "k": ("kappa", 1.0), "kappa": ("kappa", 1.0),
    "eps_imag": ("eps_imag", 1.0), "eps2": ("eps_imag", 1.0), "e2": ("eps_imag", 1.0),
    "eps_real": ("eps_real", 1.0), "eps1": ("eps_real", 1.0), "e1": ("eps_real", 1.0),
    "alpha_cm": ("alpha_cm", 1.0), "alpha": ("alpha_cm", 1.0),
    "ε2": ("eps_imag", 1.0), "ε1": ("eps_real", 1.0),
    "reflectivity": ("reflectivity", 1.0), "r": ("reflectivity", 1.0), "reflectance": ("reflectivity", 1.0),
    "reflectivity_%": ("reflectivity", 0.01), "r_%": ("reflectivity", 0.01),
    "reflectance_%": ("reflectivity", 0.01), "loss": ("loss", 1.0),
    "sigma_real_s_per_m": ("sigma_real", 1.0),
}  # fmt: skip
#: Quantities that no passive material has below zero.
_POSITIVE = ("kappa", "eps_imag", "n_alpha", "sigma_real", "alpha_cm", "loss")


def open_curve(path: str | Path, quantity: str = "n_alpha") -> Curve:
    """Open a curve of a quantity.

    Parameters
    ----------
    path
        HDF5 or CSV of ``bec-md spectrum``; a CSV with a header (frequency first: ``wavenumber_cm``, ``cm-1``,
        ``thz``, ``mev``, ``wavelength_um`` …; then ``n_alpha_cm``, ``n``, ``k``, ``eps1``, ``eps2`` …);
        the table of Bertie and Lan (``cm-1,alpha-n``, in 10³ cm⁻¹); tabulated n and k of
        refractiveindex.info (YAML); JCAMP-DX (.jdx, .dx) of absorbance, transmittance or reflectance.
    quantity
        One of `QUANTITIES`; computed from n and k, or from ε, where the file has these.

    Returns
    -------
    Curve
        Wavenumbers in cm⁻¹; the unit of the values belongs to the quantity.

    Raises
    ------
    UsageError
        For a missing file, an unknown quantity, or one that the file cannot give.
    DataError
        For a damaged file.
    """
    path = expanded(path)
    quantity = ALIASES.get(quantity, quantity)
    if quantity not in QUANTITIES:
        raise UsageError(
            f"there is no quantity {quantity!r}",
            "a curve shows one optical function that n and κ, or ε, give",
            f"choose from {', '.join(QUANTITIES)}",
        )
    require_file(path, "a curve is read from it")
    with parsing(path, "table or spectrum"):
        if path.suffix.lower() in (".yml", ".yaml"):
            return _from_yaml(path, quantity)
        if path.suffix.lower() in (".jdx", ".dx", ".jcamp"):
            return _from_jcamp(path, quantity)
        if is_hdf5(path):
            return _from_hdf5(path, quantity)
        return _from_table(path, quantity)


def _from_hdf5(path: Path, quantity: str) -> Curve:
    from bec_md.spectrum import load_spectrum

    spectrum = load_spectrum(path)
    directions = (spectrum.parameters.get("optics") or {}).get("directions")
    estimator, window = (str(spectrum.parameters.get(name, "")) for name in ("estimator", "window"))
    return Curve(
        path.name,
        quantity,
        spectrum.wavenumber_cm,
        spectrum.get(quantity),
        spectrum.total_error(quantity),
        float(spectrum.parameters["resolution_cm"]),
        float(spectrum.parameters["equivalent_noise_bandwidth_cm"]),
        "spectrum of bec-md" + (", average over all directions" if directions else ""),
        _window(estimator, window),
    )


def _window(estimator: str, window: str) -> str:
    """Name of what gives the kernel its shape; the default of what a file does not name."""
    from bec_md.spectrum.estimators.estimate import TAPERED
    from bec_md.spectrum.estimators.lag_window import WINDOW_NAMES

    return next((name for name in (estimator, window) if name in (*TAPERED, *WINDOW_NAMES)), "gaussian")


def _from_yaml(path: Path, quantity: str) -> Curve:
    import yaml

    text = read_text(path)
    try:
        content = yaml.safe_load(text)
        entries = content["DATA"]
        tables = [(str(e["type"]), e["data"]) for e in entries if str(e["type"]).startswith("tabulated")]
        pieces: dict[str, list[Array]] = {}
        for kind, rows in tables:
            table = np.array([line.split() for line in rows.strip().splitlines()], dtype=np.float64)
            name = kind.split()[-1]
            if table.ndim != 2 or table.shape[1] < 1 + len(name):
                raise ValueError("a row needs the wavelength and every quantity that is named")
            pieces.setdefault(name, []).append(table[:, : 1 + len(name)])
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path.name} is not a table of refractiveindex.info: {type(error).__name__} {error}",
            "DATA with entries of type 'tabulated nk' is expected",
            "download the full database record (YAML) of a material with tabulated data",
        ) from error
    columns = {name: np.concatenate(found) for name, found in pieces.items()}
    if "nk" in columns:
        wavelength, n, kappa = columns["nk"].T
    elif {"n", "k"} <= set(columns):
        wavelength, n, kappa = _on_common_range(columns["n"], columns["k"], path.name)
    else:
        raise DataError(
            f"{path.name} holds {', '.join(kind for kind, _ in tables) or 'no table'}",
            "an infrared spectrum needs n and k at each wavelength",
            "choose a record with 'tabulated nk'",
        )
    if not (wavelength > 0.0).all():
        raise _no_wavelength(path.name)
    nu = 1e4 / wavelength
    order = np.argsort(nu, kind="stable")
    values = from_index(quantity, nu, n, kappa)
    curve = _sorted(path.name, quantity, nu[order], values[order], None, "n and k of refractiveindex.info")
    stated = content.get("CONDITIONS")
    resolution = stated.get("resolution_cm", 0.0) if isinstance(stated, dict) else 0.0  # of our own records
    return replace(curve, resolution_cm=float(resolution))


def _on_common_range(n: Array, k: Array, where: str) -> tuple[Array, Array, Array]:
    """Wavelengths, n and κ of two tables (wavelength, value) where they overlap, at the points of both."""
    tables = [table[np.argsort(table[:, 0], kind="stable")] for table in (n, k)]
    low, high = max(table[0, 0] for table in tables), min(table[-1, 0] for table in tables)
    points = np.unique(np.concatenate([table[:, 0] for table in tables]))
    points = points[(points >= low) & (points <= high)]
    if len(points) < 4:
        raise DataError(
            f"{where}: n is tabulated at wavelengths {n[:, 0].min():g} … {n[:, 0].max():g}, k at "
            f"{k[:, 0].min():g} … {k[:, 0].max():g}",
            "an infrared spectrum needs both at the same wavelengths",
            "choose a record with n and k in one range",
        )
    index, kappa = (np.interp(points, table[:, 0], table[:, 1]) for table in tables)
    return points, index, kappa


def _no_wavelength(where: str) -> DataError:
    return DataError(
        f"{where} holds wavelengths that are not positive",
        "a wavenumber is the inverse of the wavelength",
        "remove these rows",
    )


def _from_jcamp(path: Path, quantity: str) -> Curve:
    from bec_md.compare.jcamp import read_jcamp

    found = read_jcamp(path)
    # absorbance follows α; nα differs from it by the index, which varies little beside the bands
    absorbance = found.scaled and (quantity, found.quantity) == ("n_alpha", "alpha_cm")
    if quantity != found.quantity and not absorbance:
        raise UsageError(
            f"{path.name} holds {found.note}, which does not give {quantity}",
            "n and k, or ε, would be needed",
            f"choose the quantity {found.quantity}",
        )
    order = np.argsort(found.wavenumber_cm, kind="stable")
    curve = _sorted(path.name, quantity, found.wavenumber_cm[order], found.values[order], None, found.note)
    return replace(curve, resolution_cm=found.resolution_cm)


def _from_table(path: Path, quantity: str) -> Curve:
    header, parameters, names, data = _read_table(path)
    axis = next((i for i, name in enumerate(names) if name in _AXES), None)
    if axis is None:
        raise DataError(
            f"{path.name}: none of the columns {', '.join(names)} is a frequency with its unit",
            "units are never guessed",
            f"name the column in the header line, one of {', '.join(list(_AXES)[:9])}, wavelength_um",
        )
    data = data[np.isfinite(data[:, axis])]
    nu = _to_wavenumber(names[axis], data[:, axis], path.name)
    known: dict[str, Array] = {}
    for i, name in enumerate(names):
        if name in _COLUMNS and i != axis:
            known.setdefault(_COLUMNS[name][0], data[:, i] * _COLUMNS[name][1])
    values = _derive(path, quantity, nu, known, names)
    own = next((n for n in names if _COLUMNS.get(n, ("", 0.0))[0] == quantity), quantity)
    errors = (f"{own}_total_err", f"{own}_err", f"{quantity}_err")  # with the model's part, if there is one
    error = next((data[:, names.index(n)] for n in errors if n in names), None)
    if error is not None and own in _COLUMNS:
        error = error * _COLUMNS[own][1]
    order = np.argsort(nu, kind="stable")
    if error is not None and not np.isfinite(error).any():
        error = None
    given = np.isfinite(values) & (True if error is None else np.isfinite(error))  # cells may be empty
    order = order[given[order]]
    if not order.size:
        raise DataError(
            f"{path.name} has no row with a frequency and a value of {quantity}",
            "cells may be empty, but not all of them",
            "choose another quantity, or check the file",
        )
    thousand = own in ("alpha-n", "n-alpha")
    note = "spectrum of bec-md" if parameters else "table" + (", nα in 10³ cm⁻¹" if thousand else "")
    curve = _sorted(
        path.name, quantity, nu[order], values[order], None if error is None else error[order], note
    )
    if not header or error is None:
        return curve
    resolution = float(parameters.get("resolution_cm", 0.0) or 0.0)
    bandwidth = float(parameters.get("equivalent_noise_bandwidth_cm", 1.505 * resolution) or 0.0)
    stated = dict(line.split(": ", 1) for line in header if ": " in line)
    window = _window(stated.get("estimator", ""), stated.get("window", ""))
    return replace(curve, resolution_cm=resolution, bandwidth_cm=bandwidth, window=window)


def _read_table(path: Path) -> tuple[list[str], dict[str, float], list[str], Array]:
    """Comment lines, numeric parameters in them, column names and numbers."""
    lines = _decimal_points(["#" + x[1:] if x[:1] in ("%", "!") else x for x in read_text(path).splitlines()])
    comments = [line[1:].strip() for line in lines if line.startswith("#")]
    rows = _below_names(lines)
    rows = _from_names_on(_side_by_side(rows, path.name))
    separator = _separator(rows[1]) if len(rows) > 1 else None
    tabs = separator is None and len(rows) > 1 and _by_tabs(rows[0], rows[1])
    cells = _cells(rows[0], "\t" if tabs else separator) if rows else []
    while separator and cells and not cells[-1].strip():
        cells.pop()
    names = [_known_name(name) for name in cells if name.strip() or not tabs]
    if separator is None and all(row.count("\t") == len(names) - 1 for row in rows[1:]):
        separator = "\t"  # between which cells may be empty
    try:
        [float(name) for name in names]
        names_missing = True
    except ValueError:
        names_missing = False
    try:
        data = np.array([_cell_values(row, separator, len(names)) for row in rows[1:]], dtype=np.float64)
    except ValueError:
        data = np.zeros((0, 0))
    if names_missing or data.ndim != 2 or len(data) < 2 or data.shape[1] != len(names):
        raise DataError(
            f"{path.name} is not a table with a header line",
            "the first line names the columns with their units, every other line has as many numbers",
            "write for example 'wavenumber_cm,n_alpha_cm' above the numbers",
        )
    parameters: dict[str, float] = {}
    for line in comments:
        name, separator_found, value = line.partition(": ")
        if separator_found and name in ("resolution_cm", "equivalent_noise_bandwidth_cm"):
            try:
                parameters[name] = float(value)
            except ValueError:
                raise DataError(
                    f"{path.name} says {name}: {value[:40]}",
                    "widths and errors are compared at the resolution of a curve: it is one number",
                    "correct the line, or remove it",
                ) from None
    return comments, parameters, names, data


def _separator(row: str) -> str | None:
    """Mark between the numbers of a row; None for blanks and tabs."""
    return next((mark for mark in ",;" if mark in row), None)


def _cell_values(row: str, separator: str | None, count: int) -> list[float]:
    """Numbers of a row, NaN for empty cells; Fortran's exponents have a D."""
    words = row.split(separator)
    while len(words) > count and not words[-1].strip():
        words.pop()
    return [float(re.sub("[dD]", "e", word)) if word.strip() else np.nan for word in words]


def _decimal_points(lines: list[str]) -> list[str]:
    """Lines with decimal points where all numbers have decimal commas.

    Commas that may as well part thousands (400,500) stay.
    """
    rows = [x.strip() for x in lines if re.fullmatch(r"[\d\s,;+\-eEdD]*\d[\d\s,;+\-eEdD]*", x)]
    text = "\n".join(rows)
    parted = all(re.search(r"[;\s]", row) for row in rows) and not re.search(r"(?<!\d),|,(?!\d)", text)
    decimal = re.search(r"(?<![\d,])(0,|\d+,(?!\d{3}(?!\d)))", text)
    if not (parted and decimal):
        return lines
    return [x.replace(",", ".") if x.strip() in rows else x for x in lines]


def _from_names_on(rows: list[str]) -> list[str]:
    """Rows from the names of the columns on, without titles above, and units below in their parentheses."""
    head = next((k for k, row in enumerate(rows) if _numbers(row)), 0) - 1
    if head < 1:
        return rows
    pair = rows[head - 1 : head + 1]
    separator = _separator(rows[head + 1]) or ("\t" if all("\t" in row for row in pair) else None)
    above, below = (_cells(row, separator) for row in pair)
    if len(above) != len(below) or {_known_name(cell) for cell in below} & set(_COLUMNS):
        return rows[head:]
    units = (re.sub("^1$", "-", unit.strip(" ()[]")) for unit in below)
    both = [f"{name} ({unit})" if unit else name for name, unit in zip(above, units, strict=True)]
    return [(separator or "\t").join(both), *rows[head + 1 :]]


def named_quantity(path: Path) -> str | None:
    """Return the first quantity that the header of a table names beside a frequency; None for other files."""
    try:
        _, _, names, _ = _read_table(path)
    except (BecMDError, ValueError):
        return None
    known = [_COLUMNS[name][0] for name in names if name in _COLUMNS]
    return known[0] if known and set(names) & set(_AXES) else None


def _side_by_side(rows: list[str], where: str) -> list[str]:
    """Rows ``wl,n,k`` for a CSV of refractiveindex.info with ``wl,n`` above ``wl,k``; others unchanged."""
    heads = {row.strip().lower(): number for number, row in enumerate(rows) if "wl," in row.lower()}
    if set(heads) != {"wl,n", "wl,k"} or min(heads.values()) != 0:
        return rows
    middle = max(heads.values())
    parts = [
        np.array([row.split(",") for row in part], dtype=np.float64)
        for part in (rows[1:middle], rows[middle + 1 :])
    ]
    n, k = (part.reshape(-1, 2) for part in (parts if heads["wl,n"] == 0 else parts[::-1]))
    table = zip(*_on_common_range(n, k, where), strict=True)
    return ["wl,n,k", *(",".join(repr(float(value)) for value in row) for row in table)]


def _below_names(lines: list[str]) -> list[str]:
    """Rows of a table, the names of its columns first: they may stand in the comment above the numbers."""
    kept = [number for number, line in enumerate(lines) if line.strip() and not line.startswith("#")]
    rows = [lines[number] for number in kept]
    above = lines[kept[0] - 1] if kept and kept[0] else ""
    if not above.startswith("#") or not _numbers(rows[0]):
        return rows
    head = above.lstrip("# \t")
    marks = ",;\t" if _by_tabs(head, rows[0]) else ",;"
    separator = next((mark for mark in marks if mark in head), None)
    cells = ["_".join(cell.split()) for cell in _cells(head, separator)]
    if not {_known_name(cell) for cell in cells} & set(_AXES):
        return rows
    between = next((mark for mark in ",;" if mark in rows[0]), " ")
    return [between.join(cells), *rows]


def _by_tabs(head: str, row: str) -> bool:
    """Whether names stand between tabs, as many as a row has numbers; spaces may part them as well."""
    return "\t" in head and sum(map(bool, map(str.strip, head.split("\t")))) == len(row.split())


def _numbers(row: str) -> list[float]:
    """Numbers of a row; empty where there is anything else."""
    try:
        return [float(word) for word in row.replace(",", " ").replace(";", " ").split()]
    except ValueError:
        return []


def _known_name(cell: str) -> str:
    """Name of a column: of ``Wavenumber (cm-1)``, ``λ / µm`` the unit, not of ``α (cm-1)``."""
    name = unicodedata.normalize("NFKC", cell).strip().strip('"').lower()
    name = re.sub(r"[{}$]", "", name.replace("−", "-").replace("μ", "u").replace("**", "^"))
    found = re.fullmatch(r"(.*?)[ _]*(?:[(\[]([^)\]]+)[)\]]|[/,] *(1/cm|[^/,]+))", name)
    unit = found and (found[2] or found[3]).strip(" _")
    if found and unit in ("%", "percent"):
        return f"{found[1]}_%"
    if found and unit == "-":
        return str(found[1])
    if not found or name in _AXES or unit not in _AXES:
        return name
    if _AXES[unit] == 1.0 and found[1] in _COLUMNS:
        return str(found[1])
    return name if _NO_AXIS.search(found[1]) else str(unit)


def named_axis(path: Path) -> tuple[Array, Array] | None:
    """Return wavenumbers and values of two columns of which only the first has a known name, or None."""
    if path.suffix.lower() in (".yml", ".yaml", ".jdx", ".dx", ".jcamp") or is_hdf5(path):
        return None
    try:
        _, _, names, data = _read_table(path)
    except (BecMDError, ValueError):
        return None
    if len(names) != 2 or names[0] not in _AXES or names[1] in _COLUMNS:
        return None
    nu = _to_wavenumber(names[0], data[:, 0], path.name)
    order = np.argsort(nu, kind="stable")
    order = order[np.isfinite(data[order]).all(axis=1)]
    return nu[order], data[order, 1]


def _to_wavenumber(name: str, x: Array, where: str) -> Array:
    """Wavenumbers of a column of frequencies or wavelengths."""
    factor = _AXES[name]
    if factor <= 0.0 and not (x > 0.0).all():
        raise _no_wavelength(where)
    return np.asarray(x * factor if factor > 0.0 else (1e4 if factor == 0.0 else 1e7) / x)


def _cells(line: str, separator: str | None) -> list[str]:
    """Cells of a line: names with a comma stand in quotation marks."""
    if separator is None:
        return [word.strip('"') for word in re.sub(r"\s+(?=\()", "_", line).split()]
    return next(csv.reader([line], delimiter=separator, skipinitialspace=True))


def _derive(path: Path, quantity: str, nu: Array, known: Mapping[str, Array], names: list[str]) -> Array:
    if "sigma_real" in known:
        known = {"n_alpha": n_alpha_from_conductivity(known["sigma_real"]), **known}
    if quantity in known:
        return known[quantity]
    for name in ("kappa", "eps_imag"):
        if name in known and quantity != name and np.nanmedian(known[name]) < 0.0:
            raise _other_sign(path.name, name)
    per_wave = 4.0 * np.pi * np.where(nu > 0.0, nu, np.nan)  # a table may begin at zero
    if {"n", "alpha_cm"} <= set(known) and "kappa" not in known:
        known = {**known, "kappa": known["alpha_cm"] / per_wave}
    if {"n", "kappa"} <= set(known):
        return from_index(quantity, nu, known["n"], known["kappa"])
    if {"eps_real", "eps_imag"} <= set(known):
        root = refractive_index(known["eps_real"] + 1j * known["eps_imag"])
        return from_index(quantity, nu, root.real, root.imag)
    if quantity in ("n_alpha", "sigma_real") and "eps_imag" in known:
        return np.asarray(ALL[quantity].of_eps(nu, known["eps_imag"].astype(np.complex128) * 1j))
    if quantity == "sigma_real" and "n_alpha" in known:
        return np.asarray(known["n_alpha"] / n_alpha_from_conductivity(np.ones(1)))
    if quantity == "eps_imag" and "n_alpha" in known:
        return np.asarray(known["n_alpha"] / (0.5 * per_wave))
    raise UsageError(
        f"{path.name} with columns {', '.join(names)} does not give {quantity}",
        "it follows from n and k or α, from ε₁ and ε₂, or stands in the file itself",
        f"choose another quantity, or name the column {quantity} in the header line",
    )


def _other_sign(label: str, quantity: str) -> DataError:
    return DataError(
        f"{label}: {quantity} is negative",
        "it is written for fields that go as exp(+iωt), n − iκ; here they go as exp(−iωt), n + iκ",
        f"reverse the sign of the column {quantity}",
    )


def _sorted(label: str, quantity: str, nu: Array, values: Array, errors: Array | None, note: str) -> Curve:
    """Drop repeated wavenumbers (tables list the ends of joined pieces twice); refuse what no material has.

    Noise may carry κ, ε₂ and absorption below zero, and a reflectivity a little above one.
    """
    if quantity == "reflectivity" and np.median(values) > 1.05:
        raise DataError(
            f"{label}: reflectivities up to {values.max():.4g}",
            "a reflectivity lies between 0 and 1; the numbers look like percent",
            "divide the column by 100",
        )
    if quantity in _POSITIVE and np.median(values) < 0.0:
        raise _other_sign(label, quantity)
    kept = np.concatenate([[True], np.diff(nu) > 0.0])
    return Curve(label, quantity, nu[kept], values[kept], None if errors is None else errors[kept], note=note)
