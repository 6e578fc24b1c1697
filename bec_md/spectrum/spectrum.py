"""The result: a frozen spectrum with errors, partials, parameters and self-checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bec_md.spectrum.analysis.peak import Peak
from bec_md.spectrum.errors import model_error, uncertainty
from bec_md.spectrum.errors.quality import QualityReport
from bec_md.spectrum.response import conductivity as response
from bec_md.spectrum.response import optics
from bec_md.spectrum.response.scalar import ScalarResponse
from bec_md.units import CM_PER_THZ, MEV_PER_CM, VACUUM_PERMITTIVITY_F_M

if TYPE_CHECKING:
    from bec_md.spectrum.response.direction import Direction

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Spectrum:
    r"""Dielectric response of a simulation, e^{−iωt}, with statistical errors.

    Isotropic quantities are averages tr/3. What needs ε_∞ (`eps_real`, `n`, `kappa`, `alpha_cm`,
    `reflectivity`, `loss`) raises `UsageError` when it was not given.

    Parameters
    ----------
    wavenumber_cm
        (F,) uniform grid, from the first point above zero.
    sigma
        (F, 3, 3) complex conductivity, S/m.
    sigma_real_err, sigma_imag_err, sigma_covariance
        (F, 3, 3) standard errors of both parts of each element, and their covariance.
    iso_real_err, iso_imag_err, iso_covariance
        (F,) the same for tr σ/3.
    dof
        (F,) equivalent χ² degrees of freedom of tr Re σ/3.
    temperature_k, volume_ang3
        Used in the prefactor.
    eps_inf
        (3, 3) or None.
    sigma_dc, sigma_dc_err
        (3, 3) DC conductivity S/m and (3, 3) errors, None for an insulator; `sigma` still contains it,
        `eps` does not if ``parameters["subtract_dc"]``.
    partial_n_alpha, partial_n_alpha_err
        nα of each group with the total, cm⁻¹: they sum to `n_alpha` exactly and may be negative.
    group_matrix_n_alpha
        (G, G, F) nα of all pairs of groups, or None.
    model_err
        (F,) model uncertainty of nα: calibrated spread over the model ensemble, cm⁻¹, or None.
    member_sigma
        (M, F) complex isotropic conductivity of each member of the ensemble, S/m, or None.
    jackknife_err
        (F,) jackknife standard error of nα over stretches of the run, or None.
    acf_time_fs, acf, lag_window
        (L,), (L, 3, 3) autocorrelation of the current in (e Å/fs)² and (L,) the lag window.
    raw_wavenumber_cm, raw_n_alpha
        The periodogram without smoothing (bins averaged if there are very many).
    static
        Static dielectric numbers: keys fluctuation, fluctuation_err, kramers_kronig, each (3, 3); with
        ε_∞ they are ε(0), without it ε(0) − ε_∞.
    peaks
        Peaks of nα.
    quality
        Self-checks.
    parameters
        How it was computed (estimator, resolution, corrections …), plain values.
    metadata
        Of the current series (model, hashes, version).
    """

    wavenumber_cm: Array
    sigma: Complex
    sigma_real_err: Array
    sigma_imag_err: Array
    sigma_covariance: Array
    iso_real_err: Array
    iso_imag_err: Array
    iso_covariance: Array
    dof: Array
    temperature_k: float
    volume_ang3: float
    eps_inf: Array | None = None
    sigma_dc: Array | None = None
    sigma_dc_err: Array | None = None
    partial_n_alpha: Mapping[str, Array] = field(default_factory=dict)
    partial_n_alpha_err: Mapping[str, Array] = field(default_factory=dict)
    group_matrix_n_alpha: Array | None = None
    model_err: Array | None = None
    member_sigma: Complex | None = None
    jackknife_err: Array | None = None
    acf_time_fs: Array = field(default_factory=lambda: np.zeros(0))
    acf: Array = field(default_factory=lambda: np.zeros((0, 3, 3)))
    lag_window: Array = field(default_factory=lambda: np.zeros(0))
    raw_wavenumber_cm: Array = field(default_factory=lambda: np.zeros(0))
    raw_n_alpha: Array = field(default_factory=lambda: np.zeros(0))
    static: Mapping[str, Array] = field(default_factory=dict)
    peaks: tuple[Peak, ...] = ()
    quality: QualityReport = field(default_factory=QualityReport)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    # --- axes -------------------------------------------------------------------------------------
    @property
    def frequency_thz(self) -> Array:
        """Frequencies in THz."""
        return np.asarray(self.wavenumber_cm / CM_PER_THZ)

    @property
    def energy_mev(self) -> Array:
        """Photon energies in meV."""
        return np.asarray(self.wavenumber_cm * MEV_PER_CM)

    @property
    def _omega_eps0(self) -> Array:
        return np.asarray(VACUUM_PERMITTIVITY_F_M * response.OMEGA_PER_CM * self.wavenumber_cm)

    # --- without ε_∞ -------------------------------------------------------------------------------
    @property
    def sigma_iso(self) -> Complex:
        """Isotropic complex conductivity tr σ/3 in S/m, (F,)."""
        return np.asarray(np.trace(self.sigma, axis1=1, axis2=2) / 3.0)

    @property
    def sigma_real(self) -> Array:
        """Isotropic Re σ in S/m, (F,)."""
        return np.asarray(self.sigma_iso.real)

    @property
    def n_alpha(self) -> Array:
        """Isotropic nα = Re σ/(ε₀c) in cm⁻¹, (F,): the infrared spectrum."""
        return response.n_alpha_from_conductivity(self.sigma_real)

    @property
    def n_alpha_err(self) -> Array:
        """Statistical standard error of `n_alpha`, (F,)."""
        return response.n_alpha_from_conductivity(self.iso_real_err)

    @property
    def n_alpha_total_err(self) -> Array:
        """Statistical and model error in quadrature, (F,)."""
        return self.total_error("n_alpha")

    def model_error(self, quantity: str = "n_alpha") -> Array | None:
        """Model uncertainty of a quantity, (F,), or None without an ensemble: kept apart from sampling.

        Parameters
        ----------
        quantity
            n_alpha, eps_imag; with ε_∞ also eps_real, n, kappa, alpha_cm, reflectivity or loss.
        """
        if self.member_sigma is None:
            return self.model_err if quantity == "n_alpha" else None
        eps_inf = None if self.eps_inf is None else float(np.trace(self.eps_inf)) / 3.0
        dc = self._subtracted_dc
        values = model_error.member_values(
            quantity,
            self.wavenumber_cm,
            self.member_sigma,
            eps_inf,
            0.0 if dc is None else float(np.trace(dc)) / 3.0,
        )
        return model_error.spread(values, float(self.parameters.get("model_uncertainty_scale", 1.0)))

    def total_error(self, quantity: str = "n_alpha") -> Array:
        """Statistical and model error of a quantity in quadrature, (F,)."""
        statistical: Array = getattr(self, f"{quantity}_err")
        model = self.model_error(quantity)
        return statistical if model is None else np.asarray(np.hypot(statistical, model))

    @property
    def n_alpha_tensor(self) -> Array:
        """Return nα as a tensor in cm⁻¹, (F, 3, 3)."""
        return response.n_alpha_from_conductivity(self.sigma.real)

    @property
    def n_alpha_tensor_err(self) -> Array:
        """Standard errors of `n_alpha_tensor`."""
        return response.n_alpha_from_conductivity(self.sigma_real_err)

    def n_alpha_interval(self, level: float = 0.68) -> tuple[Array, Array]:
        """Central χ² confidence interval of `n_alpha` with this coverage."""
        return uncertainty.chi_square_interval(self.n_alpha, self.dof, level)

    @property
    def eps_imag(self) -> Array:
        """Isotropic ε₂ = Re σ/(ε₀ω), (F,), without a subtracted DC part."""
        return self.isotropic.eps_imag

    @property
    def eps_imag_err(self) -> Array:
        """Standard error of `eps_imag`."""
        return self.isotropic.eps_imag_err

    @property
    def eps_imag_tensor(self) -> Array:
        """ε₂ as a tensor, (F, 3, 3)."""
        real = self.sigma.real
        if self._subtracted_dc is not None:
            real = real - self._subtracted_dc
        return np.asarray(real / self._omega_eps0[:, None, None])

    @property
    def eps_imag_tensor_err(self) -> Array:
        """Standard errors of `eps_imag_tensor`."""
        return np.asarray(self.sigma_real_err / self._omega_eps0[:, None, None])

    @property
    def _subtracted_dc(self) -> Array | None:
        return self.sigma_dc if self.parameters.get("subtract_dc") else None

    # --- with ε_∞ ----------------------------------------------------------------------------------
    @property
    def eps(self) -> Complex | None:
        """ε(ω), (F, 3, 3) complex, or None without ε_∞."""
        if self.eps_inf is None:
            return None
        return response.dielectric_function(self.wavenumber_cm, self.sigma, self.eps_inf, self._subtracted_dc)

    def eps_along(self, direction: tuple[float, float, float]) -> Complex:
        """q̂·ε(ω)·q̂ along a Cartesian direction, (F,) complex."""
        response.require_eps_inf(self.eps_inf, "ε along a direction")
        return optics.along(np.asarray(self.eps), direction)

    @property
    def isotropic(self) -> ScalarResponse:
        """Return the response averaged over directions, tr/3."""
        dc = self._subtracted_dc
        return ScalarResponse(
            self.wavenumber_cm,
            self.sigma_iso,
            self.iso_real_err,
            self.iso_imag_err,
            self.iso_covariance,
            None if self.eps_inf is None else float(np.trace(self.eps_inf)) / 3.0,
            0.0 if dc is None else float(np.trace(dc)) / 3.0,
        )

    def along(self, direction: Direction | str | Sequence[float] | None) -> ScalarResponse:
        """Return the response along a direction: its name ("z", "xy", "isotropic") or three components."""
        from bec_md.spectrum.response.direction import response_along, to_direction

        return response_along(self, to_direction(direction))

    @property
    def eps_iso(self) -> Complex:
        """Isotropic complex ε = tr ε/3, (F,)."""
        return self.isotropic.epsilon()

    @property
    def eps_real(self) -> Array:
        """Isotropic Re ε, (F,)."""
        return self.isotropic.eps_real

    @property
    def eps_real_err(self) -> Array:
        """Standard error of `eps_real`."""
        return self.isotropic.eps_real_err

    @property
    def n(self) -> Array:
        """Refractive index, (F,)."""
        return self.isotropic.n

    @property
    def n_err(self) -> Array:
        """Standard error of `n`."""
        return self.isotropic.n_err

    @property
    def kappa(self) -> Array:
        """Extinction coefficient κ, (F,)."""
        return self.isotropic.kappa

    @property
    def kappa_err(self) -> Array:
        """Standard error of `kappa`."""
        return self.isotropic.kappa_err

    @property
    def alpha_cm(self) -> Array:
        """Absorption coefficient α = 2ωκ/c in cm⁻¹, (F,)."""
        return self.isotropic.alpha_cm

    @property
    def alpha_cm_err(self) -> Array:
        """Standard error of `alpha_cm`."""
        return self.isotropic.alpha_cm_err

    @property
    def reflectivity(self) -> Array:
        """Normal-incidence reflectance, (F,)."""
        return self.isotropic.reflectivity

    @property
    def reflectivity_err(self) -> Array:
        """Standard error of `reflectivity`."""
        return self.isotropic.reflectivity_err

    @property
    def loss(self) -> Array:
        """Loss function −Im(1/ε), (F,)."""
        return self.isotropic.loss

    @property
    def loss_err(self) -> Array:
        """Standard error of `loss`."""
        return self.isotropic.loss_err
