r"""Whether tensors derive from a polarization: ∮ Z·du over small closed loops of all atoms.

Born effective charges are derivatives, :math:`Z_{i,ab} = ∂M_a/∂u_{ib}`, so that M comes back when all atoms
come back (by whole polarization quanta, and by none on a small loop). Tensors that a network predicts one
by one need not be such derivatives: then J is not dM/dt, ∫J dt wanders although nothing diffuses, and the
spectrum has a floor at low frequency.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.arrays import Array
from bec_md.charges.source import derivative_of

if TYPE_CHECKING:
    from bec_md.charges.source import ChargeSource
    from bec_md.structure import Frame


#: R.m.s. displacement of an atom on the loop, Å: that of thermal motion at 300 K in a stiff solid.
RADIUS_ANG = 0.1
#: Larger systems are tested with fewer evaluations: every loop averages over all atoms already.
ATOMS_OF_ONE_LOOP = 2000


@dataclass(frozen=True)
class ClosedLoop:
    r"""Result of `closed_loop`.

    Parameters
    ----------
    share
        R.m.s. of :math:`|∮ Z·du|` over r.m.s. of :math:`∮ |Z·du|`: part of the moved polarization that does
        not come back.
    residual_e_per_ang
        R.m.s. over loops and components of :math:`∮ Z·du` per enclosed area, with all atoms displaced by
        unit vectors (r.m.s.) and divided by √N: the antisymmetric part of ∂Z/∂u per atom, e/Å.
    gradient_e_per_ang
        The same of ∂Z/∂u itself: residual_e_per_ang is √2 times this if the two are unrelated.
    radius_ang
        R.m.s. displacement of an atom, Å.
    loops, evaluations
        Number of loops, and of configurations whose tensors were evaluated.
    """

    share: float
    residual_e_per_ang: float
    gradient_e_per_ang: float
    radius_ang: float
    loops: int
    evaluations: int

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)


def closed_loop(
    source: ChargeSource,
    frame: Frame,
    *,
    loops: int = 2,
    points: int = 12,
    radius_ang: float = RADIUS_ANG,
    seed: int = 0,
) -> ClosedLoop:
    r"""Take all atoms around circles in configuration space and sum up what the polarization gains.

    .. math:: u(φ) = r\,(d_1 \cos φ + d_2 \sin φ), \qquad
              ∮ Z·du = \int_0^{2π} \sum_i Z_i(u) \frac{∂u_i}{∂φ}\, dφ

    with two random directions :math:`d_1, d_2` of all atoms. The trapezoidal rule of p points leaves terms
    of order :math:`r^{p-1}` out: in quartz 2·10⁻⁵ with 8 points, less than the rounding of float32 with 12.
    The net charge plays no role: displacements leave the center in place.

    Parameters
    ----------
    source
        Source of tensors, prepared for the system; its tensors must follow the positions.
    frame
        Where the loops are centered.
    loops, points
        Number of loops, and of configurations on each.
    radius_ang
        R.m.s. displacement of an atom, Å.
    seed
        Of the directions.

    Returns
    -------
    ClosedLoop
        `share` is zero for tensors that derive from a polarization.
    """
    rng = np.random.default_rng(seed)
    angles = 2.0 * np.pi * np.arange(points) / points
    cosine, sine = np.cos(angles), np.sin(angles)
    n_atoms = len(frame.positions_ang)
    residual, gradient, gained, moved = [], [], [], []
    for _ in range(loops):
        directions = rng.normal(size=(2, n_atoms, 3))
        if n_atoms > 1:
            directions -= directions.mean(axis=1, keepdims=True)
        directions /= np.sqrt((directions**2).sum(axis=2).mean(axis=1))[:, None, None]
        first, second = directions
        shifts = radius_ang * (cosine[:, None, None] * first + sine[:, None, None] * second)
        along = _along(source, [_moved(frame, shift) for shift in shifts], directions)
        # dM/dφ around the loop, (p, 3)
        rate = radius_ang * (cosine[:, None] * along[1] - sine[:, None] * along[0])
        gained.append(rate.sum(axis=0) * 2.0 * np.pi / points)
        moved.append(np.linalg.norm(rate, axis=1).sum() * 2.0 * np.pi / points)
        residual.append(gained[-1] / (np.pi * radius_ang**2) / n_atoms**0.5)
        for weight, values in ((cosine, along[1]), (sine, along[0])):  # ∂_1 Z·d_2 and ∂_2 Z·d_1
            gradient.append(2.0 / (points * radius_ang) * weight @ values / n_atoms**0.5)
    return ClosedLoop(
        share=_ratio(_rms(np.linalg.norm(gained, axis=1)), _rms(np.array(moved))),
        residual_e_per_ang=_rms(np.array(residual)),
        gradient_e_per_ang=_rms(np.array(gradient)),
        radius_ang=radius_ang,
        loops=loops,
        evaluations=loops * points,
    )


def loop_of_source(source: ChargeSource, frame: Frame) -> ClosedLoop | None:
    """Return the closed-loop test of a source, or None if its tensors are not a function of positions.

    Constant tensors are derivatives of Σ Z u: nothing is evaluated.
    """
    if source.constant:
        return ClosedLoop(0.0, 0.0, 0.0, RADIUS_ANG, 0, 0)
    if not getattr(source, "follows_positions", True):
        return None
    return closed_loop(source, frame, loops=1 if len(frame.positions_ang) > ATOMS_OF_ONE_LOOP else 2)


def _along(source: ChargeSource, frames: list[Frame], directions: Array) -> Array:
    """Z·d of each of the D directions (D, N, 3) in each of the frames, (D, F, 3)."""
    derivative = derivative_of(source)
    if derivative is None:
        charges = source.evaluate(frames).born_effective_charges
        return np.asarray(np.einsum("fiab,dib->dfa", charges, directions))
    shape = (len(frames), *directions.shape[1:])
    return np.stack(
        [derivative.along(frames, np.broadcast_to(one, shape)).current[:, 0] for one in directions]
    )


def _moved(frame: Frame, shift: Array) -> Frame:
    return replace(frame, positions_ang=frame.positions_ang + shift)


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0.0 else 0.0
