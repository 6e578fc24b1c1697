"""A current as labelled arrays, for xarray and pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.current.fields import FIELDS, INTERNAL, SumRule
from bec_md.optional import optional_package

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from bec_md.current.series import CurrentSeries

#: Dimension of each entry of the shape of a row.
_DIMENSIONS = {"G": "group", "M": "member", "K": "internal"}


def to_xarray(current: CurrentSeries, sum_rule: SumRule = "mass") -> xr.Dataset:
    """Return all stored arrays with labelled dimensions, and the corrected total current ``J``.

    Parameters
    ----------
    current
        The series.
    sum_rule
        Correction of ``J``; the fields keep the raw tensors.

    Raises
    ------
    UsageError
        Without xarray.
    """
    xarray = optional_package("xarray")
    data: dict[str, Any] = {}
    for name, values in current.time_fields():
        field, array = FIELDS[name], np.asarray(values[:])
        axes = iter(("axis", "axis_2"))
        dims = [_DIMENSIONS[n] if isinstance(n, str) else next(axes) for n in field.row_shape]
        if len(array) == current.n_frames:
            dims, array = ["time_fs", *dims], array
        else:  # one row stands for all
            array = array[0]
        data[name] = (dims, array, {"units": field.unit, "long_name": field.meaning})
    applied = current.effective_sum_rule(sum_rule)
    meaning = f"total polarization current, sum rule {applied}"
    data["J"] = (("time_fs", "axis"), current.total(sum_rule), {"units": "e Å/fs", "long_name": meaning})
    coords: dict[str, Any] = {
        "time_fs": ("time_fs", current.times_fs, {"units": "fs"}),
        "axis": ["x", "y", "z"],
        "group": list(current.groups),
        **({} if current.internal_current is None else {"internal": list(INTERNAL)}),
    }
    attributes = {
        "timestep_fs": current.timestep_fs,
        "volume_ang3": current.volume_ang3,
        "total_charge_e": current.total_charge_e,
        "scheme": current.scheme,
    }
    dataset: xr.Dataset = xarray.Dataset(data, coords, attributes)
    return dataset


def to_pandas(current: CurrentSeries, sum_rule: SumRule = "mass") -> pd.DataFrame:
    """Return J(t) as a table: J_x, J_y, J_z in e Å/fs, then those of each group.

    Parameters
    ----------
    current
        The series.
    sum_rule
        Correction, as in `CurrentSeries.total`.

    Raises
    ------
    UsageError
        Without pandas.
    """
    parts = current.partial(sum_rule)
    table = {f"J_{axis}": parts[:, :, a].sum(axis=1) for a, axis in enumerate("xyz")}
    if current.n_groups > 1:
        for g, group in enumerate(current.groups):
            table |= {f"J_{axis}[{group}]": parts[:, g, a] for a, axis in enumerate("xyz")}
    index = optional_package("pandas").Index(current.times_fs, name="time_fs")
    frame: pd.DataFrame = optional_package("pandas").DataFrame(table, index=index)
    return frame
