r"""The functions of frequency that a spectrum has, one row each: a new one is one row here.

Every quantity q is real and follows from the complex ε(ω) of the same frequency (from ε − ε_∞ where ε_∞ is
not needed). Beside it stands its gradient g, from which error bars follow to first order:

.. math:: dq = \mathrm{Re}(g\,dε).

Figures, tables, files, reports and comparisons take names, symbols and units from here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from bec_md.arrays import Array, Complex
from bec_md.errors import UsageError
from bec_md.spectrum.response import optics
from bec_md.spectrum.response.conductivity import omega_eps0


@dataclass(frozen=True, slots=True)
class Quantity:
    """One function of frequency.

    Parameters
    ----------
    name
        Name in the API.
    words
        What it is called.
    symbol, element
        Symbol in mathtext without dollars, and that of a tensor component, {0} standing for its letters.
    unit
        Unit as in files: cm^-1, S/m or 1.
    of_eps
        Values from wavenumbers (F,) in cm⁻¹ and ε (..., F).
    gradient
        g (..., F) of the same, with dq = Re(g dε).
    needs_eps_inf
        Whether ε_∞ must be known; else ε − ε_∞ will do.
    linear
        Whether it is proportional to Re σ of the same frequency: χ² bands, and sums over groups of atoms.
    keeps_dc
        Whether it contains a DC conductivity that is left out of ε.
    floor, ceiling
        Lowest and highest possible value, or None.
    column
        Name of its column in tables, empty for none.
    titled
        Whether a figure that shows it alone writes its words in front of the symbol.
    over_omega
        Whether it follows from σ/ω, so that it means nothing within one resolution width of zero.
    """

    name: str
    words: str
    symbol: str
    element: str
    unit: str
    of_eps: Callable[[Array, Complex], Array]
    gradient: Callable[[Array, Complex], Complex]
    needs_eps_inf: bool = True
    linear: bool = False
    keeps_dc: bool = False
    floor: float | None = 0.0
    ceiling: float | None = None
    column: str = ""
    titled: bool = False
    over_omega: bool = False


def _index_slope(eps: Complex) -> Complex:
    """d√ε/dε."""
    return np.asarray(0.5 / optics.refractive_index(eps))


def _reflectivity_gradient(nu: Array, eps: Complex) -> Complex:
    """Return g of dR = 2 Re(r* dr), dr/dε = 1/(√ε(√ε+1)²)."""
    index = optics.refractive_index(eps)
    amplitude = (index - 1.0) / (index + 1.0)
    return np.asarray(2.0 * np.conj(amplitude) / (index * (index + 1.0) ** 2))


_TABLE = (
    Quantity(
        "n_alpha",
        "absorption times index nα",
        r"n\alpha",
        r"(n\alpha)_{{{0}}}",
        "cm^-1",
        lambda nu, eps: 2.0 * math.pi * nu * eps.imag,
        lambda nu, eps: np.broadcast_to(-2j * math.pi * nu, eps.shape),
        needs_eps_inf=False,
        linear=True,
        keeps_dc=True,
        column="n_alpha_cm",
    ),
    Quantity(
        "sigma_real",
        "conductivity Re σ",
        r"\mathrm{Re}\,\sigma",
        r"\mathrm{{Re}}\,\sigma_{{{0}}}",
        "S/m",
        lambda nu, eps: omega_eps0(nu) * eps.imag,
        lambda nu, eps: np.broadcast_to(-1j * omega_eps0(nu), eps.shape),
        needs_eps_inf=False,
        linear=True,
        keeps_dc=True,
        column="sigma_real_s_per_m",
    ),
    Quantity(
        "sigma_imag",
        "conductivity Im σ",
        r"\mathrm{Im}\,\sigma",
        r"\mathrm{{Im}}\,\sigma_{{{0}}}",
        "S/m",
        lambda nu, eps: -omega_eps0(nu) * eps.real,
        lambda nu, eps: np.broadcast_to(-omega_eps0(nu) + 0j, eps.shape),
        needs_eps_inf=False,
        keeps_dc=True,
        floor=None,
    ),
    Quantity(
        "eps_imag",
        "Im ε",
        r"\varepsilon_2",
        r"\varepsilon_{{2,{0}}}",
        "1",
        lambda nu, eps: eps.imag,
        lambda nu, eps: np.full(eps.shape, -1j),
        needs_eps_inf=False,
        linear=True,
        column="eps_imag",
        over_omega=True,
    ),
    Quantity(
        "eps_real",
        "Re ε",
        r"\varepsilon_1",
        r"\varepsilon_{{1,{0}}}",
        "1",
        lambda nu, eps: eps.real,
        lambda nu, eps: np.ones(eps.shape, dtype=complex),
        floor=None,
        column="eps_real",
        over_omega=True,
    ),
    Quantity(
        "n",
        "refractive index",
        "n",
        "n_{{{0}}}",
        "1",
        lambda nu, eps: optics.refractive_index(eps).real,
        lambda nu, eps: _index_slope(eps),
        titled=True,
        column="n",
        over_omega=True,
    ),
    Quantity(
        "kappa",
        "extinction coefficient",
        r"\kappa",
        r"\kappa_{{{0}}}",
        "1",
        lambda nu, eps: optics.refractive_index(eps).imag,
        lambda nu, eps: -1j * _index_slope(eps),
        titled=True,
        column="kappa",
        over_omega=True,
    ),
    Quantity(
        "alpha_cm",
        "absorption",
        r"\alpha",
        r"\alpha_{{{0}}}",
        "cm^-1",
        optics.absorption_cm,
        lambda nu, eps: -4j * math.pi * nu * _index_slope(eps),
        titled=True,
        column="alpha_cm",
    ),
    Quantity(
        "reflectivity",
        "reflectivity",
        "R",
        "R_{{{0}}}",
        "1",
        lambda nu, eps: optics.reflectivity(eps),
        _reflectivity_gradient,
        ceiling=1.0,
        titled=True,
        column="reflectivity",
        over_omega=True,
    ),
    Quantity(
        "loss",
        "loss function",
        r"-\mathrm{Im}(1/\varepsilon)",
        r"-\mathrm{{Im}}(1/\varepsilon_{{{0}}})",
        "1",
        lambda nu, eps: optics.energy_loss(eps),
        lambda nu, eps: -1j / eps**2,
        titled=True,
        column="loss",
        over_omega=True,
    ),
)

#: Every quantity by its name.
QUANTITIES = {q.name: q for q in _TABLE}


def unit_of_column(column: str) -> str:
    """Return the unit of a column of a table, whether a value, an error, of a group or along a direction."""
    stem = re.sub(r"(_model|_total)?_err$", "", column.partition("[")[0])
    units = {q.column: q.unit for q in _TABLE if q.column}
    return units.get(stem, "cm^-1" if "_cm" in stem else "1")


def tabulated(*, with_eps_inf: bool) -> list[Quantity]:
    """Quantities that tables show: those that need ε_∞ only if it is known."""
    return [q for q in _TABLE if q.column and (with_eps_inf or not q.needs_eps_inf)]


#: Short forms, and columns of tables, by which a quantity is understood.
ALIASES = {
    "na": "n_alpha",
    "n_alpha_cm": "n_alpha",
    "alpha": "alpha_cm",
    "r": "reflectivity",
    "sigma": "sigma_real",
    "eps1": "eps_real",
    "eps2": "eps_imag",
}


def find_quantity(name: str | Quantity, further: tuple[str, ...] = ()) -> Quantity:
    """Return a quantity by its name or a short form of it.

    Parameters
    ----------
    name
        Of the table, na, alpha, r, sigma, eps1 or eps2; a quantity is returned as it is.
    further
        Other names that may have been meant, for the message.

    Raises
    ------
    UsageError
        For an unknown name, with a suggestion.
    """
    if isinstance(name, Quantity):
        return name
    lower = str(name).lower()
    key = ALIASES.get(lower, lower)
    if key in QUANTITIES:
        return QUANTITIES[key]
    known = (*QUANTITIES, *further)
    close = get_close_matches(lower, (*known, *ALIASES), n=1)
    raise UsageError(
        f"no quantity {name!r}",
        "it is not a function of frequency that a spectrum has",
        (f"did you mean {close[0]!r}? " if close else "") + f"known: {', '.join(known)}",
    )
