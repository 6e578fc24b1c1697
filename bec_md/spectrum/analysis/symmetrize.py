r"""A spectrum averaged over the point group of its crystal.

A tensor of the response obeys :math:`σ = RσR^T` for every rotation R of the point group. Averaging a finite
run over the group,

.. math:: \barσ = \frac1{|G|}\sum_{R\in G} RσR^T, \qquad \barσ_{ab} = \mathrm{tr}(W^{ab}σ), \quad
          W^{ab} = \frac1{|G|}\sum_R R^T \tfrac12(e_a e_b^T + e_b e_a^T) R,

is unbiased whatever the motion, makes equal axes equal and elements that the group forbids exactly zero, and
the error of each element is that of the projection W. The trace does not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bec_md.arrays import Array
from bec_md.errors import UsageError
from bec_md.spectrum.analysis.point_group import PointGroup
from bec_md.spectrum.errors.quality import QualityCheck, QualityReport, Status
from bec_md.spectrum.errors.uncertainty import shared_noise
from bec_md.spectrum.response.conductivity import n_alpha_from_conductivity
from bec_md.spectrum.response.direction import Direction
from bec_md.spectrum.response.symmetric_tensor import VOIGT, to_six
from bec_md.spectrum.spectrum import Spectrum

#: R.m.s. deviation from the group in standard errors that is still noise, and that is surely none.
DOUBTFUL, CONTRADICTED = 2.0, 4.0


def symmetrized(spectrum: Spectrum, rotations: PointGroup | ArrayLike | Sequence[ArrayLike]) -> Spectrum:
    """Return a spectrum averaged over a point group, with its errors and a check of the group.

    Parameters
    ----------
    spectrum
        Result of `compute_spectrum`.
    rotations
        The point group of the mean structure, or its (n, 3, 3) Cartesian rotations, proper or not, all of
        them.

    Returns
    -------
    Spectrum
        The mean, with smaller errors where axes are equal.

    Raises
    ------
    UsageError
        If they are no group of rotations.
    """
    named = rotations if isinstance(rotations, PointGroup) else None
    group = _checked(rotations.rotations if isinstance(rotations, PointGroup) else rotations)
    weights = {(a, b): _weight(group, a, b) for a, b in VOIGT}
    errors = {pair: spectrum.errors_along(_direction(weight)) for pair, weight in weights.items()}
    sigma = np.einsum("nac,fcd,nbd->fab", group, spectrum.sigma, group) / len(group)

    def tensor(number: int) -> Array:
        """Averaged errors of one function as a symmetric tensor."""
        out = np.zeros((len(spectrum.wavenumber_cm), 3, 3))
        for (a, b), found in errors.items():
            out[:, a, b] = out[:, b, a] = found[number]
        return out

    offset = np.zeros((3, 3)) if spectrum.eps_inf is None else spectrum.eps_inf
    static = {
        name: _mean_error(weights, value, spectrum.static[name.removesuffix("_err")] - offset)
        if name.endswith("_err")
        else _mean(group, value)
        for name, value in spectrum.static.items()
    }
    dc, dc_err = spectrum.sigma_dc, spectrum.sigma_dc_err
    deviation = _deviation(spectrum, sigma.real)
    facts: dict[str, Any] = {
        "symmetry_operations": len(group),
        "symmetry_weights": [weight.round(12).tolist() for weight in weights.values()],
        "symmetry_plain": _axes(spectrum),
    }
    if named is not None:
        facts |= {"symmetry": named.symbol, "symmetry_source": named.source}
        facts |= {"symmetry_tolerance_ang": named.tolerance_ang}
    return replace(
        spectrum,
        sigma=sigma,
        sigma_real_err=tensor(0),
        sigma_imag_err=tensor(1),
        sigma_covariance=tensor(2),
        eps_inf=None if spectrum.eps_inf is None else _mean(group, spectrum.eps_inf),
        acf=_mean(group, spectrum.acf),
        static=static,
        sigma_dc=None if dc is None else _mean(group, dc),
        sigma_dc_err=None
        if dc_err is None
        else _mean_error(weights, dc_err, np.eye(3) if dc is None else dc),
        quality=QualityReport((*spectrum.quality.checks, _check(deviation, len(group)))),
        parameters={**spectrum.parameters, **facts},
    )


def _axes(spectrum: Spectrum) -> dict[str, list[float]]:
    """Numbers along x, y, z before the average, to be seen beside it: ∫nα dν̃ in cm⁻² and the static ones."""
    step = float(spectrum.wavenumber_cm[1] - spectrum.wavenumber_cm[0])
    absorbed = n_alpha_from_conductivity(np.einsum("faa->a", spectrum.sigma.real)) * step
    return {"n_alpha_integral_cm2": absorbed.tolist()} | {
        name: np.diag(value).tolist() for name, value in spectrum.static.items()
    }


def _checked(rotations: ArrayLike | Sequence[ArrayLike]) -> Array:
    group = np.asarray(rotations, dtype=float)
    shaped = group.ndim == 3 and group.shape[1:] == (3, 3) and len(group) > 0
    if shaped and np.allclose(np.einsum("nab,ncb->nac", group, group), np.eye(3), atol=1e-4):
        # a supercell has each of them as often as it has translations
        group = group[np.unique(np.round(group, 4) + 0.0, axis=0, return_index=True)[1]]
        products = np.einsum("nab,mbc->nmac", group, group).reshape(-1, 1, 3, 3)
        if np.abs(products - group[None]).max(axis=(2, 3)).min(axis=1).max() < 1e-3:
            return group
    raise UsageError(
        f"rotations of shape {group.shape} are no point group",
        "the average over a part of a group is no symmetry, and other matrices are no rotations",
        "pass all operations of the point group as orthogonal Cartesian matrices (n, 3, 3)",
    )


def _weight(group: Array, a: int, b: int) -> Array:
    element = np.zeros((3, 3))
    element[a, b] += 0.5
    element[b, a] += 0.5
    return np.asarray(np.einsum("nca,cd,ndb->ab", group, element, group) / len(group))


def _direction(weight: Array) -> Direction:
    return Direction("group", np.where(np.abs(weight) < 1e-9, 0.0, weight))


def _mean(group: Array, tensors: Array) -> Array:
    return np.asarray(np.einsum("nac,...cd,nbd->...ab", group, tensors, group) / len(group))


def _mean_error(weights: dict[tuple[int, int], Array], error: Array, tensor: Array) -> Array:
    """Errors of averaged elements of a tensor, which share their noise as its own elements say."""
    shared, six = shared_noise(tensor[None])[..., 0], to_six(error)
    out = np.zeros((3, 3))
    for (a, b), weight in weights.items():
        parts = six * [(1.0 if c == d else 2.0) * weight[c, d] for c, d in VOIGT]
        out[a, b] = out[b, a] = max(float(parts @ shared @ parts), 0.0) ** 0.5
    return out


def _deviation(spectrum: Spectrum, mean: Array) -> float:
    """Departure of Re σ from its average, r.m.s. in standard errors, weighted with the absorption."""
    difference, error = spectrum.sigma.real - mean, spectrum.sigma_real_err
    used = error > 0.0
    weight = np.broadcast_to(spectrum.sigma_real[:, None, None], used.shape)[used]
    z2 = (difference[used] / error[used]) ** 2
    return float(np.sqrt(np.sum(weight * z2) / max(float(weight.sum()), 1e-300)))


def _check(deviation: float, operations: int) -> QualityCheck:
    status: Status = "ok" if deviation < DOUBTFUL else ("warn" if deviation < CONTRADICTED else "fail")
    return QualityCheck(
        "symmetry",
        deviation,
        f"below {DOUBTFUL:g} standard errors (fail: {CONTRADICTED:g})",
        status,
        f"departure of σ from its average over {operations} operations of the point group",
        "the run contradicts the group: a phase transition, domains, or another setting of the axes",
    )
