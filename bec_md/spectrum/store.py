"""Spectra in HDF5, readable by `load_spectrum`, xarray and h5py.

Every array has dimension scales (wavenumber_cm, axis, group, lag_time_fs, raw_wavenumber_cm), so that
``xarray.open_dataset`` finds labelled dimensions; real and imaginary parts are separate real variables.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.errors import DataError
from bec_md.hdf5 import add_dataset, is_hdf5, new_hdf5, open_hdf5
from bec_md.spectrum.analysis.peak import Peak
from bec_md.spectrum.errors.quality import QualityReport
from bec_md.spectrum.output import FORMAT, columns, plain
from bec_md.spectrum.quantities import unit_of_column
from bec_md.spectrum.spectrum import Spectrum

if TYPE_CHECKING:
    import h5py

_F, _AB = ("wavenumber_cm",), ("wavenumber_cm", "axis", "axis_2")

#: field of `Spectrum`: (dimensions, units)
_FIELDS: dict[str, tuple[tuple[str, ...], str]] = {
    "sigma_real_err": (_AB, "S/m"),
    "sigma_imag_err": (_AB, "S/m"),
    "sigma_covariance": (_AB, "(S/m)^2"),
    "iso_real_err": (_F, "S/m"),
    "iso_imag_err": (_F, "S/m"),
    "iso_covariance": (_F, "(S/m)^2"),
    "dof": (_F, "1"),
    "model_err": (_F, "cm^-1"),
    "jackknife_err": (_F, "cm^-1"),
    "group_matrix_n_alpha": (("group", "group_2", "wavenumber_cm"), "cm^-1"),
    "acf": (("acf_time_fs", "axis", "axis_2"), "(e Angstrom/fs)^2"),
    "lag_window": (("acf_time_fs",), "1"),
    "raw_n_alpha": (("raw_wavenumber_cm",), "cm^-1"),
    "eps_inf": (("axis", "axis_2"), "1"),
    "sigma_dc": (("axis", "axis_2"), "S/m"),
    "sigma_dc_err": (("axis", "axis_2"), "S/m"),
}


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
        _scale(file, "wavenumber_cm", spectrum.wavenumber_cm, "cm^-1")
        for name in ("axis", "axis_2"):
            _scale(file, name, ["x", "y", "z"])
        groups = list(spectrum.partial_n_alpha)
        if groups:
            _scale(file, "group", groups)
            _scale(file, "group_2", groups)
        _scale(file, "acf_time_fs", spectrum.acf_time_fs, "fs")
        _scale(file, "raw_wavenumber_cm", spectrum.raw_wavenumber_cm, "cm^-1")
        _put(file, "sigma_real", spectrum.sigma.real, _AB, "S/m")
        _put(file, "sigma_imag", spectrum.sigma.imag, _AB, "S/m")
        _put(file, "eps_imag_tensor", spectrum.eps_imag_tensor, _AB, "1")
        if spectrum.eps is not None:
            _put(file, "eps_real_tensor", spectrum.eps.real, _AB, "1")
        for name, (dims, units) in _FIELDS.items():
            value = getattr(spectrum, name)
            if value is not None and np.size(value):
                _put(file, name, value, dims, units)
        if spectrum.member_sigma is not None:
            _scale(file, "member", np.arange(len(spectrum.member_sigma)))
            for part in ("real", "imag"):
                values = getattr(spectrum.member_sigma, part)
                _put(file, f"member_sigma_{part}", values, ("member", "wavenumber_cm"), "S/m")
        for name, tensor in spectrum.static.items():
            _put(file, f"static_{name}", tensor, ("axis", "axis_2"), "1")
        if groups:
            gf = ("group", "wavenumber_cm")
            _put(file, "partial_n_alpha", list(spectrum.partial_n_alpha.values()), gf, "cm^-1")
            _put(file, "partial_n_alpha_err", list(spectrum.partial_n_alpha_err.values()), gf, "cm^-1")
        for name, column in columns(spectrum).items():
            partial = "[" in name and "[along " not in name
            if name not in file and not partial and name != "sigma_real_s_per_m":
                _put(file, name, column, _F, unit_of_column(name))
        file.attrs["format"] = FORMAT
        file.attrs["temperature_k"] = spectrum.temperature_k
        file.attrs["volume_ang3"] = spectrum.volume_ang3
        for name, value in (
            ("parameters", dict(spectrum.parameters)),
            ("metadata", dict(spectrum.metadata)),
            ("quality", spectrum.quality.to_list()),
            ("peaks", [p.to_dict() for p in spectrum.peaks]),
        ):
            file.attrs[name] = json.dumps(plain(value))


def is_spectrum_file(path: str | Path) -> bool:
    """Whether this is an HDF5 file written by `write_hdf5`."""
    if not is_hdf5(Path(path)):
        return False
    with open_hdf5(Path(path)) as file:
        return str(file.attrs.get("format", "")).startswith("bec-md spectrum")


def load_spectrum(path: str | Path) -> Spectrum:
    """Read a spectrum written by `write_hdf5`.

    Raises
    ------
    DataError
        If the file is not one.
    """
    if not is_spectrum_file(path):
        raise DataError(
            f"{path} is not a bec-md spectrum",
            "it is missing, not HDF5, or written by another program",
            "pass the file written by 'bec-md spectrum -o'",
        )
    with open_hdf5(Path(path)) as file:
        optional = {name: file[name][()] for name in _FIELDS if name in file}
        groups = [n.decode() for n in file["group"][()]] if "group" in file else []
        static = {n[7:]: file[n][()] for n in file if n.startswith("static_")}
        attrs = {n: json.loads(file.attrs[n]) for n in ("parameters", "metadata", "quality", "peaks")}
        if "member_sigma_real" in file:
            optional["member_sigma"] = file["member_sigma_real"][()] + 1j * file["member_sigma_imag"][()]
        partial, partial_err = (
            dict(zip(groups, file[n][()], strict=True)) if groups else {}
            for n in ("partial_n_alpha", "partial_n_alpha_err")
        )
        return Spectrum(
            wavenumber_cm=file["wavenumber_cm"][()],
            sigma=file["sigma_real"][()] + 1j * file["sigma_imag"][()],
            temperature_k=float(file.attrs["temperature_k"]),
            volume_ang3=float(file.attrs["volume_ang3"]),
            partial_n_alpha=partial,
            partial_n_alpha_err=partial_err,
            acf_time_fs=file["acf_time_fs"][()],
            raw_wavenumber_cm=file["raw_wavenumber_cm"][()],
            static=static,
            peaks=tuple(Peak(**p) for p in attrs["peaks"]),
            quality=QualityReport.from_list(attrs["quality"]),
            parameters=attrs["parameters"],
            metadata=attrs["metadata"],
            **optional,
        )
