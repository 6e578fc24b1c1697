"""From currents to a spectrum: estimator → corrections → response → errors → checks."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

import bec_md
from bec_md.arrays import Array
from bec_md.current.provenance import merged_metadata
from bec_md.current.replicas import common_constraints, doubts_of, in_one_order
from bec_md.errors import BecMDWarning, UsageError
from bec_md.kinds import require_options
from bec_md.spectrum.analysis.peak import Peak, find_spectrum_peaks, natural_width_cm
from bec_md.spectrum.electronic import resolve_eps_inf
from bec_md.spectrum.errors import model_error, uncertainty
from bec_md.spectrum.errors.assess import Assessment, assess
from bec_md.spectrum.errors.silence import refuse_silence
from bec_md.spectrum.estimators import corrections, one_sided
from bec_md.spectrum.estimators.blocks import CurrentBlocks, open_blocks
from bec_md.spectrum.estimators.control_variates import Reduction
from bec_md.spectrum.estimators.estimate import (
    EstimateOptions,
    PowerSpectra,
    check_resolution,
    estimate,
)
from bec_md.spectrum.estimators.lag_window import default_resolution_cm, roughness, window_span_fs
from bec_md.spectrum.estimators.ordinates import with_excess
from bec_md.spectrum.estimators.periodogram import Periodogram, decimate, periodogram
from bec_md.spectrum.estimators.survey import Survey, survey
from bec_md.spectrum.memory import require_room
from bec_md.spectrum.options import SpectrumOptions
from bec_md.spectrum.reduction import Passes, Reduced, moments_for, plain_facts, reduced, reduced_errors
from bec_md.spectrum.response import conductivity as response
from bec_md.spectrum.response import quantum
from bec_md.spectrum.response.symmetric_tensor import to_matrix
from bec_md.spectrum.spectrum import Spectrum
from bec_md.spectrum.statics import Statics, statics
from bec_md.units import SPEED_OF_LIGHT_CM_FS

if TYPE_CHECKING:
    from bec_md.current.series import CurrentSeries


DEFAULTS = SpectrumOptions()


@dataclass(frozen=True)
class _Resolved:
    """What was asked for, with the defaults that depend on the run filled in."""

    asked: SpectrumOptions
    temperature_k: float
    temperature_source: str
    eps_inf: Array | None
    eps_inf_source: str | None
    estimate: EstimateOptions
    doubts: tuple[str, ...] = ()


def compute_spectrum(
    current: CurrentSeries | Sequence[CurrentSeries],
    *,
    options: SpectrumOptions = DEFAULTS,
    **changes: Any,
) -> Spectrum:
    r"""Infrared spectrum and dielectric function of one or several currents (replicas).

    .. math:: σ_{ab}(ω) = \frac{1}{V k_B T}\int_0^∞ e^{iωt}⟨J_a(t)J_b(0)⟩dt,\quad
              ε(ω) = ε_∞ + \frac{iσ(ω)}{ε_0ω},\quad nα = \frac{\mathrm{Re}\,σ}{ε_0 c}

    Parameters
    ----------
    current
        One series, or replicas of the same system with the same charges, averaged with the weight of their
        lengths; where their temperatures differ by more than by chance, a `BecMDWarning` says so. Parts of
        one run are joined (and it is said): they are no replicas.
    options
        How: see `SpectrumOptions`.
    **changes
        Fields of `SpectrumOptions` by name, which replace those of `options`.

    Returns
    -------
    Spectrum

    Raises
    ------
    UsageError
        For options that do not fit, a temperature that cannot be known, or currents of different systems.
    DataError
        For series that are too short.
    """
    require_options(options, "SpectrumOptions")
    chosen = options.changed(**changes)
    chosen.check()
    series = _in_runs(current)
    blocks = open_blocks(series, chosen.sum_rule)
    held = max(int(one.metadata.get("held") or 0) for one in series)  # axes, beside the bonds that are stated
    counted = chosen.constraints + held if chosen.constraints else common_constraints(series)
    chosen = chosen.changed(constraints=counted)
    _check_constraints(series, chosen.constraints)
    temperature, source = _temperature(series, chosen.temperature_k, chosen.constraints)
    resolution = chosen.resolution_cm
    if resolution is None:
        lengths = [n * blocks.timestep_fs for n in blocks.lengths]
        resolution = default_resolution_cm(sum(lengths), max(lengths))
    how = EstimateOptions(
        chosen.estimator, float(resolution), chosen.window, chosen.groups, chosen.group_matrix
    )
    check_resolution(blocks, how)
    require_room(blocks, how, again=moments_for(blocks, chosen.control_variates) != "none")
    electronic = resolve_eps_inf(series, chosen.eps_inf)
    doubts = doubts_of(series, chosen.constraints)
    for doubt in doubts:
        warnings.warn(doubt, BecMDWarning, stacklevel=2)
    return _assemble(blocks, _Resolved(chosen, temperature, source, *electronic, how, doubts))


def _in_runs(current: CurrentSeries | Sequence[CurrentSeries]) -> tuple[CurrentSeries, ...]:
    """Independent runs: parts of one are joined, and it is said."""
    if _is_current(current):
        return (cast("CurrentSeries", current),)
    from bec_md.current.joined import in_runs

    named = isinstance(current, str) or not isinstance(current, Iterable)  # a file
    given = () if named else tuple(cast("Iterable[CurrentSeries]", current))
    if named or not all(map(_is_current, given)):
        raise UsageError(
            f"{current if named else type(given[0]).__name__} is no current",
            "a spectrum is that of a CurrentSeries, or of several",
            "read a stored one with `load_current`, or compute it with `compute_current`",
        )
    series = in_runs(in_one_order(given))
    if len(series) < len(given):
        said = [text for one in series for text in one.metadata.get("remarks", ()) if "joined to one" in text]
        warnings.warn(BecMDWarning("; ".join(said)), stacklevel=3)
    return tuple(series)


def _is_current(value: object) -> bool:
    return hasattr(value, "current") and hasattr(value, "timestep_fs")


def _check_constraints(series: Sequence[CurrentSeries], constraints: int) -> None:
    for one in series:
        atoms = one.n_atoms
        if constraints and (atoms is None or constraints >= 3 * atoms - 3):
            freedom = "unknown" if atoms is None else f"{3 * atoms - 3}"
            raise UsageError(
                f"{constraints} constraints on a system with {freedom} degrees of freedom",
                "each rigid bond or angle takes one of them away",
                "give the number in the whole cell, e.g. 3 for each rigid water molecule",
            )


def _temperature(
    series: Sequence[CurrentSeries], wanted: float | None, constraints: int = 0
) -> tuple[float, str]:
    """Temperature and where it comes from; never guessed."""
    if wanted is not None:
        return float(wanted), "given"
    weights = [s.n_frames for s in series]
    stated = [s.temperature_k for s in series]
    if all(t is not None for t in stated):
        return float(np.average([cast(float, t) for t in stated], weights=weights)), "stated by the input"
    kinetic = [s.kinetic_temperature(constraints) for s in series]
    if all(k is not None and np.isfinite(k[0]) for k in kinetic) and series[0].scheme == "velocity":
        values = [cast("tuple[float, Array]", k)[0] for k in kinetic]
        return float(np.average(values, weights=weights)), "mean kinetic temperature of the velocities"
    raise UsageError(
        "the temperature is unknown",
        "the prefactor 1/(V k_B T) needs it, and the input carries no velocities to take it from",
        "pass `temperature_k`, the temperature of the run in K",
    )


def _corrected(power: PowerSpectra, blocks: CurrentBlocks, options: _Resolved) -> PowerSpectra:
    """Undo finite-difference damping and the Verlet shift in every spectrum."""
    names = ("total", "partial", "auto", "matrix", "members", "block_trace", "leakage", "partial_leakage")
    spectra: dict[str, Array] = {name: getattr(power, name) for name in names}
    scheme = blocks.series[0].scheme
    if options.asked.undo_damping and scheme != "velocity":
        gain = corrections.undamped_gain(power.wavenumber_cm, power.timestep_fs, scheme)
        spectra = {name: values * gain if values.size else values for name, values in spectra.items()}
    if options.asked.md_timestep_fs is not None:
        dt = options.asked.md_timestep_fs
        spectra = {
            name: corrections.remap_verlet(power.wavenumber_cm, values, dt) if values.size else values
            for name, values in spectra.items()
        }
    return replace(power, **cast("dict[str, Any]", spectra))


@dataclass(frozen=True)
class _Estimated:
    """What the streamed passes over the current give: everything else is arithmetic on it."""

    power: PowerSpectra
    bins: Periodogram
    assessment: Assessment
    statics: Statics
    keep: slice
    top_cm: float
    plain: PowerSpectra
    reduced: Reduced | None = None
    plain_statics: Statics | None = None

    @property
    def reduction(self) -> Reduction | None:
        """What control variates did."""
        return None if self.reduced is None else self.reduced.reduction


def _estimate(blocks: CurrentBlocks, options: _Resolved) -> _Estimated:
    """Make all passes over the current."""
    power = _corrected(estimate(blocks, options.estimate), blocks, options)
    bins, seen, grid = periodogram(blocks, correlated=True), survey(blocks), power.wavenumber_cm
    power = with_excess(power, bins, options.asked.md_timestep_fs)
    top = float(grid[-1] if options.asked.max_cm is None else min(options.asked.max_cm, grid[-1]))
    if options.asked.quantum == "schofield" and options.asked.max_cm is None:
        top = quantum.schofield_top_cm(grid, power.total[:3].sum(axis=0), options.temperature_k)
    keep = slice(1, int(np.searchsorted(grid, top, side="right")))
    if keep.stop < 3:
        raise UsageError(
            f"`max_cm` {options.asked.max_cm} leaves no frequency above zero",
            f"the grid starts at {grid[1]:.3g} cm⁻¹",
            "raise `max_cm`",
        )
    refuse_silence(blocks, seen, options.temperature_k)
    resolution = options.estimate.resolution_cm
    asked = options.asked
    still = _statics_of(blocks, power, bins, seen, options)
    found = assess(
        blocks, power, bins, seen, still, options.temperature_k, top, resolution, asked.constraints
    )
    if moments_for(blocks, asked.control_variates) == "none":
        return _Estimated(power, bins, found, still, keep, top, power)

    def again(changed: CurrentBlocks) -> Passes:
        """All passes over a changed current."""
        spectra = _corrected(estimate(changed, options.estimate), changed, options)
        ordinates, sums = periodogram(changed), survey(changed)
        spectra = with_excess(spectra, ordinates, asked.md_timestep_fs)
        return Passes(spectra, ordinates, _statics_of(changed, spectra, ordinates, sums, options))

    first = Passes(power, bins, still)
    less = reduced(blocks, first, found, options.temperature_k, asked, again)
    found = replace(found, report=less.report)
    return _Estimated(less.power, bins, found, less.statics, keep, top, power, less, still)


def _statics_of(
    blocks: CurrentBlocks, power: PowerSpectra, bins: Periodogram, seen: Survey, options: _Resolved
) -> Statics:
    asked = options.asked
    return statics(
        blocks,
        power,
        bins,
        seen,
        options.temperature_k,
        dc=True if asked.subtract_dc else asked.dc,
        required=asked.subtract_dc,
    )


def _quantum_factor(grid: Array, top_cm: float, options: _Resolved) -> Array:
    factor = quantum.quantum_factor(grid, options.temperature_k, options.asked.quantum)
    if options.asked.quantum == "schofield":  # grows like e^{x/2}: beyond the band it would swamp all
        return np.where(grid <= top_cm, factor, 0.0)
    return factor


def _assemble(blocks: CurrentBlocks, options: _Resolved) -> Spectrum:
    """Turn power spectra into the response with errors, partials and checks."""
    found = _estimate(blocks, options)
    power, keep = found.power, found.keep
    factor = _quantum_factor(power.wavenumber_cm, found.top_cm, options)

    def sigma_of(spectra: Array) -> Array:
        """Conductivity of spectra of the current."""
        return response.conductivity_from_power(spectra * factor, blocks.volume_ang3, options.temperature_k)

    sigma_real = sigma_of(power.total)  # (6, F)
    sigma = one_sided.continuous_response(sigma_real)
    raw_grid, raw_alpha = _raw(found.bins, blocks, options, found.top_cm)
    errors = _errors(sigma_real, power, keep)
    if found.reduction is not None:
        errors = reduced_errors(errors, found.reduction, power, sigma_of, keep)
    if power.leakage.size:
        errors |= uncertainty.leakage_errors(
            errors, one_sided.continuous_response(sigma_of(power.leakage))[:, keep]
        )
    return Spectrum(
        wavenumber_cm=power.wavenumber_cm[keep],
        sigma=to_matrix(sigma[:, keep]),
        **errors,
        dof=uncertainty.degrees_of_freedom(sigma_real[:3].mean(axis=0)[keep], errors["iso_real_err"] ** 2),
        temperature_k=options.temperature_k,
        volume_ang3=blocks.volume_ang3,
        eps_inf=options.eps_inf,
        sigma_dc=found.statics.sigma_dc,
        sigma_dc_err=found.statics.sigma_dc_err,
        **_partials(blocks, power, sigma_of, keep),
        **_members(power, sigma_of, keep, _model_scale(blocks)),
        jackknife_err=_jackknife(power, sigma_of, keep),
        acf_time_fs=np.arange(len(power.lag_window), dtype=np.float64) * power.timestep_fs,
        acf=to_matrix(power.correlation),
        lag_window=power.lag_window,
        raw_wavenumber_cm=raw_grid,
        raw_n_alpha=raw_alpha,
        plain_n_alpha=_plain(found, sigma_of),
        static=_static(found.statics, options.eps_inf),
        peaks=_peaks(sigma_real, errors["iso_real_err"], power, keep, options),
        quality=found.assessment.report,
        parameters={
            **_parameters(blocks, power, options, found.assessment, found.statics),
            **plain_facts(found.reduced, found.plain_statics, options.eps_inf),
        },
        metadata=_metadata(blocks, options.doubts),
    )


def _metadata(blocks: CurrentBlocks, doubts: tuple[str, ...]) -> dict[str, Any]:
    several = [one.metadata for one in blocks.series]
    merged = merged_metadata(several, "replicas", warnings=doubts)
    return {name: value for name, value in merged.items() if name != "mean_structure"}


def _plain(found: _Estimated, sigma_of: Any) -> Array | None:
    """Return nα along x, y, z before control variates, (F, 3); None without any."""
    if found.reduction is None:
        return None
    return np.asarray(response.n_alpha_from_conductivity(sigma_of(found.plain.total[:3]))[:, found.keep].T)


def _peaks(
    sigma_real: Array, error: Array, power: PowerSpectra, keep: slice, options: _Resolved
) -> tuple[Peak, ...]:
    found = find_spectrum_peaks(
        power.wavenumber_cm[keep],
        response.n_alpha_from_conductivity(sigma_real[:3].mean(axis=0))[keep],
        response.n_alpha_from_conductivity(error),
        options.estimate.resolution_cm,
        rough=roughness(power.lag_window, power.timestep_fs, options.estimate.resolution_cm),
    )
    friction = _friction_cm(options.asked.thermostat_friction_per_ps) or 0.0
    natural = (natural_width_cm(p.width_cm, power.line_window, power.timestep_fs, friction) for p in found)
    return tuple(replace(p, natural_width_cm=width) for p, width in zip(found, natural, strict=True))


def _friction_cm(friction_per_ps: float | None) -> float | None:
    """Full width at half maximum, cm⁻¹, that the friction of a thermostat adds: γ/(2πc)."""
    if friction_per_ps is None:
        return None
    return friction_per_ps * 1e-3 / (2.0 * np.pi * SPEED_OF_LIGHT_CM_FS)


def _errors(sigma_real: Array, power: PowerSpectra, keep: slice) -> dict[str, Any]:
    """Errors of all parts of σ on the kept frequencies."""
    variance = power.relative_variance
    wide, fine = (None, None) if power.excess is None else power.excess
    component = uncertainty.component_variance(sigma_real, variance, wide)
    isotropic = uncertainty.isotropic_variance(sigma_real, variance, wide)
    density = [  # s² of each element, then of tr/3
        *uncertainty.component_variance(sigma_real, variance, fine),
        uncertainty.isotropic_variance(sigma_real, variance, fine),
    ]
    imag, covariance = uncertainty.response_covariance(
        np.array(density) / variance,
        power.lag_window,
        power.timestep_fs,
        power.total_time_fs,
        keep.stop,
    )
    root = np.sqrt(np.clip(imag[:, keep], 0.0, None))
    real = np.sqrt(np.vstack([component, isotropic])[:, keep])
    # of two estimates, of which the second does not know the excess of the first
    both = np.clip(covariance[:, keep], -real * root, real * root)
    return {
        "sigma_real_err": to_matrix(real[:6]),
        "sigma_imag_err": to_matrix(root[:6]),
        "sigma_covariance": to_matrix(both[:6]),
        "iso_real_err": real[6],
        "iso_imag_err": root[6],
        "iso_covariance": both[6],
    }


def _partials(blocks: CurrentBlocks, power: PowerSpectra, sigma_of: Any, keep: slice) -> dict[str, Any]:
    """Additive partial nα with errors, and the group–group matrix."""
    if not power.partial.size:
        return {}
    partial, auto, total = sigma_of(power.partial), sigma_of(power.auto), sigma_of(power.total)
    leakage = sigma_of(power.partial_leakage) if power.partial_leakage.size else np.zeros(len(partial))
    values, errors = {}, {}
    wide = None if power.excess is None else power.excess[0]
    for g, name in enumerate(blocks.groups):
        variance = uncertainty.partial_variance(partial[g], auto[g], total, power.relative_variance, wide)
        values[name] = response.n_alpha_from_conductivity(partial[g, :3].mean(axis=0))[keep]
        errors[name] = response.n_alpha_from_conductivity(np.hypot(np.sqrt(variance), leakage[g]))[keep]
    matrix = None
    if power.matrix.size:
        matrix = response.n_alpha_from_conductivity(sigma_of(power.matrix) / 3.0)[..., keep]
    return {"partial_n_alpha": values, "partial_n_alpha_err": errors, "group_matrix_n_alpha": matrix}


def _members(power: PowerSpectra, sigma_of: Any, keep: slice, scale: float) -> dict[str, Any]:
    """Isotropic σ of each member of the model ensemble, and the calibrated spread of nα."""
    if power.members.shape[0] < 2:
        return {}
    sigma = one_sided.continuous_response(sigma_of(power.members) / 3.0)[:, keep]
    return {
        "member_sigma": sigma,
        "model_err": model_error.spread(response.n_alpha_from_conductivity(sigma.real), scale),
    }


def _model_scale(blocks: CurrentBlocks) -> float:
    """Error over spread of the tensors, from the validation of the ensemble."""
    return float(blocks.series[0].metadata.get("uncertainty_scale") or 1.0)


def _jackknife(power: PowerSpectra, sigma_of: Any, keep: slice) -> Array | None:
    if power.block_trace.shape[0] < 5:
        return None
    values = response.n_alpha_from_conductivity(sigma_of(power.block_trace) / 3.0)[:, keep]
    return uncertainty.jackknife_error(values, power.block_weight)


def _raw(bins: Periodogram, blocks: CurrentBlocks, options: _Resolved, top: float) -> tuple[Array, Array]:
    """Un-broadened nα below the highest wavenumber, without corrections but the prefactor."""
    stop = int(np.searchsorted(bins.wavenumber_cm, top, side="right"))
    sigma = response.conductivity_from_power(
        bins.power[:, 1:stop].mean(axis=0), blocks.volume_ang3, options.temperature_k
    )
    return decimate(bins.wavenumber_cm[1:stop], response.n_alpha_from_conductivity(sigma))


def _static(found: Statics, eps_inf: Array | None) -> dict[str, Array]:
    offset = np.zeros((3, 3)) if eps_inf is None else eps_inf
    return {
        "fluctuation": found.fluctuation + offset,
        "fluctuation_err": found.fluctuation_err,
        "kramers_kronig": found.kramers_kronig + offset,
        "kramers_kronig_err": found.kramers_kronig_err,
    }


def _parameters(
    blocks: CurrentBlocks, power: PowerSpectra, options: _Resolved, assessment: Assessment, found: Statics
) -> dict[str, Any]:
    series = blocks.series
    span = window_span_fs(options.estimate.resolution_cm, options.estimate.window)
    chosen = {f.name: getattr(options.estimate, f.name) for f in fields(options.estimate)}
    return {
        **chosen,
        "bec_md_version": bec_md.__version__,
        "convention": "exp(-i omega t), Im eps > 0 is absorption",
        "temperature_source": options.temperature_source,
        "sum_rule": "/".join(sorted(set(blocks.sum_rules))),
        "eps_inf_source": options.eps_inf_source,
        "quantum": options.asked.quantum,
        "quantum_reason": quantum.REASONS[options.asked.quantum],
        "velocity_scheme": series[0].scheme,
        "transfer_function_divided_out": options.asked.undo_damping and series[0].scheme != "velocity",
        "md_timestep_fs": options.asked.md_timestep_fs,
        "subtract_dc": options.asked.subtract_dc,
        "control_variates": moments_for(blocks, options.asked.control_variates),
        "thermostat_friction_per_ps": options.asked.thermostat_friction_per_ps,
        "thermostat_broadening_cm": _friction_cm(options.asked.thermostat_friction_per_ps),
        "constraints": options.asked.constraints,
        "model_uncertainty_scale": _model_scale(blocks),
        "timestep_fs": power.timestep_fs,
        "n_frames": int(sum(blocks.lengths)),
        "n_replicas": len(series),
        "run_frames": list(blocks.lengths),
        "n_atoms": series[0].n_atoms,
        "total_time_ps": power.total_time_fs / 1000.0,
        "nyquist_cm": 0.5 / (SPEED_OF_LIGHT_CM_FS * power.timestep_fs),
        "max_cm": options.asked.max_cm,
        "equivalent_noise_bandwidth_cm": assessment.bandwidth_cm,
        "lag_window_span_fs": span if options.estimate.estimator == "lag" else None,
        "f_sum_ratio": assessment.f_sum_ratio,
        "f_sum_error": assessment.f_sum_error,
        "sum_rule_residual_e": assessment.sum_rule_residual_e,
        "com_drift_ang_per_fs": assessment.com_drift_ang_per_fs,
        "kinetic_temperature_k": assessment.kinetic_temperature_k,
        "dipole": found.dipole,
        "dipole_reason": found.reason,
        "static_source": found.source,
        "static_average_err": dict(zip(("fluctuation", "kramers_kronig"), found.average_err, strict=True)),
        **found.parameters,
    }
