"""spglib (Togo, Shinohara and Tanaka 2024) by the names of its functions, without its remarks on itself."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def ask_spglib(name: str, *arguments: Any, **options: Any) -> Any:
    """Call a function of spglib; what it does not find is None.

    Whether spglib raises an error or returns None then depends on its version, and on other packages of the
    process (phonopy sets it for all).
    """
    import spglib

    failure: Any = getattr(getattr(spglib, "error", None), "SpglibError", ())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # about its own way to report errors
        try:
            return getattr(spglib, name)(*arguments, **options)
        except failure:
            return None


def cell_of(cell_ang: ArrayLike, positions_ang: ArrayLike, numbers: ArrayLike) -> tuple[Any, Any, Any]:
    """Return lattice vectors (rows), fractional positions and kinds as spglib takes them."""
    cell = np.asarray(cell_ang, dtype=float)
    fractional = np.asarray(positions_ang) @ np.linalg.inv(cell)
    return cell.tolist(), fractional.tolist(), np.asarray(numbers).tolist()
