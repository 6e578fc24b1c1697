r"""Are two spectra the same, and if not: by which factors of intensity and frequency do they differ?

.. math:: χ^2 = \sum_f \frac{(a_f - b_f)^2}{σ_{a,f}^2 + σ_{b,f}^2}

as a mean over a grid finer than the resolution, which counts for as many independent points as the
correlation of the noise allows; fits of :math:`a(ν) = s\,b(ν/f)` and :math:`a(ν) = s\,b(ν - d)` by least
squares with errors. The noise of an absorption spectrum is multiplicative: relative errors are multiplied
with the mean of both curves, not with a curve that may be low by chance. With noise in both, s stands in the
denominator :math:`σ_a^2 + s^2σ_b^2` too (Deming 1943), without which it would come out too small.

A fit is one of band against band: relative errors make wings as heavy as bands, and where R or n hardly
depend on ε errors to first order vanish. Errors therefore have a floor, a part of the highest value, and the
frequency scale is bounded to the neighborhood of the ratio of the highest bands.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bec_md.arrays import Array, brief_repr
from bec_md.compare.curve import Curve, words_of
from bec_md.compare.grid import Pair, both_sides, common

#: Quantities whose noise is proportional to them.
_MULTIPLICATIVE = ("n_alpha", "sigma_real", "eps_imag", "alpha_cm")

#: Smallest error in a fit, and in χ² of what is no power spectrum, over the highest value of the curves.
_FIT_FLOOR, _FLOOR = 0.02, 0.01
#: Range of the frequency scale around the ratio of the highest bands, which is believed within `_FAR`.
_RANGE, _FAR = 0.1, 0.3
#: Reduced χ² of a fit beyond which it describes the curves badly.
_BAD = 4.0


@dataclass(frozen=True)
class Fit:
    """Intensity factor and frequency change that take B to A.

    Parameters
    ----------
    scale, scale_err
        s.
    frequency, frequency_err
        f (for "stretch") or d in cm⁻¹ (for "shift"); 1 or 0 with error 0 for "intensity" alone.
    chi2_reduced
        After the fit; None without errors.
    """

    kind: str
    scale: float
    scale_err: float
    frequency: float
    frequency_err: float
    chi2_reduced: float | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """Result of `compare`.

    Parameters
    ----------
    a, b
        Labels.
    quantity
        What was compared.
    pair
        Both curves on the common grid.
    n_independent
        Independent points.
    chi2_reduced, p_value
        χ² per independent point, and the probability of a larger one by chance; None if neither curve has
        errors.
    ratio, ratio_err
        ∫a/∫b; the error is None without errors.
    fits
        intensity alone, stretch, shift.
    peaks
        (position in a, position in b, height ratio a/b) of matching maxima, cm⁻¹.
    notes
        How files were understood, and what was done to the curves.
    """

    a: str
    b: str
    quantity: str
    pair: Pair
    n_independent: float
    chi2_reduced: float | None
    p_value: float | None
    ratio: float
    ratio_err: float | None
    fits: tuple[Fit, ...]
    peaks: tuple[tuple[float, float, float], ...]
    notes: tuple[str, ...]

    __repr__ = brief_repr

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.p_value is None:
            return "neither curve has errors: significance is not defined"
        if self.p_value > 0.05:
            return "they agree within their errors"
        text = f"they differ: such a difference has the probability {self.p_value:.2g} by chance"
        best = min((fit.chi2_reduced for fit in self.fits if fit.chi2_reduced is not None), default=0.0)
        if best > _BAD:
            text += (
                f"; no factor and no shift of frequencies makes them agree (reduced χ² {best:.2g} at best): "
                "s, f and d are those of the strongest bands, their errors are enlarged accordingly"
            )
        return text

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "a": self.a,
            "b": self.b,
            "quantity": self.quantity,
            "range_cm": [float(self.pair.wavenumber_cm[0]), float(self.pair.wavenumber_cm[-1])],
            "resolution_cm": self.pair.resolution_cm,
            "n_independent": self.n_independent,
            "chi2_reduced": self.chi2_reduced,
            "p_value": self.p_value,
            "integrated_ratio": self.ratio,
            "integrated_ratio_err": self.ratio_err,
            "fits": {fit.kind: asdict(fit) for fit in self.fits},
            "peaks": [{"a_cm": p, "b_cm": q, "height_ratio": h} for p, q, h in self.peaks],
            "verdict": self.verdict,
            "notes": list(self.notes),
        }


def compare(a: Curve, b: Curve, *, min_cm: float | None = None, max_cm: float | None = None) -> Comparison:
    """Compare two curves of the same quantity.

    Parameters
    ----------
    a, b
        Curves; with an experiment, a is the computed one by custom.
    min_cm, max_cm
        Range that is compared, cm⁻¹; by default where both have values.

    Returns
    -------
    Comparison
        χ², factors of intensity and frequency, and the points they come from.

    Raises
    ------
    UsageError
        If they do not overlap, or are different quantities.
    """
    from bec_md.errors import UsageError

    if a.quantity != b.quantity:
        raise UsageError(
            f"{a.label} is {words_of(a.quantity)}, {b.label} is {words_of(b.quantity)}",
            "only the same quantity can be compared",
            "open both with the same quantity",
        )
    pair = common(a, b, min_cm, max_cm)
    known = bool(np.any(pair.error > 0.0))
    per_point = pair.points_per_independent if known else 1.0
    # means of noise see ∫ρ, means of its squares ∫ρ²
    count = max(len(pair.wavenumber_cm) / (both_sides(pair.noise**2) if known else 1.0), 1.0)
    noise_a, noise_b = _noise(a.quantity, pair, pair.b)
    chi2 = p_value = None
    if known:
        from scipy.special import chdtrc

        smallest = 0.0 if a.quantity in _MULTIPLICATIVE else _FLOOR * _highest(pair)
        error = np.maximum(_floored(np.hypot(noise_a, noise_b)), smallest)
        chi2 = float(np.mean(((pair.a - pair.b) / error) ** 2))
        p_value = float(chdtrc(count, chi2 * count))
    ratio, ratio_err = _ratio(pair)
    notes = [f"{c.label}: {c.note}" for c in (a, b) if c.note]
    if a.resolution_cm != b.resolution_cm:
        sharper = a if a.resolution_cm < b.resolution_cm else b
        notes.append(f"{sharper.label} was smoothed to {pair.resolution_cm:g} cm⁻¹")
    if known and a.quantity not in (*_MULTIPLICATIVE, "kappa"):
        notes.append(
            f"the noise of {a.quantity} is shared by distant frequencies (Kramers–Kronig), which p and the "
            "errors of the integral and of s do not know: errors may be three times too small, and p far "
            "too small; compare n_alpha for a verdict"
        )
    if not pair.exact:
        lines = " and ".join(f"{c.label} ({c.window}, {c.resolution_cm:g} cm⁻¹)" for c in (a, b))
        notes.append(
            f"{lines} show a narrow line in different shapes: compute both with one window and resolution to "
            "compare narrow lines"
        )
    # shifted and stretched, b is wanted beyond the common range too
    source = _Stretched(b, pair)
    kinds = ("intensity", "stretch", "shift")
    fits = tuple(_fit(kind, a.quantity, pair, source, per_point, known) for kind in kinds)
    return Comparison(
        a.label,
        b.label,
        a.quantity,
        pair,
        count,
        chi2,
        p_value,
        ratio,
        ratio_err if known else None,
        fits,
        _matching_peaks(pair),
        tuple(notes),
    )


def _highest(pair: Pair) -> float:
    return float(max(np.abs(pair.a).max(), np.abs(pair.b).max()))


def _floored(error: Array) -> Array:
    """Errors without zeros: a curve can have none at single points."""
    return np.maximum(error, 1e-6 * float(np.max(error)))


def _noise(quantity: str, pair: Pair, moved: Array) -> tuple[Array, Array]:
    """Standard errors of a and of the scaled b, whose curve is `moved`."""
    if quantity not in _MULTIPLICATIVE:
        return pair.a_err, pair.b_err
    level = 0.5 * (np.abs(pair.a) + np.abs(moved))
    tiny = 1e-6 * float(np.max(level)) + 1e-300
    return (
        level * pair.a_err / np.maximum(np.abs(pair.a), tiny),
        level * pair.b_err / np.maximum(np.abs(pair.b), tiny),
    )


def _ratio(pair: Pair) -> tuple[float, float]:
    step = float(pair.wavenumber_cm[1] - pair.wavenumber_cm[0])
    area_a, area_b = step * float(pair.a.sum()), step * float(pair.b.sum())
    sides = ((pair.a_err, pair.a_noise), (pair.b_err, pair.b_noise))
    noise = [step * (both_sides(rho) * float(np.sum(e**2))) ** 0.5 for e, rho in sides]
    relative = np.hypot(noise[0] / abs(area_a), noise[1] / abs(area_b)) if area_a and area_b else np.nan
    ratio = area_a / area_b if area_b else float("nan")
    return ratio, float(abs(ratio) * relative)


class _Stretched:
    """Curve b at changed frequencies, smoothed as in the pair."""

    def __init__(self, b: Curve, pair: Pair) -> None:
        from bec_md.compare.grid import smooth

        grid = pair.wavenumber_cm
        step = float(grid[1] - grid[0])
        margin = 0.2 * float(grid[-1])
        low = max(grid[0] - margin, b.wavenumber_cm[0])
        self.x = np.arange(low, min(grid[-1] + margin, b.wavenumber_cm[-1]) + 0.5 * step, step)
        self.y = smooth(b.wavenumber_cm, b.values, self.x, pair.b_smoothing)
        self.grid = grid

    def __call__(self, kind: str, frequency: float) -> Array:
        at = self.grid / frequency if kind == "stretch" else self.grid - frequency
        return np.asarray(np.interp(at, self.x, self.y))


def _fit(kind: str, quantity: str, pair: Pair, source: _Stretched, per_point: float, known: bool) -> Fit:
    """Weighted least squares; the errors belong to the fitted curve and are found in three rounds."""
    from scipy.optimize import least_squares

    frequency, scale, allowed = _start(kind, pair, source)
    floor = _FIT_FLOOR * float(np.abs(pair.a).max()) if known else 0.0
    free = kind != "intensity"
    result: Any = None
    for _ in range(3):
        noise_a, noise_b = _noise(quantity, pair, scale * source(kind, frequency))
        noise_b = noise_b / (scale or 1.0) if quantity in _MULTIPLICATIVE else noise_b
        if not known:
            noise_a = np.full_like(pair.a, float(np.std(pair.a)) or 1.0)

        def residuals(p: Array, a: Array = noise_a, b: Array = noise_b) -> Array:
            """Differences in units of their errors."""
            moved = source(kind, float(p[1]) if free else _rest(kind))
            return np.asarray((pair.a - p[0] * moved) / np.hypot(_floored(np.hypot(a, p[0] * b)), floor))

        start = np.array([scale, frequency]) if free else np.array([scale])
        steps = _steps(kind, pair, scale)[: len(start)]
        # central differences over a hundredth of a step: the interpolated b is not smooth on finer scales
        relative = 0.01 * steps / np.maximum(np.abs(start), 1e-9)
        bounds = ([-np.inf, allowed[0]], [np.inf, allowed[1]]) if free else (-np.inf, np.inf)
        result = least_squares(
            residuals, start, jac="3-point", x_scale=steps, diff_step=relative, bounds=bounds
        )
        scale = float(result.x[0])
        frequency = float(result.x[1]) if free else frequency
    count = max(len(pair.a) / per_point - len(result.x), 1.0)
    chi2 = 2.0 * float(result.cost) / per_point / count
    jacobian = np.asarray(result.jac, dtype=np.float64)
    curvature = jacobian.T @ jacobian
    weight = 1.0 / np.hypot(_floored(np.hypot(noise_a, scale * noise_b)), floor)
    if free:
        noise = scale * noise_b * weight
        curvature[1, 1] -= _slope_noise(kind, pair, noise, float(curvature[1, 1]))
    inverse = np.linalg.pinv(curvature)
    sides = ((noise_a, pair.a_noise), (scale * noise_b, pair.b_noise)) if known else ((noise_a, np.ones(1)),)
    scatter = sum(_correlated(jacobian * (noise * weight)[:, None], rho) for noise, rho in sides)
    # residuals larger than noise makes them are no noise
    expected = sum(float(np.mean((noise * weight) ** 2)) for noise, _ in sides)
    enlarged = chi2 / expected if expected > 0.0 else chi2
    errors = np.sqrt(np.diag(inverse @ scatter @ inverse) * (max(enlarged, 1.0) if known else enlarged))
    return Fit(
        kind,
        scale,
        float(errors[0]),
        frequency,
        float(errors[1]) if free else 0.0,
        chi2 if known else None,
    )


def _correlated(slopes: Array, correlation: Array) -> Array:
    """Σ_ij slopes_i ρ_(i−j) slopes_j, of (F, p) slopes in units of the noise."""
    both = np.concatenate([correlation[:0:-1], correlation])
    moved = np.array(
        [np.convolve(column, both)[len(correlation) - 1 :][: len(column)] for column in slopes.T]
    )
    return np.asarray(slopes.T @ moved.T)


def _slope_noise(kind: str, pair: Pair, noise: Array, whole: float) -> float:
    """What the noise of b contributes to the squared slopes that seem to fix the frequency.

    Slopes between neighboring points have the variance 2 (1 − ρ) of the noise over their distance squared:
    they look like structure to a least-squares fit but do not move with the bands.
    """
    if len(pair.b_noise) < 2 or pair.resolution_cm <= 0.0:
        return 0.0
    step = float(pair.wavenumber_cm[1] - pair.wavenumber_cm[0])
    lever = pair.wavenumber_cm if kind == "stretch" else np.ones_like(pair.wavenumber_cm)
    variance = 2.0 * (1.0 - float(pair.b_noise[1])) / step**2
    return min(float(np.sum((noise * lever) ** 2)) * variance, 0.9 * whole)


def _rest(kind: str) -> float:
    return 1.0 if kind == "stretch" else 0.0


def _steps(kind: str, pair: Pair, scale: float) -> Array:
    frequency = 0.01 if kind == "stretch" else max(pair.resolution_cm, 1.0)
    return np.array([max(abs(scale), 1e-6), frequency])


def _start(kind: str, pair: Pair, source: _Stretched) -> tuple[float, float, tuple[float, float]]:
    """Best frequency change on a coarse grid, its intensity factor, and the range allowed."""
    if kind == "intensity":
        candidates, allowed = np.zeros(1), (0.0, 0.0)
    else:
        top_a, top_b = (float(pair.wavenumber_cm[int(np.argmax(np.abs(v)))]) for v in (pair.a, pair.b))
        ratio = top_a / top_b if abs(np.log(top_a / top_b)) < _FAR else 1.0
        scales = ratio * np.linspace(1.0 - _RANGE, 1.0 + _RANGE, 61)
        candidates = scales if kind == "stretch" else (scales - 1.0) * top_b
        allowed = float(candidates[0]), float(candidates[-1])
    best = (np.inf, _rest(kind), 1.0)
    for candidate in candidates.tolist():
        moved = source(kind, candidate if kind != "intensity" else _rest(kind))
        norm = float(moved @ moved)
        scale = float(moved @ pair.a) / norm if norm > 0.0 else 1.0
        cost = float(np.sum((pair.a - scale * moved) ** 2))
        if cost < best[0]:
            best = (cost, candidate if kind != "intensity" else _rest(kind), scale)
    margin = 1e-6 * (allowed[1] - allowed[0])
    start = (
        float(np.clip(best[1], allowed[0] + margin, allowed[1] - margin)) if kind != "intensity" else best[1]
    )
    return start, best[2], allowed


def _matching_peaks(pair: Pair) -> tuple[tuple[float, float, float], ...]:
    """Maxima of both curves that are each other's nearest, within 10 % of the frequency."""
    from bec_md.spectrum.analysis.peak import find_spectrum_peaks

    width = max(pair.resolution_cm, 2.0 * float(pair.wavenumber_cm[1] - pair.wavenumber_cm[0]))
    first, second = (
        find_spectrum_peaks(pair.wavenumber_cm, v, e, width)
        for v, e in ((pair.a, pair.a_err), (pair.b, pair.b_err))
    )
    found = []
    for peak in first:
        near = min(second, key=lambda p: abs(p.wavenumber_cm - peak.wavenumber_cm), default=None)
        if near is None or abs(near.wavenumber_cm - peak.wavenumber_cm) > 0.1 * peak.wavenumber_cm:
            continue
        back = min(first, key=lambda p: abs(p.wavenumber_cm - near.wavenumber_cm))
        if back is peak:
            found.append((peak.wavenumber_cm, near.wavenumber_cm, peak.height / near.height))
    return tuple(found)
