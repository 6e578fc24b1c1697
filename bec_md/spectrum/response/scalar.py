"""The response along one direction, or averaged over directions: every optical function with its error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bec_md.spectrum.errors import uncertainty
from bec_md.spectrum.response import conductivity as response
from bec_md.spectrum.response import optics
from bec_md.units import VACUUM_PERMITTIVITY_F_M

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class ScalarResponse:
    r"""Complex σ(ω) along a direction, :math:`\hat q·σ·\hat q`, or averaged, with errors; e^{−iωt}.

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
    sigma_dc
        DC conductivity that is left out of ε, S/m.
    """

    wavenumber_cm: Array
    sigma: Complex
    real_err: Array
    imag_err: Array
    covariance: Array
    eps_inf: float | None = None
    sigma_dc: float = 0.0

    @property
    def _omega_eps0(self) -> Array:
        return np.asarray(VACUUM_PERMITTIVITY_F_M * response.OMEGA_PER_CM * self.wavenumber_cm)

    @property
    def n_alpha(self) -> Array:
        """Absorption times refractive index nα = Re σ/(ε₀c) in cm⁻¹."""
        return response.n_alpha_from_conductivity(self.sigma.real)

    @property
    def n_alpha_err(self) -> Array:
        """Standard error of `n_alpha`."""
        return response.n_alpha_from_conductivity(self.real_err)

    @property
    def eps_imag(self) -> Array:
        """ε₂ = Re σ/(ε₀ω) without a subtracted DC part."""
        return np.asarray((self.sigma.real - self.sigma_dc) / self._omega_eps0)

    @property
    def eps_imag_err(self) -> Array:
        """Standard error of `eps_imag`."""
        return np.asarray(self.real_err / self._omega_eps0)

    def epsilon(self, quantity: str = "ε") -> Complex:
        """Return complex ε, refusing without ε_∞ in the name of `quantity`."""
        if self.eps_inf is None:
            response.require_eps_inf(None, quantity)
        chi = 1j * (self.sigma - self.sigma_dc) / self._omega_eps0
        return np.asarray((self.eps_inf or 0.0) + chi)

    def error_of(self, derivative: Complex, part: str = "real") -> Array:
        """Standard error of Re f(ε) or Im f(ε) from f'(ε), to first order."""
        scale = self._omega_eps0
        return uncertainty.analytic_function_error(
            derivative,
            (self.imag_err / scale) ** 2,
            (self.real_err / scale) ** 2,
            -self.covariance / scale**2,
            part,
        )

    @property
    def eps_real(self) -> Array:
        """Re ε."""
        return np.asarray(self.epsilon("Re ε").real)

    @property
    def eps_real_err(self) -> Array:
        """Standard error of `eps_real`."""
        self.epsilon("Re ε")
        return np.asarray(self.imag_err / self._omega_eps0)

    @property
    def n(self) -> Array:
        """Refractive index."""
        return np.asarray(optics.refractive_index(self.epsilon("n")).real)

    @property
    def n_err(self) -> Array:
        """Standard error of `n`."""
        return self.error_of(0.5 / optics.refractive_index(self.epsilon("n")))

    @property
    def kappa(self) -> Array:
        """Extinction coefficient κ."""
        return np.asarray(optics.refractive_index(self.epsilon("κ")).imag)

    @property
    def kappa_err(self) -> Array:
        """Standard error of `kappa`."""
        return self.error_of(0.5 / optics.refractive_index(self.epsilon("κ")), "imag")

    @property
    def alpha_cm(self) -> Array:
        """Absorption coefficient α = 2ωκ/c in cm⁻¹."""
        return optics.absorption_cm(self.wavenumber_cm, self.epsilon("α"))

    @property
    def alpha_cm_err(self) -> Array:
        """Standard error of `alpha_cm`."""
        return np.asarray(4.0 * np.pi * self.wavenumber_cm * self.kappa_err)

    @property
    def reflectivity(self) -> Array:
        """Normal-incidence reflectance."""
        return optics.reflectivity(self.epsilon("reflectivity"))

    @property
    def reflectivity_err(self) -> Array:
        """Standard error of `reflectivity`: dR = 2 Re(r* dr), dr/dε = 1/(√ε(√ε+1)²)."""
        index = optics.refractive_index(self.epsilon("reflectivity"))
        amplitude = (index - 1.0) / (index + 1.0)
        return self.error_of(2.0 * np.conj(amplitude) / (index * (index + 1.0) ** 2))

    @property
    def loss(self) -> Array:
        """Loss function −Im(1/ε)."""
        return optics.energy_loss(self.epsilon("loss"))

    @property
    def loss_err(self) -> Array:
        """Standard error of `loss`."""
        return self.error_of(1.0 / self.epsilon("loss") ** 2, "imag")
