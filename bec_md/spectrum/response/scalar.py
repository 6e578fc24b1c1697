"""The response along one direction, or averaged over directions: every quantity with its errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bec_md.arrays import Array, Complex, brief_repr
from bec_md.spectrum.errors import model_error, uncertainty
from bec_md.spectrum.quantities import QUANTITIES, Quantity, find_quantity
from bec_md.spectrum.response import conductivity

#: χ² degrees of freedom of one ordinate of a periodogram: no estimate of power has fewer.
ORDINATE = 2.0


class _Value:
    """An attribute that is a quantity of its owner, or its statistical error."""

    def __init__(self, name: str, *, error: bool = False) -> None:
        self.name, self.error = name, error
        self.__doc__ = ("Standard error of " if error else "") + f"{QUANTITIES[name].words}, (F,)."

    def __get__(self, owner: Functions, kind: type) -> Array:
        return owner.error(self.name) if self.error else owner.get(self.name)


def _pair(name: str) -> tuple[_Value, _Value]:
    return _Value(name), _Value(name, error=True)


class Functions:
    """Short names: ``x.n`` is ``x.get("n")``, and ``x.n_err`` is ``x.error("n")``."""

    n_alpha, n_alpha_err = _pair("n_alpha")
    sigma_real = _Value("sigma_real")
    eps_imag, eps_imag_err = _pair("eps_imag")
    eps_real, eps_real_err = _pair("eps_real")
    n, n_err = _pair("n")
    kappa, kappa_err = _pair("kappa")
    alpha_cm, alpha_cm_err = _pair("alpha_cm")
    reflectivity, reflectivity_err = _pair("reflectivity")
    loss, loss_err = _pair("loss")

    def get(self, quantity: str | Quantity) -> Array:
        """Return the values of a quantity, (F,)."""
        raise NotImplementedError

    def error(self, quantity: str | Quantity) -> Array:
        """Return the statistical standard error of a quantity, (F,)."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Response(Functions):
    r"""Complex σ(ω) along a direction, :math:`\mathrm{tr}(Pσ)`, with errors; e^{−iωt}.

    What needs ε_∞ raises `UsageError` without it. Errors are standard errors, propagated to first order.

    Parameters
    ----------
    wavenumber_cm
        (F,) uniform grid above zero.
    sigma
        (F,) complex, S/m.
    real_err, imag_err, covariance
        (F,) standard errors of both parts in S/m, and their covariance.
    eps_inf
        ε_∞ along the direction, or None.
    sigma_dc, sigma_dc_err
        DC conductivity that is left out of ε, S/m, and its standard error, which ε then has, too.
    positive
        Whether Re σ is a power spectrum (not so for an off-diagonal element): its noise then follows χ².
    member_sigma
        (M, F) σ of each member of the ensemble of models, or None.
    calibration
        Error over spread of the ensemble.
    model_err
        (F,) model error of nα where members are not known, cm⁻¹, or None.
    """

    wavenumber_cm: Array
    sigma: Complex
    real_err: Array
    imag_err: Array
    covariance: Array
    eps_inf: float | None = None
    sigma_dc: float = 0.0
    sigma_dc_err: float = 0.0
    positive: bool = True
    member_sigma: Complex | None = None
    calibration: float = 1.0
    model_err: Array | None = None

    __repr__ = brief_repr

    def epsilon(self, quantity: str = "ε") -> Complex:
        """Return complex ε, refusing without ε_∞ in the name of `quantity`."""
        conductivity.require_eps_inf(self.eps_inf, quantity)
        return self._eps_of(self.sigma, self.sigma_dc)

    def _eps_of(self, sigma: Complex, sigma_dc: float) -> Complex:
        chi = conductivity.susceptibility(self.wavenumber_cm, (sigma - sigma_dc).T).T
        return np.asarray((self.eps_inf or 0.0) + chi)

    def _eps_for(self, quantity: Quantity, sigma: Complex) -> Complex:
        """ε as a quantity wants it: with ε_∞ where needed, with σ_dc where kept."""
        if quantity.needs_eps_inf:
            conductivity.require_eps_inf(self.eps_inf, quantity.name)
        eps = self._eps_of(sigma, 0.0 if quantity.keeps_dc else self.sigma_dc)
        return eps if quantity.needs_eps_inf else np.asarray(eps - (self.eps_inf or 0.0))

    def get(self, quantity: str | Quantity) -> Array:
        """Return the values of a quantity, (F,).

        Raises
        ------
        UsageError
            For an unknown name, or what needs ε_∞ without it.
        """
        row = find_quantity(quantity)
        return np.asarray(row.of_eps(self.wavenumber_cm, self._eps_for(row, self.sigma)), dtype=np.float64)

    def error(self, quantity: str | Quantity) -> Array:
        """Statistical standard error of a quantity, (F,)."""
        row = find_quantity(quantity)
        gradient = row.gradient(self.wavenumber_cm, self._eps_for(row, self.sigma))
        return self.error_of(gradient, 0.0 if row.keeps_dc else self.sigma_dc_err)

    def error_of(self, gradient: Complex, sigma_dc_err: float | None = None) -> Array:
        """Standard error (F,) of a real function q of ε with dq = Re(g dε), to first order.

        `sigma_dc_err` is that of the conductivity left out, by default that of ε.
        """
        left_out = self.sigma_dc_err if sigma_dc_err is None else sigma_dc_err
        scale = conductivity.omega_eps0(self.wavenumber_cm)
        return uncertainty.real_part_error(
            gradient,
            (self.imag_err / scale) ** 2,
            (self.real_err**2 + left_out**2) / scale**2,
            -self.covariance / scale**2,
        )

    def model_error(self, quantity: str | Quantity) -> Array | None:
        """Error (F,) that the ensemble of models adds to a quantity, or None without an ensemble."""
        row = find_quantity(quantity)
        if self.member_sigma is not None:
            eps = self._eps_for(row, self.member_sigma)
            return model_error.spread(row.of_eps(self.wavenumber_cm, eps), self.calibration)
        if self.model_err is None or not row.linear:
            return None
        eps_err = self.model_err / (2.0 * np.pi * self.wavenumber_cm)
        return np.asarray(np.abs(row.gradient(self.wavenumber_cm, self.sigma)) * eps_err)

    def total_error(self, quantity: str | Quantity) -> Array:
        """Statistical and model error in quadrature, (F,)."""
        statistical, model = self.error(quantity), self.model_error(quantity)
        return statistical if model is None else np.asarray(np.hypot(statistical, model))

    def interval(self, quantity: str | Quantity, level: float = 0.68) -> tuple[Array, Array]:
        """Central confidence interval: χ² for what is proportional to a power spectrum, else Gaussian.

        Parameters
        ----------
        quantity
            What.
        level
            Coverage, e.g. 0.68.

        Returns
        -------
        lower, upper
            (F,) each, cut where the quantity has no values.
        """
        row = find_quantity(quantity)
        values = self.get(row)
        half = uncertainty.normal_quantile(level) * self.error(row)
        if row.linear and self.positive and (row.keeps_dc or not self.sigma_dc_err):
            dof = uncertainty.degrees_of_freedom(self.sigma.real, self.real_err**2)
            unit = np.abs(row.gradient(self.wavenumber_cm, self.sigma))  # a linear one does not depend on ε
            dc = 0.0 if row.keeps_dc else self.sigma_dc
            shift = unit * dc / conductivity.omega_eps0(self.wavenumber_cm)
            low, high = uncertainty.chi_square_interval(values + shift, np.maximum(dof, ORDINATE), level)
            # below, the error is not that of an estimate of power, but what strong bands leak there
            low *= np.minimum(dof / ORDINATE, 1.0)
            high = np.where(dof < ORDINATE, np.maximum(high, values + shift + half), high)
            return low - shift, high - shift
        return self.within_limits(row, values - half, values + half)

    def within_limits(self, quantity: Quantity, low: Array, high: Array) -> tuple[Array, Array]:
        """Cut a band where the quantity has no values, but never the curve itself out of it."""
        values = self.get(quantity)
        if quantity.floor is not None:
            low = np.maximum(low, np.minimum(values, quantity.floor))
        if quantity.ceiling is not None:
            high = np.minimum(high, np.maximum(values, quantity.ceiling))
        return low, high
