"""Checks that a current series is well formed, each with a message that says what, why and the fix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.errors import DataError

if TYPE_CHECKING:
    from bec_md.current.series import CurrentSeries

#: Fields whose first axis is time, with the shape of one row (G groups, M members).
TIME_FIELDS: dict[str, tuple[Any, ...]] = {
    "current": ("G", 3),
    "charge_sum": ("G", 3, 3),
    "momentum": ("G", 3),
    "velocity_sum": ("G", 3),
    "zz_over_mass": ("G", 3, 3),
    "charge_over_mass": ("G", 3, 3),
    "kinetic_energy_ev": ("G",),
    "charge_uncertainty_e": (),
    "member_current": ("M", 3),
    "cells_ang": (3, 3),
    "eps_inf": (3, 3),
    "interpolation_check": (3,),
}
_ONE_ROW_ALLOWED = {"zz_over_mass", "charge_over_mass", "cells_ang", "eps_inf"}


def check_scalars(series: CurrentSeries) -> None:
    """Refuse impossible scalars."""
    for name, unit in (("timestep_fs", "fs"), ("volume_ang3", "Å³")):
        value = getattr(series, name)
        if not np.isfinite(value) or value <= 0.0:
            raise DataError(
                f"{name} of the current is {value} {unit}",
                "the spectrum divides by it: it must be positive",
                f"give the real value in {unit}",
            )
    if series.scheme not in ("velocity", "midpoint", "central"):
        raise DataError(
            f"unknown scheme {series.scheme!r} of the current",
            "the finite-difference transfer function depends on it",
            "use 'velocity', 'midpoint' or 'central'",
        )
    if len(set(series.groups)) != len(series.groups):
        raise DataError(
            f"group names repeat: {', '.join(series.groups)}",
            "results are stored under the name of their group",
            "give every group its own name",
        )


def check_shapes(series: CurrentSeries) -> None:
    """Refuse fields that do not fit together."""
    if len(series.current.shape) != 3 or series.current.shape[0] == 0:
        raise DataError(
            f"the current has shape {tuple(series.current.shape)}",
            "it must be (frames, groups, 3) with at least one frame",
            "reshape a single total current J(t) as current[:, None, :] with groups=('total',)",
        )
    sizes: dict[Any, int] = {"G": len(series.groups)}
    if series.member_current is not None and len(series.member_current.shape) == 3:
        sizes["M"] = int(series.member_current.shape[1])
    for name, array in series.time_fields():
        tail = tuple(sizes.get(n, n) for n in TIME_FIELDS[name])
        lengths = {series.n_frames} | ({1} if name in _ONE_ROW_ALLOWED else set())
        if tuple(array.shape[1:]) != tail or array.shape[0] not in lengths:
            raise DataError(
                f"{name} has shape {tuple(array.shape)}, expected {(series.n_frames, *tail)}",
                f"the series has {series.n_frames} frames and {sizes['G']} groups",
                "give every field the same frames and groups as the current",
            )
    for name in ("group_mass_amu", "group_count", "group_inverse_mass"):
        array = getattr(series, name)
        if array is not None and (array.shape != (sizes["G"],) or np.any(array <= 0)):
            raise DataError(
                f"{name} is {array}, expected {sizes['G']} positive numbers",
                "every group needs a mass and a number of atoms",
                "leave out empty groups",
            )


def check_finite(series: CurrentSeries) -> None:
    """Refuse NaN and infinity in arrays in memory."""
    for name, array in series.time_fields():
        # stored rows were checked when they were written; frames without a held-out tensor are NaN
        if not isinstance(array, np.ndarray) or name == "interpolation_check":
            continue
        finite = np.isfinite(array).reshape(array.shape[0], -1).all(axis=1)
        if not finite.all():
            raise DataError(
                f"{name} is not finite in frame {int(np.argmin(finite))}",
                "one NaN or infinity spoils every Fourier transform",
                "look at that frame of the input, or cut it off with --start/--stop",
            )


def check_same_kind(first: CurrentSeries, other: CurrentSeries, number: int) -> None:
    """Refuse to join pieces of different kind."""
    for name in ("groups", "scheme", "total_charge_e"):
        if getattr(first, name) != getattr(other, name):
            raise DataError(
                f"piece {number} has {name} {getattr(other, name)!r}, piece 1 {getattr(first, name)!r}",
                "pieces of one current must describe the same atoms in the same way",
                "join only pieces of one run, made with the same options",
            )
    if not np.isclose(first.timestep_fs, other.timestep_fs, rtol=1e-9, atol=0.0):
        raise DataError(
            f"piece {number} has a timestep of {other.timestep_fs} fs, piece 1 of {first.timestep_fs} fs",
            "a time series needs one timestep",
            "join only pieces sampled alike",
        )
    missing = {n for n, _ in first.time_fields()} ^ {n for n, _ in other.time_fields()}
    if missing:
        raise DataError(
            f"piece {number} and piece 1 do not both carry {', '.join(sorted(missing))}",
            "the joined series would have holes",
            "compute both pieces with the same options",
        )
