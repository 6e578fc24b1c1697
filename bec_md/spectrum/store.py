"""Spectra in HDF5, readable by `load_spectrum`, xarray and h5py.

Every array has dimension scales (wavenumber_cm, axis, group, lag_time_fs, raw_wavenumber_cm), so that
``xarray.open_dataset`` finds labelled dimensions; real and imaginary parts are separate real variables.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.errors import DataError
from bec_md.files import expanded, parsing
from bec_md.hdf5 import add_dataset, contents_of, is_hdf5, kind_of_result, new_hdf5, open_hdf5
from bec_md.schema import checked
from bec_md.spectrum.analysis.peak import Peak
from bec_md.spectrum.errors.quality import QualityReport
from bec_md.spectrum.labelled import FIELDS, attributes, coordinates, variables
from bec_md.spectrum.spectrum import Spectrum

if TYPE_CHECKING:
    import h5py


def _scale(file: h5py.File, name: str, values: Any, units: str = "1") -> None:
    import h5py

    if isinstance(values, list):
        data = file.create_dataset(name, data=values, dtype=h5py.string_dtype())
    else:
        data = add_dataset(file, name, values)
    data.attrs["units"] = units
    data.make_scale(name)


def _put(file: h5py.File, name: str, values: Any, dims: tuple[str, ...], units: str) -> None:
    array = np.asarray(values)
    data = add_dataset(file, name, array, compression="gzip" if array.size > 4096 else None)
    data.attrs["units"] = units
    for axis, dim in enumerate(dims):
        data.dims[axis].attach_scale(file[dim])


def write_hdf5(spectrum: Spectrum, path: str | Path) -> None:
    """Write everything: tensors, errors, partials, ACF, periodogram, parameters, checks, metadata."""
    with new_hdf5(Path(path)) as file:
        for name, values, unit in coordinates(spectrum):
            _scale(file, name, values, unit)
        for item in variables(spectrum):
            _put(file, *item)
        for name, value in attributes(spectrum).items():
            file.attrs[name] = value


def _header(file: h5py.File, place: str) -> dict[str, Any]:
    """Return the attributes, checked."""
    from bec_md.spectrum.header import SpectrumHeader

    values: dict[str, Any] = {  # netCDF keeps a number as an array of one
        name: float(np.asarray(file.attrs[name]).item()) for name in ("temperature_k", "volume_ang3")
    }
    for name in ("parameters", "metadata", "quality", "peaks"):
        values[name] = json.loads(file.attrs[name])
    checked(SpectrumHeader, values, place, "copy it again, or make it anew with bec-md spectrum")
    return values


def _check_arrays(file: h5py.File) -> None:
    """Raise ValueError if arrays do not fit to their axes, or hold no numbers where results need them."""
    lengths = {name: len(file[name]) for name in ("wavenumber_cm", "acf_time_fs", "raw_wavenumber_cm")}
    lengths |= {"axis": 3, "axis_2": 3}
    if "group" in file:
        lengths |= {"group": len(file["group"]), "group_2": len(file["group"])}
    tensor, partial = ("wavenumber_cm", "axis", "axis_2"), ("group", "wavenumber_cm")
    own: dict[str, tuple[str, ...]] = {"sigma_real": tensor, "sigma_imag": tensor}
    own |= {"partial_n_alpha": partial, "partial_n_alpha_err": partial}
    for name, dims in {**own, **{name: dims for name, (dims, _) in FIELDS.items()}}.items():
        expected = tuple(lengths.get(dim, -1) for dim in dims)
        if name in file and file[name].shape != expected:
            raise ValueError(f"{name} has the shape {file[name].shape}, its axes {expected}")
    axis = file["wavenumber_cm"][()]
    if axis.ndim != 1 or len(axis) < 2 or not np.isfinite(axis).all() or not (np.diff(axis) > 0).all():
        raise ValueError("wavenumber_cm does not rise from number to number")
    for name in ("sigma_real", "sigma_imag"):
        if not np.isfinite(file[name][()]).all():
            raise ValueError(f"{name} holds values that are no numbers")


def is_spectrum_file(path: str | Path) -> bool:
    """Whether this is an HDF5 file written by `write_hdf5`."""
    path = expanded(path)
    if not is_hdf5(path):
        return False
    with parsing(path, "HDF5 file"), open_hdf5(path) as file:
        return kind_of_result(file) == "spectrum"


def _refuse_current(path: Path) -> None:
    if not is_hdf5(path):
        return
    with open_hdf5(path) as file:
        kind = kind_of_result(file)
    if kind is not None:
        raise DataError(
            f"{path} is a {kind} of bec-md, no spectrum",
            "J(t) becomes one with a resolution, a temperature and other choices",
            f"make its spectrum: bec-md spectrum {shlex.quote(str(path))} -o spectrum.h5",
        )


def load_spectrum(path: str | Path) -> Spectrum:
    """Read a spectrum written by `write_hdf5`.

    Raises
    ------
    DataError
        If the file is not one.
    """
    path = expanded(path)
    if not is_spectrum_file(path):
        _refuse_current(path)
        raise DataError(
            f"{path} is not a bec-md spectrum",
            "it is missing, not HDF5, or written by another program",
            "pass the file written by 'bec-md spectrum -o'",
        )
    with contents_of(path, whole=True) as file:
        layout = str(file.attrs["format"]).removeprefix("bec-md spectrum").strip()
        if layout.isdecimal() and int(layout) > 1:
            raise DataError(
                f"{path} was written by a newer bec-md (layout {layout}, this one reads 1)",
                "its fields may mean something else",
                "install the newer version, or make the spectrum anew",
            )
        header = _header(file, path.name)
        _check_arrays(file)
        optional = {name: file[name][()] for name in FIELDS if name in file}
        groups = [n.decode() for n in file["group"][()]] if "group" in file else []
        static = {n[7:]: file[n][()] for n in file if n.startswith("static_")}
        if "member_sigma_real" in file:
            optional["member_sigma"] = file["member_sigma_real"][()] + 1j * file["member_sigma_imag"][()]
        partial, partial_err = (
            dict(zip(groups, file[n][()], strict=True)) if groups else {}
            for n in ("partial_n_alpha", "partial_n_alpha_err")
        )
        return Spectrum(
            wavenumber_cm=file["wavenumber_cm"][()],
            sigma=file["sigma_real"][()] + 1j * file["sigma_imag"][()],
            temperature_k=header["temperature_k"],
            volume_ang3=header["volume_ang3"],
            partial_n_alpha=partial,
            partial_n_alpha_err=partial_err,
            acf_time_fs=file["acf_time_fs"][()],
            raw_wavenumber_cm=file["raw_wavenumber_cm"][()],
            static=static,
            peaks=tuple(Peak(**peak) for peak in header["peaks"]),
            quality=QualityReport.from_list(header["quality"]),
            parameters=header["parameters"],
            metadata=header["metadata"],
            **optional,
        )
