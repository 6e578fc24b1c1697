r"""Directions in which a response is looked at, and the principal axes that a spectrum itself shows.

A direction is a symmetric weight P of trace 1, and what is seen along it is :math:`\mathrm{tr}(P σ)`:
:math:`P = \hat q\hat q^T` for one direction, the mean of several of them for axes that are equal by symmetry,
1/3 for the average. For Gaussian noise

.. math:: \mathrm{var}\,\mathrm{tr}(P\hat S) = \mathrm{tr}(P S P S)\; r,

r being the relative variance of one component.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import UsageError
from bec_md.spectrum.errors import uncertainty
from bec_md.spectrum.response.scalar import ScalarResponse
from bec_md.spectrum.response.symmetric_tensor import to_six
from bec_md.spectrum.spectrum import Spectrum
from bec_md.units import SPEED_OF_LIGHT_CM_FS

Array = NDArray[np.float64]

#: Axes are one if their spectra differ by less than this, r.m.s. in standard errors of the difference
#: (weighted with the absorption), or by less than `SAME_SHARE` of what disjoint bands would give. Error
#: bars of lines narrower than the resolution are too small by a factor of this size.
SAME, SAME_SHARE = 2.5, 0.65
#: Off-diagonal elements of a spectrum in the frame of the cell count as zero up to this, in the same measure.
ALIGNED = 2.0


@dataclass(frozen=True, eq=False)
class Direction:
    """A direction, or an average over directions.

    Parameters
    ----------
    label
        "x", "xy" (mean of both), "isotropic", or the three components.
    weight
        (3, 3) symmetric, of trace 1.
    """

    label: str
    weight: Array

    @property
    def axis(self) -> int | None:
        """Number of the Cartesian axis, None for other directions."""
        return "xyz".index(self.label) if self.label in ("x", "y", "z") else None


def to_direction(value: Direction | str | Sequence[float] | None) -> Direction:
    """Return a direction from its name or components; None is the average over all.

    Parameters
    ----------
    value
        "isotropic", letters of axes to average over ("x", "xy"), three numbers, or text of three numbers.

    Raises
    ------
    UsageError
        For anything else.
    """
    if isinstance(value, Direction):
        return value
    if value is None or value == "isotropic":
        return Direction("isotropic", np.eye(3) / 3.0)
    if isinstance(value, str):
        letters = value.strip().lower()
        if letters and set(letters) <= set("xyz") and len(set(letters)) == len(letters):
            if len(letters) == 3:
                return to_direction(None)
            return Direction(
                "".join(sorted(letters)), np.diag([float(a in letters) / len(letters) for a in "xyz"])
            )
        numbers = _numbers(value)
    else:
        numbers = [float(v) for v in value]
    q = np.asarray(numbers, dtype=float)
    length = float(np.linalg.norm(q)) if q.shape == (3,) else 0.0
    if not (np.isfinite(length) and length > 0.0):
        raise UsageError(
            f"direction {value!r} is not understood",
            "a direction is x, y, z, two letters for the mean of two axes, or three Cartesian components",
            "write for example z, xy or 1,1,0",
        )
    q = q / length
    for a, name in enumerate("xyz"):
        if abs(q[a]) > 1.0 - 1e-12:
            return to_direction(name)
    return Direction(" ".join(f"{c + 0.0:.4g}" for c in q), np.outer(q, q))


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.replace(",", " ").replace(";", " ").split()]
    except ValueError:
        return []


def response_along(spectrum: Spectrum, direction: Direction) -> ScalarResponse:
    """Complex response along a direction with its errors."""
    if direction.label == "isotropic":
        return spectrum.isotropic
    weight = direction.weight
    axis = direction.axis
    if axis is not None:
        stored = (spectrum.sigma_real_err, spectrum.sigma_imag_err, spectrum.sigma_covariance)
        real_err, imag_err, covariance = (values[:, axis, axis] for values in stored)
    else:
        real_err, imag_err, covariance = _errors(spectrum, weight)
    dc = spectrum.sigma_dc if spectrum.parameters.get("subtract_dc") else None
    return ScalarResponse(
        spectrum.wavenumber_cm,
        np.einsum("ab,fab->f", weight, spectrum.sigma),
        real_err,
        imag_err,
        covariance,
        None if spectrum.eps_inf is None else float(np.sum(weight * spectrum.eps_inf)),
        0.0 if dc is None else float(np.sum(weight * dc)),
    )


def relative_variance(spectrum: Spectrum) -> Array:
    """Variance of one diagonal component over its square, (F,), as the errors of the spectrum tell it."""
    value = np.diagonal(spectrum.sigma.real, axis1=1, axis2=2)
    error = np.diagonal(spectrum.sigma_real_err, axis1=1, axis2=2)
    ratio = np.divide(error, value, out=np.zeros_like(value), where=value > 0.0) ** 2
    ratio = np.clip(ratio.max(axis=1), 0.0, 0.999)
    return np.asarray(ratio / (1.0 - ratio))


def _errors(spectrum: Spectrum, weight: Array) -> tuple[Array, Array, Array]:
    """Errors of both parts of tr(Pσ) and their covariance."""
    values, axes = np.linalg.eigh(weight)
    r = relative_variance(spectrum)
    six = to_six(np.einsum("ai,fab,bj->fij", axes, spectrum.sigma.real, axes)).T
    _, squares = uncertainty.unbiased_products(six, r)
    pairs = np.concatenate([values**2, [2.0 * values[a] * values[b] for a, b in ((1, 2), (0, 2), (0, 1))]])
    density = pairs @ squares
    # the periodogram's ordinates reach to the Nyquist wavenumber: beyond the written range nothing is known
    step = float(spectrum.wavenumber_cm[1] - spectrum.wavenumber_cm[0])
    timestep = float(spectrum.parameters["timestep_fs"])
    full = np.zeros(round(0.5 / (step * SPEED_OF_LIGHT_CM_FS * timestep)) + 1)
    full[1 : len(density) + 1] = density
    full[0] = density[0]
    total_time = 1000.0 * float(spectrum.parameters["total_time_ps"])
    imag, covariance = uncertainty.response_covariance(
        full[None], spectrum.lag_window, timestep, total_time, len(density) + 1
    )
    return np.sqrt(density * r), np.sqrt(np.clip(imag[0, 1:], 0.0, None)), covariance[0, 1:]


def distinct_directions(spectrum: Spectrum) -> tuple[Direction, ...]:
    """Principal axes of a spectrum, those with equal spectra (within errors) merged.

    The axes are those of the cell's frame if the off-diagonal elements vanish within their errors, else
    the frame in which the tensors of all frequencies together are closest to diagonal. Three equal axes
    give the isotropic average.
    """
    axes, labels = np.eye(3), ["x", "y", "z"]
    if off_diagonal(spectrum) > ALIGNED:
        axes = principal_frame(spectrum.sigma.real)
        labels = [" ".join(f"{c + 0.0:.3g}" for c in axes[:, a]) for a in range(3)]
    values, errors = _along_axes(spectrum, axes)
    distance = {(a, b): _distance(values, errors, a, b) for a, b in ((0, 1), (0, 2), (1, 2))}
    if max(distance.values()) < 1.0:
        return (to_direction(None),)
    weights = [np.outer(axes[:, a], axes[:, a]) for a in range(3)]
    single = [Direction(label, weight) for label, weight in zip(labels, weights, strict=True)]
    (a, b), smallest = min(distance.items(), key=lambda item: item[1])
    if smallest > 1.0:
        return tuple(single)
    joined = labels[a] + labels[b] if labels[0] == "x" else f"{labels[a]} and {labels[b]}"
    merged = Direction(joined, 0.5 * (weights[a] + weights[b]))
    return (merged, single[3 - a - b])


def _distance(values: Array, errors: Array, a: int, b: int) -> float:
    """Difference of the spectra along two axes over what is still taken as equal."""
    both, error = values[a] + values[b], np.hypot(errors[a], errors[b])
    limit = min(SAME, SAME_SHARE * _difference(both, error, both))
    return _difference(values[a] - values[b], error, both) / max(limit, 1e-300)


def _difference(values: Array, errors: Array, weight: Array) -> float:
    """R.m.s. of values over errors, weighted."""
    used = errors > 0.0
    z2 = (values[used] / errors[used]) ** 2
    return float(np.sqrt(np.sum(weight[used] * z2) / max(float(np.sum(weight[used])), 1e-300)))


def off_diagonal(spectrum: Spectrum) -> float:
    """Off-diagonal elements of Re σ in standard errors, r.m.s. weighted with the absorption."""
    trace = spectrum.sigma_real
    found = [
        _difference(spectrum.sigma.real[:, a, b], spectrum.sigma_real_err[:, a, b], trace)
        for a, b in ((0, 1), (0, 2), (1, 2))
    ]
    return max(found)


def _along_axes(spectrum: Spectrum, axes: Array) -> tuple[Array, Array]:
    values = np.einsum("ai,fab,bi->if", axes, spectrum.sigma.real, axes)
    r = relative_variance(spectrum)
    return values, np.abs(values) * np.sqrt(r / (1.0 + r))


def principal_frame(tensors: NDArray[np.float64], sweeps: int = 20) -> Array:
    r"""Rotation (3, 3), one axis per column, that makes many symmetric tensors as diagonal as possible.

    Jacobi rotations; in each plane the angle that minimizes the sum of squared off-diagonal elements is
    :math:`\tfrac12\,\mathrm{atan2}(t, s + \sqrt{s^2+t^2})` with s = Σ[(A_aa−A_bb)² − 4A_ab²] and
    t = 4Σ(A_aa−A_bb)A_ab.

    Parameters
    ----------
    tensors
        (F, 3, 3).
    sweeps
        Most sweeps over the three planes.

    Reference
    ---------
    Cardoso and Souloumiac 1996, SIAM J. Matrix Anal. Appl. 17, 161.
    """
    axes = np.eye(3)
    work = np.array(tensors, dtype=float)
    for _ in range(sweeps):
        largest = 0.0
        for a, b in ((0, 1), (0, 2), (1, 2)):
            split, mixed = work[:, a, a] - work[:, b, b], 2.0 * work[:, a, b]
            s, t = float(np.sum(split**2 - mixed**2)), 2.0 * float(np.sum(split * mixed))
            angle = 0.5 * np.arctan2(t, s + np.hypot(s, t))
            turn = np.eye(3)
            turn[a, a] = turn[b, b] = np.cos(angle)
            turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
            work, axes = turn.T @ work @ turn, axes @ turn
            largest = max(largest, abs(float(angle)))
        if largest < 1e-10:
            break
    flip = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(3)])
    return np.asarray(axes * flip)
