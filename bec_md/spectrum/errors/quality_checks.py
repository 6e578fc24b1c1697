"""The checks of the quality block, one small function each, with their thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bec_md.arrays import Array
from bec_md.current.kinetic_spread import WIDE, TemperatureSpread
from bec_md.spectrum.errors.mean_square import LEAST, limits
from bec_md.spectrum.errors.quality import QualityCheck, Status, graded
from bec_md.spectrum.estimators.survey import Survey
from bec_md.spectrum.statics import FOLDED, ROUNDED, Statics
from bec_md.units import AMU_ANG2_FS2_EV, BOLTZMANN_EV_K

_STATIC = "within 3 standard errors + 10 %, M bounded (insulators)"
_CHARGE_SUM = "below 0.01 e (fail: 0.1 e)"
_DRIFT = "below 3, or corrected by mass"
_TEMPERATURE = "within 3 % (groups 10 %; fail: 15 %)"


def f_sum_ratio(current_variance: Array, zz_over_mass: Array, temperature_k: float) -> Array:
    r"""Ratio of :math:`∫ω ε_2 dω` to its exact value, from C_ab(0) and Σ⟨ZZᵀ⟩/m.

    :math:`∫_0^∞ ω ε_2\,dω = \frac{π}{2 ε_0 V} \frac{C(0)}{k_B T}` and the sum rule says
    :math:`C(0) = k_B T\,Σ⟨ZZ^T⟩/m`; elementwise ratio of the diagonals, 1 where there are neither charges nor
    current.

    Parameters
    ----------
    current_variance
        C_aa(0) in (e Å/fs)².
    zz_over_mass
        Σ⟨ZZᵀ⟩_aa/m in e²/amu.
    temperature_k
        T in K.
    """
    kt = BOLTZMANN_EV_K * temperature_k / AMU_ANG2_FS2_EV  # amu Å²/fs²
    exact = kt * np.asarray(zz_over_mass)
    least = 1e-12 * np.max(np.abs(exact), initial=0.0)
    empty = (np.abs(exact) <= least) & (np.abs(current_variance) <= least)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(empty, 1.0, current_variance / exact)


def check_f_sum(ratio: Array | None, error: Array) -> QualityCheck:
    """Return the f-sum check per axis; exact for classical MD at any temperature and anharmonicity."""
    meaning = (
        "ratio of ∫ωε₂dω to π/(2ε₀V)·Σ⟨ZZᵀ⟩/m along x, y, z: 1 unless temperature, units, time step, masses "
        "or velocities are wrong"
    )
    advice = "check `temperature_k`, `timestep_fs`, masses, velocities, and that the run is in equilibrium"
    threshold = "within 3 standard errors + 2 % (fail: 5 standard errors + 10 %)"
    if ratio is None or not np.all(np.isfinite(ratio)):
        return QualityCheck("f_sum", None, threshold, "unknown", meaning, "store ΣZZᵀ/m with the current")
    status = _against_limits(ratio, error, 0.02, 0.10)
    return QualityCheck("f_sum", tuple(float(v) for v in ratio), threshold, status, meaning, advice)


def _against_limits(ratio: Array, error: Array, warn: float, fail: float, squares: bool = True) -> Status:
    """Return ok within 3 standard errors and a share `warn`, warn within 5 and a share `fail`, else fail.

    Ratios of squares are those of few or many energies; others may become negative.
    """
    if not np.all(np.isfinite(ratio)):
        return "fail"
    grades: tuple[tuple[Status, float, float], ...] = (("ok", 3.0, warn), ("warn", 5.0, fail))
    for status, sigmas, more in grades:
        low, high = limits(error, sigmas)
        low = np.maximum(low - more, LEAST) if squares else np.minimum(low, 1.0 - sigmas * error) - more
        if np.all((ratio > low) & (ratio < high + more)):
            return status
    return "fail"


def check_f_sum_groups(names: tuple[str, ...], ratio: Array, error: Array) -> QualityCheck:
    """Return the f-sum check per group, traces."""
    deviation = np.abs(ratio - 1.0) / (error + 0.01)
    worst = names[int(np.argmax(deviation))]
    return QualityCheck(
        "f_sum_groups",
        tuple(float(v) for v in ratio),
        "within 3 standard errors + 5 % (fail: 5 standard errors + 20 %)",
        _against_limits(ratio, error, 0.05, 0.20, squares=False),
        f"the same for the partial spectra of {', '.join(names)}; worst: {worst}",
        "a single wrong group points to a wrong mass, wrong charges or a species at another temperature",
    )


def without_free_atoms(check: QualityCheck) -> QualityCheck:
    """Return an f-sum check without verdict: with rigid bonds the sum over free atoms is an upper bound."""
    return replace(
        check,
        status="unknown",
        meaning=check.meaning
        + "; rigid bonds, and a molecule that does not turn, carry no kinetic energy there: it lies below 1",
    )


def check_band(fraction: float, max_cm: float) -> QualityCheck:
    """Return the share of the integrated absorption inside the band that is written out."""
    return QualityCheck(
        "f_sum_band",
        fraction,
        "at least 0.9",
        "ok" if fraction >= 0.9 else "warn",
        f"share of the integrated absorption below {max_cm:.0f} cm⁻¹",
        "raise `max_cm` to see all bands",
    )


def check_static(found: Statics) -> QualityCheck:
    """Return the static susceptibility by fluctuations less that by Kramers–Kronig."""
    direct, integral = (float(np.trace(t)) / 3.0 for t in (found.fluctuation, found.kramers_kronig))
    sigma = found.average_err[0]
    meaning = f"ε(0) − ε_∞ from ⟨δM²⟩ ({direct:.4g} ± {sigma:.2g}) minus (2/π)∫ε₂/ω dω ({integral:.4g})"
    if found.reason and found.dipole != "conducts":
        meaning += f"; {found.reason}"
    difference = direct - integral
    limit = 3.0 * sigma + 0.1 * max(abs(direct), abs(integral))
    advice = "low frequencies are not converged or too narrow: run longer, or lower `resolution_cm`"
    status: Status = "ok" if abs(difference) <= limit else "warn"
    if found.dipole == "conducts":
        return QualityCheck(
            "static",
            None,
            _STATIC,
            "unknown",
            meaning + "; M diffuses: mobile ions",
            "no static limit for an ionic conductor: use sigma_dc",
        )
    if found.dipole == "wanders":
        status = "warn"
        advice = "the run is shorter than the slowest motion of M: ε(0) is a lower bound, run longer"
    if found.dipole == "relaxes":
        status = "warn"
        advice = "∫ε₂/ω misses what is slower than `resolution_cm`: ε(0) is that of ⟨δM²⟩, run longer"
    if found.dipole == "walks":
        status = "warn"
        advice = (
            "take ε(0) from ∫ε₂/ω; store J of every step, or P(t) or positions beside it"
            if found.reason == FOLDED
            else "take ε(0) from ∫ε₂/ω; store velocities with more digits"
            if found.reason == ROUNDED
            else "take ε(0) from ∫ε₂/ω; use charges that derive from a polarization"
        )
        if found.missed.any():
            slow = f"∫ε₂/ω misses motion slower than `resolution_cm` (± {found.average_err[1]:.2g})"
            advice = f"{slow}: lower `resolution_cm`, then {advice}"
    return QualityCheck("static", difference, _STATIC, status, meaning, advice)


def check_charge_sum(residual_e: float | None, sum_rule: str) -> QualityCheck:
    """Return the violation of the acoustic sum rule by the charges as given."""
    meaning = (
        "r.m.s. of (ΣZ − Q)/N per atom before correction: how far a rigid shift of the cell would polarize it"
    )
    if residual_e is None:
        return QualityCheck(
            "sum_rule", None, _CHARGE_SUM, "unknown", meaning, "a bare J(t) does not tell; use a trajectory"
        )
    status = graded(residual_e, 0.01, 0.1)
    return QualityCheck(
        "sum_rule",
        residual_e,
        _CHARGE_SUM,
        status,
        meaning + f"; corrected: {sum_rule}",
        "check the index order and the species of the charges, and the total charge of the cell",
    )


def check_net_charge(total_charge_e: float) -> QualityCheck:
    """Return the net charge of the cell."""
    return QualityCheck(
        "net_charge",
        total_charge_e,
        "0 e",
        "ok" if abs(total_charge_e) < 1e-6 else "warn",
        "net charge Q of the cell; a charged cell is treated in its barycentric frame",
        "make sure that the charge is meant",
    )


def check_drift(
    drift: float | None, total_mass_amu: float | None, temperature_k: float, rule: str
) -> QualityCheck:
    """Return the r.m.s. center-of-mass speed over that of a free particle of the total mass."""
    meaning = "r.m.s. speed of the center of mass over √(3k_BT/M); removed by the mass rule"
    advice = "remove the drift in the run, or use the sum rule mass"
    if drift is None or total_mass_amu is None:
        return QualityCheck("com_drift", None, _DRIFT, "unknown", meaning, advice)
    if not np.isfinite(total_mass_amu):
        held = "; atoms that do not move hold it here"
        return QualityCheck("com_drift", 0.0, _DRIFT, "ok", meaning + held, advice)
    thermal = (3.0 * BOLTZMANN_EV_K * temperature_k / AMU_ANG2_FS2_EV / total_mass_amu) ** 0.5
    ratio = drift / thermal
    return QualityCheck(
        "com_drift",
        ratio,
        _DRIFT,
        "ok" if ratio < 3.0 or rule == "mass" else "warn",
        meaning,
        advice,
    )


def check_temperature(
    measured: float | None, per_group: Array | None, wanted: float, scheme: str
) -> QualityCheck:
    """Return kinetic temperatures, whole and per group, over the temperature used."""
    meaning = "kinetic temperature over the temperature used: all atoms, then each group (equipartition)"
    advice = "check masses, velocity units, thermostat and equilibration; state rigid bonds as constraints"
    if measured is None or per_group is None or scheme != "velocity":
        return QualityCheck("temperature", None, _TEMPERATURE, "unknown", meaning, "needs stored velocities")
    known = per_group[np.isfinite(per_group)]  # unknown with rigid bonds
    values = np.concatenate([[measured], known]) / wanted
    whole, groups = abs(values[0] - 1.0), float(np.max(np.abs(values[1:] - 1.0), initial=0.0))
    status = graded(whole, 0.03, 0.15)
    if status == "ok" and groups > 0.10:
        status = "warn"
    return QualityCheck(
        "temperature",
        tuple(float(v) for v in values),
        _TEMPERATURE,
        status,
        meaning,
        advice,
    )


def check_temperature_spread(found: list[TemperatureSpread]) -> QualityCheck:
    """Return the variance of the kinetic energy over that of a run at one temperature (2/f), the largest."""
    worst = max(found, key=lambda one: one.at_least, default=None)
    return QualityCheck(
        "temperature_spread",
        None if worst is None else worst.ratio,
        "below 1.2 + 3 standard errors (fail: 3)",
        "unknown" if worst is None else graded(worst.at_least, WIDE, 3.0),
        "variance of the kinetic temperature over that at one temperature, 2T²/f of f degrees of freedom",
        "the temperature itself changed: exchanged replicas, a ramp, or an equilibration (cut it off with "
        "`start`); compute spectra from runs at one temperature",
    )


def check_stationarity(seen: Survey, noise: Array) -> QualityCheck:
    """Return the z-score between the mean J² of the first and second halves of each replica.

    Parameters
    ----------
    seen
        Mean squares of stretches.
    noise
        (3,) standard errors of ⟨J_a²⟩ over the whole run by its spectrum: lines narrower than what a run
        resolves beat, and stretches next to one another then differ less than halves do.
    """
    value = seen.current_square.sum(axis=-1)
    half = value.shape[1] // 2
    first, second = value[:, :half], value[:, half:]
    # scatter from differences of neighbors: a trend must not hide behind the variance that it makes
    spread = 0.5 * np.mean(np.diff(value, axis=1) ** 2, axis=1) * 2.0 / half
    difference = second.mean(axis=1) - first.mean(axis=1)
    # halves have twice the variance of the whole, their difference four times
    of_mean = max(float(spread.sum()) / len(value) ** 2, 4.0 * float((noise**2).sum()))
    z = float(difference.mean() / np.sqrt(max(of_mean, 1e-300)))
    return QualityCheck(
        "stationarity",
        z,
        "|z| below 4 (fail: 8)",
        graded(abs(z), 4.0, 8.0),
        "change of ⟨J²⟩ from the first to the second half, in standard errors",
        "cut off the equilibration, or look for a phase change",
    )


def check_nyquist(
    share: float,
    nyquist_cm: float,
    timestep_fs: float,
    groups: tuple[str, ...],
    rounding_ang: float | None = None,
) -> QualityCheck:
    """Return the share of the power in the top sixth of the band, which aliasing and rounding would fill.

    Differences of positions that are rounded to `rounding_ang` carry noise that grows towards the Nyquist
    wavenumber, and the more, the closer frames lie.
    """
    hydrogen = "H" in groups and timestep_fs > 4.0
    status = "warn" if hydrogen else graded(share, 0.01, 0.10)
    return QualityCheck(
        "nyquist",
        share,
        "below 0.01 (fail: 0.1); at most 4 fs with hydrogen",
        status,
        f"share of ⟨J²⟩ above 5/6 of Nyquist ({nyquist_cm:.0f} cm⁻¹): "
        + ("folded modes land there" if rounding_ang is None else "the noise of rounded positions is there"),
        "store frames more often (at most 4 fs with O–H, 10 fs for oxides)"
        if rounding_ang is None
        else f"positions are rounded to {rounding_ang:g} Å: store velocities, or more digits; of this file "
        "take a `stride`, as more frames make the noise grow",
    )


def check_damping(
    transfer: float, scheme: str, highest_cm: float, rounding_ang: float | None = None
) -> QualityCheck:
    """Return what finite differences left of the highest band before it was divided out."""
    return QualityCheck(
        "finite_difference",
        transfer,
        "above 0.8 (fail: 0.3)",
        graded(1.0 - transfer, 0.2, 0.7),
        f"transfer function of the {scheme!r} velocities at {highest_cm:.0f} cm⁻¹, divided out",
        "store velocities, or frames more often"
        if rounding_ang is None
        else f"store velocities: this may be the noise of positions that are rounded to {rounding_ang:g} Å",
    )


def check_resolution(
    relative_error: float, resolution_cm: float, length_fs: float, cut: bool
) -> QualityCheck:
    """Return the relative standard error per point, and whether the run is long enough for the resolution."""
    status: Status = "warn" if cut or relative_error > 0.25 else "ok"
    return QualityCheck(
        "resolution",
        relative_error,
        "below 0.25, run longer than the lag window",
        status,
        f"relative standard error per point at {resolution_cm:g} cm⁻¹ from {length_fs / 1000.0:.1f} ps"
        + ("; the run is shorter than the window, lines are wider than asked" if cut else ""),
        "ask for a coarser `resolution_cm` or run longer (bec-md plan)",
    )


def check_jackknife(ratio: float | None) -> QualityCheck:
    """Return the jackknife error over stretches of the run relative to the analytic one."""
    meaning = (
        "error from the scatter of stretches of the run (jackknife) over the analytic one, weighted with nα"
    )
    advice = "the run is not stationary, or remembers longer than a stretch: trust the larger error"
    threshold = "within 0.5 … 2"
    if ratio is None:
        return QualityCheck("jackknife", None, threshold, "unknown", meaning, "needs a longer run")
    status: Status = "ok" if 0.5 <= ratio <= 2.0 else "warn"
    return QualityCheck("jackknife", ratio, threshold, status, meaning, advice)


def check_interpolation(relative_error: float | None, charge_error_e: float | None) -> list[QualityCheck]:
    """Return the relative error of J from tensors interpolated between evaluated frames, if there are any."""
    if relative_error is None:
        return []
    charge = "" if charge_error_e is None else f"; r.m.s. {charge_error_e:.3g} e per tensor element"
    return [
        QualityCheck(
            "interpolation",
            relative_error,
            "below 0.05 (fail: 0.3)",
            graded(relative_error, 0.05, 0.3),
            "relative error of J at held-out frames where tensors were interpolated" + charge,
            "evaluate the tensors more often",
        )
    ]


def check_model_error(share: float | None) -> list[QualityCheck]:
    """Return the spread of the ensemble's spectra relative to the spectrum, if members are known."""
    if share is None:
        return []
    return [
        QualityCheck(
            "model_error",
            share,
            "below 0.1",
            "ok" if share < 0.1 else "warn",
            "spread of nα over the members of the model ensemble, relative, weighted with nα",
            "train on structures like these; the statistical error alone is too optimistic here",
        )
    ]


