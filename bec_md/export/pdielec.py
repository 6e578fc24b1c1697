"""ε as an experiment file of PDielec (.exp): ε_∞, and a table of what lies above it.

PDielec adds ``epsinf`` to the table, so that the table holds ε − ε_∞. Its six-component table
(``interpolate_6``) cannot be read by PDielec 10.0, so that a tensor is given by its diagonal.

Reference: Kendrick and Burnett 2016, J. Comput. Chem. 37, 1491.
"""

from __future__ import annotations

import warnings

import numpy as np

from bec_md.arrays import Array, Complex
from bec_md.errors import BecMDWarning
from bec_md.export.seen import Seen
from bec_md.spectrum.quantities import QUANTITIES

#: Off-diagonal elements beyond so many standard errors, and this part of the largest element, are said to be
#: lost.
_SIGNIFICANT, _SMALL = 5.0, 0.01


def pdielec_text(seen: Seen) -> str:
    """Return the file: three diagonal elements, or with a direction one function.

    Raises
    ------
    UsageError
        Without ε_∞.
    """
    kept = seen.kept(QUANTITIES["eps_imag"])
    nu = seen.spectrum.wavenumber_cm[kept]
    one = seen.response.epsilon("a table of ε")[kept]
    spectrum = seen.spectrum
    eps, inf = spectrum.eps, spectrum.eps_inf
    assert eps is not None  # for the type checker: the line above refuses its absence
    assert inf is not None
    if seen.along is not None:
        value = float(np.sum(seen.direction.weight * inf))
        inf, table, word = value * np.eye(3), (one - value)[:, None], "interpolate"
    else:
        _warn_of_lost(eps, spectrum.eps_imag_tensor_err, inf)
        table = np.diagonal(eps[kept] - inf, axis1=1, axis2=2)
        inf, word = np.diag(np.diag(inf)), "interpolate_3"
    lines = [*(f"# {fact}" for fact in seen.facts()), "epsinf"]
    lines += [" ".join(f"{value:.8g}" for value in row) for row in inf]
    lines += ["# cm^-1, then Re and Im of eps - eps_inf of each axis", word]
    return "\n".join([*lines, *_rows(nu, table), "end"]) + "\n"


def _rows(nu: Array, table: Complex) -> list[str]:
    return [
        f"{x:.8g} " + " ".join(f"{value.real:.8g} {value.imag:.8g}" for value in row)
        for x, row in zip(nu, table, strict=True)
    ]


def _warn_of_lost(eps: Complex, errors: Array, inf: Array) -> None:
    """Say that off-diagonal elements are left out, where they are more than noise."""
    off = ~np.eye(3, dtype=bool)
    lost, most = np.abs(eps.imag[:, off]), np.abs(eps.imag[:, ~off]).max()
    beyond = (lost > _SIGNIFICANT * errors[:, off]) & (lost > _SMALL * most)
    if beyond.any() or np.abs(inf[off]).max() > _SMALL * inf[~off].max():
        warnings.warn(
            BecMDWarning(
                f"off-diagonal elements of ε₂ reach {lost.max():.3g}, those of ε_∞ "
                f"{np.abs(inf[off]).max():.3g}, which the table leaves out: PDielec 10.0 reads the "
                "diagonal only; rotate the cell so that its axes are principal ones"
            ),
            stacklevel=2,
        )
