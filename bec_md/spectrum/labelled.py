"""The arrays of a spectrum with dimensions and units: what HDF5 files, xarray and pandas hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bec_md.spectrum.output import FORMAT, columns, plain
from bec_md.spectrum.quantities import unit_of_column

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from bec_md.spectrum.spectrum import Spectrum

_F, _AB = ("wavenumber_cm",), ("wavenumber_cm", "axis", "axis_2")

#: field of `Spectrum`: (dimensions, units)
FIELDS: dict[str, tuple[tuple[str, ...], str]] = {
    "sigma_real_err": (_AB, "S/m"),
    "sigma_imag_err": (_AB, "S/m"),
    "sigma_covariance": (_AB, "(S/m)^2"),
    "iso_real_err": (_F, "S/m"),
    "iso_imag_err": (_F, "S/m"),
    "iso_covariance": (_F, "(S/m)^2"),
    "dof": (_F, "1"),
    "model_err": (_F, "cm^-1"),
    "jackknife_err": (_F, "cm^-1"),
    "plain_n_alpha": (("wavenumber_cm", "axis"), "cm^-1"),
    "group_matrix_n_alpha": (("group", "group_2", "wavenumber_cm"), "cm^-1"),
    "acf": (("acf_time_fs", "axis", "axis_2"), "(e Angstrom/fs)^2"),
    "lag_window": (("acf_time_fs",), "1"),
    "raw_n_alpha": (("raw_wavenumber_cm",), "cm^-1"),
    "eps_inf": (("axis", "axis_2"), "1"),
    "sigma_dc": (("axis", "axis_2"), "S/m"),
    "sigma_dc_err": (("axis", "axis_2"), "S/m"),
}


class Labelled(NamedTuple):
    """An array with its dimensions and unit."""

    name: str
    values: Any
    dims: tuple[str, ...]
    unit: str


def coordinates(spectrum: Spectrum) -> Iterator[tuple[str, Any, str]]:
    """Yield name, values and unit of every dimension."""
    yield "wavenumber_cm", spectrum.wavenumber_cm, "cm^-1"
    for name in ("axis", "axis_2"):
        yield name, ["x", "y", "z"], "1"
    groups = list(spectrum.partial_n_alpha)
    if groups:
        yield "group", groups, "1"
        yield "group_2", groups, "1"
    yield "acf_time_fs", spectrum.acf_time_fs, "fs"
    yield "raw_wavenumber_cm", spectrum.raw_wavenumber_cm, "cm^-1"
    if spectrum.member_sigma is not None:
        yield "member", np.arange(len(spectrum.member_sigma)), "1"


def variables(spectrum: Spectrum) -> Iterator[Labelled]:
    """Yield every array: tensors, errors, partials, correlation, averages."""
    seen = {name for name, _, _ in coordinates(spectrum)}
    for item in _tensors_and_fields(spectrum):
        seen.add(item.name)
        yield item
    for name, column in columns(spectrum).items():
        partial = "[" in name and "[along " not in name
        if name not in seen and not partial and name != "sigma_real_s_per_m":
            yield Labelled(name, column, _F, unit_of_column(name))


def _tensors_and_fields(spectrum: Spectrum) -> Iterator[Labelled]:
    yield Labelled("sigma_real", spectrum.sigma.real, _AB, "S/m")
    yield Labelled("sigma_imag", spectrum.sigma.imag, _AB, "S/m")
    yield Labelled("eps_imag_tensor", spectrum.eps_imag_tensor, _AB, "1")
    if spectrum.eps is not None:
        yield Labelled("eps_real_tensor", spectrum.eps.real, _AB, "1")
    for name, (dims, unit) in FIELDS.items():
        value = getattr(spectrum, name)
        if value is not None and np.size(value):
            yield Labelled(name, value, dims, unit)
    if spectrum.member_sigma is not None:
        for part in ("real", "imag"):
            values = getattr(spectrum.member_sigma, part)
            yield Labelled(f"member_sigma_{part}", values, ("member", "wavenumber_cm"), "S/m")
    for name, tensor in spectrum.static.items():
        yield Labelled(f"static_{name}", tensor, ("axis", "axis_2"), "1")
    if spectrum.partial_n_alpha:
        for name in ("partial_n_alpha", "partial_n_alpha_err"):
            values = list(getattr(spectrum, name).values())
            yield Labelled(name, values, ("group", "wavenumber_cm"), "cm^-1")


def attributes(spectrum: Spectrum) -> dict[str, Any]:
    """Return numbers and texts that belong to the whole: parameters and checks as JSON."""
    found: dict[str, Any] = {
        "format": FORMAT,
        "temperature_k": spectrum.temperature_k,
        "volume_ang3": spectrum.volume_ang3,
    }
    described = {
        "parameters": dict(spectrum.parameters),
        "metadata": dict(spectrum.metadata),
        "quality": spectrum.quality.to_list(),
        "peaks": [p.to_dict() for p in spectrum.peaks],
    }
    return found | {name: json.dumps(plain(value)) for name, value in described.items()}


def to_xarray(spectrum: Spectrum) -> xr.Dataset:
    """Return all arrays as a dataset with labelled dimensions: the content of the HDF5 file.

    Raises
    ------
    UsageError
        Without xarray.
    """
    from bec_md.optional import optional_package

    xarray = optional_package("xarray")
    coords = {name: (name, np.asarray(values), {"units": u}) for name, values, u in coordinates(spectrum)}
    data = {
        item.name: (item.dims, np.asarray(item.values), {"units": item.unit}) for item in variables(spectrum)
    }
    dataset: xr.Dataset = xarray.Dataset(data, coords, attributes(spectrum))
    return dataset


def to_pandas(spectrum: Spectrum, *, tensor: bool = False) -> pd.DataFrame:
    """Return the columns of the CSV file as a table over wavenumbers.

    Parameters
    ----------
    spectrum
        The spectrum.
    tensor
        Also the nine elements of ε₂.

    Raises
    ------
    UsageError
        Without pandas.
    """
    from bec_md.optional import optional_package

    frame: pd.DataFrame = optional_package("pandas").DataFrame(columns(spectrum, tensor))
    return frame.set_index("wavenumber_cm")
