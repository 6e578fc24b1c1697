"""Spectra, static numbers and errors with the variance that control variates take away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bec_md.arrays import Array
from bec_md.spectrum.errors import uncertainty
from bec_md.spectrum.errors.assess import Assessment
from bec_md.spectrum.errors.mean_square import limits
from bec_md.spectrum.errors.quality import QualityCheck, QualityReport
from bec_md.spectrum.estimators import one_sided
from bec_md.spectrum.estimators.blocks import CurrentBlocks
from bec_md.spectrum.estimators.control_variates import (
    LARGEST_VARIANCE,
    KnownSquare,
    Reduction,
    square_reduction,
)
from bec_md.spectrum.estimators.estimate import PowerSpectra
from bec_md.spectrum.estimators.internal_blocks import has_internal, internal_parts
from bec_md.spectrum.estimators.mode_basis import ModeBasis, ModeBlocks, mode_basis, motion_of
from bec_md.spectrum.estimators.mode_reduction import mode_reduction
from bec_md.spectrum.estimators.periodogram import Periodogram
from bec_md.spectrum.estimators.survey import to_tensor
from bec_md.spectrum.options import ControlVariatesName, SpectrumOptions
from bec_md.spectrum.response import conductivity
from bec_md.spectrum.response.symmetric_tensor import VOIGT, to_matrix
from bec_md.spectrum.statics import Statics
from bec_md.units import AMU_ANG2_FS2_EV, BOLTZMANN_EV_K, SPEED_OF_LIGHT_CM_FS

#: Least share of a variance that is stated to be left, of σ and of ⟨δM²⟩: what is neglected is of this order.
LEAST_SHARE, LEAST_STATIC_SHARE = 0.005, 1e-4
#: Periods of the slowest mode in the shortest run below which its energy is not known.
LEAST_PERIODS = 3
#: Standard errors by which f-sum ratios of honest runs are off, of an axis and of the mean of all: runs that
#: are refused are those furthest off, so that refusing honest ones would shift the mean of many runs.
AXIS_BY_CHANCE, MEAN_BY_CHANCE = 4.5, 4.0


@dataclass(frozen=True)
class Reduced:
    """What control variates leave of power spectra and static numbers."""

    power: PowerSpectra
    statics: Statics
    report: QualityReport
    reduction: Reduction | None = None
    basis: ModeBasis | None = None


@dataclass(frozen=True)
class Passes:
    """What the passes over a current give.

    Parameters
    ----------
    power, bins, statics
        Corrected spectra, periodogram, and what is known at zero frequency.
    """

    power: PowerSpectra
    bins: Periodogram
    statics: Statics


def reduced(
    blocks: CurrentBlocks,
    first: Passes,
    assessment: Assessment,
    temperature_k: float,
    options: SpectrumOptions,
    again: Callable[[CurrentBlocks], Passes],
) -> Reduced:
    """Apply the known mean squares of J along each axis, or of mode coordinates, where the run allows it.

    Parameters
    ----------
    blocks, first, assessment
        The current, what it gave, and the checks.
    temperature_k
        Temperature in use.
    options
        Which moments, and the time step whose Verlet shift has been undone.
    again
        Makes the passes over a changed current.
    """
    plain = Reduced(first.power, first.statics, assessment.report)
    exact = [s.zz_sum(rule) for s, rule in zip(blocks.series, blocks.sum_rules, strict=True)]
    if any(e is None for e in exact):
        return _without(plain, "a bare J(t) does not carry ΣZZᵀ/m")
    if not _by_chance(assessment):
        return _without(plain, "the f-sum ratios are not 1 within their errors: what is off is no noise")
    thermal = BOLTZMANN_EV_K * temperature_k / AMU_ANG2_FS2_EV
    kind = moments_for(blocks, options.control_variates)
    if kind == "modes":
        if options.constraints or any(s.anchored for s in blocks.series):
            return _without(
                plain,
                "some atoms are frozen or held, or bonds rigid: the energies of the modes are not all k_BT",
            )
        return _by_modes(plain, blocks, thermal, temperature_k, again)
    mean = np.average([np.diag(e[0]) for e in exact if e is not None], axis=0, weights=blocks.lengths)
    whole, text = KnownSquare(blocks, thermal * mean), "the exact ⟨J²⟩ of each axis"
    known = [whole]
    if kind == "molecules":
        if "equal" in blocks.sum_rules:
            return _without(
                plain, "equal shares of ΣZ change the current of each kind of motion; shares by mass do not"
            )
        known, text = internal_parts(whole, thermal), f"{text} and kind of motion of the molecules"
        if not all(np.isfinite(one.exact).all() for one in known):
            return _without(plain, "no tensors were evaluated at these few samples")
    reduction = square_reduction(blocks, known, first.power, first.bins, options.md_timestep_fs)
    if not reduction.used.any():
        return _without(
            plain, f"⟨J²⟩ has fewer than {2.0 / LARGEST_VARIANCE:.0f} independent samples: run longer"
        )
    return _applied(plain, plain, reduction, blocks.volume_ang3, temperature_k, text)


def _by_chance(found: Assessment) -> bool:
    """Whether f-sum ratios, and their mean, may be off by noise alone, give or take 2 %."""
    if found.f_sum_ratio is None or found.f_sum_error is None:
        return False
    ratio, error = np.array(found.f_sum_ratio), np.array(found.f_sum_error)
    there = np.isfinite(ratio) & np.isfinite(error) & (error > 0.0)  # an axis without charges has none
    if not there.any():
        return False
    ratio, error = ratio[there], error[there]
    ratio = np.append(ratio, ratio.mean())
    known = zip(
        limits(error, AXIS_BY_CHANCE),
        limits(np.sqrt((error**2).sum(keepdims=True)) / len(error), MEAN_BY_CHANCE),
        strict=True,
    )
    low, high = (np.concatenate(both) for both in known)
    return bool(np.all((ratio > low - 0.02) & (ratio < high + 0.02)))


def moments_for(blocks: CurrentBlocks, kind: ControlVariatesName) -> ControlVariatesName:
    """Which moments "auto" means: those that the current has been prepared for, the others on request."""
    if kind != "auto":
        return kind
    sublattices = all(
        s.metadata.get("sublattices")
        and s.scheme == "velocity"
        and not any(item is None for item in (s.momentum, s.charge_sum, s.group_mass_amu))
        for s in blocks.series
    )
    if sublattices and len(blocks.groups) > 1:
        return "modes"
    return "molecules" if has_internal(blocks) else "none"


def _by_modes(
    plain: Reduced,
    blocks: CurrentBlocks,
    thermal: float,
    temperature_k: float,
    again: Callable[[CurrentBlocks], Passes],
) -> Reduced:
    if blocks.series[0].scheme != "velocity":
        return _without(plain, "mode coordinates need stored velocities")
    motion = motion_of(blocks)
    basis = mode_basis(motion, thermal, _lag(plain.power))
    if basis.lowest_cm * SPEED_OF_LIGHT_CM_FS * min(blocks.lengths) * blocks.timestep_fs < LEAST_PERIODS:
        return _without(
            plain,
            f"a sublattice moves no faster than {basis.lowest_cm:.2g} cm⁻¹: the run holds fewer than "
            f"{LEAST_PERIODS} of its periods",
        )
    if plain.statics.dipole in ("wanders", "conducts"):
        return _without(plain, "M wanders as that of ions on the move: these are no modes of a crystal")
    changed = again(ModeBlocks.of(motion, basis))
    reduction = mode_reduction(motion, basis, changed.power, changed.bins, thermal)
    found = _applied(
        plain,
        Reduced(changed.power, changed.statics, plain.report),
        reduction,
        blocks.volume_ang3,
        temperature_k,
        f"the known energies of {sum(basis.sizes)} mode coordinates",
    )
    return replace(found, basis=basis)


def _lag(power: PowerSpectra) -> int:
    """Samples in 0.4 of the period of the highest band."""
    trace = np.cumsum(power.total[:3].sum(axis=0))
    highest = float(power.wavenumber_cm[int(np.searchsorted(trace, 0.99 * trace[-1]))])
    period_fs = 1.0 / (SPEED_OF_LIGHT_CM_FS * max(highest, 1.0))
    return max(int(0.4 * period_fs / power.timestep_fs), 1)


def _applied(
    plain: Reduced,
    changed: Reduced,
    reduction: Reduction,
    volume_ang3: float,
    temperature_k: float,
    known: str,
) -> Reduced:
    scaled = scaled_power(changed.power, reduction.factor)
    return Reduced(
        scaled,
        _statics(changed.statics, scaled, reduction, volume_ang3, temperature_k),
        QualityReport((*plain.report.checks, _check(reduction, changed.power, known))),
        reduction,
    )


def _without(plain: Reduced, why: str) -> Reduced:
    check = QualityCheck(
        "control_variates",
        None,
        "a moment that is known",
        "unknown",
        "not applied: this is the plain estimate",
        why,
    )
    return replace(plain, report=QualityReport((*plain.report.checks, check)))


def _check(reduction: Reduction, power: PowerSpectra, known: str) -> QualityCheck:
    gain = mean_gain(reduction, power)
    return QualityCheck(
        "control_variates",
        tuple(float(g) for g in gain),
        "at least 0.9",
        "ok" if float(gain.min()) > 0.9 else "warn",
        f"variance of the spectrum over what is left of it with {known} (x, y, z; mean over the absorption)",
        "leave the option out: the bands are much weaker, or wider, than those that it knows about",
    )


def mean_gain(reduction: Reduction, power: PowerSpectra) -> Array:
    """Gain of each axis, (3,), averaged over the spectrum with its power as weight; 1 without any."""
    weight = np.maximum(power.total[:3], 0.0)
    whole = weight.sum(axis=1)
    gain = (reduction.gain() * weight).sum(axis=1) / np.maximum(whole, 1e-300)
    return np.where(whole > 1e-12 * whole.max(), gain, 1.0)


def plain_facts(found: Reduced | None, statics: Statics | None, eps_inf: Array | None) -> dict[str, Any]:
    """Return the static numbers along x, y, z before the reduction, and the modes, for the record."""
    if found is None or found.reduction is None or statics is None:
        return {}
    reduction, basis = found.reduction, found.basis
    modes = None
    if basis is not None:
        modes = [
            {"wavenumber_cm": float(nu), "energy_over_kt": float(energy), "coordinates": size}
            for nu, energy, size in zip(basis.wavenumber_cm, basis.energies, basis.sizes, strict=True)
        ]
    offset = np.zeros(3) if eps_inf is None else np.diag(eps_inf)
    return {
        "control_variates_axes": [axis for axis, used in zip("xyz", reduction.used, strict=True) if used],
        "control_variates_modes": modes,
        "control_variates_plain": {
            name: (np.diag(getattr(statics, name)) + (0.0 if name.endswith("_err") else offset)).tolist()
            for name in ("fluctuation", "fluctuation_err", "kramers_kronig", "kramers_kronig_err")
        },
    }


def _six(factor: Array) -> Array:
    """(6, ...) factors of all elements from those of the diagonal: geometric means."""
    return np.array([np.sqrt(factor[a] * factor[b]) for a, b in VOIGT])


def scaled_power(power: PowerSpectra, factor: Array) -> PowerSpectra:
    """Power spectra with S_aa multiplied by a factor (3, F); groups still sum to the total."""
    six = _six(factor)
    total = power.total * six
    before = power.total[:3].sum(axis=0)
    trace = np.divide(total[:3].sum(axis=0), before, out=np.ones_like(before), where=before > 0.0)
    scaled: dict[str, Any] = {name: getattr(power, name) * six for name in ("partial", "auto")}
    scaled |= {name: getattr(power, name) * trace for name in ("matrix", "members", "block_trace")}
    return replace(power, total=total, **scaled)


def _statics(
    found: Statics,
    power: PowerSpectra,
    reduction: Reduction,
    volume_ang3: float,
    temperature_k: float,
) -> Statics:
    """Static numbers of the reduced spectra.

    ⟨δM²⟩ and ∫ε₂/ω are one number where M is bounded: what sets them apart, ends of the run and the lag
    window, is small beside the plain error and not beside what is left, and the error of ∫ε₂/ω has it.
    """
    integral = to_tensor(
        conductivity.static_susceptibility_kramers_kronig(
            one_sided.correlation_from_spectrum(power.total, power.timestep_fs),
            power.timestep_fs,
            volume_ang3,
            temperature_k,
        )
    )
    factor = to_matrix(_six(reduction.static_factor)[:, None])[0]
    taken = reduction.static_share
    parts = taken, taken if reduction.integral_share is None else reduction.integral_share
    share, of_integral = (
        factor * np.where(np.eye(3) > 0.0, np.sqrt(np.maximum(1.0 - part, LEAST_STATIC_SHARE)), 1.0)
        for part in parts
    )
    dipole = found.fluctuation * factor
    known = np.maximum(found.fluctuation_err**2 - found.unsure**2, 0.0)
    noise = np.sqrt(np.maximum(found.kramers_kronig_err**2 - found.missed**2, 0.0))
    errors = np.sqrt(known * share**2 + found.unsure**2), np.hypot(noise * of_integral, found.missed)
    apart = np.zeros((3, 3))
    if found.dipole == "bounded":  # by more than ⟨δM²⟩ alone is unsure of
        apart = np.maximum(np.abs(integral - dipole) - 2.0 * found.unsure, 0.0)
    shares = [
        float(np.linalg.norm(np.diag(after))) / max(float(np.linalg.norm(np.diag(before))), 1e-300)
        for before, after in zip((found.fluctuation_err, found.kramers_kronig_err), errors, strict=True)
    ]
    return replace(
        found,
        average_err=(
            found.average_err[0] * shares[0],
            float(np.hypot(found.average_err[1] * shares[1], np.trace(apart) / 3.0)),
        ),
        fluctuation=dipole,
        fluctuation_err=errors[0],
        kramers_kronig=integral,
        kramers_kronig_err=np.hypot(errors[1], apart),
    )


def reduced_errors(
    plain: dict[str, Any],
    reduction: Reduction,
    power: PowerSpectra,
    sigma_of: Callable[[Array], Array],
    keep: slice,
) -> dict[str, Any]:
    """Errors of σ with those of the diagonal replaced by what the control variates leave.

    The ordinates' squares are taken from the periodogram itself, which sees lines narrower than the
    resolution. Both parts of σ are linear in it, so that what is known of one is known of the other by
    Kramers–Kronig.

    Parameters
    ----------
    plain
        Errors of the reduced spectrum by the formulas of the plain one.
    reduction
        The control variates.
    power
        Reduced power spectra.
    sigma_of
        σ of power spectra.
    keep
        Frequencies that are kept.
    """
    factor = reduction.factor
    variance = sigma_of(factor * np.sqrt(reduction.variance)) ** 2
    density = _twice_as_fine(sigma_of(factor)) ** 2 * reduction.density
    imag, cross = (
        part[:, ::2]
        for part in uncertainty.response_covariance(
            density, power.lag_window, power.timestep_fs, power.total_time_fs, 2 * keep.stop - 1
        )
    )
    real = variance[:, : keep.stop]
    whole = real, np.maximum(imag, 0.0)
    for control in reduction.controls:
        if control.noise is not None:
            noise = one_sided.continuous_response(sigma_of(factor * control.noise))[:, : keep.stop]
            real, imag, cross = real + noise.real**2, imag + noise.imag**2, cross + noise.real * noise.imag
        known = one_sided.continuous_response(sigma_of(factor * control.covariance))[:, : keep.stop]
        slope = one_sided.continuous_response(sigma_of(factor * control.slope))[:, : keep.stop]
        v = control.variance[:, None]
        real = real - 2.0 * slope.real * known.real + slope.real**2 * v
        imag = imag - 2.0 * slope.imag * known.imag + slope.imag**2 * v
        cross = cross - slope.real * known.imag - slope.imag * known.real + slope.real * slope.imag * v
    real = np.maximum(real, LEAST_SHARE * whole[0])[:, keep]
    imag = np.maximum(imag, LEAST_SHARE * whole[1])[:, keep]
    bound = np.sqrt(real * imag)
    cross = np.clip(cross[:, keep], -bound, bound)
    return _replaced(
        plain,
        np.where(reduction.used[:, None, None], np.array([real, imag, cross]).transpose(1, 0, 2), np.nan),
    )


def _replaced(plain: dict[str, Any], diagonal: Array) -> dict[str, Any]:
    """Errors with (3, 3, F) axis × (var Re, var Im, cov) instead of the diagonal's; NaN keeps those."""
    out = {name: np.array(value) for name, value in plain.items()}
    names = ("sigma_real_err", "sigma_imag_err", "sigma_covariance")
    isotropic = ("iso_real_err", "iso_imag_err", "iso_covariance")
    for number, (name, iso) in enumerate(zip(names, isotropic, strict=True)):
        squared = number < 2
        before = np.array([out[name][:, a, a] for a in range(3)])
        before = before**2 if squared else before
        after = np.where(np.isnan(diagonal[:, number]), before, diagonal[:, number])
        for a in range(3):
            out[name][:, a, a] = np.sqrt(after[a]) if squared else after[a]
        if squared:  # what the axes share (S_ab) is reduced as what each has
            share = after.sum(axis=0) / np.maximum(before.sum(axis=0), 1e-300)
            out[iso] = out[iso] * np.sqrt(share)
        else:
            out[iso] = out[iso] + (after - before).sum(axis=0) / 9.0
    bound = out["iso_real_err"] * out["iso_imag_err"]
    out["iso_covariance"] = np.clip(out["iso_covariance"], -bound, bound)
    return out


def _twice_as_fine(values: Array) -> Array:
    """Values (..., F) with one between each two, (..., 2F − 1)."""
    out = np.empty((*values.shape[:-1], 2 * values.shape[-1] - 1))
    out[..., ::2], out[..., 1::2] = values, 0.5 * (values[..., 1:] + values[..., :-1])
    return out
