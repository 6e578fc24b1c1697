"""Names and index order under which files hold Born effective charges."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError

#: Names looked for when no key is given, in this order.
CHARGE_ALIASES = ("born_effective_charges", "becs", "bec", "born_charge", "REF_becs")


def find_charge_key(names: Iterable[str], charges_key: str | None, place: str) -> str | None:
    """Name of the array that holds the charges: the given key, else the first alias, else None.

    Raises
    ------
    DataError
        If a key is given and there is no such array.
    """
    available = list(names)
    if charges_key is None:
        return next((alias for alias in CHARGE_ALIASES if alias in available), None)
    if charges_key in available:
        return charges_key
    raise DataError(
        f"{place}: no per-atom array named {charges_key!r}",
        f"the file holds {', '.join(available) or 'no arrays'}",
        f"give charges_key= one of these, or a file with {' or '.join(CHARGE_ALIASES[:2])}",
    )


def as_tensors(
    values: NDArray[np.float64], n_atoms: int, *, name: str, transposed: bool, place: str
) -> NDArray[np.float64]:
    """Charges as Z[i, a, b] = ∂M_a/∂u_ib, shape (N, 3, 3), from (N, 9) row-major or (N, 3, 3).

    With `transposed` the file's first index is the displacement (i-PI and some others).

    Raises
    ------
    DataError
        If the array has another shape.
    """
    if values.shape not in ((n_atoms, 9), (n_atoms, 3, 3)):
        raise DataError(
            f"{place}: charges {name!r} have shape {values.shape}, not ({n_atoms}, 3, 3) or ({n_atoms}, 9)",
            "a Born effective charge is a 3×3 tensor per atom: Z[i,a,b] = ∂M_a/∂u_ib",
            "write nine columns per atom in row-major order, or give the right charges_key=",
        )
    tensors = np.ascontiguousarray(values, dtype=np.float64).reshape(n_atoms, 3, 3)
    return np.ascontiguousarray(tensors.swapaxes(1, 2)) if transposed else tensors
