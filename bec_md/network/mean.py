"""The mean of several networks as one engine: they err in different ways, and their mean less than each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bec_md.arrays import Array
from bec_md.network.request import TENSORS, Answers, Request

if TYPE_CHECKING:
    from ase import Atoms

    from bec_md.network.predictor import BecModel
    from bec_md.structure import Frame


class MeanEngine:
    """Tensors, ε∞ and J of several networks, averaged.

    Member m gives network m mod K more than its share and the others less, so that the spread holds what the
    networks differ by, beside what the members of each do (calibrated as its card says). Of a polarization
    only the mean of the members is taken: tensors of each would cost three sweeps more. ε∞ is that of the
    networks which have learned it.

    Parameters
    ----------
    parts
        The K networks, at the same level of theory.
    shares
        How much each counts; their sum is one.
    """

    def __init__(self, parts: Sequence[BecModel], shares: Sequence[float]) -> None:
        self.parts, self.shares = list(parts), np.asarray(shares, dtype=np.float64)
        self.name = parts[0].engine.name

    def evaluate(self, frames: Sequence[Frame | Atoms], request: Request = TENSORS) -> Answers:
        """Answer what is asked for, by name; there is no polarization."""
        if request.velocities is not None:
            lanes = request.velocities
            return {"current": self._mixed([part.currents(frames, lanes)["current"] for part in self.parts])}
        means = Request(request.outputs, members=False)
        found = [
            part.engine.evaluate(frames, request if part.charges_from == "charges" else means)
            for part in self.parts
        ]
        members = self._mixed([one["charges"] for one in found])
        known = self.shares * [part.predicts_eps_inf for part in self.parts]
        eps_inf = np.average(
            [one["eps_inf"] for one in found], axis=0, weights=known if known.any() else None
        )
        return {
            "charges": members if request.members else members.mean(axis=1, keepdims=True),
            "eps_inf": eps_inf,
        }

    def ionic_charges(self) -> Array:
        """There are none: the tensors of all networks together derive from no polarization."""
        raise NotImplementedError

    def _mixed(self, values: Sequence[Array]) -> Array:
        """Members of the mean (F, M, …) from those of the networks."""
        values = [
            one if part.charges_from == "charges" else one.mean(axis=1, keepdims=True)
            for part, one in zip(self.parts, values, strict=True)
        ]
        kinds = len(values)
        member = np.arange(kinds * math.lcm(*(one.shape[1] for one in values)))
        mixed: Array = np.zeros((len(values[0]), len(member), *values[0].shape[2:]))
        for index, (part, one) in enumerate(zip(self.parts, values, strict=True)):
            mean = one.mean(axis=1, keepdims=True)
            own = self.shares[index] + (member % kinds == index) - 1 / kinds
            spread = self.shares[index] * part.calibration * (one - mean)
            mixed += own.reshape(1, -1, *([1] * (one.ndim - 2))) * mean
            mixed += spread[:, member // kinds % one.shape[1]]
        return mixed
