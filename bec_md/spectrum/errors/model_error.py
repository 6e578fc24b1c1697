r"""Model uncertainty of optical functions: the spread over an ensemble of networks.

Each member m of the ensemble has its own current, conductivity and ε. The function of interest is evaluated
for each, and

.. math:: s = c \left[\frac{1}{M-1} \sum_m (f[ε_m] - \bar f)^2\right]^{1/2},

with the calibration factor c of the ensemble (error over spread of the tensors, from its validation). No
expansion to first order, which fails where R or n vary fast. ε_∞ is the same for all members, so that its
own error is not in it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import UsageError
from bec_md.spectrum.response import conductivity as response
from bec_md.spectrum.response import optics

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: Functions of (ν̃, ε); ε is isotropic, (M, F).
OF_EPSILON: dict[str, Callable[[Array, Complex], Array]] = {
    "eps_real": lambda nu, eps: eps.real,
    "n": lambda nu, eps: optics.refractive_index(eps).real,
    "kappa": lambda nu, eps: optics.refractive_index(eps).imag,
    "alpha_cm": optics.absorption_cm,
    "reflectivity": lambda nu, eps: optics.reflectivity(eps),
    "loss": lambda nu, eps: optics.energy_loss(eps),
}
QUANTITIES = ("n_alpha", "eps_imag", *OF_EPSILON)


def member_values(
    quantity: str, wavenumber_cm: Array, sigma: Complex, eps_inf: float | None, sigma_dc: float = 0.0
) -> Array:
    """Quantity for each member of the ensemble, (M, F).

    Parameters
    ----------
    quantity
        One of `QUANTITIES`.
    wavenumber_cm
        (F,).
    sigma
        (M, F) isotropic conductivity of each member, S/m.
    eps_inf
        Isotropic ε_∞; needed for all but n_alpha and eps_imag.
    sigma_dc
        DC conductivity left out of ε, S/m.

    Raises
    ------
    UsageError
        If the quantity is unknown, or needs ε_∞.
    """
    if quantity == "n_alpha":
        return response.n_alpha_from_conductivity(sigma.real)
    chi = response.susceptibility(wavenumber_cm, (sigma - sigma_dc).T).T
    if quantity == "eps_imag":
        return np.asarray(chi.imag)
    if quantity not in OF_EPSILON:
        raise UsageError(
            f"no model error of {quantity!r}",
            "it is known for functions of the isotropic ε",
            f"choose one of {', '.join(QUANTITIES)}",
        )
    if eps_inf is None:
        response.require_eps_inf(None, quantity)
    return np.asarray(OF_EPSILON[quantity](wavenumber_cm, (eps_inf or 0.0) + chi))


def spread(values: Array, calibration: float = 1.0) -> Array:
    """Standard deviation over members times the calibration, (F,) from (M, F)."""
    return np.asarray(calibration * values.std(axis=0, ddof=1))
