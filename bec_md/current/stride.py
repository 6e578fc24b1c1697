r"""Choose how rarely tensors have to be evaluated: try strides on two windows of the trajectory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from bec_md.arrays import Array
from bec_md.current.interpolation import lagrange_weights, node_window, weighted_sum
from bec_md.current.sums import polarization_velocity
from bec_md.errors import DataError

if TYPE_CHECKING:
    from bec_md.current.rows import Recipe
    from bec_md.structure import Frame


STRIDES = (32, 24, 16, 12, 8, 6, 4, 3, 2)
#: Frames of one window: three segments of the longest stride on either side of the middle one.
WINDOW = 97


@dataclass(frozen=True)
class StrideChoice:
    """A stride with its measured errors.

    Parameters
    ----------
    stride
        Evaluate every so many frames.
    current_error
        Relative r.m.s. error of J half-way between evaluated frames (0 for stride 1).
    charge_error_e
        R.m.s. error of the tensors there, e.
    tolerance
        What was asked for.
    """

    stride: int
    current_error: float
    charge_error_e: float
    tolerance: float

    def describe(self) -> str:
        """One sentence on the choice."""
        if self.stride == 1:
            return (
                "tensors are evaluated at every frame: interpolated, they would change J by more than "
                f"{self.tolerance:g}"
            )
        return (
            f"tensors are evaluated at one frame in {self.stride}: between these they are off by "
            f"{self.charge_error_e:.2g} e, J by {self.current_error:.2g} (tolerance {self.tolerance:g})"
        )


def choose_stride(recipe: Recipe, tolerance: float, n_frames: int | None) -> StrideChoice:
    """Return the largest stride whose error of J, half-way between evaluated frames, is within tolerance."""
    starts = [0] if n_frames is None or n_frames < 2 * WINDOW else [0, n_frames // 2]
    windows = [_window(recipe, start) for start in starts]
    if min(len(charges) for charges, _ in windows) < 5:
        raise DataError(
            f"{len(windows[0][0])} frames are too few to choose a stride",
            "the error of interpolation is measured on them",
            "give `charge_stride=1`",
        )
    for stride in STRIDES:
        cubic = recipe.sampling.interpolation == "cubic"
        measured = [_error(c, v, stride, cubic) for c, v in windows]
        if any(values is None for values in measured):
            continue
        sums = np.sum([values for values in measured if values is not None], axis=0)
        current_error = float(np.sqrt(sums[1] / sums[2])) if sums[2] > 0 else 0.0
        if current_error <= tolerance:
            return StrideChoice(stride, current_error, float(np.sqrt(sums[0] / sums[3])), tolerance)
    return StrideChoice(1, 0.0, 0.0, tolerance)


def _window(recipe: Recipe, start: int) -> tuple[Array, Array]:
    """Return tensors (F, N, 3, 3) and barycentric velocities (F, N, 3) of one window of frames."""
    frames: list[Frame] = list(islice(recipe.trajectory.frames(skip=start), WINDOW))
    dense = replace(recipe, sampling=replace(recipe.sampling, charge_stride=1))
    size = dense.sampling.batch
    charges = np.concatenate(
        [
            recipe.charges.evaluate(frames[i : i + size]).born_effective_charges
            for i in range(0, len(frames), size)
        ]
    )
    velocities = dense.velocities(frames)
    return charges, velocities - dense.sums.com_velocity(velocities)[:, None]


def _error(charges: Array, velocities: Array, stride: int, cubic: bool) -> Array | None:
    """Return summed mean square ΔZ, |ΔJ|², |J|² and the count at the middles of segments."""
    keys = list(range(0, len(velocities), stride))
    if len(keys) < 4:
        return None
    sums = np.zeros(4)
    for key in keys[1:-2]:
        number = key + stride // 2
        low, high = node_window(keys, number, cubic)
        weights = lagrange_weights(keys[low:high], number)
        guess = weighted_sum(weights, [charges[node] for node in keys[low:high]])
        difference = guess - charges[number]
        wrong = polarization_velocity(difference[None], velocities[number][None]).sum(axis=1)
        right = polarization_velocity(charges[number][None], velocities[number][None]).sum(axis=1)
        sums += [(difference**2).mean(), (wrong**2).sum(), (right**2).sum(), 1.0]
    return sums
