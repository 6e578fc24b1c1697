r"""What can be plotted of a spectrum: values, errors and labels, isotropic or of one component.

nα, ε₂ and Re σ are linear in the spectral density of the current: their bands are χ² intervals and their
decomposition into groups is additive. The others follow from ε(ω) with errors to first order; components of
n, κ, α, R and −Im(1/ε) are those of a principal axis, so only xx, yy and zz are defined.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import UsageError
from bec_md.spectrum.errors import uncertainty
from bec_md.spectrum.errors.model_error import QUANTITIES as WITH_MODEL_ERROR
from bec_md.spectrum.response import conductivity as response
from bec_md.spectrum.response import optics
from bec_md.units import ABSORPTION_CM_PER_S_M, VACUUM_PERMITTIVITY_F_M

if TYPE_CHECKING:
    from bec_md.spectrum.spectrum import Spectrum

Array = NDArray[np.float64]

_AXES = "xyz"


@dataclass(frozen=True, slots=True)
class Quantity:
    """One function of frequency.

    Parameters
    ----------
    name
        Name in the API.
    symbol
        Symbol in mathtext, without dollars.
    element
        Symbol of a tensor component, with {0} for its two letters.
    unit
        Unit in mathtext; empty if dimensionless.
    attribute, error_attribute
        Isotropic values and errors in `Spectrum`.
    linear
        Whether it is proportional to Re σ at the same frequency.
    floor, ceiling
        Lowest and highest possible value, or None.
    needs_eps_inf
        Whether ε_∞ must be known.
    words
        What it is called in front of its symbol when it stands alone on an axis.
    """

    name: str
    symbol: str
    element: str
    unit: str
    attribute: str
    error_attribute: str
    linear: bool = False
    floor: float | None = 0.0
    needs_eps_inf: bool = True
    ceiling: float | None = None
    words: str = ""

    def component_symbol(self, component: str) -> str:
        """Symbol of a tensor component in mathtext, e.g. of xx."""
        return self.element.format(component)

    @property
    def label(self) -> str:
        """Axis label."""
        return self.label_with_power(0)

    def label_with_power(self, power: int, *, alone: bool = False) -> str:
        """Axis label of values divided by a power of ten; with words when it stands alone on the axis."""
        factor = rf"$10^{{{power}}}$" if power else ""
        unit = (factor + r"$\,$" + self.unit) if factor and self.unit else factor + self.unit
        name = f"{self.words} " if alone and self.words else ""
        return f"{name}${self.symbol}$" + (f" ({unit})" if unit else "")


_CM = r"cm$^{-1}$"

QUANTITIES = {
    q.name: q
    for q in (
        Quantity(
            "n_alpha", r"n\alpha", r"(n\alpha)_{{{0}}}", _CM, "n_alpha", "n_alpha_err", True, 0.0, False
        ),
        Quantity(
            "sigma",
            r"\mathrm{Re}\,\sigma",
            r"\mathrm{{Re}}\,\sigma_{{{0}}}",
            r"S$\,$m$^{-1}$",
            "sigma_real",
            "",
            True,
            0.0,
            False,
        ),
        Quantity(
            "sigma_imag",
            r"\mathrm{Im}\,\sigma",
            r"\mathrm{{Im}}\,\sigma_{{{0}}}",
            r"S$\,$m$^{-1}$",
            "",
            "",
            False,
            None,
            False,
        ),
        Quantity(
            "eps_imag",
            r"\varepsilon_2",
            r"\varepsilon_{{2,{0}}}",
            "",
            "eps_imag",
            "eps_imag_err",
            True,
            0.0,
            False,
        ),
        Quantity(
            "eps_real",
            r"\varepsilon_1",
            r"\varepsilon_{{1,{0}}}",
            "",
            "eps_real",
            "eps_real_err",
            False,
            None,
        ),
        Quantity("n", "n", "n_{{{0}}}", "", "n", "n_err", words="Refractive index"),
        Quantity(
            "kappa", r"\kappa", r"\kappa_{{{0}}}", "", "kappa", "kappa_err", words="Extinction coefficient"
        ),
        Quantity("alpha", r"\alpha", r"\alpha_{{{0}}}", _CM, "alpha_cm", "alpha_cm_err", words="Absorption"),
        Quantity(
            "reflectivity",
            "R",
            "R_{{{0}}}",
            "",
            "reflectivity",
            "reflectivity_err",
            ceiling=1.0,
            words="Reflectivity",
        ),
        Quantity(
            "loss",
            r"-\mathrm{Im}(1/\varepsilon)",
            r"-\mathrm{{Im}}(1/\varepsilon_{{{0}}})",
            "",
            "loss",
            "loss_err",
            words="Loss function",
        ),
    )
}

#: Two curves in one panel.
PAIRS = {"eps": ("eps_real", "eps_imag"), "nk": ("n", "kappa")}

_ALIASES = {
    "na": "n_alpha",
    "alpha_cm": "alpha",
    "r": "reflectivity",
    "sigma_real": "sigma",
    "epsilon": "eps",
    "eps1": "eps_real",
    "eps2": "eps_imag",
}


def quantities(name: str) -> tuple[Quantity, ...]:
    """Return the one or two quantities of this name.

    Raises
    ------
    UsageError
        For an unknown name, with a suggestion.
    """
    key = _ALIASES.get(name.lower(), name.lower())
    names = PAIRS.get(key, (key,))
    if any(n not in QUANTITIES for n in names):
        import difflib

        known = (*QUANTITIES, *PAIRS)
        close = difflib.get_close_matches(name.lower(), (*known, *_ALIASES), n=1)
        raise UsageError(
            f"no quantity {name!r}",
            "it is not a function of frequency that a spectrum has",
            (f"did you mean {close[0]!r}? " if close else "") + f"known: {', '.join(known)}",
        )
    return tuple(QUANTITIES[n] for n in names)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Values (F,) of a quantity with standard errors (F,) and a way to confidence bands.

    Parameters
    ----------
    values, errors
        (F,) each.
    dof
        (F,) χ² degrees of freedom, or None for a Gaussian band.
    offset
        (F,) what was subtracted from the χ²-distributed estimate, or None.
    floor, ceiling
        Lowest and highest possible value: Gaussian bands end there.
    """

    values: Array
    errors: Array
    dof: Array | None = None
    offset: Array | None = None
    floor: float | None = None
    ceiling: float | None = None

    def band(self, level: float) -> tuple[Array, Array]:
        """Return the central confidence interval: χ² if degrees of freedom are known, else Gaussian.

        Parameters
        ----------
        level
            Coverage, e.g. 0.68.
        """
        if self.dof is not None:
            shift = 0.0 if self.offset is None else self.offset
            low, high = uncertainty.chi_square_interval(self.values + shift, self.dof, level)
            return low - shift, high - shift
        half = normal_quantile(level) * self.errors
        return self.within_limits(self.values - half, self.values + half)

    def within_limits(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Cut a band where the quantity has no values, but never the curve itself out of it."""
        if self.floor is not None:
            low = np.maximum(low, np.minimum(self.values, self.floor))
        if self.ceiling is not None:
            high = np.minimum(high, np.maximum(self.values, self.ceiling))
        return low, high


def normal_quantile(level: float) -> float:
    """Half-width in standard deviations of the central interval of a normal law with this coverage."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(0.5 * (1.0 + level))


def curve(spectrum: Spectrum, quantity: Quantity, component: str | None = None) -> Curve:
    """Return values and errors of a quantity.

    Parameters
    ----------
    spectrum
        The spectrum.
    quantity
        What.
    component
        None for the isotropic average, or two letters of xyz.

    Raises
    ------
    UsageError
        Without ε_∞ where it is needed; for a component that is not defined.
    """
    if quantity.needs_eps_inf:
        response.require_eps_inf(spectrum.eps_inf, quantity.name)
    if component is None:
        return _isotropic(spectrum, quantity)
    a, b = _indices(component)
    real_err, imag_err = spectrum.sigma_real_err[:, a, b], spectrum.sigma_imag_err[:, a, b]
    sigma = spectrum.sigma[:, a, b]
    if quantity.name == "sigma_imag":
        return Curve(np.asarray(sigma.imag), imag_err)
    if quantity.linear:
        offset = 0.0
        if quantity.name == "eps_imag" and _dc(spectrum) is not None:
            offset = float(_dc(spectrum)[a, b])  # type: ignore[index]
        scale = linear_scale(spectrum, quantity)
        dof = uncertainty.degrees_of_freedom(sigma.real, real_err**2) if a == b else None
        return Curve((sigma.real - offset) * scale, real_err * scale, dof, offset * scale)
    eps = np.asarray(spectrum.eps)[:, a, b]
    scale = 1.0 / _omega_eps0(spectrum)
    if quantity.name == "eps_real":
        return Curve(np.asarray(eps.real), imag_err * scale)
    if a != b:
        raise UsageError(
            f"{quantity.name} has no component {component}",
            "it is not a tensor: only along a principal axis it follows from that element of ε",
            "use xx, yy or zz, or plot eps_real and eps_imag",
        )
    values, derivative, part = _OPTICS[quantity.name](spectrum.wavenumber_cm, eps)
    covariance = -spectrum.sigma_covariance[:, a, b] * scale**2
    variances = ((imag_err * scale) ** 2, (real_err * scale) ** 2, covariance)
    errors = uncertainty.analytic_function_error(derivative, *variances, part)
    return Curve(values, errors, floor=quantity.floor, ceiling=quantity.ceiling)


def partial_curves(spectrum: Spectrum, quantity: Quantity) -> dict[str, Curve]:
    """Return the additive parts of a linear quantity by group (σ_dc, if subtracted, is in none of them)."""
    scale = linear_scale(spectrum, quantity) / ABSORPTION_CM_PER_S_M
    return {
        name: Curve(values * scale, spectrum.partial_n_alpha_err.get(name, np.zeros_like(values)) * scale)
        for name, values in spectrum.partial_n_alpha.items()
    }


def linear_scale(spectrum: Spectrum, quantity: Quantity) -> Array:
    """Return the factor (F,) from Re σ in S/m to the quantity."""
    if quantity.name == "n_alpha":
        return np.full(len(spectrum.wavenumber_cm), ABSORPTION_CM_PER_S_M)
    if quantity.name == "eps_imag":
        return 1.0 / _omega_eps0(spectrum)
    return np.ones(len(spectrum.wavenumber_cm))


def model_error(spectrum: Spectrum, quantity: Quantity) -> Array | None:
    """Return the error (F,) that the ensemble of models adds to a quantity, or None."""
    if spectrum.member_sigma is not None and quantity.attribute in WITH_MODEL_ERROR:
        return spectrum.model_error(quantity.attribute)
    if spectrum.model_err is None or not quantity.linear:
        return None
    return spectrum.model_err / ABSORPTION_CM_PER_S_M * linear_scale(spectrum, quantity)


def _isotropic(spectrum: Spectrum, quantity: Quantity) -> Curve:
    if quantity.name == "sigma_imag":
        return Curve(np.asarray(spectrum.sigma_iso.imag), spectrum.iso_imag_err)
    values = getattr(spectrum, quantity.attribute)
    if quantity.name == "sigma":
        return Curve(values, spectrum.iso_real_err, spectrum.dof)
    errors = getattr(spectrum, quantity.error_attribute)
    if not quantity.linear:
        return Curve(values, errors, floor=quantity.floor, ceiling=quantity.ceiling)
    offset = None
    if quantity.name == "eps_imag" and (dc := _dc(spectrum)) is not None:
        offset = float(np.trace(dc)) / 3.0 / _omega_eps0(spectrum)
    return Curve(values, errors, spectrum.dof, offset)


def _dc(spectrum: Spectrum) -> Array | None:
    return spectrum.sigma_dc if spectrum.parameters.get("subtract_dc") else None


def _omega_eps0(spectrum: Spectrum) -> Array:
    return np.asarray(VACUUM_PERMITTIVITY_F_M * response.OMEGA_PER_CM * spectrum.wavenumber_cm)


def _indices(component: str) -> tuple[int, int]:
    if len(component) != 2 or any(letter not in _AXES for letter in component):
        raise UsageError(
            f"no tensor component {component!r}", "ε is a 3×3 tensor", "use two letters of x, y, z, e.g. 'zz'"
        )
    return _AXES.index(component[0]), _AXES.index(component[1])


#: values, derivative by ε and its part, of ε along a principal axis
_Optics = Callable[[Array, NDArray[Any]], tuple[Array, NDArray[Any], str]]


def _reflectivity(wavenumber_cm: Array, eps: NDArray[Any]) -> tuple[Array, NDArray[Any], str]:
    index = optics.refractive_index(eps)
    amplitude = (index - 1.0) / (index + 1.0)
    return optics.reflectivity(eps), 2.0 * np.conj(amplitude) / (index * (index + 1.0) ** 2), "real"


_OPTICS: dict[str, _Optics] = {
    "n": lambda nu, eps: (
        np.asarray(optics.refractive_index(eps).real),
        0.5 / optics.refractive_index(eps),
        "real",
    ),
    "kappa": lambda nu, eps: (
        np.asarray(optics.refractive_index(eps).imag),
        0.5 / optics.refractive_index(eps),
        "imag",
    ),
    "alpha": lambda nu, eps: (
        optics.absorption_cm(nu, eps),
        2.0 * np.pi * nu / optics.refractive_index(eps),
        "imag",
    ),
    "reflectivity": _reflectivity,
    "loss": lambda nu, eps: (optics.energy_loss(eps), 1.0 / eps**2, "imag"),
}
