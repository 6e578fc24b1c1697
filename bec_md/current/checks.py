"""Checks that a current is well formed, each with a message that says what, why and the fix."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from bec_md.arrays import brief
from bec_md.current.fields import FIELDS, INTERNAL, CurrentData
from bec_md.errors import DataError
from bec_md.units import SAME_INTERVAL

#: Larger numbers come from damage; their squares and sums would overflow.
_LARGEST = 1e100
_OF_GROUPS = ("group_mass_amu", "group_count", "group_inverse_mass", "group_free")


def as_arrays(data: CurrentData) -> dict[str, Any]:
    """Return what was given as lists or other kinds of arrays as real arrays, and names as a tuple.

    Raises
    ------
    DataError
        For numbers that are masked, complex, or none: what they would be taken for is not what they are.
    """
    groups = (data.groups,) if isinstance(data.groups, str) else tuple(map(str, data.groups))
    changes: dict[str, Any] = {"groups": groups}
    for name in (*FIELDS, *_OF_GROUPS):
        array = getattr(data, name)
        if np.ma.is_masked(array):
            raise _no_numbers(name, "has masked entries")
        if array is None or _kind(array) in "fiu":
            continue
        try:
            found = np.asarray(array)
            found = found.astype(np.float64) if found.dtype.kind == "O" else found
        except (TypeError, ValueError):  # rows of several lengths, None
            found = np.empty(0, dtype="O")
        if _kind(found) not in "fiu":
            raise _no_numbers(name, f"is no array of real numbers (type {found.dtype})")
        changes[name] = found
    return changes


def _kind(array: Any) -> str:
    """Letter of the type of an array of NumPy's kind, f of a stand-in without types; O for anything else."""
    if hasattr(array, "shape") and not hasattr(array, "dtype"):
        return "f"
    return str(getattr(getattr(array, "dtype", None), "kind", "O"))


def _no_numbers(name: str, what: str) -> DataError:
    return DataError(
        f"{name} of the current {what}",
        "every sample counts in a Fourier transform, and is a real number",
        "give real numbers at all times: cut the series where some are missing",
    )


def check_scalars(data: CurrentData) -> None:
    """Refuse impossible scalars."""
    for name, unit in (("timestep_fs", "fs"), ("volume_ang3", "Å³"), ("temperature_k", "K")):
        value = getattr(data, name)
        if value is None and name == "temperature_k":
            continue
        single = isinstance(value, Real | np.ndarray) and getattr(value, "shape", ()) == ()
        if not single or not 0.0 < float(value) < np.inf:
            raise DataError(
                f"{name} of the current is {brief(value)} {unit}",
                "the spectrum divides by it: it must be positive",
                f"give the real value in {unit}",
            )
    if data.scheme not in ("velocity", "midpoint", "central"):
        raise DataError(
            f"unknown scheme {data.scheme!r} of the current",
            "the finite-difference transfer function depends on it",
            "use 'velocity', 'midpoint' or 'central'",
        )
    if len(set(data.groups)) != len(data.groups):
        raise DataError(
            f"group names repeat: {', '.join(data.groups)}",
            "results are stored under the name of their group",
            "give every group its own name",
        )


def check_shapes(data: CurrentData) -> None:
    """Refuse fields that do not fit together."""
    if len(data.current.shape) != 3 or data.current.shape[0] == 0:
        raise DataError(
            f"the current has shape {tuple(data.current.shape)}",
            "it must be (frames, groups, 3) with at least one frame",
            "reshape a single total current J(t) as current[:, None, :] with `groups=('total',)`",
        )
    members = data.member_current
    sizes = {
        "G": len(data.groups),
        "M": int(members.shape[1]) if members is not None and len(members.shape) == 3 else 0,
        "K": len(INTERNAL),
    }
    for name, array in data.time_fields():
        tail = FIELDS[name].shape(sizes)
        lengths = {data.n_frames} | ({1} if FIELDS[name].one_row else set())
        if tuple(array.shape[1:]) != tail or array.shape[0] not in lengths:
            raise DataError(
                f"{name} has shape {tuple(array.shape)}, expected {(data.n_frames, *tail)}",
                f"the series has {data.n_frames} frames and {sizes['G']} groups",
                "give every field the same frames and groups as the current",
            )
    for name in _OF_GROUPS:
        array = getattr(data, name)
        least = 1 if name == "group_count" else 0  # a group may consist of sites without mass
        if array is not None and (array.shape != (sizes["G"],) or np.any(array < least)):
            raise DataError(
                f"{name} is {array}, expected {sizes['G']} positive numbers",
                "every group needs a mass and a number of atoms",
                "leave out empty groups",
            )


def check_finite(data: CurrentData) -> None:
    """Refuse NaN and infinity in arrays in memory (stored rows were checked when they were written)."""
    for name, array in data.time_fields():
        if not isinstance(array, np.ndarray) or FIELDS[name].may_be_nan:
            continue
        finite = (
            (np.abs(np.asarray(array, dtype=np.float64)) < _LARGEST).reshape(array.shape[0], -1).all(axis=1)
        )  # NaN is not
        if not finite.all():
            raise DataError(
                f"{name} is not finite, or above {_LARGEST:g}, in frame {int(np.argmin(finite))}",
                "one such number spoils every Fourier transform",
                "look at that frame of the input, or cut it off with `start`/`stop`",
            )


def check_same_kind(first: CurrentData, other: CurrentData, number: int) -> None:
    """Refuse to join pieces of different kind."""
    for name in ("groups", "scheme", "total_charge_e"):
        if getattr(first, name) != getattr(other, name):
            raise DataError(
                f"piece {number} has {name} {getattr(other, name)!r}, piece 1 {getattr(first, name)!r}",
                "pieces of one current must describe the same atoms in the same way",
                "join only pieces of one run, made with the same options",
            )
    if not np.isclose(first.timestep_fs, other.timestep_fs, rtol=SAME_INTERVAL, atol=0.0):
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
