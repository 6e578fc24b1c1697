"""Gather the numbers for the quality block from the current and its power spectra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bec_md.arrays import Array, spread_rows
from bec_md.spectrum.errors import quality_checks, uncertainty
from bec_md.spectrum.errors.mean_square import relative_error
from bec_md.spectrum.errors.quality import QualityCheck, QualityReport
from bec_md.spectrum.errors.temperature_spread import temperature_spread
from bec_md.spectrum.estimators import corrections, one_sided
from bec_md.spectrum.estimators.blocks import CurrentBlocks
from bec_md.spectrum.estimators.estimate import PowerSpectra
from bec_md.spectrum.estimators.lag_window import kernel_over_top
from bec_md.spectrum.estimators.periodogram import Periodogram
from bec_md.spectrum.estimators.survey import Survey
from bec_md.spectrum.response.symmetric_tensor import to_matrix
from bec_md.spectrum.statics import Statics
from bec_md.units import SPEED_OF_LIGHT_CM_FS

#: Frames, spread over a run, whose quantiles are those of the run.
SAMPLED_ROWS = 1 << 20

#: Width of the kernel over the resolution that was asked for, above which lines are wider than asked.
WIDER = 1.1


@dataclass(frozen=True)
class Assessment:
    """The quality report and the numbers that are also results."""

    report: QualityReport
    f_sum_ratio: list[float] | None
    f_sum_error: list[float] | None
    sum_rule_residual_e: float | None
    com_drift_ang_per_fs: float | None
    kinetic_temperature_k: float | None
    bandwidth_cm: float


def _mean(values: list[float | None], weights: tuple[int, ...]) -> float | None:
    if any(v is None for v in values):
        return None
    return float(np.average([v for v in values if v is not None], weights=weights))


def _mean_array(values: list[Array], weights: tuple[int, ...]) -> Array:
    return np.asarray(np.average(np.stack(values), axis=0, weights=weights))


def assess(
    blocks: CurrentBlocks,
    power: PowerSpectra,
    bins: Periodogram,
    seen: Survey,
    still: Statics,
    temperature_k: float,
    top_cm: float,
    resolution_cm: float,
    constraints: int = 0,
) -> Assessment:
    """Run every check.

    Parameters
    ----------
    blocks
        The current.
    power
        Power spectra after corrections of the time grid, before any quantum factor.
    bins
        The periodogram of the current.
    seen
        The streamed sums.
    still
        The response at zero frequency.
    temperature_k
        Temperature in use.
    top_cm
        Highest wavenumber that is written out.
    resolution_cm
        Kernel width.
    constraints
        Degrees of freedom that rigid bonds and angles take away.
    """
    series, weights = blocks.series, blocks.lengths
    correlation = one_sided.correlation_from_spectrum(power.total, power.timestep_fs)
    rule = "/".join(sorted(set(blocks.sum_rules)))
    ratio, ratio_error, f_checks = _f_sum(blocks, power, bins, temperature_k, correlation[:3, 0])
    if constraints > max(int(s.metadata.get("held") or 0) for s in series):  # bonds are rigid
        f_checks = [quality_checks.without_free_atoms(check) for check in f_checks]
    residual = _mean([s.sum_rule_residual_e() for s in series], weights)
    drift = _mean([s.com_drift_ang_per_fs() for s in series], weights)
    kinetic = [s.kinetic_temperature(constraints) for s in series]
    known = [k for k in kinetic if k is not None]
    measured = _mean_array([k[1] for k in known], weights) if len(known) == len(series) else None
    whole = _mean([None if k is None else k[0] for k in kinetic], weights)
    spreads = [temperature_spread(s, constraints) for s in series]
    loops = [found for one in series if (found := one.metadata.get("closed_loop"))]
    checks = [
        *f_checks,
        quality_checks.check_band(_share(power, 0.0, top_cm), top_cm),
        quality_checks.check_static(still),
        quality_checks.check_charge_sum(residual, rule),
        quality_checks.check_net_charge(float(series[0].total_charge_e)),
        quality_checks.check_drift(drift, series[0].total_mass_amu, temperature_k, rule),
        quality_checks.check_temperature(whole, measured, temperature_k, series[0].scheme),
        quality_checks.check_temperature_spread([one for one in spreads if one is not None]),
        quality_checks.check_stationarity(
            seen, relative_error(bins, power.total_time_fs) * correlation[:3, 0]
        ),
        *_time_grid(blocks, power),
        *_charges(blocks, power),
        quality_checks.check_closed_loop(max(loops, key=lambda loop: float(loop["share"]), default=None)),
        *_statistics(power, resolution_cm),
    ]
    return Assessment(
        QualityReport(tuple(checks)),
        ratio,
        ratio_error,
        residual,
        drift,
        whole,
        power.bandwidth_cm,
    )


def _f_sum(
    blocks: CurrentBlocks, power: PowerSpectra, bins: Periodogram, temperature_k: float, variance: Array
) -> tuple[list[float] | None, list[float] | None, list[QualityCheck]]:
    """f-sum ratios of the computed spectrum with standard errors, per axis; checks, also per group."""
    error = relative_error(bins, power.total_time_fs)
    exact = [s.zz_sum(rule) for s, rule in zip(blocks.series, blocks.sum_rules, strict=True)]
    found = [e for e in exact if e is not None]
    if len(found) < len(exact):
        return None, None, [quality_checks.check_f_sum(None, error)]
    total = _mean_array([e[0] for e in found], blocks.lengths)
    ratio = quality_checks.f_sum_ratio(variance, np.diag(total), temperature_k)
    checks = [quality_checks.check_f_sum(ratio, error)]
    if power.partial.size:
        per_group = np.trace(_mean_array([e[1] for e in found], blocks.lengths), axis1=1, axis2=2)
        own = one_sided.correlation_from_spectrum(power.partial[:, :3].sum(axis=1), power.timestep_fs)[:, 0]
        kept = np.abs(per_group) > 1e-3 * float(np.trace(total))
        if np.any(kept):
            names = tuple(n for n, k in zip(blocks.groups, kept, strict=True) if k)
            ratios = quality_checks.f_sum_ratio(own, per_group, temperature_k)
            noise = _noise_of_groups(power, error, variance) * max(1.0, 1.0 / max(float(ratio.mean()), 1e-3))
            scale = np.abs(noise / np.where(own == 0.0, 1.0, own) * ratios)
            checks.append(quality_checks.check_f_sum_groups(names, ratios[kept], scale[kept]))
    if not np.all(np.isfinite(ratio)):
        return None, None, checks
    return [float(v) for v in ratio], [float(v) for v in error], checks


def _noise_of_groups(power: PowerSpectra, error: Array, variance: Array) -> Array:
    r"""Standard errors of ⟨J_g·J⟩, (G,).

    .. math:: \mathrm{var}⟨J_{ga} J_a⟩ = \frac{1}{T}\int (S_{gg} S + S_g^2) \frac{dω}{2π}

    for lines wider than the resolution; what narrower ones add to ⟨J_a²⟩ they add here.
    """
    width = 2.0 * SPEED_OF_LIGHT_CM_FS * float(power.wavenumber_cm[1]) / power.total_time_fs  # both signs
    total = power.total[:3]
    smooth = 2.0 * width * float(np.sum(total**2))
    narrow = float(np.sum((error * variance) ** 2)) / max(smooth, 1e-300)
    both = np.sum(power.auto[:, :3] * total + power.partial[:, :3] ** 2, axis=(1, 2))
    return np.asarray(np.sqrt(max(narrow, 1.0) * width * both))


def _share(power: PowerSpectra, low_cm: float, high_cm: float) -> float:
    """Share of the integrated absorption between two wavenumbers."""
    trace = power.total[:3].sum(axis=0)
    inside = (power.wavenumber_cm >= low_cm) & (power.wavenumber_cm <= high_cm)
    return float(trace[inside].sum() / max(float(trace.sum()), 1e-300))


def _time_grid(blocks: CurrentBlocks, power: PowerSpectra) -> list[QualityCheck]:
    nyquist = 0.5 / (SPEED_OF_LIGHT_CM_FS * power.timestep_fs)
    rounding = next((found for one in blocks.series if (found := one.metadata.get("rounding_ang"))), None)
    checks = [
        quality_checks.check_nyquist(
            _share(power, 5.0 / 6.0 * nyquist, nyquist),
            nyquist,
            power.timestep_fs,
            blocks.groups,
            rounding,
        )
    ]
    scheme = blocks.series[0].scheme
    if scheme != "velocity":
        trace = np.cumsum(power.total[:3].sum(axis=0))
        highest = float(power.wavenumber_cm[int(np.searchsorted(trace, 0.95 * trace[-1]))])
        transfer = corrections.transfer_function(np.array([highest]), power.timestep_fs, scheme)
        checks.append(quality_checks.check_damping(float(transfer[0]), scheme, highest, rounding))
    return checks


def _charges(blocks: CurrentBlocks, power: PowerSpectra) -> list[QualityCheck]:
    """Errors that come with the charges: interpolation in time, and disagreement within the ensemble."""
    weights = blocks.lengths
    checks = quality_checks.check_interpolation(
        _mean([s.current_interpolation_error for s in blocks.series], weights),
        _mean([s.charge_interpolation_error_e for s in blocks.series], weights),
    )
    share = None
    if power.members.shape[0] > 1:
        spread, total = power.members.std(axis=0, ddof=1), power.members.mean(axis=0)
        scale = float(blocks.series[0].metadata.get("uncertainty_scale") or 1.0)
        share = scale * float(spread.sum() / max(float(total.sum()), 1e-300))
    checks += quality_checks.check_model_error(share)
    first = blocks.series[0]
    domain = float(first.metadata.get("domain_uncertainty_e") or 0.0)
    known = [
        spread_rows(s.charge_uncertainty_e, SAMPLED_ROWS)
        for s in blocks.series
        if s.charge_uncertainty_e is not None
    ]
    if domain > 0.0 and known:
        checks += quality_checks.check_model_domain(np.concatenate(known), domain)
    return checks


def _statistics(power: PowerSpectra, resolution_cm: float) -> list[QualityCheck]:
    cut = kernel_over_top(power.lag_window, power.timestep_fs, 0.5 * WIDER * resolution_cm) > 0.5
    low = np.linalg.eigvalsh(to_matrix(power.total))
    floor = float(low.min() / max(float(low.max()), 1e-300))
    ratio = None
    if power.block_trace.shape[0] >= 5:
        jackknife = uncertainty.jackknife_error(power.block_trace, power.block_weight)
        wide = None if power.excess is None else power.excess[0]
        analytic = 9.0 * uncertainty.isotropic_variance(power.total, power.relative_variance, wide)
        ratio = float(np.sqrt(np.sum(jackknife**2) / max(float(np.sum(analytic)), 1e-300)))
    return [
        quality_checks.check_jackknife(ratio),
        quality_checks.check_resolution(
            float(np.sqrt(power.middle_variance / 3.0)), resolution_cm, power.total_time_fs, cut
        ),
        quality_checks.check_positivity(floor),
    ]
