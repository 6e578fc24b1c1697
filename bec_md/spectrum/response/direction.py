r"""Directions in which a response is looked at.

A direction is a symmetric weight P of trace 1, and what is seen along it is :math:`\mathrm{tr}(P σ)`:
:math:`P = \hat q\hat q^T` for one direction, the mean of several of them for axes that are equal by symmetry,
1/3 for the average. For Gaussian noise

.. math:: \mathrm{var}\,\mathrm{tr}(P\hat S) = \mathrm{tr}(P S P S)\; r,

r being the relative variance of one component.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from bec_md.arrays import Array, brief
from bec_md.errors import UsageError


@dataclass(frozen=True, eq=False)
class Direction:
    """A direction, or an average over directions.

    Parameters
    ----------
    label
        "x", "xy" (mean of both), "isotropic", or the three components.
    weight
        (3, 3) symmetric, of trace 1; for an off-diagonal element of trace 0.
    """

    label: str
    weight: Array

    @property
    def isotropic(self) -> bool:
        """Whether it is the average over all directions."""
        return self.label == "isotropic"

    @property
    def element(self) -> tuple[int, int] | None:
        """Row and column if it is one element of the tensor in the frame of the cell, else None."""
        rows, columns = np.nonzero(self.weight)
        elements = {(int(min(a, b)), int(max(a, b))) for a, b in zip(rows, columns, strict=True)}
        return elements.pop() if len(elements) == 1 else None

    @property
    def positive(self) -> bool:
        """Whether what is seen along it is a power spectrum, which is nowhere negative."""
        return float(np.trace(self.weight)) > 0.5


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
    if value is None or (isinstance(value, str) and value == "isotropic"):
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
        numbers = [float(v) for v in value] if isinstance(value, Iterable) else []
    q = np.asarray(numbers, dtype=float)
    length = float(np.linalg.norm(q)) if q.shape == (3,) else 0.0
    if not (np.isfinite(length) and length > 0.0):
        raise UsageError(
            f"direction {brief(value)} is not understood",
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


def component(letters: str) -> Direction:
    """Return the weight that picks one element of a tensor, e.g. "xx" or "xz".

    Raises
    ------
    UsageError
        For anything but two letters of xyz.
    """
    if len(letters) != 2 or not set(letters) <= set("xyz"):
        raise UsageError(
            f"no tensor component {letters!r}", "ε is a 3×3 tensor", "use two letters of x, y, z, e.g. 'zz'"
        )
    a, b = ("xyz".index(letter) for letter in letters)
    weight = np.zeros((3, 3))
    weight[a, b] += 0.5
    weight[b, a] += 0.5
    return Direction(letters, weight)
