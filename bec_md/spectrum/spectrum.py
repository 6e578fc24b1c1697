"""The result: a frozen spectrum with errors, partials, parameters and self-checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.arrays import Array, Complex
from bec_md.spectrum.analysis.peak import Peak
from bec_md.spectrum.electronic import with_eps_inf
from bec_md.spectrum.errors import uncertainty
from bec_md.spectrum.errors.quality import QualityReport
from bec_md.spectrum.estimators.estimate import lag_window_variance
from bec_md.spectrum.quantities import Quantity
from bec_md.spectrum.response import conductivity
from bec_md.spectrum.response.direction import Direction, to_direction
from bec_md.spectrum.response.scalar import Functions, Response
from bec_md.spectrum.response.symmetric_tensor import VOIGT, parse_tensor, to_six
from bec_md.units import CM_PER_THZ, MEV_PER_CM, SPEED_OF_LIGHT_CM_FS

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

#: Weights of the squares of all nine elements in the variance of tr(Pσ): both places of one are one number.
_PAIRS = 2.0 - np.eye(3)
#: A direction by itself, its name or components; None averages over all.
Along = Direction | str | Sequence[float] | None


@dataclass(frozen=True, eq=False)
class Spectrum(Functions):
    r"""Dielectric response of a simulation, e^{−iωt}, with statistical errors.

    Every quantity of `quantities.QUANTITIES` comes from `get`, averaged (tr/3) or along a direction; short
    names such as `n_alpha`, `eps_imag`, `n` and their errors `n_alpha_err` … stand for the averages. What
    needs ε_∞ (`eps_real`, `n`, `kappa`, `alpha_cm`, `reflectivity`, `loss`) raises `UsageError` when it was
    not given.

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
        Of the prefactor, K and Å³.
    eps_inf
        (3, 3) or None; `dataclasses.replace` may give it to a spectrum without, not exchange it.
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
    plain_n_alpha
        (F, 3) nα along x, y, z before control variates, cm⁻¹; None without any.
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
    plain_n_alpha: Array | None = None
    static: Mapping[str, Array] = field(default_factory=dict)
    peaks: tuple[Peak, ...] = ()
    quality: QualityReport = field(default_factory=QualityReport)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take ε_∞ as one number, too, and what it adds to static numbers where it was not known before."""
        if self.eps_inf is None:
            return
        if not isinstance(self.eps_inf, np.ndarray) or self.eps_inf.shape != (3, 3):
            object.__setattr__(self, "eps_inf", parse_tensor(self.eps_inf))
        if self.parameters.get("eps_inf_source", "") is None:  # `dataclasses.replace` of a spectrum without
            static, parameters = with_eps_inf(self.static, self.parameters, np.asarray(self.eps_inf))
            object.__setattr__(self, "static", static)
            object.__setattr__(self, "parameters", parameters)

    # --- how it shows itself ----------------------------------------------------------------------
    def __repr__(self) -> str:
        from bec_md.notebook import spectrum_line

        return spectrum_line(self)

    def _repr_html_(self) -> str:
        from bec_md.notebook import spectrum_html

        return spectrum_html(self)

    def to_xarray(self) -> xr.Dataset:
        """Return everything as a labelled dataset, as the HDF5 file holds it (needs xarray)."""
        from bec_md.spectrum.labelled import to_xarray

        return to_xarray(self)

    def to_pandas(self, *, tensor: bool = False) -> pd.DataFrame:
        """Return the columns of the CSV file over wavenumbers, with `tensor` all of ε₂ (needs pandas)."""
        from bec_md.spectrum.labelled import to_pandas

        return to_pandas(self, tensor=tensor)

    # --- axes -------------------------------------------------------------------------------------
    @property
    def frequency_thz(self) -> Array:
        """Frequencies in THz."""
        return np.asarray(self.wavenumber_cm / CM_PER_THZ)

    @property
    def energy_mev(self) -> Array:
        """Photon energies in meV."""
        return np.asarray(self.wavenumber_cm * MEV_PER_CM)

    # --- quantities -------------------------------------------------------------------------------
    def along(self, direction: Along = None) -> Response:
        """Return the response along a direction: its name ("z", "xy", "isotropic") or three components.

        None is the average over directions, tr/3.
        """
        toward = to_direction(direction)
        seen = Response(
            self.wavenumber_cm,
            np.einsum("ab,fab->f", toward.weight, self.sigma),
            *self.errors_along(toward),
            eps_inf=None if self.eps_inf is None else float(np.sum(toward.weight * self.eps_inf)),
            sigma_dc=0.0
            if self._subtracted_dc is None
            else float(np.sum(toward.weight * self._subtracted_dc)),
            sigma_dc_err=self._subtracted_dc_error(toward.weight),
            positive=toward.positive,
        )
        if not toward.isotropic:
            return seen
        scale = float(self.parameters.get("model_uncertainty_scale", 1.0))
        return replace(seen, member_sigma=self.member_sigma, calibration=scale, model_err=self.model_err)

    def errors_along(self, toward: Direction) -> tuple[Array, Array, Array]:
        """Errors of both parts of tr(Pσ), and their covariance."""
        if toward.isotropic:
            return self.iso_real_err, self.iso_imag_err, self.iso_covariance
        if toward.element is None:
            return self._projected_errors(toward.weight)
        a, b = toward.element
        return self.sigma_real_err[:, a, b], self.sigma_imag_err[:, a, b], self.sigma_covariance[:, a, b]

    def get(self, quantity: str | Quantity, along: Along = None) -> Array:
        """Values of a quantity, (F,), averaged or along a direction, e.g. ``get("n", along="z")``.

        Raises
        ------
        UsageError
            For an unknown quantity or direction, or what needs ε_∞ without it.
        """
        return self.along(along).get(quantity)

    def error(self, quantity: str | Quantity, along: Along = None) -> Array:
        """Statistical standard error of a quantity, (F,)."""
        return self.along(along).error(quantity)

    def model_error(self, quantity: str | Quantity = "n_alpha") -> Array | None:
        """Model uncertainty of an average, (F,), or None without an ensemble: kept apart from sampling."""
        return self.along().model_error(quantity)

    def total_error(self, quantity: str | Quantity = "n_alpha") -> Array:
        """Statistical and model error of an average in quadrature, (F,)."""
        return self.along().total_error(quantity)

    @property
    def n_alpha_total_err(self) -> Array:
        """Statistical and model error of nα in quadrature, (F,)."""
        return self.total_error("n_alpha")

    def n_alpha_interval(self, level: float = 0.68) -> tuple[Array, Array]:
        """Central χ² confidence interval of `n_alpha` with this coverage."""
        return self.along().interval("n_alpha", level)

    def static_average_err(self, route: str) -> float:
        """Standard error of tr/3 of a static number, "fluctuation" or "kramers_kronig"."""
        known = self.parameters.get("static_average_err")
        axes = np.diag(self.static.get(f"{route}_err", np.zeros((3, 3))))
        return float(known[route] if known else np.linalg.norm(axes) / 3.0)

    def diagonals(self) -> tuple[Array, Array]:
        """Diagonal of Re σ and its standard errors, (F, 3) each."""
        value, error = (np.diagonal(v, axis1=1, axis2=2) for v in (self.sigma.real, self.sigma_real_err))
        return value, error

    @property
    def _symmetry_weights(self) -> Array | None:
        """(6, 3, 3) what each element is of the spectra before they were averaged over a point group."""
        known = self.parameters.get("symmetry_weights")
        return None if known is None else np.asarray(known, dtype=float)

    def _projected_errors(self, weight: Array) -> tuple[Array, Array, Array]:
        """Errors of both parts of tr(Pσ) and their covariance."""
        averaged = self._symmetry_weights
        if averaged is not None:  # tr(Pσ) is that of the averaged P and the σ before
            pairs = np.array([(1.0 if a == b else 2.0) * weight[a, b] for a, b in VOIGT])
            weight = np.einsum("k,kab->ab", pairs, averaged)
            weight = np.where(np.abs(weight) < 1e-9, 0.0, weight)
            if np.allclose(weight, np.eye(3) / 3.0):
                return self.iso_real_err, self.iso_imag_err, self.iso_covariance
        if self.plain_n_alpha is not None:
            return self._projected_reduced(weight, averaged)
        variance = uncertainty.projected_variance(weight, self.sigma.real, *self.diagonals(), averaged)
        # the periodogram reaches to the Nyquist wavenumber: beyond the written range nothing is known
        step = float(self.wavenumber_cm[1] - self.wavenumber_cm[0])
        timestep = float(self.parameters["timestep_fs"])
        full = np.zeros(round(0.5 / (step * SPEED_OF_LIGHT_CM_FS * timestep)) + 1)
        total_time = 1000.0 * float(self.parameters["total_time_ps"])
        samples = (round(total_time / timestep),)
        flat = lag_window_variance(self.lag_window, samples, 2 * (len(full) - 1))[1 : len(variance) + 1]
        full[1 : len(variance) + 1] = variance / flat
        full[0] = full[1]
        imag, covariance = uncertainty.response_covariance(
            full[None], self.lag_window, timestep, total_time, len(variance) + 1
        )
        return np.sqrt(variance), np.sqrt(np.clip(imag[0, 1:], 0.0, None)), covariance[0, 1:]

    def _projected_reduced(self, weight: Array, averaged: Array | None) -> tuple[Array, Array, Array]:
        """Errors of tr(Pσ) with control variates: those of six elements, and the noise that they share."""
        factor = np.array([(1.0 if a == b else 2.0) * weight[a, b] for a, b in VOIGT])
        if averaged is not None:  # those before the average
            share = np.sqrt(np.einsum("kab,ab->k", averaged**2, _PAIRS))
            factor = np.divide(factor, share, out=np.zeros(6), where=share > 1e-4)
        shared = uncertainty.shared_noise(self.sigma.real) * np.outer(factor, factor)[:, :, None]
        real, imag, both = (
            to_six(part).T for part in (self.sigma_real_err, self.sigma_imag_err, self.sigma_covariance)
        )
        product = real * imag
        mixed = np.divide(both, product, out=np.zeros_like(both), where=product > 0.0) * real
        return (
            np.sqrt(np.maximum(np.einsum("klf,kf,lf->f", shared, real, real), 0.0)),
            np.sqrt(np.maximum(np.einsum("klf,kf,lf->f", shared, imag, imag), 0.0)),
            np.einsum("klf,kf,lf->f", shared, mixed, imag),
        )

    # --- tensors ----------------------------------------------------------------------------------
    @property
    def sigma_iso(self) -> Complex:
        """Isotropic complex conductivity tr σ/3 in S/m, (F,)."""
        return np.asarray(np.trace(self.sigma, axis1=1, axis2=2) / 3.0)

    @property
    def eps_iso(self) -> Complex:
        """Isotropic complex ε = tr ε/3, (F,)."""
        return self.along().epsilon()

    @property
    def eps(self) -> Complex | None:
        """ε(ω), (F, 3, 3) complex, or None without ε_∞."""
        if self.eps_inf is None:
            return None
        return conductivity.dielectric_function(
            self.wavenumber_cm, self.sigma, self.eps_inf, self._subtracted_dc
        )

    @property
    def n_alpha_tensor(self) -> Array:
        """Return nα as a tensor in cm⁻¹, (F, 3, 3)."""
        return conductivity.n_alpha_from_conductivity(self.sigma.real)

    @property
    def n_alpha_tensor_err(self) -> Array:
        """Standard errors of `n_alpha_tensor`."""
        return conductivity.n_alpha_from_conductivity(self.sigma_real_err)

    @property
    def eps_imag_tensor(self) -> Array:
        """ε₂ as a tensor, (F, 3, 3)."""
        kept = self.sigma if self._subtracted_dc is None else self.sigma - self._subtracted_dc
        return np.asarray(conductivity.susceptibility(self.wavenumber_cm, kept).imag)

    @property
    def eps_imag_tensor_err(self) -> Array:
        """Standard errors of `eps_imag_tensor`."""
        errors = np.hypot(self.sigma_real_err, self._subtracted_dc_err)
        return np.asarray(conductivity.susceptibility(self.wavenumber_cm, errors).imag)

    @property
    def _subtracted_dc(self) -> Array | None:
        return self.sigma_dc if self.parameters.get("subtract_dc") else None

    @property
    def _subtracted_dc_err(self) -> Array:
        """Standard errors (3, 3) of what is left out of ε."""
        known = self._subtracted_dc is not None and self.sigma_dc_err is not None
        return np.asarray(self.sigma_dc_err if known else np.zeros((3, 3)))

    def _subtracted_dc_error(self, weight: Array) -> float:
        """Error of tr(Pσ_dc): axes of conduction are independent, unless a point group ties them."""
        error, value = self._subtracted_dc_err, self._subtracted_dc
        if value is None or "symmetry_operations" in self.parameters:
            return float(np.abs(weight * error).sum())
        axes = np.linalg.eigh(value)[1]
        squares = np.array([(axes[a] * axes[b]) ** 2 for a, b in VOIGT])
        variance = np.clip(np.linalg.lstsq(squares, to_six(error) ** 2, rcond=None)[0], 0.0, None)
        return float(np.sqrt(np.einsum("ak,ab,bk->k", axes, weight, axes) ** 2 @ variance))
