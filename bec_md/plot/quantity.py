"""What can be plotted of a spectrum, and how it is labeled: the table of quantities, alone or in pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bec_md.arrays import Array
from bec_md.errors import UsageError
from bec_md.spectrum.quantities import Quantity, find_quantity
from bec_md.spectrum.response.direction import component
from bec_md.spectrum.response.scalar import Response

if TYPE_CHECKING:
    from bec_md.spectrum.spectrum import Spectrum

#: Two curves in one panel.
PAIRS = {"eps": ("eps_real", "eps_imag"), "nk": ("n", "kappa")}

_UNITS = {"cm^-1": r"cm$^{-1}$", "S/m": r"S$\,$m$^{-1}$", "1": ""}


def quantities(name: str) -> tuple[Quantity, ...]:
    """Return the one or two quantities of this name.

    Raises
    ------
    UsageError
        For an unknown name, with a suggestion.
    """
    key = str(name).lower()
    pair = PAIRS.get("eps" if key == "epsilon" else key)
    return tuple(find_quantity(n, tuple(PAIRS)) for n in pair or (name,))


def axis_label(quantity: Quantity, power: int = 0, *, alone: bool = False) -> str:
    """Axis label of values divided by a power of ten; with words when it stands alone on the axis."""
    unit = _UNITS[quantity.unit]
    factor = rf"$10^{{{power}}}$" if power else ""
    unit = factor + (r"$\,$" if factor and unit else "") + unit
    words = f"{quantity.words[:1].upper()}{quantity.words[1:]} " if alone and quantity.titled else ""
    return f"{words}${quantity.symbol}$" + (f" ({unit})" if unit else "")


def seen_along(spectrum: Spectrum, quantity: Quantity, letters: str | None) -> Response:
    """Return the response that a curve shows: the average, or one element of the tensor.

    Raises
    ------
    UsageError
        For an element that does not exist, or an off-diagonal one of what is no tensor.
    """
    if letters is None:
        return spectrum.along()
    seen = spectrum.along(component(letters))
    if not seen.positive and quantity.needs_eps_inf and quantity.name != "eps_real":
        raise UsageError(
            f"{quantity.name} has no component {letters}",
            "it is not a tensor: only along a principal axis it follows from that element of ε",
            "use xx, yy or zz, or plot eps_real and eps_imag",
        )
    return seen


def partial_curves(spectrum: Spectrum, quantity: Quantity) -> dict[str, Array]:
    """Return the additive parts of a linear quantity by group (σ_dc, if subtracted, is in none of them)."""
    n_alpha = find_quantity("n_alpha")
    nu, eps = spectrum.wavenumber_cm, spectrum.sigma_iso
    scale = np.abs(quantity.gradient(nu, eps)) / np.abs(n_alpha.gradient(nu, eps))
    return {name: values * scale for name, values in spectrum.partial_n_alpha.items()}
