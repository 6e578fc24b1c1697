"""Response at zero frequency: ε(0) by two routes, and σ_dc where the run shows one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from bec_md.arrays import Array
from bec_md.errors import DataError
from bec_md.spectrum.estimators import one_sided
from bec_md.spectrum.estimators.blocks import REMEMBERED_FRAMES, CurrentBlocks
from bec_md.spectrum.estimators.cepstral import CepstralEstimate, in_consistent_band
from bec_md.spectrum.estimators.conduction import (
    FOLDED_SHARE,
    Conduction,
    conduction,
    effective_axes,
    folding_uncertainty,
    folding_walk,
    integral_weight,
    lowest_over_zero,
    missed_by_integral,
    static_error,
)
from bec_md.spectrum.estimators.einstein import einstein_helfand
from bec_md.spectrum.estimators.estimate import PowerSpectra
from bec_md.spectrum.estimators.periodogram import Periodogram
from bec_md.spectrum.estimators.relaxation import relaxation
from bec_md.spectrum.estimators.survey import Survey, to_tensor
from bec_md.spectrum.response import conductivity
from bec_md.spectrum.response.symmetric_tensor import VOIGT
from bec_md.trajectory.mean_structure import MeanStructure
from bec_md.units import SPEED_OF_LIGHT_CM_FS

#: Stretches of all runs whose scatter gives the error of the Einstein–Helfand slope.
EINSTEIN_STRETCHES = 8

#: Standard errors between ln S(0) of an axis and of the mean, from which on the axes are not alike.
MOST_APART = 4.0

#: Most of the variance of the mean of M over the power of its first ordinate; relative error of its form.
MOST_MISSING, UNCERTAIN = 2.0, 0.25
#: Standard errors, and share of ∫ε₂/ω, from which on it misses motion slower than the resolution.
SIGNIFICANT, LEAST_MISSED = 4.0, 0.1
#: Variance of that of a random walk about its mean, over its square, beyond that of its ordinates, which
#: share the way from its start to its end: 4/5 − 2/5.
WALK_BEYOND = 0.4
#: Power of dM/dt in ordinates 3 to 6 over that in 1 and 2, below which M vibrates in the run: measured at
#: most 0.6 for a mode of 0.6 to 2 periods, about 1 or more for what relaxes.
VIBRATES = 0.6
#: Lowest bins that tell the axes of conduction; share of the power below which an axis has none, and which
#: rounding may leave of it.
FRAME_BINS, NO_POWER, ROUNDING = 32, 1e-6, 2e-7

#: What the dipole M = ∫J dt does: see `estimators.conduction`.
Dipole = Literal["bounded", "relaxes", "wanders", "walks", "conducts"]

WALK = (
    "M = ∫J dt walks although the mean tensors of the same motion show nothing of it: the tensors derive "
    "from no polarization, and ⟨δM²⟩ grows with the length of the run"
)
FOLDED = (
    "M = ∫J dt walks by random forces between the samples (a Langevin thermostat): their tail ∝ 1/ω² folds "
    "onto ω = 0, where it looks like a conductivity, and ⟨δM²⟩ grows with the length of the run"
)

ROUNDED = (
    "M = ∫J dt walks because velocities, or J, are stored with few digits: much of ⟨δM²⟩ is "
    "the noise of rounding"
)
#: Share of ⟨δM²⟩ from rounded velocities above which it is not taken off, but ⟨δM²⟩ not used.
ROUNDED_SHARE = 0.3

AT_SITES = (
    "M moves slowly, but every atom stays about its site: a soft mode or polar domains, and no ions that "
    "conduct"
)


@dataclass(frozen=True)
class Statics:
    """What is known at zero frequency.

    Parameters
    ----------
    dipole
        What M does at the end of the run.
    reason
        Why it is said so, empty for a bounded dipole.
    fluctuation, fluctuation_err
        ε(0) − ε_∞ from ⟨δM²⟩ and its standard error, (3, 3).
    kramers_kronig, kramers_kronig_err
        ε(0) − ε_∞ from ∫ε₂/ω, (3, 3): what is flat at low frequency adds nothing to it.
    average_err
        Standard errors of tr/3 of both: axes may share their noise.
    unsure
        (3, 3) part of `fluctuation_err` that no moment of J tells: of a walk taken off, of the mean added.
    missed
        (3, 3) part of `kramers_kronig_err` by motion slower than the resolution, where M walks.
    sigma_dc, sigma_dc_err
        (3, 3), S/m, or None.
    parameters
        Numbers of the DC estimate for the record.
    """

    dipole: Dipole
    reason: str
    fluctuation: Array
    fluctuation_err: Array
    kramers_kronig: Array
    kramers_kronig_err: Array
    average_err: tuple[float, float]
    unsure: Array = field(default_factory=lambda: np.zeros((3, 3)))
    missed: Array = field(default_factory=lambda: np.zeros((3, 3)))
    sigma_dc: Array | None = None
    sigma_dc_err: Array | None = None
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> Literal["fluctuation", "kramers_kronig"] | None:
        """Which of both is ε(0); None for a conductor."""
        if self.dipole == "conducts":
            return None
        return "kramers_kronig" if self.dipole == "walks" else "fluctuation"

    def less_sure(self, variance: Array, average: float) -> Statics:
        """Add a variance, (3, 3) and of tr/3, to the error of ⟨δM²⟩ that no moment of J tells."""
        return replace(
            self,
            fluctuation_err=np.sqrt(self.fluctuation_err**2 + variance),
            unsure=np.sqrt(self.unsure**2 + variance),
            average_err=(float(np.hypot(self.average_err[0], average**0.5)), self.average_err[1]),
        )


#: Fields of `Statics` from `fluctuation` to `average_err`.
_Numbers: TypeAlias = tuple[Array, Array, Array, Array, tuple[float, float]]


def statics(
    blocks: CurrentBlocks,
    power: PowerSpectra,
    bins: Periodogram,
    seen: Survey,
    temperature_k: float,
    *,
    dc: bool | None,
    required: bool = False,
) -> Statics:
    """Collect the response at zero frequency.

    Parameters
    ----------
    blocks, power, bins, seen
        The current, its corrected spectra, its periodogram and its sums.
    temperature_k
        As everywhere.
    dc
        True and False force and forbid a DC conductivity; None gives one where the run shows it.
    required
        Fail if it cannot be estimated.
    """
    sampled = not blocks.has_polarization
    rounding = rounding_walk(blocks) if sampled else np.zeros((3, 3))
    folding = _folding_walk(blocks, bins) if sampled else np.zeros((3, 3))
    walk, form = rounding + folding, 0.5 * rounding + folding_uncertainty(bins) * folding
    numbers = _numbers(blocks, power, bins, seen, temperature_k, walk)
    unit = conductivity.static_susceptibility_fluctuation(np.eye(3), blocks.volume_ang3, temperature_k)[0, 0]
    own, average = _scatter(unit * walk, WALK_BEYOND / bins.stretches)
    own, average = own + (unit * form) ** 2, average + (unit * np.trace(form) / 3.0) ** 2
    resting = float(np.trace(numbers[2]) / unit)
    if not dc and (reason := _why_it_walks(seen, rounding, folding, resting)):
        walks = Statics("walks", reason, *numbers).less_sure(own, average)
        return _with_missed(walks, unit, *missed_by_integral(power, bins))
    found = _verdict(numbers, blocks, bins, seen.wanders, temperature_k, dc=dc, required=required)
    return _with_mean(found.less_sure(own, average), walk, blocks, bins, temperature_k)


def _scatter(covariance: Array, relative: float) -> tuple[Array, float]:
    """Variance of the elements, (3, 3), and of tr/3 of a covariance of this relative variance."""
    axes = np.maximum(np.diag(covariance), 0.0)
    return (
        0.5 * (np.outer(axes, axes) + covariance**2) * relative,
        float(np.sum(covariance**2)) / 9.0 * relative,
    )


def _with_missed(
    found: Statics, unit: float, more: Array, error: Array, average: float, chance: float
) -> Statics:
    """Count what ∫ε₂/ω misses among its errors, where it is more than noise and a tenth."""
    slow = float(np.trace(more)) / 3.0
    noise = chance if found.reason == FOLDED else average
    least = LEAST_MISSED * float(np.trace(found.kramers_kronig)) / 3.0
    if slow <= SIGNIFICANT * noise or unit * slow < least:
        return found
    missed = unit * np.hypot(more, error)
    return replace(
        found,
        missed=missed,
        kramers_kronig_err=np.hypot(found.kramers_kronig_err, missed),
        average_err=(
            found.average_err[0],
            float(np.hypot(found.average_err[1], unit * np.hypot(slow, average))),
        ),
    )


def _with_mean(
    found: Statics, walk: Array, blocks: CurrentBlocks, bins: Periodogram, temperature_k: float
) -> Statics:
    """Add what ⟨δM²⟩ about the mean of a run does not have, where M stays about one."""
    if found.dipole not in ("bounded", "relaxes"):
        return found
    missing, relative, vibrates = missing_mean(blocks, bins, walk, found.dipole == "bounded")
    slow = conductivity.static_susceptibility_fluctuation(missing, blocks.volume_ang3, temperature_k)
    own, _ = _scatter(slow, relative + UNCERTAIN**2)
    average = _scatter(slow, relative)[1] + (UNCERTAIN * float(np.trace(slow)) / 3.0) ** 2
    if vibrates:  # the mean of a mode of less than one period is up to half of it
        axes = np.maximum(np.diag(slow), 0.0)
        slow, own, average = np.zeros((3, 3)), np.outer(axes, axes) / 4.0, (np.trace(slow) / 6.0) ** 2
    return replace(found.less_sure(own, average), fluctuation=found.fluctuation + slow)


def missing_mean(
    blocks: CurrentBlocks, bins: Periodogram, walk: Array, bounded: bool
) -> tuple[Array, float, bool]:
    r"""Variance of the mean of M over a run, (3, 3) in (e Å)², which ⟨δM²⟩ about that mean does not have.

    It is the ordinate at ω = 0 of the periodogram of M. Of a bounded M those from the second to the fourth
    are like it; the first has most of any walk that is not known, by sampling, a thermostat or tensors. Of a
    dipole that relaxes, :math:`1/P_k` is linear in k², so that
    :math:`1/P_0 = \tfrac43/P_1 - \tfrac13/P_2`: with the leakage of the ends to 1 % from runs of eight
    relaxation times on. The ratio is no more than `MOST_MISSING`, that of six, since its noise grows.
    A known `walk` has 3/π² of its variance in the first ordinate.

    Returns
    -------
    variance, relative, vibrates
        The variance, and by how much it adds to the squared error of ⟨δM_a²⟩, over its square: with the ratio
        r the first ordinate counts 2 + r times, not twice, and n others 2 + 1/n times each. The run may
        hold about one period of a mode, whose ordinates look alike but whose mean is little:
        :math:`k^2 P_k` falls behind it (`VIBRATES`).
    """
    first, second, *others = (
        to_tensor(np.append(bins.dipole[:, k], bins.cross[1][:, k])) / (bins.length * bins.timestep_fs)
        - 3.0 / (np.pi * k) ** 2 * walk
        for k in range(1, min(7, bins.dipole.shape[1]))
    )
    share = bins.length * len(blocks.lengths) / sum(blocks.lengths)
    if bounded:
        beside = [second, *others[:2]]
        return share * np.mean(beside, axis=0), (4.0 + 1.0 / len(beside)) / bins.stretches, False
    one, two = float(np.trace(first)), float(np.trace(second))
    if one <= 0.0:
        return np.zeros((3, 3)), 0.0, False
    ratio = 1.0 / max((4.0 - one / max(two, 1e-12 * one)) / 3.0, 1.0 / MOST_MISSING)
    rates = [k**2 * float(np.trace(ordinate)) for k, ordinate in enumerate(others, start=3)]
    vibrates = bool(rates) and float(np.mean(rates)) < VIBRATES * (one + 4.0 * two) / 2.0
    return ratio * share * first, (4.0 / ratio + 1.0) / bins.stretches, vibrates


def _verdict(
    numbers: _Numbers,
    blocks: CurrentBlocks,
    bins: Periodogram,
    wanders: bool,
    temperature_k: float,
    *,
    dc: bool | None,
    required: bool,
) -> Statics:
    """Say what M does if it does not walk, with σ_dc where there is one."""
    plain: Dipole = "wanders" if wanders else "bounded"
    if dc is False or (dc is None and not wanders):
        return Statics(plain, "", *numbers)
    if dc is None and _at_their_sites(blocks):
        return Statics("relaxes", AT_SITES, *numbers)
    frame, powers = _frame_of_conduction(bins)
    try:
        axes, mean = _cepstral(powers, bins)
    except DataError:
        if required:
            raise
        return Statics(plain, "the run is too short for an estimate of σ_dc", *numbers)
    scale = float(conductivity.conductivity_from_power(np.ones(1), blocks.volume_ang3, temperature_k)[0])
    values, errors = (scale * np.array([getattr(a, name) for a in axes]) for name in ("value", "err"))
    found = _judge(blocks, bins, axes, mean, values, float(np.trace(numbers[0])) / 3.0)
    if dc is None and not found.shown:
        return Statics("relaxes" if found.bounded else "wanders", found.reason, *numbers)
    parameters = {
        "sigma_dc_s_per_m": mean.value * scale,
        "sigma_dc_err_s_per_m": mean.err * scale,
        "sigma_dc_cepstral_cutoff": mean.cutoff,
        "sigma_dc_band_cm": mean.band_cm,
        **_einstein(blocks, mean.band_cm, temperature_k),
    }
    kind: Dipole = "conducts" if wanders else "bounded"
    tensor, error = (frame * values) @ frame.T, np.sqrt((frame * errors) ** 2 @ (frame**2).T)
    return Statics(kind, found.reason, *numbers, sigma_dc=tensor, sigma_dc_err=error, parameters=parameters)


def _numbers(
    blocks: CurrentBlocks,
    power: PowerSpectra,
    bins: Periodogram,
    seen: Survey,
    temperature_k: float,
    walk: Array,
) -> _Numbers:
    """What `Statics` has beside the verdict, of a covariance of M without a walk."""

    def susceptibility(covariance: Array) -> Array:
        """ε(0) − ε_∞ of a covariance of M."""
        return conductivity.static_susceptibility_fluctuation(covariance, blocks.volume_ang3, temperature_k)

    correlation = one_sided.correlation_from_spectrum(power.total, power.timestep_fs)
    integral = conductivity.static_susceptibility_kramers_kronig(
        correlation, power.timestep_fs, blocks.volume_ang3, temperature_k
    )
    weight = integral_weight(power, bins)
    of_dipole, of_average = static_error(bins, bins.dipole, bins.cross[1])
    of_integral, of_its_average = static_error(bins, bins.power * weight, bins.cross[0] * weight)
    return (
        susceptibility(seen.dipole_covariance - walk),
        susceptibility(of_dipole),
        to_tensor(integral),
        susceptibility(of_integral),
        (
            float(susceptibility(np.asarray(of_average))),
            float(susceptibility(np.asarray(of_its_average))),
        ),
    )


def _why_it_walks(seen: Survey, rounding: Array, folding: Array, resting: float) -> str | None:
    """Say what lets M walk though nothing diffuses, None if nothing does.

    Rounding is compared with ⟨δM²⟩ as it would be without a walk, of ∫ε₂/ω (`resting`): where samples lie
    close its errors are correlated, and the walk goes several times as far as that of white noise.
    """
    axes = np.diag(seen.dipole_covariance)
    if seen.walks:
        return WALK
    if np.trace(rounding) > ROUNDED_SHARE * min(axes.sum(), max(resting, 0.1 * axes.sum())):
        return ROUNDED
    return FOLDED if (np.diag(folding) > FOLDED_SHARE * axes).any() else None


def _folding_walk(blocks: CurrentBlocks, bins: Periodogram) -> Array:
    """What random forces between the samples of velocities add to ⟨δM_a δM_b⟩, (3, 3) in (e Å)²."""
    if blocks.series[0].scheme != "velocity":
        return np.zeros((3, 3))
    return folding_walk(bins, sum(n * n for n in blocks.lengths) / sum(blocks.lengths) * blocks.timestep_fs)


def rounding_walk(blocks: CurrentBlocks) -> Array:
    r"""What rounded velocities add to ⟨δM_a δM_b⟩, (3, 3) in (e Å)².

    Rounding to multiples of g is white noise of J, of which M = ∫J dt makes a random walk,

    .. math:: \frac{T}{6} \frac{g^2}{12} Δ \sum_i Z_i Z_i^T,

    where ΣZZᵀ of a group is taken as its mean mass times its ΣZZᵀ/m, which is stored: exact for one species.
    Of groups whose J is itself rounded it is one.
    """
    found = np.zeros((3, 3))
    for series, rule, frames in zip(blocks.series, blocks.sum_rules, blocks.lengths, strict=True):
        square = (
            len(series.groups)
            * float(series.metadata.get("current_rounding_e_ang_fs") or 0.0) ** 2
            * np.eye(3)
        )
        grid, exact = series.metadata.get("velocity_rounding_ang_fs"), series.zz_sum(rule)
        mass, count = series.group_mass_amu, series.group_count
        if grid and exact is not None and mass is not None and count is not None:
            square += float(grid) ** 2 * np.einsum("g,gab->ab", mass / count, exact[1])
        white = square / 12.0 * blocks.timestep_fs
        found += frames / sum(blocks.lengths) * frames * blocks.timestep_fs / 6.0 * white
    return found


def _judge(
    blocks: CurrentBlocks,
    bins: Periodogram,
    axes: Sequence[CepstralEstimate],
    mean: CepstralEstimate,
    sigma: Array,
    apparent: float,
) -> Conduction:
    replicas, independent = len(blocks.lengths), effective_axes(sigma)
    run_fs = sum(blocks.lengths) / replicas * blocks.timestep_fs
    lowest, components = lowest_over_zero(bins, mean), bins.stretches * independent
    found = conduction(sigma, lowest, components, apparent, run_fs, replicas)
    if not found.shown:
        return found
    return found.unless(
        relaxation(blocks, 3.0 if _alike(axes) else independent, mean.band_cm)
    )  # one more pass


def _at_their_sites(blocks: CurrentBlocks) -> bool:
    """Whether the positions of every run are known and no atom has left its place."""
    stored = [series.metadata.get("mean_structure") for series in blocks.series]
    return bool(stored) and all(one and MeanStructure.from_dict(one).is_crystal for one in stored)


def _frame_of_conduction(bins: Periodogram) -> tuple[Array, Array]:
    """Principal axes of S near zero, one per column, and the periodogram along them, (3, F).

    They are x, y, z unless S_ab is there beyond doubt, as in a channel or a layer that is oblique to them.
    """
    lowest, cross = bins.power[:, 1 : FRAME_BINS + 1], bins.cross[0].astype(float)
    matrix = to_tensor(np.append(lowest.mean(axis=1), cross[:, 1 : FRAME_BINS + 1].mean(axis=1)))
    scale = np.sqrt(np.outer(np.diag(matrix), np.diag(matrix)) / (2.0 * lowest.shape[1] * bins.stretches))
    if (np.abs(matrix - np.diag(np.diag(matrix))) <= MOST_APART * scale).all():
        return np.eye(3), bins.power
    frame = np.linalg.eigh(matrix)[1]
    pairs = np.array([frame[a] * frame[b] for a, b in VOIGT[3:]])
    along = (frame**2).T @ bins.power + 2.0 * pairs.T @ cross
    return frame, np.maximum(along, ROUNDING * bins.power.sum(axis=0))


def _cepstral(powers: Array, bins: Periodogram) -> tuple[list[CepstralEstimate], CepstralEstimate]:
    """S(0) of each axis and of their mean, in the widest band that agrees with all narrower ones."""
    total = np.cumsum(powers.sum(axis=0))
    above = min(int(np.searchsorted(total, 0.95 * total[-1])) + 1, len(total) - 1)
    grid = bins.wavenumber_cm
    band = float(grid[above if above >= 64 else -1])
    pooled = in_consistent_band(powers.mean(axis=0), 3 * bins.stretches, grid, band)
    none = replace(pooled, value=0.0, err=0.0)  # of an axis without current
    axes = [
        in_consistent_band(power, bins.stretches, grid, band) if power.sum() > NO_POWER * total[-1] else none
        for power in powers
    ]
    return axes, pooled if _alike(axes) else _mean(axes, pooled)


def _alike(axes: Sequence[CepstralEstimate]) -> bool:
    """Whether S(0) is the same along all axes within its errors, so that they are three samples of one."""
    values = np.array([axis.value for axis in axes])
    if not (values > 0.0).all():
        return False
    relative = np.array([axis.err for axis in axes]) / values
    return bool((np.abs(np.log(values / values.mean())) < MOST_APART * np.hypot(relative, 1e-3)).all())


def _mean(axes: Sequence[CepstralEstimate], pooled: CepstralEstimate) -> CepstralEstimate:
    """Mean of axes that differ, as in a channel or a layer: the logarithm of their sum is that of no axis."""
    first = max(axes, key=lambda axis: axis.value)
    value = float(np.mean([axis.value for axis in axes]))
    error = float(np.linalg.norm([axis.err for axis in axes])) / len(axes)
    return replace(pooled, value=value, err=error, cutoff=first.cutoff, band_cm=first.band_cm)


def _einstein(blocks: CurrentBlocks, band_cm: float, temperature_k: float) -> dict[str, float]:
    """σ_dc from the slope of ⟨[M(t) − M(0)]²⟩, as a cross-check; nothing if the run is too short or too long.

    The slope is taken at lags from 10 to 30 periods of the band that the cepstral estimate uses, or as far as
    a third of a stretch allows.
    """
    step = blocks.timestep_fs
    lag = 10.0 / (SPEED_OF_LIGHT_CM_FS * max(band_cm, 1e-6))
    stretches = max(EINSTEIN_STRETCHES // len(blocks.lengths), 2)
    longest = min(blocks.lengths) * step / stretches / 3.0
    first, last = max(min(lag, longest / 3.0), step), min(3.0 * lag, longest)
    if last < first + 8.0 * step or sum(blocks.lengths) > REMEMBERED_FRAMES:
        return {}
    found = [
        einstein_helfand(
            blocks.read_total(replica, 0, length).T,
            step,
            blocks.volume_ang3,
            temperature_k,
            (first, last),
            stretches,
        )
        for replica, length in enumerate(blocks.lengths)
    ]
    values, errors = np.array(found).T
    weights = np.array(blocks.lengths) / sum(blocks.lengths)
    return {
        "sigma_dc_einstein_s_per_m": float(weights @ values),
        "sigma_dc_einstein_err_s_per_m": float(np.sqrt(np.sum((weights * errors) ** 2))),
    }