def check_model_domain(uncertainty_e: Array, domain_uncertainty_e: float) -> list[QualityCheck]:
    """Return the model's uncertainty in the run over the one in its training data.

    Parameters
    ----------
    uncertainty_e
        (T,) mean over the atoms of each frame of the calibrated uncertainty, e.
    domain_uncertainty_e
        Mean over the same atoms of the uncertainty that the model card gives as the limit of its domain, e.
    """
    ratio = uncertainty_e / domain_uncertainty_e
    outside = float(np.mean(ratio > 1.0))
    return [
        QualityCheck(
            "model_domain",
            float(np.median(ratio)),
            "below 1 (fail: 3)",
            graded(float(np.quantile(ratio, 0.99)), 1.0, 3.0),
            "uncertainty of the model in this run over the limit of its domain; "
            f"{100 * outside:.3g} % of the frames are above it",
            "frames far from the training data: take another model (bec-md models), train on structures like "
            "these, or look whether the run itself went astray",
        )
    ]


def check_closed_loop(found: Mapping[str, Any] | None) -> QualityCheck:
    """Return the part of the polarization that does not come back on small closed loops of all atoms."""
    meaning = "|∮Z·du| over ∮|Z·du| on small closed loops: 0 if the tensors derive from a polarization"
    advice = (
        "train the model further, or on displaced structures like these; the spectrum has a floor at low "
        "frequency"
    )
    threshold = "below 0.05 (fail: 0.3)"
    if found is None:
        why = "; needs tensors that are a function of the positions (a model, or constant ones)"
        return QualityCheck("closed_loop", None, threshold, "unknown", meaning + why, advice)
    share = float(found["share"])
    detail = (
        f"; {found['loops']} loops of {found['radius_ang']:g} Å around the first frame, antisymmetric part "
        f"{found['residual_e_per_ang']:.2g} e/Å of gradients of {found['gradient_e_per_ang']:.2g} e/Å"
        if found["loops"]
        else "; constant tensors do"
    )
    status = graded(share, 0.05, 0.3)
    return QualityCheck("closed_loop", share, threshold, status, meaning + detail, advice)


def check_positivity(lowest: float) -> QualityCheck:
    """Return the smallest eigenvalue of Re σ over the largest: never negative beyond rounding."""
    return QualityCheck(
        "positivity",
        lowest,
        "above −1e-9",
        "ok" if lowest > -1e-9 else "fail",
        "smallest eigenvalue of Re σ(ω) over the largest: a passive medium only absorbs",
        "report this: the estimators cannot produce it",
    )
