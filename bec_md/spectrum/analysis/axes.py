"""The principal axes of a spectrum: those of its crystal, else those that the spectrum itself shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bec_md.arrays import Array
from bec_md.spectrum.errors.uncertainty import relative_variance_along
from bec_md.spectrum.response.direction import Direction, to_direction

if TYPE_CHECKING:
    from bec_md.spectrum.analysis.point_group import PointGroup
    from bec_md.spectrum.spectrum import Spectrum

#: Two symmetric tensors without any symmetry: averaged over a group they show what it leaves of a response.
_PROBES = np.array(
    [
        [[1.0, 0.3, 0.2], [0.3, 2.1, 0.5], [0.2, 0.5, 3.7]],
        [[2.3, -0.4, 0.1], [-0.4, 1.1, 0.6], [0.1, 0.6, 0.7]],
    ]
)
#: Elements of the averaged probes below this are zero.
_EXACT = 1e-4
_PAIRS = ((0, 1), (0, 2), (1, 2))
#: The frame of the cell, in which directions are called x, y, z.
CELL = np.eye(3)
#: Axes are one if their spectra differ by less than this, r.m.s. in standard errors of the difference
#: (weighted with the absorption), or by less than `SAME_SHARE` of what disjoint bands would give. Error
#: bars of lines narrower than the resolution are too small by a factor of this size.
SAME, SAME_SHARE = 2.5, 0.65
#: Off-diagonal elements of a spectrum in the frame of the cell count as zero up to this, in the same measure.
ALIGNED = 2.0


def principal_directions(spectrum: Spectrum) -> tuple[Direction, ...]:
    """Principal axes that are known from the crystal (`with_axes_of`), else `distinct_directions`."""
    known = spectrum.parameters.get("principal_axes")
    if known is None:
        return distinct_directions(spectrum)
    return tuple(Direction(label, np.asarray(weight)) for label, weight in known["weights"].items())


def shown_directions(spectrum: Spectrum) -> list[Direction | str]:
    """Directions whose TO and LO are said: those asked for with the optics, else the principal axes."""
    wanted = (spectrum.parameters.get("optics") or {}).get("directions") or ()
    return [*wanted] or list(principal_directions(spectrum))


def with_axes_of(spectrum: Spectrum, group: PointGroup) -> Spectrum:
    """Return the spectrum with the principal axes of its crystal among its parameters."""
    found = symmetry_directions(spectrum, group.rotations)
    known = {
        "point_group": group.symbol,
        "source": group.source,
        "weights": {one.label: np.round(one.weight, 9).tolist() for one in found},
    }
    return replace(spectrum, parameters={**spectrum.parameters, "principal_axes": known})


def symmetry_directions(spectrum: Spectrum, rotations: Array) -> tuple[Direction, ...]:
    r"""Principal axes of a crystal, those that its point group makes equal merged.

    A response has the form :math:`\frac1{|G|}\sum_R R A R^T`: its axes are fixed in all but monoclinic and
    triclinic crystals, where those of the averaged spectrum are taken.

    Parameters
    ----------
    spectrum
        Its tensors choose axes where the group does not.
    rotations
        (n, 3, 3) Cartesian rotations of the point group.
    """
    shown = _group_mean(rotations, _PROBES)
    axes = CELL
    if _mixed(shown, axes) > _EXACT:
        axes = principal_frame(shown)
        if _mixed(shown, axes) > _EXACT:
            free = off_diagonal(spectrum) > ALIGNED
            axes = principal_frame(_group_mean(rotations, spectrum.sigma.real)) if free else CELL
    along = np.einsum("ai,pab,bi->pi", axes, shown, axes)
    equal = [(a, b) for a, b in _PAIRS if np.all(np.abs(along[:, a] - along[:, b]) < _EXACT)]
    return _merged(axes, equal)


def _group_mean(rotations: Array, tensors: Array) -> Array:
    return np.asarray(np.einsum("nac,pcd,nbd->pab", rotations, tensors, rotations) / len(rotations))


def _mixed(tensors: Array, axes: Array) -> float:
    """Largest off-diagonal element of tensors (P, 3, 3) in a frame."""
    seen = np.einsum("ai,pab,bj->pij", axes, tensors, axes)
    return float(np.abs(seen * (1.0 - np.eye(3))).max())


def distinct_directions(spectrum: Spectrum) -> tuple[Direction, ...]:
    """Principal axes of a spectrum, those with equal spectra (within errors) merged.

    The axes are those of the cell's frame if the off-diagonal elements vanish within their errors, else
    the frame in which the tensors of all frequencies together are closest to diagonal. Three equal axes
    give the isotropic average.
    """
    axes = principal_frame(spectrum.sigma.real) if off_diagonal(spectrum) > ALIGNED else CELL
    values, errors = _along_axes(spectrum, axes)
    distance = {(a, b): _distance(values, errors, a, b) for a, b in _PAIRS}
    if max(distance.values()) < 1.0:
        return _merged(axes, _PAIRS)
    pair, smallest = min(distance.items(), key=lambda item: item[1])
    return _merged(axes, [] if smallest > 1.0 else [pair])


def _merged(axes: Array, equal: Sequence[tuple[int, int]]) -> tuple[Direction, ...]:
    """Directions along axes (columns), with no, one or all pairs of them joined."""
    if len(equal) > 1:
        return (to_direction(None),)
    plain = axes is CELL
    labels = list("xyz") if plain else [" ".join(f"{c + 0.0:.3g}" for c in axes[:, a]) for a in range(3)]
    weights = [np.outer(axes[:, a], axes[:, a]) for a in range(3)]
    single = [Direction(label, weight) for label, weight in zip(labels, weights, strict=True)]
    if not equal:
        return tuple(single)
    a, b = equal[0]
    joined = labels[a] + labels[b] if plain else f"{labels[a]} and {labels[b]}"
    return (Direction(joined, 0.5 * (weights[a] + weights[b])), single[3 - a - b])


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
    r = relative_variance_along(axes, *spectrum.diagonals())
    return values, np.abs(values) * np.sqrt(r / (1.0 + r))


def principal_frame(tensors: Array, sweeps: int = 20) -> Array:
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
